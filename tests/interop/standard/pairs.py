"""Which client runs the cases with which server: every pair that has us on one side at least, or between them."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from tests.interop.standard import programs, proxy
from tests.interop.standard.grpcio import client as grpcio_client
from tests.interop.standard.grpcio import server as grpcio_server
from tests.interop.standard.ours import client as ours_client
from tests.interop.standard.ours import server as ours_server
from tests.interop.standard.soak import Soak
from tests.interop.standard.target import Certificates, Target

CLIENTS: dict[str, Callable[[str, Target, Soak], Coroutine[Any, Any, None]]] = {
    "ours": ours_client.run,
    "grpcio": grpcio_client.run,
    "go": programs.run_go,
    "js": programs.run_js,
}
SERVERS: dict[str, Callable[[Certificates | None], AbstractAsyncContextManager[Target]]] = {
    "ours": ours_server.serving,
    "grpcio": grpcio_server.serving,
    "go": programs.serving_go,
    "js": programs.serving_js,
    "proxy": partial(proxy.serving, behind=programs.serving_go),
    "relay": partial(proxy.serving, behind=grpcio_server.serving),
}

PAIRS = (
    ("ours", "ours"),
    ("ours", "grpcio"),
    ("grpcio", "ours"),
    ("ours", "go"),
    ("go", "ours"),
    ("ours", "js"),
    ("js", "ours"),
)
"""Client and server."""

THROUGH_PROXY = (
    ("ours", "proxy"),
    ("grpcio", "proxy"),
    ("go", "proxy"),
    ("js", "proxy"),
    ("ours", "relay"),
    ("grpcio", "relay"),
    ("js", "relay"),
)
"""Our proxy stands before the server: `proxy` before grpc-go's, `relay` before grpcio's, which knows compression."""


@asynccontextmanager
async def elsewhere(address: str, certificates: Certificates | None) -> AsyncIterator[Target]:
    """Take a server that somebody runs."""
    yield Target(address, certificates)
