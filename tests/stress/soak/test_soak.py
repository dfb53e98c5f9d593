"""The soak, for a shorter time."""

import os
from collections.abc import Callable

import pytest

from tests.stress.soak.soak import Soak
from tests.stress.soak.table import rows
from tests.stress.soak.verdict import misses

SECONDS = float(os.environ.get("SOAK_SECONDS") or (120 if os.environ.get("CI") else 20))
CALLS = 1_000_000

NETWORK = ("connection reset", "connection closed", "connection cut", "cut in a frame", "black hole", "half-open")
SERVERS = ("server: kill", "server: drain", "server: exit", "server: return")
CLIENTS = ("client: kill", "client: exit", "client: return", "client: vanish", "client: interrupt")


@pytest.mark.timeout(2 * SECONDS + 120)
async def test_calls_end_in_every_way_and_nothing_is_left(tell: Callable[[str], None]) -> None:
    soak = Soak(SECONDS, CALLS, seed=int(os.environ.get("SOAK_SEED", "1")))
    await soak.run(tell)
    *table, last = rows(soak)
    tell(last)
    missed = misses(soak)
    assert not missed, "\n".join([*table, *missed])
    assert all(soak.events.counts[what] for what in (*NETWORK, *SERVERS, *CLIENTS)), soak.events.counts
