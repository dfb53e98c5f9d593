"""Is a context fit for gRPC, before it is used?"""

from __future__ import annotations

import ssl

from penstock import tls
from penstock.errors import UsageError

SIDES = {ssl.PROTOCOL_TLS_CLIENT: "client", ssl.PROTOCOL_TLS_SERVER: "server"}


def for_client(given: ssl.SSLContext | bool, server_hostname: str) -> ssl.SSLContext:
    """Prepare what a `Channel` was given.

    Raises:
        UsageError: It cannot be used; the text says why.
    """
    context = tls.client_context() if isinstance(given, bool) else given
    _check(context, "client")
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=server_hostname)
    except ValueError as error:
        msg = f"{server_hostname!r} cannot be the name of a TLS server: {error}"
        raise UsageError(msg) from error
    return context


def for_server(context: ssl.SSLContext) -> ssl.SSLContext:
    """Prepare what a `Server` was given.

    Raises:
        UsageError: It cannot be used; the text says why.
    """
    _check(context, "server")
    # With a callback that picks another context by the client's SNI, this one may well be empty.
    if context.sni_callback is None and not _answers(context):
        msg = "the context has no certificate that clients can use: call load_cert_chain on it first"
        raise UsageError(msg)
    return context


def _check(context: ssl.SSLContext, side: str) -> None:
    if not isinstance(context, ssl.SSLContext):
        msg = f"tls= takes an ssl.SSLContext, not {context!r}"
        raise UsageError(msg)
    if SIDES.get(context.protocol, side) != side:
        msg = f"a {side} needs a context for its side: ssl.PROTOCOL_TLS_{side.upper()}, not {context.protocol.name}"
        raise UsageError(msg)
    if context.minimum_version < ssl.TLSVersion.TLSv1_2:
        msg = f"HTTP/2 needs TLS 1.2 or later, and the context's minimum_version is {context.minimum_version.name}"
        raise UsageError(msg)
    tls._prepare(context)


def _answers(context: ssl.SSLContext) -> bool:
    """A client that verifies nothing, and takes any cipher, gets as far as the server's certificate."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.set_ciphers("ALL:@SECLEVEL=0")
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    hello, answer = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = anyone.wrap_bio(answer, hello)
    server = context.wrap_bio(hello, answer, server_side=True)
    for side in (client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    return True
