"""What a network does to one direction of a connection."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from penstock._arguments import check_flag, is_number
from penstock.errors import UsageError

__all__ = ["BLACK_HOLE", "CLEAR", "STOPPED", "Conditions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What happens to the bytes of one direction. All are checked when the object is made."""

    latency_seconds: float = 0.0
    """Time that each byte is under way, at least."""

    jitter_seconds: float = 0.0
    """Time that is added to it at random, from 0 up to this. Bytes stay in order, as TCP keeps them."""

    bytes_per_second: float = math.inf
    """How fast bytes leave. The sender is read from no faster, so its buffers fill: a slow reader."""

    black_hole: bool = False
    """Bytes are accepted and acknowledged, and go nowhere; so do ends and resets. The other side hears nothing. Lifted,
    what was held goes on its way, as after an outage; if that was more than 16 MiB, the connection is reset."""

    stopped: bool = False
    """Nothing is read from the sender: its buffers fill, then its writes wait."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "bool":
                check_flag(field.name, value)
            elif not (is_number(value) and value >= 0):
                msg = f"{field.name} is a number from 0, not {value!r}"
                raise UsageError(msg)
        if not self.bytes_per_second > 0:
            msg = "bytes_per_second is above 0; for nothing at all say stopped=True"
            raise UsageError(msg)

    @property
    def are_clear(self) -> bool:
        """Bytes go on as they come."""
        return self == CLEAR


CLEAR = Conditions()
"""Nothing happens to them."""
BLACK_HOLE = Conditions(black_hole=True)
"""Everything vanishes, and nobody hears of it."""
STOPPED = Conditions(stopped=True)
"""Nobody reads."""


def check_conditions(given: object) -> Conditions:
    """Give them back.

    Raises:
        UsageError: They are something else, their name for example.
    """
    if not isinstance(given, Conditions):
        msg = f"conditions are Conditions(...), CLEAR, BLACK_HOLE or STOPPED of penstock.testing, not {given!r}"
        raise UsageError(msg)
    return given
