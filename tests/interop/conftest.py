"""Every case of the interop tests runs with every pair of a client and a server."""

from collections.abc import AsyncIterator

import pytest

from tests.certificates import certificates as certificates
from tests.interop import pairs
from tests.interop.peers import Pair


@pytest.fixture
def window_bytes() -> int | None:
    """Give the flow control window of both sides; `None`: what each has by itself."""
    return None


@pytest.fixture(params=pairs.PAIRS)
async def pair(request: pytest.FixtureRequest, window_bytes: int | None) -> AsyncIterator[Pair]:
    """Give a client and the server it talks to."""
    async with pairs.connected(request.param, window_bytes) as connected:
        yield connected
