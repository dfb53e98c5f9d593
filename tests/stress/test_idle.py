"""Does a stream that does nothing stay as small as we promise?"""

import sys

import pytest

from benchmarks.idle import MOST_BYTES, cost_of
from benchmarks.peers import OURS, PEERS

STREAMS = 4_000
"""Over four connections. With 50,000 (`make idle`) each costs 0.2 KiB more."""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(120)
def test_an_idle_stream_costs_at_most_eight_kib_on_both_sides_together() -> None:
    (ours,) = [peer for peer in PEERS if peer.name == OURS]
    cost = cost_of(ours, STREAMS)
    assert cost.client_bytes + cost.server_bytes <= MOST_BYTES
