"""Where a client finds a server, and the certificates of both."""

from dataclasses import dataclass
from pathlib import Path

import trustme

SERVER_NAME = "foo.test.google.fr"
"""Whom the certificate names, whatever the address is: the `--server_host_override` of the interop programs."""


@dataclass(frozen=True)
class Certificates:
    """Files in PEM."""

    ca: Path
    chain: Path
    key: Path


@dataclass(frozen=True)
class Target:
    """A server to call."""

    address: str
    """`host:port`."""
    certificates: Certificates | None = None
    """`None`: without TLS."""

    @property
    def port(self) -> str:
        """The port of the address."""
        return self.address.rpartition(":")[2]


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and a certificate of it, for SERVER_NAME."""
    authority = trustme.CA()
    issued = authority.issue_cert(SERVER_NAME)
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority.cert_pem.write_to_path(str(made.ca))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(made.chain), append=True)
    issued.private_key_pem.write_to_path(str(made.key))
    return made
