"""The certificate that all servers of a run show, and whom their clients trust."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from benchmarks.work import SERVER_NAME

__all__ = ["Certificate", "made"]


@dataclass(frozen=True)
class Certificate:
    """Files in PEM: an ECDSA key on P-256, a certificate, and the authority that signed it."""

    ca: Path
    chain: Path
    key: Path


@contextmanager
def made() -> Iterator[Certificate]:
    """Make one that is there until this is left."""
    authority = trustme.CA()
    issued = authority.issue_cert(SERVER_NAME, "127.0.0.1")
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        files = Certificate(folder / "ca.pem", folder / "chain.pem", folder / "key.pem")
        authority.cert_pem.write_to_path(str(files.ca))
        for blob in issued.cert_chain_pems:
            blob.write_to_path(str(files.chain), append=True)
        issued.private_key_pem.write_to_path(str(files.key))
        yield files
