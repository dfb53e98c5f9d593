"""How the sections are measured, and what they give."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.certificate import Certificate
from benchmarks.peers import OURS, Peer

__all__ = ["Outcome", "Plan"]


@dataclass(frozen=True)
class Plan:
    """How it is measured."""

    peers: Sequence[Peer]
    """Ours among them."""
    streams: int
    """Of the sections that have no list of their own."""
    rounds: int
    seconds: float
    """Of each measurement."""
    certificate: Certificate
    over_tls: bool
    tell: Callable[[str], None]
    """Hears of what begins."""

    @property
    def shown(self) -> Certificate | None:
        """Give what servers show to all clients, if anything."""
        return self.certificate if self.over_tls else None

    @property
    def ours(self) -> Peer:
        """Give our own."""
        return next(peer for peer in self.peers if peer.name == OURS)

    @property
    def others(self) -> Sequence[Peer]:
        """Give the rest."""
        return [peer for peer in self.peers if peer.name != OURS]

    def turns(self, section: str, peers: Sequence[Peer], rounds: int | None = None) -> Iterator[Peer]:
        """Give each peer once a round, another one first each time, and tell of each."""
        rounds = self.rounds if rounds is None else rounds
        for number in range(rounds):
            first = number % len(peers)
            for peer in [*peers[first:], *peers[:first]]:
                self.tell(f"{section}: round {number + 1} of {rounds}, {peer.title}")
                yield peer


@dataclass(frozen=True)
class Outcome:
    """What a section found."""

    table: str
    raw: object
