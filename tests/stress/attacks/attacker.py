"""The attacker's process. It prints what it did as JSON.

Arguments: an attack, host, port, seconds, by how much it is nicer than others, and after how many cuts it ends.
"""

import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from tests.stress.attacks.catalogue import ATTACKS, Attack, Step

AWAY_SECONDS = 0.1
"""Before it connects again."""

PIECES = 16
"""That one connection sends in a row."""

READ_BYTES = 64 * 1024
GOAWAY = 7


@dataclass
class Told:
    """What an attack did and met."""

    began: float = 0.0
    """`time.monotonic()` of the first byte, the same for all processes of a machine."""
    seconds: float = 0.0
    frames: int = 0
    bytes_sent: int = 0
    connections: int = 0
    cuts: list[float] = field(default_factory=list)
    """For each connection that was cut: seconds since it was opened."""
    go_away: str = ""
    """Code and text of the first GOAWAY, if it listened."""


class Connection:
    """One socket, and what is still to be sent on it."""

    def __init__(self, attack: Attack, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=5)
        self.socket.setblocking(False)
        self.opened = time.monotonic()
        self.steps: Iterator[Step] = attack.steps()
        self.left = memoryview(b"")
        self.left_frames = 0
        self.sleeps_until = 0.0
        self.done = False
        self.heard = bytearray()

    def send(self, told: Told) -> None:
        """Send what the socket takes, up to a pause, or until it is time to look at the others."""
        for _ in range(PIECES):
            if self.done or time.monotonic() < self.sleeps_until:
                return
            if not self.left and not self._next():
                return
            sent = self.socket.send(self.left)
            told.bytes_sent += sent
            self.left = self.left[sent:]
            if self.left:
                return
            told.frames += self.left_frames

    def _next(self) -> bool:
        step = next(self.steps, None)
        if isinstance(step, float):
            self.sleeps_until = time.monotonic() + step
        elif step is None:
            self.done = True
        else:
            self.left, self.left_frames = memoryview(step[0]), step[1]
            return bool(self.left)
        return False

    def read(self) -> bool:
        """False: the server closed it."""
        data = self.socket.recv(READ_BYTES)
        if len(self.heard) < READ_BYTES:
            self.heard += data
        return bool(data)

    def go_away(self) -> str:
        """Find the GOAWAY in what was heard."""
        at = 0
        while at + 17 <= len(self.heard):
            length = int.from_bytes(self.heard[at : at + 3], "big")
            if self.heard[at + 3] == GOAWAY:
                payload = self.heard[at + 9 : at + 9 + length]
                return f"{int.from_bytes(payload[4:8], 'big')} {payload[8:].decode('latin-1')}"
            at += 9 + length
        return ""


class Attacker:
    """All connections of one attack."""

    def __init__(self, attack: Attack, address: tuple[str, int], most_cuts: float) -> None:
        self._attack = attack
        self._address = address
        self._most_cuts = most_cuts
        self._selector = selectors.DefaultSelector()
        self._open: set[Connection] = set()
        self._returns_at: list[float] = []
        self.told = Told(began=time.monotonic())

    def run(self, seconds: float) -> Told:
        """Attack for so long; ends early when all are cut and none returns, or when there were enough cuts."""
        for _ in range(self._attack.connections):
            self._connect()
        end = self.told.began + seconds
        while (now := time.monotonic()) < end and (self._open or self._returns_at):
            if len(self.told.cuts) >= self._most_cuts:
                break
            while self._returns_at and self._returns_at[0] <= now:
                self._returns_at.pop(0)
                self._connect()
            for key, events in self._selector.select(0.02):
                self._serve(key.data, events)
            for connection in list(self._open):
                self._watch(connection)
        self.told.seconds = time.monotonic() - self.told.began
        return self.told

    def _connect(self) -> None:
        try:
            connection = Connection(self._attack, self._address)
        except OSError:
            self._returns_at.append(time.monotonic() + AWAY_SECONDS)
            return
        self._open.add(connection)
        self.told.connections += 1
        self._selector.register(connection.socket, selectors.EVENT_WRITE, connection)
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        idle = connection.done or connection.sleeps_until > time.monotonic()
        # An attacker that reads nothing looks at the socket only when it cannot write.
        events = 0 if idle else selectors.EVENT_WRITE
        if self._attack.reads or idle:
            events |= selectors.EVENT_READ
        self._selector.modify(connection.socket, events, connection)

    def _serve(self, connection: Connection, events: int) -> None:
        try:
            alive = not events & selectors.EVENT_READ or connection.read()
            if alive and events & selectors.EVENT_WRITE:
                connection.send(self.told)
        except BlockingIOError:
            return
        except OSError:
            alive = False
        if not alive:
            self._cut(connection)

    def _cut(self, connection: Connection) -> None:
        now = time.monotonic()
        self.told.cuts.append(now - connection.opened)
        self.told.go_away = self.told.go_away or connection.go_away()
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._open.discard(connection)
        if self._attack.returns:
            self._returns_at.append(now + AWAY_SECONDS)


def main(name: str, host: str, port: str, seconds: str, niceness: str, most_cuts: str) -> None:
    """Attack, and tell."""
    os.nice(int(niceness))
    (attack,) = [attack for attack in ATTACKS if attack.name == name]
    told = Attacker(attack, (host, int(port)), float(most_cuts)).run(float(seconds))
    sys.stdout.write(json.dumps(asdict(told)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
