"""examples/proxy before another server: clients talk to the one and mean the other."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import penstock
from examples.proxy.forwarding import forward
from tests.interop.standard.ours.server import listening
from tests.interop.standard.target import Certificates, Target


@asynccontextmanager
async def serving(
    certificates: Certificates | None, behind: Callable[[Certificates | None], AbstractAsyncContextManager[Target]]
) -> AsyncIterator[Target]:
    """Pass calls on, from TLS or not, to a server without it."""
    async with behind(None) as server_behind, penstock.Channel(server_behind.address) as channel:
        server = penstock.Server([], fallback=partial(forward, channel=channel))
        async with listening(server, certificates) as target:
            yield target
