"""The life of a call, written down: what each event makes of each state, on either side.

A call holds its state and asks the table at each step: `self._life = self._life.end`. An event that a state has no
entry for is a mistake in this library, and raises. `docs/ends.md` has the same as tables and pictures (`python -m
tools.life`). Model: RFC 9113 section 5.1, figure 2.
"""

from __future__ import annotations


class State:
    """Where a call is in its life. Its attributes are the events that may come, their values the states they lead to.

    Attributes, because a step then costs 25 ns, a third of a look into a dictionary that says what is missing.
    """

    __slots__ = (
        "begin",
        "cancel",
        "detach",
        "done",
        "end",
        "finish",
        "half_close",
        "leave",
        "meaning",
        "name",
        "open",
        "open_whole",
        "start",
    )

    # Of either side.
    end: State
    """The call has its `End`, once: `_conclude`, or `_settle` behind the end of the connection."""

    # Of a client.
    begin: State
    """Its block is entered, or it is awaited."""
    open: State
    """It goes on the wire, with messages to follow."""
    open_whole: State
    """It goes on the wire with its only message."""
    half_close: State
    """`end_sending()`, or what calls it."""
    leave: State
    """Its block is left, or the `await` is over."""

    # Of a server.
    start: State
    """Its handler gets a task."""
    finish: State
    """Its handler has said how it ends: it returned or raised."""
    cancel: State
    """The handler's task is cancelled, because the call is over."""
    detach: State
    """The handler has ignored that for too long."""
    done: State
    """The handler's task is over."""

    def __init__(self, name: str, meaning: str) -> None:
        self.name = name
        self.meaning = meaning

    def leads(self, **entries: State) -> None:
        """Write its entries: `event=state`."""
        for event, state in entries.items():
            setattr(self, event, state)

    def entries(self) -> dict[str, State]:
        """Give what was written."""
        return {event: getattr(self, event) for event in EVENTS if hasattr(self, event)}

    def __repr__(self) -> str:
        return f"<{self.name}: {self.meaning}>"


EVENTS = tuple(State.__annotations__)
"""What can happen to a call."""

MADE = State("made", "the program has it, and has not begun it")
STARTING = State("starting", "it enters interceptors, or waits for credentials, a connection, a place")
OPEN = State("open", "it has a place on a connection; both sides may send")
HALF_CLOSED = State("half-closed", "this side has sent all it will; the server may go on")
WITHDRAWN = State("withdrawn", "it ended before it began, and was never on the wire")
ENDED = State("ended", "its place is free; its program has not left it, and may take what had come")
LEFT = State("left", "nothing is kept for it")

MADE.leads(begin=STARTING, end=WITHDRAWN)
STARTING.leads(open=OPEN, open_whole=HALF_CLOSED, end=ENDED)
OPEN.leads(half_close=HALF_CLOSED, end=ENDED)
HALF_CLOSED.leads(end=ENDED)
WITHDRAWN.leads(begin=ENDED, leave=LEFT)
ENDED.leads(leave=LEFT)

CLIENT = (MADE, STARTING, OPEN, HALF_CLOSED, WITHDRAWN, ENDED, LEFT)
"""The states of a client's call, the first first and the last last."""

ARRIVED = State("arrived", "its headers came, and nothing was decided")
RUNNING = State("running", "its handler runs; the client may half-close meanwhile")
FINISHING = State("finishing", "its handler has said how it ends, and takes its last step")
FINISHED = State("finished", "its handler is over; its status waits behind what is queued")
ANSWERED = State("answered", "its status is on the wire; its handler takes its last step")
BEREFT = State("bereft", "it ended under its handler, which is told by what it waits for")
CANCELLING = State("cancelling", "it is over; its handler was cancelled, and cleans up")
DETACHED = State("detached", "it is over and its place is free; its handler runs on")
RELEASED = State("released", "nothing is kept for it")

ARRIVED.leads(start=RUNNING, end=RELEASED)
RUNNING.leads(finish=FINISHING, end=BEREFT)
FINISHING.leads(done=FINISHED, end=ANSWERED)
FINISHED.leads(end=RELEASED)
ANSWERED.leads(done=RELEASED)
BEREFT.leads(cancel=CANCELLING, done=RELEASED)
CANCELLING.leads(detach=DETACHED, done=RELEASED)
DETACHED.leads(done=RELEASED)

SERVER = (ARRIVED, RUNNING, FINISHING, FINISHED, ANSWERED, BEREFT, CANCELLING, DETACHED, RELEASED)
"""The states of a server's call, the first first and the last last."""
