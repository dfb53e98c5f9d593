"""TLS: contexts as gRPC wants them, and what is known of the peer.

`Channel` and `Server` take any `ssl.SSLContext`; these functions make the usual ones.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock import _tls_files
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock._tls_files import PathLike

__all__ = ["TlsPeer", "client_context", "server_context"]

PROTOCOL = "h2"
"""What both sides must agree on by ALPN. Source: RFC 9113 section 3.2."""

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""What is left for TLS 1.2. Source: RFC 9113 section 9.2.2 forbids the others to HTTP/2."""

NAMES = {"DNS", "IP Address", "URI", "email"}
"""The kinds of subjectAltName that say who somebody is, as Python calls them."""

INVALID = "<invalid>"
"""What Python makes of an address that has not 4 bytes and not 16."""


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """The other end of a TLS connection, as the handshake showed it."""

    version: str
    """`TLSv1.3`, for example."""
    cipher: str
    """Name of the cipher suite."""
    certificate: Mapping[str, Any] | None
    """The verified certificate, as `ssl.SSLSocket.getpeercert()` gives it; `None` if there is none, or if the context
    verified none."""
    certificate_der: bytes | None
    """The certificate as it came, for fingerprints. Nobody has verified it if `certificate` is `None`."""
    names: tuple[str, ...]
    """Whom the verified certificate names: every subjectAltName that is a DNS name, IP address, URI or email, else the
    common name."""


def client_context(
    ca: PathLike | None = None, certificate: PathLike | None = None, key: PathLike | None = None
) -> ssl.SSLContext:
    """Make the context of a client that verifies its server: TLS 1.2 and up, HTTP/2 by ALPN.

    Args:
        ca: File with the certificates to trust, in PEM; those of the system, unless given.
        certificate: File with the client's own certificate (mTLS) and the chain behind it, in PEM.
        key: File with its key, in PEM; `None`: it is in the same file.

    Raises:
        OSError: A file cannot be read.
        UsageError: Or what it holds cannot be used; or there is a key without a certificate.
    """
    if key is not None and certificate is None:
        msg = "key= without certificate=: pass the certificate too"
        raise UsageError(msg)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context)
    if ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _tls_files.load_trusted(context, ca)
    if certificate is not None:
        _tls_files.load_own(context, certificate, key)
    return context


def server_context(certificate: PathLike, key: PathLike, client_ca: PathLike | None = None) -> ssl.SSLContext:
    """Make the context of a server: TLS 1.2 and up, HTTP/2 by ALPN.

    Args:
        certificate: File with its certificate and the chain behind it, in PEM.
        key: File with its key, in PEM.
        client_ca: File with certificates, in PEM. Given, every client needs a certificate that one of them vouches for
            (mTLS); a handler finds it in `stream.tls`.

    Raises:
        OSError: A file cannot be read.
        UsageError: Or what it holds cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    _tls_files.load_own(context, certificate, key)
    if client_ca is not None:
        _tls_files.load_trusted(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    _prepare(context)


def _prepare(context: ssl.SSLContext) -> None:
    """What HTTP/2 asks of every context."""
    context.set_alpn_protocols([PROTOCOL])
    # Source: RFC 9113 section 9.2.1.
    context.options |= ssl.OP_NO_RENEGOTIATION


def _peer(session: ssl.SSLObject) -> TlsPeer:
    """What a finished handshake says of the other side.

    Raises:
        ValueError: The certificate holds something that is no text.
    """
    cipher = session.cipher()
    certificate = session.getpeercert() or None
    return TlsPeer(
        version=session.version() or "",
        cipher=cipher[0] if cipher else "",
        certificate=certificate,
        certificate_der=session.getpeercert(binary_form=True),
        names=_names(certificate or {}),
    )


def _names(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    alternative = tuple(_usual_form(*pair) for pair in certificate.get("subjectAltName", ()) if _is_name(*pair))
    if alternative:
        return alternative
    parts = (part for relative in certificate.get("subject", ()) for part in relative)
    return tuple(value for key, value in parts if key == "commonName")


def _is_name(kind: str, value: object) -> bool:
    """Of other kinds Python gives no value, or one like another's: a registered id may look like an address."""
    return kind in NAMES and value != INVALID


def _usual_form(kind: str, value: str) -> str:
    """An IPv6 address as everybody else writes it: OpenSSL writes all of its zeros."""
    return str(ipaddress.ip_address(value.strip())) if kind == "IP Address" else value
