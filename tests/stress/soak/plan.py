"""One call, as it was planned: the client knows it, and the server reads it from the metadata."""

import random
from dataclasses import dataclass
from typing import Self

import penstock
from penstock import Kind
from tests.stress.soak.lines import SORTS
from tests.stress.soak.ways import WAYS, Way

MOST_NOTES = 6
SIZES = (0, 10, 100, 1000, 20_000)
FORMS = ("Coroutines", "Generators")
"""Services: what the handlers are."""
PLACES = ("event", "receive", "send")
"""Where a handler hangs that hangs anywhere."""


@dataclass(frozen=True)
class Plan:
    """How a call goes, until it ends."""

    way: Way
    kind: Kind
    line: str
    form: str = FORMS[0]
    notes: int = 1
    """Messages that go well, each way."""
    note_bytes: int = 0
    place: str = PLACES[0]

    def __str__(self) -> str:
        return self.metadata()["plan"]

    @property
    def floods(self) -> bool:
        """The handler ends by sending without end."""
        return (self.place == "send" or self.way.handler == "flood") and not self.kind.one_reply

    @property
    def replies(self) -> int:
        """Messages that a handler of one request sends before it ends."""
        return 0 if self.way.handler == "wait_silently" else self.notes

    def metadata(self) -> dict[str, str]:
        """What tells the server."""
        return {
            "plan": f"{self.way.name}|{self.kind.name}|{self.line}|{self.form}"
            f"|{self.notes}|{self.note_bytes}|{self.place}"
        }

    @classmethod
    def of(cls, call: penstock.ServerCall) -> Self:
        """What a client tells."""
        way, kind, line, form, notes, note_bytes, place = str(call.metadata["plan"]).split("|")
        return cls(WAYS[way], Kind[kind], line, form, int(notes), int(note_bytes), place)


class Chance:
    """Makes plans."""

    def __init__(self, line: str, seed: int) -> None:
        self.random = random.Random(f"{seed} {line}")
        self._line = line
        own = line == SORTS["visited"].name
        self._ways = [way for way in WAYS.values() if way.on_own_channel is own]
        self._weights = [way.weight for way in self._ways]

    def plan(self) -> Plan:
        """Make the next one."""
        (way,) = self.random.choices(self._ways, self._weights)
        kind = self.random.choice(way.kinds)
        forms: tuple[str, ...] = FORMS
        if way.in_threads and kind.one_request:
            forms = ("Threads",) if "sync" in way.name else (*FORMS, "Threads")
        places = PLACES if way.hangs_anywhere else PLACES[:1]
        return Plan(
            way,
            kind,
            self._line,
            self.random.choice(forms),
            self.random.randint(1, MOST_NOTES),
            self.random.choice(SIZES),
            self.random.choice(places),
        )

    def pause_seconds(self) -> float:
        """Some time for what needs one."""
        return self.random.uniform(0.01, 0.06)
