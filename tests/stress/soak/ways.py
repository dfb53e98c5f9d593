"""The ways to end a call, and what each side then may know. Another way is one more line here."""

from dataclasses import dataclass

from penstock import End, Kind, StatusCode

Outcome = tuple[End, StatusCode]

SENDING = (Kind.CLIENT_STREAM, Kind.BOTH_STREAM)
READING = (Kind.SERVER_STREAM, Kind.BOTH_STREAM)
STREAMS = (Kind.SERVER_STREAM, *SENDING)


@dataclass(frozen=True)
class Way:
    """One way. What the program and the handler do is in `programs.py` and `handlers.py`, by these names."""

    name: str
    program: str
    handler: str
    of_client: tuple[Outcome, ...]
    of_server: tuple[End, ...]
    """Empty: no handler runs."""
    weight: int
    """How often it comes, beside the others."""
    kinds: tuple[Kind, ...] = tuple(Kind)
    hangs_anywhere: bool = False
    """The handler may wait for messages, or for room, as well as for something of its own."""
    in_threads: bool = False
    """A sync handler can do its part as well."""
    is_sure: bool = True
    """Where nothing disturbs a line, the server sees exactly as many of it as the client made."""
    on_own_channel: bool = False
    """It ends a channel, or a loop, so it has one for itself."""


def _ended(end: End, code: StatusCode) -> tuple[Outcome, ...]:
    return ((end, code),)


RETURNED = (End.RETURNED, StatusCode.OK)
CANCELLED = _ended(End.RAISED, StatusCode.CANCELLED)
LEFT = _ended(End.LEFT, StatusCode.CANCELLED)
OVERDUE = _ended(End.RAISED, StatusCode.DEADLINE_EXCEEDED)
EXHAUSTED = _ended(End.RAISED, StatusCode.RESOURCE_EXHAUSTED)
GAVE_UP = (End.PEER_CANCELLED,)
WENT = (End.PEER_CANCELLED, End.CONNECTION_LOST)
WENT_OR_RETURNED = (End.PEER_CANCELLED, End.RETURNED)


def _overdue(end: End) -> tuple[Outcome, ...]:
    return _ended(end, StatusCode.DEADLINE_EXCEEDED)


# The handler ends it.
OF_HANDLERS = (
    Way("return", "finish", "return", (RETURNED,), (End.RETURNED,), 40, in_threads=True),
    Way("raise", "finish", "refuse", _ended(End.RAISED, StatusCode.NOT_FOUND), (End.RAISED,), 12, in_threads=True),
    Way("fail", "finish", "fail", _ended(End.RAISED, StatusCode.UNKNOWN), (End.FAILED,), 4, in_threads=True),
    Way("handler breaks out", "send_on", "break_out", (RETURNED,), (End.RETURNED,), 6, SENDING),
    Way("handler cancels", "wait", "cancel", CANCELLED, (End.LEFT,), 4),
    Way("handler's task cancelled", "wait", "cancel_task", CANCELLED, (End.TASK_CANCELLED,), 3),
    Way("killed on the server", "wait", "kill", CANCELLED, (End.KILLED,), 3),
    Way("first message, server", "keep_silent", "first_message", OVERDUE, (End.FIRST_MESSAGE,), 2, SENDING),
    Way("receive idle, server", "wait", "receive_idle", OVERDUE, (End.RECEIVE_IDLE,), 2, SENDING),
    Way("send idle, server", "wait", "send_idle", OVERDUE, (End.SEND_IDLE,), 2),
    Way("send stalled", "stall", "flood", EXHAUSTED, (End.SEND_STALLED,), 1, READING),
)

