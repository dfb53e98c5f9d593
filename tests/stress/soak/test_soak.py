"""The soak, for a shorter time."""

import os
from collections.abc import Callable

import pytest

from tests.stress.soak.soak import MOST_OVERTIME, Soak
from tests.stress.soak.table import rows
from tests.stress.soak.verdict import misses

SECONDS = float(os.environ.get("SOAK_SECONDS") or (120 if os.environ.get("CI") else 20))
CALLS = 1_000_000


@pytest.mark.timeout(MOST_OVERTIME * SECONDS + 120)
async def test_calls_end_in_every_way_and_nothing_is_left(tell: Callable[[str], None]) -> None:
    soak = Soak(SECONDS, CALLS, seed=int(os.environ.get("SOAK_SEED", "1")))
    await soak.run(tell)
    *table, last = rows(soak)
    tell(last)
    missed = misses(soak)
    assert not missed, "\n".join([*table, *missed])
