"""examples/proxy before another server: clients talk to the one and mean the other."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import penstock
from examples.proxy.forwarding import forward
from tests.interop.standard.ours.channels import connect
from tests.interop.standard.ours.server import listening
from tests.interop.standard.target import Certificates, Target


@asynccontextmanager
async def serving(
    certificates: Certificates | None, behind: Callable[[Certificates | None], AbstractAsyncContextManager[Target]]
) -> AsyncIterator[Target]:
    """Pass calls on; over TLS on both sides, or on neither."""
    async with behind(certificates) as server_behind, connect(server_behind) as channel:
        server = penstock.Server([], fallback=partial(forward, channel=channel))
        async with listening(server, certificates) as target:
            yield target
