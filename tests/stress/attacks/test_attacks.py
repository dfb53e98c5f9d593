"""Does each attack end as promised: in time, within the memory, with one line and a count?

The neighbour's latency is measured by `make attack`: on a busy machine it would say nothing here.
"""

import pytest

from tests.stress.attacks.catalogue import ATTACKS, Attack
from tests.stress.attacks.scene import play

SECONDS = 2.0
CUT_SECONDS = 6.0
"""What ends with a cut has more time, and needs it only on a busy machine."""
PATIENCE = 10.0
"""Other programs may take the time of this machine."""

TIME_LIMIT = "handshake_timeout_seconds=1"

pytestmark = pytest.mark.timeout(60)


def check(attack: Attack, loop: str) -> None:
    """Play it."""
    # What a time limit ends is ended by a shorter one here; the rest meets the defaults.
    settings = [TIME_LIMIT] if attack.within_seconds > SECONDS else []
    seconds = CUT_SECONDS if attack.end == "cut" else SECONDS
    result = play(attack, seconds, loop=loop, settings=settings, is_measured=False)
    assert list(result.misses(PATIENCE)) == [], result


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_ends_as_promised(attack: Attack) -> None:
    check(attack, "asyncio")


@pytest.mark.parametrize("name", ["rapid-reset", "small-data", "ping-flood", "4gib-prefix"])
def test_an_attack_ends_as_promised_on_uvloop(name: str) -> None:
    (attack,) = [attack for attack in ATTACKS if attack.name == name]
    check(attack, "uvloop")
