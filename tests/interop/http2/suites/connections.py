"""The two kinds of connection that the suites run over."""

import inspect
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

import penstock

KINDS = ["plaintext", "tls"]


@dataclass(frozen=True)
class Security:
    """What either side of a connection needs; for plaintext nothing."""

    server: dict[str, Any]
    """Options of `Server.listening`."""
    client: dict[str, Any]
    """Options of `Channel`."""
    certificate: Path | None
    """A PEM file with certificate and key, for a server that is not ours."""

    @property
    def is_tls(self) -> bool:
        """It is TLS."""
        return self.certificate is not None


def security(kind: str, folder: Path) -> Security:
    """Make what connections of a kind need; files go into the folder."""
    if kind == "plaintext":
        return Security({}, {}, None)
    if "tls" not in inspect.signature(penstock.Channel).parameters:
        pytest.skip("there is no tls= yet")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate = folder / "server.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    issued.configure_cert(server)
    authority.configure_trust(client)
    for context in (server, client):
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
    return Security({"tls": server}, {"tls": client}, certificate)
