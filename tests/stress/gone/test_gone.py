"""A peer that is gone: killed, or silent. The other side knows, and soon."""

from collections import Counter
from collections.abc import Callable

import pytest

from penstock import End
from tests.stress.gone import killing, silence
from tests.stress.gone.victims import SYNC

CONNECTIONS = 24
KILLS = 20


@pytest.mark.timeout(60)
async def test_a_black_hole_is_found_within_time_and_timeout_by_both_sides(tell: Callable[[str], None]) -> None:
    losses = await silence.lose(CONNECTIONS, seed=1)
    assert Counter((loss.hole, loss.talks) for loss in losses.each) == {
        (hole, talks): CONNECTIONS / 6 for hole in silence.HOLES for talks in (False, True)
    }
    for loss in losses.each:
        # Without a hole in its way the end of the side that finds it reaches the other.
        assert End.PEER_SILENT in (loss.client_end, loss.server_end), loss
        if loss.hole == "both ways":
            assert loss.client_end is loss.server_end is End.PEER_SILENT
        assert max(loss.client_seconds, loss.server_seconds) <= losses.most_seconds, loss
    tell(str(losses).splitlines()[-1])


@pytest.mark.timeout(60)
async def test_killed_servers_are_missed_within_a_round_trip(tell: Callable[[str], None]) -> None:
    deaths = await killing.kill_servers(KILLS)
    assert Counter(death.doing for death in deaths) == dict.fromkeys(killing.CALLING, KILLS / 4)
    assert {death.end for death in deaths} == {End.CONNECTION_LOST}
    tell(killing.table(deaths))


@pytest.mark.timeout(60)
async def test_killed_clients_are_missed_within_a_round_trip(tell: Callable[[str], None]) -> None:
    deaths = await killing.kill_clients(KILLS)
    assert Counter(death.doing for death in deaths) == dict.fromkeys((*killing.HANDLING, SYNC), KILLS / 4)
    assert {death.end for death in deaths} == {End.CONNECTION_LOST}
    tell(killing.table(deaths))