# The program that calls ends it.
OF_PROGRAMS = (
    Way("break", "break_out", "hang", LEFT, GAVE_UP, 10, READING, hangs_anywhere=True),
    Way("leave", "leave", "hang", LEFT, GAVE_UP, 8, STREAMS, hangs_anywhere=True),
    Way("break, sync", "break_out", "flood", LEFT, GAVE_UP, 3, (Kind.SERVER_STREAM,), in_threads=True),
    Way("raise in the block", "raise_inside", "hang", LEFT, GAVE_UP, 6, STREAMS, hangs_anywhere=True),
    Way("cancel()", "cancel", "hang", LEFT, GAVE_UP, 6, hangs_anywhere=True),
    Way(
        "task cancelled",
        "cancel_task",
        "hang",
        _ended(End.TASK_CANCELLED, StatusCode.CANCELLED),
        GAVE_UP,
        8,
        hangs_anywhere=True,
    ),
    Way(
        "task cancelled at random",
        "cancel_anywhere",
        "return",
        (RETURNED, (End.TASK_CANCELLED, StatusCode.CANCELLED)),
        (End.RETURNED, End.PEER_CANCELLED),
        12,
        in_threads=True,
        is_sure=False,
    ),
    Way(
        "killed on the client",
        "kill",
        "hang",
        _ended(End.KILLED, StatusCode.CANCELLED),
        GAVE_UP,
        3,
        hangs_anywhere=True,
    ),
    Way(
        "deadline",
        "deadline",
        "hang",
        _overdue(End.DEADLINE),
        (End.DEADLINE, End.PEER_CANCELLED),
        5,
        hangs_anywhere=True,
        is_sure=False,
    ),
    Way("first message, client", "first_message", "wait_silently", _overdue(End.FIRST_MESSAGE), GAVE_UP, 2),
    Way("receive idle, client", "receive_idle", "hang", _overdue(End.RECEIVE_IDLE), GAVE_UP, 2),
    Way("send idle, client", "send_idle", "hang", _overdue(End.SEND_IDLE), GAVE_UP, 2, SENDING),
    Way(
        "channel closed",
        "close_channel",
        "hang",
        _ended(End.CLOSED, StatusCode.CANCELLED),
        WENT,
        1,
        STREAMS,
        hangs_anywhere=True,
        on_own_channel=True,
    ),
    Way(
        "loop closing",
        "end_loop",
        "hang",
        _ended(End.EXITED, StatusCode.UNAVAILABLE),
        WENT,
        1,
        STREAMS,
        hangs_anywhere=True,
        on_own_channel=True,
    ),
)

# What a side finds wrong, or does not take on.
OF_RULES = (
    Way("limit, server", "send_too_much", "hang", EXHAUSTED, (End.LIMIT,), 2, SENDING),
    Way(
        "limit, client",
        "wait",
        "reply_too_much",
        _ended(End.LIMIT, StatusCode.RESOURCE_EXHAUSTED),
        GAVE_UP,
        2,
        READING,
    ),
    Way(
        "undecodable, server",
        "send_garbage",
        "read",
        _ended(End.RAISED, StatusCode.INTERNAL),
        (End.BROKEN,),
        2,
        (Kind.BOTH_STREAM,),
    ),
    Way(
        "undecodable, client",
        "wait",
        "reply_garbage",
        _ended(End.BROKEN, StatusCode.INTERNAL),
        GAVE_UP,
        2,
        READING,
    ),
    Way("admission refused", "be_refused", "hang", EXHAUSTED, (), 2, (Kind.BOTH_STREAM,)),
    # Its companions: who has the place, and who comes while nobody is known to have it.
    Way("admitted", "be_refused", "return", (*LEFT, *EXHAUSTED, RETURNED), WENT_OR_RETURNED, 0, (Kind.BOTH_STREAM,)),
    Way("unknown method", "call_nothing", "hang", _ended(End.RAISED, StatusCode.UNIMPLEMENTED), (), 2, (Kind.UNARY,)),
    Way(
        "credentials refused",
        "lack_credentials",
        "hang",
        _ended(End.REFUSED, StatusCode.PERMISSION_DENIED),
        (),
        2,
    ),
)


def _of_process(how: str, *of_client: Outcome) -> Way:
    """A process that makes calls, comes to its end in the middle of them. They are made by `leaver.py`."""
    return Way(f"client: {how}", "hold", "hang", of_client, WENT, 0, READING, hangs_anywhere=True)


STOPPED = (End.TASK_CANCELLED, StatusCode.CANCELLED)
OF_PROCESSES = (
    _of_process("kill"),
    _of_process("vanish"),
    _of_process("interrupt", STOPPED),
    _of_process("exit", STOPPED),
    _of_process("return", STOPPED),
    _of_process("forget", *_ended(End.EXITED, StatusCode.UNAVAILABLE)),
)

WAYS = {way.name: way for way in (*OF_HANDLERS, *OF_PROGRAMS, *OF_RULES, *OF_PROCESSES)}
