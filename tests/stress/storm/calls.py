"""What a storm is: calls that end at random moments, by either side, and the transfer that must work after it."""

from collections import Counter
from dataclasses import dataclass, field

WORKERS = 100
"""Calls under way at the same time; a peer of grpc-go has 100 before it knows the server's limit."""

TRANSFER_NOTES = 64
NOTE_BYTES = 1 << 20
"""64 MiB in each direction: a window that lost a byte for each call would stop it."""


@dataclass
class Storm:
    """What a client saw."""

    calls: int = 0
    connections: int = 0
    """How many it needed."""
    codes: Counter[int] = field(default_factory=Counter)
    received: int = 0
    """Bytes of the transfer after the storm."""
    sent: int = 0
    """The same, the other way."""
    seconds: float = 0.0
    after_seconds: float = 0.0
    """What the transfer took."""
    fresh_seconds: float = 0.0
    """What it took on a connection that had seen no storm, right behind it."""

    def __str__(self) -> str:
        ends = ", ".join(f"{count} of code {code}" for code, count in sorted(self.codes.items()))
        pace = f"{self.calls} calls in {self.seconds:.1f} s ({ends})"
        return (
            f"{pace}; 2 x 64 MiB behind it {self.after_seconds:.2f} s, on a fresh connection {self.fresh_seconds:.2f} s"
        )
