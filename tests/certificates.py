"""An authority and what it signs, as files and as the contexts of both sides."""

import datetime
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    CertificateBuilder,
    Name,
    NameAttribute,
    ObjectIdentifier,
    UnrecognizedExtension,
    load_pem_x509_certificate,
)
from cryptography.x509.oid import NameOID

from penstock import tls

SERVER_NAMES = ("localhost", "127.0.0.1", "::1")
CLIENT_NAME = "device-7.fleet.test"


class Certificates:
    """Files in a folder: `ca`; `server` and `client`, with their keys; `other_ca`, which signed neither."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))
        self.other_ca = folder / "other-ca.pem"
        trustme.CA().cert_pem.write_to_path(str(self.other_ca))
        self.server = self.issue(*SERVER_NAMES)
        self.client = self.issue(CLIENT_NAME)

    def issue(self, *names: str, expired: bool = False) -> Path:
        """Sign a certificate for these names; the file holds it, its chain and its key."""
        over = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC) if expired else None
        issued = self._authority.issue_cert(*names, common_name=names[0], not_after=over)
        path = self._folder / f"{len(list(self._folder.iterdir()))}.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def issue_for_name(self, name: bytes) -> Path:
        """Sign a certificate whose one subjectAltName is these bytes: tag, length below 128, value."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        authority = load_pem_x509_certificate(self._authority.cert_pem.bytes())
        signer = load_pem_private_key(self._authority.private_key_pem.bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        builder = CertificateBuilder(
            authority.subject, Name([NameAttribute(NameOID.COMMON_NAME, CLIENT_NAME)]), key.public_key(), 1
        )
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        alternative = UnrecognizedExtension(ObjectIdentifier("2.5.29.17"), bytes([0x30, len(name)]) + name)
        issued = builder.add_extension(alternative, critical=False).sign(signer, SHA256())
        path = self._folder / f"{len(list(self._folder.iterdir()))}.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + issued.public_bytes(Encoding.PEM)
        )
        return path

    def server_context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """Make the context of a server that asks for a client's certificate."""
        mine = certificate or self.server
        return tls.server_context(mine, mine, client_ca=self.ca)

    def client_context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """Make the context of a client that has a certificate."""
        return tls.client_context(self.ca, certificate or self.client)

    def foreign_server_context(self, *protocols: str) -> ssl.SSLContext:
        """Make the context of a server of another make, which chooses among these by ALPN, or knows no ALPN."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server)
        return _offering(context, protocols)

    def foreign_client_context(self, *protocols: str) -> ssl.SSLContext:
        """Make the context of a client of another make, which offers these by ALPN, or knows no ALPN."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.client)
        return _offering(context, protocols)


def _offering(context: ssl.SSLContext, protocols: Sequence[str]) -> ssl.SSLContext:
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give certificates that one authority has signed."""
    return Certificates(tmp_path_factory.mktemp("certificates"))
