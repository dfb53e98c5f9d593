"""Which client talks to which server: every pair that has us on one side at least, or our proxy between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import pytest

from tests.interop import go_program, grpcio_client, grpcio_server, ours_client, ours_server, proxied
from tests.interop.peers import Client, Pair, Server

CLIENTS: dict[str, Callable[[str, int | None], AbstractAsyncContextManager[Client]]] = {
    "ours": ours_client.calling,
    "grpcio": grpcio_client.calling,
    "go": go_program.calling,
}
SERVERS: dict[str, Callable[[int | None], AbstractAsyncContextManager[Server]]] = {
    "ours": ours_server.serving,
    "grpcio": grpcio_server.serving,
    "go": go_program.serving,
}
OURS = ours_client.OurClient | ours_server.OurServer | proxied.Proxy

# Seconds; the first test that needs the Go program builds it, and with an empty cache grpc-go as well.
BUILDS = pytest.mark.timeout(300)

PAIRS = [
    pytest.param(("ours", "ours"), id="ours-ours"),
    pytest.param(("ours", "grpcio"), id="ours-grpcio"),
    pytest.param(("grpcio", "ours"), id="grpcio-ours"),
    pytest.param(("ours", "go"), id="ours-go", marks=BUILDS),
    pytest.param(("go", "ours"), id="go-ours", marks=BUILDS),
    pytest.param(("ours", "proxy", "ours"), id="ours-proxy-ours"),
    pytest.param(("grpcio", "proxy", "go"), id="grpcio-proxy-go", marks=BUILDS),
    pytest.param(("go", "proxy", "grpcio"), id="go-proxy-grpcio", marks=BUILDS),
]
"""Client and server, perhaps with the proxy between them."""

CLOSING_SECONDS = 5.0
"""What a side gets to hear that the other one has ended the last call."""


@asynccontextmanager
async def connected(names: tuple[str, ...], window_bytes: int | None) -> AsyncIterator[Pair]:
    """Start a server and a client; in the end our side of them must hold no call any more."""
    client_name, *between, server_name = names
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SERVERS[server_name](window_bytes))
        address = server.address
        sides: list[object] = [server]
        if between:
            proxy = await stack.enter_async_context(proxied.proxying(address, window_bytes))
            address = proxy.address
            sides.append(proxy)
        client = await stack.enter_async_context(CLIENTS[client_name](address, window_bytes))
        pair = Pair(client, server, is_proxied=bool(between))
        yield pair
        await _until_no_call_is_open([client, *sides])
        # pytest holds what a fixture gave until after the check that no connection is left.
        del pair.client, pair.server


async def _until_no_call_is_open(sides: Sequence[object]) -> None:
    ours = [side for side in sides if isinstance(side, OURS)]
    loop = asyncio.get_running_loop()
    end = loop.time() + CLOSING_SECONDS
    while still := {what: count for side in ours for what, count in side.open_calls().items() if count}:
        assert loop.time() < end, f"calls are open: {still}"
        await asyncio.sleep(0.001)  # real time: nobody sets an event, so the counts are looked at again
