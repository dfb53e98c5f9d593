"""examples/proxy before grpc-go's server: clients talk to the one and mean the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import penstock
from examples.proxy.forwarding import forward
from tests.interop.standard.ours.server import listening
from tests.interop.standard.programs import serving_go
from tests.interop.standard.target import Certificates, Target


@asynccontextmanager
async def serving(certificates: Certificates | None) -> AsyncIterator[Target]:
    """Pass calls on, from TLS or not, to a server without it."""
    async with serving_go(None) as behind, penstock.Channel(behind.address) as channel:
        server = penstock.Server([], fallback=partial(forward, channel=channel))
        async with listening(server, certificates) as target:
            yield target
