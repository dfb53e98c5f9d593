"""The calls on one line, one worker beside the other, and the judgement on how each ended."""

import asyncio
from typing import Any

import penstock
from penstock import End, _life
from tests.stress.soak import programs, wide
from tests.stress.soak.lines import CLIENT, sort_of
from tests.stress.soak.plan import Chance, Plan
from tests.stress.soak.tally import Tally, outcome

HUNG_SECONDS = 30.0
"""A call that takes longer does not end: what ends them all takes a few seconds at most."""


class Caller:
    """Makes calls on one line until it is told to stop."""

    def __init__(self, line: str, address: str, tally: Tally, seed: int) -> None:
        self.line = line
        self.sort = sort_of(line)
        self.channel = penstock.Channel(address, limits=CLIENT, keepalive=self.sort.client_keepalive)
        self.made = 0
        """Calls that ended."""
        self._address = address
        self._hung = ""
        self._tally = tally
        self._chance = Chance(line, seed)

    async def call_on(self, stopping: asyncio.Event) -> None:
        """Make one call after the other, so many at the same time as the line says."""
        looking = asyncio.ensure_future(self._look())
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.sort.workers):
                workers.create_task(self._work(stopping))
        looking.cancel()

    async def _look(self) -> None:
        """Keep what can be seen of a call that does not end, before it is given up."""
        while not self._hung:
            await asyncio.sleep(1.0)  # real time: it is about calls that hang
            for live in self.channel.streams():
                if live.age_seconds > HUNG_SECONDS - 3:
                    self._hung = f"{self.channel.state}, {live}, {list(self.channel.connection_statistics())}"

    async def _work(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            plan = self._chance.plan()
            try:
                async with asyncio.timeout(HUNG_SECONDS):
                    calls = await self._call(plan)
            except TimeoutError:
                self._tally.complain(plan, f"it does not end; {self._hung}")
            except Exception as error:  # noqa: BLE001 - it is told, and fails the soak
                self._tally.complain(plan, f"the program got {error!r}")
            else:
                for call, planned in calls:
                    self._judge(call, planned)
                if any(call.end is End.UNPROCESSED for call, _ in calls):
                    await self._until_reached(stopping)

    async def _until_reached(self, stopping: asyncio.Event) -> None:
        """Nobody listens now: there is no sense in calling again at once."""
        ready = asyncio.ensure_future(self.channel.ready())
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait([ready, stopped], return_when=asyncio.FIRST_COMPLETED)
        for waiting in (ready, stopped):
            waiting.cancel()
        await asyncio.wait([ready, stopped])
        if not ready.cancelled():
            ready.exception()

    async def _call(self, plan: Plan) -> list[tuple[Any, Plan]]:
        """Make a call, or more; each with what it may come to."""
        program = plan.way.program
        if program == "close_channel":
            return [(await wide.close_channel(self._address, plan, self._chance), plan)]
        if program == "end_loop":
            return [(await wide.end_loop(self._address, plan, self._chance), plan)]
        if program == "be_refused":
            return await wide.be_refused(self.channel, plan)
        if program == "call_nothing":
            call = wide.call_nothing(self.channel, plan, programs.options(plan, self._chance))
        else:
            call = programs.make(self.channel, plan, self._chance)
        await programs.run(call, plan, self._chance)
        return [(call, plan)]

    def _judge(self, call: Any, plan: Plan) -> None:
        end, code = call.end, None if call.status is None else call.status.code
        if end is None and call._life is _life.MADE:
            return  # its task was cancelled before its first step
        self.made += 1
        if end is None:
            self._tally.complain(plan, "it was left, and has no end")
            return
        self._tally.add(plan, end, code)
        if (end, code) not in plan.way.of_client and (end, code) not in self._beside_its_way():
            self._tally.complain(plan, f"on the client {outcome(end, code)}, {call.status.message!r}")
        if call._life is not _life.LEFT and plan.way.program != "end_loop":
            self._tally.complain(plan, f"it was left, and is {call._life}")

    def _beside_its_way(self) -> Any:
        return self.sort.of_client
