"""The two sides of an interop test, whatever they are made of."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from penstock import StatusCode
from tests.interop.calls import BOUND_SECONDS, Call, Outcome, Record, Request, all_replies, tally


class Client(Protocol):
    """Makes calls to one server, over one connection."""

    async def run(self, calls: Sequence[Call]) -> list[Outcome]:
        """Make the calls one after another."""
        ...


class Server(Protocol):
    """Serves the Echo service."""

    address: str

    async def record(self, call: Call) -> Record:
        """Wait until the handler of a call has ended, and give what it saw."""
        ...


class Records:
    """What the handlers of a server in this process saw, by the id of the call."""

    def __init__(self) -> None:
        self._found: dict[str, asyncio.Future[Record]] = {}

    def keep(self, record: Record) -> None:
        """A handler has ended; it has one record."""
        self._future(record.call).set_result(record)

    async def find(self, call: Call) -> Record:
        """Wait for a record."""
        async with asyncio.timeout(BOUND_SECONDS):
            return await self._future(call.id)

    def _future(self, call_id: str) -> asyncio.Future[Record]:
        if call_id not in self._found:
            self._found[call_id] = asyncio.get_running_loop().create_future()
        return self._found[call_id]


@dataclass
class Pair:
    """A client and the server it talks to."""

    client: Client
    server: Server
    is_proxied: bool = False
    """Our proxy is between them."""

    async def outcome(self, call: Call) -> Outcome:
        """Make one call; give what the client saw. Whatever became of it, its connection must take the next one."""
        after = Call("unary", (Request(text="after"),))
        outcome, outcome_after = await self.client.run([call, after])
        assert (outcome_after.code, outcome_after.replies) == (StatusCode.OK, tally(all_replies(after)))
        return outcome

    async def run(self, call: Call) -> tuple[Outcome, Record]:
        """Make one call; give what either side saw."""
        outcome = await self.outcome(call)
        try:
            return outcome, await self.server.record(call)
        except TimeoutError as error:
            error.add_note(f"the server's handler has not ended, or has not begun; the client saw {outcome}")
            raise

    async def run_together(self, calls: Sequence[Call]) -> list[tuple[Outcome, Record]]:
        """Make calls at the same time."""
        return await asyncio.gather(*map(self.run, calls))
