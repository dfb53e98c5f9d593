"""What a server has in one loop: made anew in another, a pool anew when it serves again."""

import asyncio

from penstock import Limits
from penstock._equipment import Equipment


async def test_a_pool_that_was_closed_is_replaced_and_goes_on_counting() -> None:
    equipment = Equipment(asyncio.get_running_loop(), Limits(max_sync_threads=3))
    first = equipment.pool
    equipment.open_pool()
    assert equipment.pool is first
    first.refused = 5
    first.close()
    equipment.open_pool()
    assert equipment.pool is not first
    assert (equipment.pool.is_closed, equipment.pool.refused) == (False, 5)


async def test_what_comes_in_another_loop_goes_on_counting_and_the_threads_before_end() -> None:
    loop, limits = asyncio.get_running_loop(), Limits()
    before = Equipment(loop, limits)
    before.pool.refused, before.stragglers.detached_in_all = 1, 2
    after = Equipment(loop, limits, before)
    assert before.pool.is_closed
    assert (after.pool.is_closed, after.pool.refused, after.stragglers.detached_in_all) == (False, 1, 2)
