"""TLS contexts from the certificates and keys the suite gives, all PEM."""

import ssl
import tempfile
from pathlib import Path

from connectrpc.conformance.v1.client_compat_pb2 import ClientCompatRequest
from connectrpc.conformance.v1.server_compat_pb2 import ServerCompatRequest

import penstock


def of_server(request: ServerCompatRequest) -> ssl.SSLContext | None:
    """Make the context a server is to listen with; `None`: plaintext."""
    if not request.use_tls:
        return None
    with tempfile.TemporaryDirectory(prefix="penstock-conformance-") as folder:
        certificate = _file(folder, "certificate.pem", request.server_creds.cert)
        key = _file(folder, "key.pem", request.server_creds.key)
        client_ca = _file(folder, "client_ca.pem", request.client_tls_cert) if request.client_tls_cert else None
        return penstock.tls.server_context(certificate, key, client_ca)


def of_client(request: ClientCompatRequest) -> ssl.SSLContext | None:
    """Make the context to connect with; `None`: plaintext."""
    if not request.server_tls_cert:
        return None
    with tempfile.TemporaryDirectory(prefix="penstock-conformance-") as folder:
        ca = _file(folder, "ca.pem", request.server_tls_cert)
        if not request.HasField("client_tls_creds"):
            return penstock.tls.client_context(ca)
        certificate = _file(folder, "certificate.pem", request.client_tls_creds.cert)
        key = _file(folder, "key.pem", request.client_tls_creds.key)
        return penstock.tls.client_context(ca, certificate, key)


def _file(folder: str, name: str, pem: bytes) -> Path:
    path = Path(folder, name)
    path.write_bytes(pem)
    return path
