"""The ways to end a call, and what each side then knows. Add a line for another way."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import penstock
from penstock import End, Kind, RpcError, StatusCode
from penstock.keepalive import ClientKeepalive, ServerKeepalive
from penstock.testing import BLACK_HOLE
from tests.e2e.ends.scene import ONE_AT_A_TIME, LeftError, Scene, Way
from tests.e2e.support import until
from tests.protos.echo_pb2 import Note

UNDECODABLE = b"\xff"


@dataclass(frozen=True)
class Case:
    """One way."""

    ends: Callable[[Scene], Awaitable[object]]
    """Ends the call of a scene; need not wait until it has ended."""
    of_client: End
    client_code: StatusCode
    of_server: End
    server_code: StatusCode
    raises: type[BaseException] | None
    """What comes out of the client's block, or `await`."""
    kinds: tuple[Kind, ...] = tuple(Kind)
    timeout: float | None = None
    """The call's; for ends that need one."""
    spares_connection: bool = True
    """The connection lives, and the next call takes the place of this one."""
    or_of_server: End | None = None
    """It may see the end of the connection, or of the time, before it sees what the client did."""
    from_outside: bool = False
    """Neither program nor handler has a part in it: it happens to a handler that waits for room as well."""

    server_options: Mapping[str, Any] = field(default_factory=dict)
    """What the server is made with."""
    client_options: Mapping[str, Any] = field(default_factory=dict)
    """What the channel is made with."""
    floods: bool = False
    """It happens only to a handler that waits for room."""

    @property
    def name(self) -> str:
        """For the name of the test."""
        return f"{self.ends.__name__}-{self.of_client.name}-{self.of_server.name}"

    @property
    def ways(self) -> list[Way]:
        """The programs that it happens to."""
        reading = [kind for kind in self.kinds if not kind.one_reply]
        if self.floods:
            return [Way(kind, floods=True) for kind in reading]
        return [
            *(Way(kind) for kind in self.kinds),
            *(Way(kind, inside=True) for kind in self.kinds),
            *(Way(kind, iterates=True) for kind in reading),
            *(Way(kind, floods=True) for kind in reading if self.from_outside),
        ]

    def raised(self, way: Way) -> type[BaseException] | None:
        """What the program gets: who reads nothing hears of the end when it asks."""
        silent = way.floods and self.raises is not None and issubclass(self.raises, RpcError)
        return None if silent else self.raises


SENDING = (Kind.CLIENT_STREAM, Kind.BOTH_STREAM)
STREAMS = (Kind.SERVER_STREAM, *SENDING)
READING = (Kind.SERVER_STREAM, Kind.BOTH_STREAM)

# The handler.


async def return_(scene: Scene) -> None:
    async def reply(_stream: object) -> Note | None:
        return Note() if scene.way.kind.one_reply else None

    scene.handler_does(reply)


async def raise_(scene: Scene) -> None:
    async def refuse(_stream: object) -> None:
        raise RpcError(StatusCode.NOT_FOUND, "no such room")

    scene.handler_does(refuse)


async def fail(scene: Scene) -> None:
    async def fail(_stream: object) -> None:
        msg = "nobody expected it"
        raise ValueError(msg)

    scene.handler_does(fail)


async def handler_cancels(scene: Scene) -> None:
    async def cancel(stream: penstock.ServerCall) -> None:
        stream.cancel()

    scene.handler_does(cancel)


async def handlers_task_cancelled(scene: Scene) -> None:
    assert scene.server._task is not None
    scene.server._task.cancel()


# The program that calls.


async def break_out(scene: Scene) -> None:
    scene.program_does(lambda: None)


async def raise_in_the_block(scene: Scene) -> None:
    def leave() -> None:
        raise LeftError

    scene.program_does(leave)


async def exit_in_the_block(scene: Scene) -> None:
    def leave() -> None:
        # As `SystemExit`, which would end the test's loop too.
        scene.client._give_up(SystemExit())

    scene.program_does(leave)


async def task_cancelled(scene: Scene) -> None:
    scene.caller.cancel()


async def cancel_from_another_task(scene: Scene) -> None:
    scene.client.cancel()


async def miss_the_deadline(scene: Scene) -> None:
    await until(lambda: scene.client.end)


async def close_the_channel(scene: Scene) -> None:
    await scene.pair.channel.close()


# From outside.


async def kill_on_the_client(scene: Scene) -> None:
    (stream,) = scene.pair.channel.streams()
    assert stream.kill("the test says so")


async def kill_on_the_server(scene: Scene) -> None:
    (stream,) = scene.pair.server.streams()
    assert stream.kill("the test says so")


async def reset_the_connection(scene: Scene) -> None:
    scene.proxy.reset_all()


async def give_up_the_connection(scene: Scene) -> None:
    scene.client_connection.abort("nobody answers", End.PEER_SILENT)


async def stop_the_server(scene: Scene) -> None:
    await scene.pair.server.stop(0)


async def stop_with_a_grace(scene: Scene) -> None:
    await scene.pair.server.stop(0.05)


async def say_goaway_and_return(scene: Scene) -> None:
    for connection in scene.pair.server._core.connections:
        connection.shut_down()
    await until(scene.client_connection.draining.is_set)
    await return_(scene)


async def loop_ends(scene: Scene) -> None:
    for connection in [scene.client_connection, *scene.pair.server._core.connections]:
        connection.abort("the event loop ends", End.EXITED)


async def go_silent(scene: Scene) -> None:
    scene.proxy.set_both(BLACK_HOLE)


async def let_time_pass(scene: Scene) -> None:
    await until(lambda: scene.client.end)


# What a side finds wrong.


async def send_too_much(scene: Scene) -> None:
    scene.client.send_nowait(Note(payload=bytes(2000)))


async def reply_too_much(scene: Scene) -> None:
    async def reply(stream: penstock.ServerCall) -> None:
        stream.send_nowait(Note(payload=bytes(2000)))
        await asyncio.Event().wait()

    scene.handler_does(reply)


async def send_what_cannot_be_decoded(scene: Scene) -> None:
    scene.client._push(UNDECODABLE)


async def reply_what_cannot_be_decoded(scene: Scene) -> None:
    async def reply(stream: penstock.ServerCall) -> None:
        stream._push(UNDECODABLE)
        await asyncio.Event().wait()

    scene.handler_does(reply)


SHORT_SECONDS = 0.1
LONGER_SECONDS = 1.0
"""For what begins with the call, which a busy machine takes some time to open."""
QUICK_CLIENT = ClientKeepalive(time_seconds=SHORT_SECONDS, timeout_seconds=LONGER_SECONDS)
QUICK_SERVER = ServerKeepalive(
    time_seconds=SHORT_SECONDS, timeout_seconds=LONGER_SECONDS, min_ping_interval_seconds=0.01
)


def on_server(end: End, kinds: tuple[Kind, ...], **seconds: float) -> Case:
    """A server's limit of time."""

    async def let_time_pass_on_the_server(scene: Scene) -> None:
        # Now, when the call is open, so that a busy machine does not end it before.
        scene.server.set_message_timeouts(**seconds)
        await let_time_pass(scene)

    late = StatusCode.DEADLINE_EXCEEDED
    ends = let_time_pass_on_the_server
    return Case(ends, End.RAISED, late, end, late, penstock.DeadlineExceeded, kinds=kinds)


def on_client(end: End, kinds: tuple[Kind, ...], **seconds: float) -> Case:
    """A client's."""

    async def let_time_pass_on_the_client(scene: Scene) -> None:
        scene.client.set_message_timeouts(**seconds)
        await let_time_pass(scene)

    late, left = StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED
    ends = let_time_pass_on_the_client
    return Case(ends, end, late, End.PEER_CANCELLED, left, penstock.DeadlineExceeded, kinds=kinds)


CASES = [
    on_server(End.RECEIVE_IDLE, SENDING, receive_idle_timeout_seconds=SHORT_SECONDS),
    on_server(End.SEND_IDLE, READING, send_idle_timeout_seconds=SHORT_SECONDS),
    on_client(End.FIRST_MESSAGE, (Kind.UNARY, Kind.CLIENT_STREAM), first_message_timeout_seconds=SHORT_SECONDS),
    on_client(End.RECEIVE_IDLE, READING, receive_idle_timeout_seconds=SHORT_SECONDS),
    on_client(End.SEND_IDLE, SENDING, send_idle_timeout_seconds=SHORT_SECONDS),
    Case(
        let_time_pass,
        End.RAISED,
        StatusCode.RESOURCE_EXHAUSTED,
        End.SEND_STALLED,
        StatusCode.RESOURCE_EXHAUSTED,
        penstock.ResourceExhausted,
        kinds=READING,
        server_options={"limits": replace(ONE_AT_A_TIME, send_stalled_timeout_seconds=LONGER_SECONDS)},
        floods=True,
    ),
    Case(
        go_silent,
        End.PEER_SILENT,
        StatusCode.UNAVAILABLE,
        End.PEER_SILENT,
        StatusCode.CANCELLED,
        penstock.Unavailable,
        kinds=(Kind.UNARY, Kind.BOTH_STREAM),
        spares_connection=False,
        from_outside=True,
        server_options={"limits": ONE_AT_A_TIME, "keepalive": QUICK_SERVER},
        client_options={"keepalive": QUICK_CLIENT},
    ),
    Case(return_, End.RETURNED, StatusCode.OK, End.RETURNED, StatusCode.OK, None),
    Case(raise_, End.RAISED, StatusCode.NOT_FOUND, End.RAISED, StatusCode.NOT_FOUND, RpcError),
    Case(fail, End.RAISED, StatusCode.UNKNOWN, End.FAILED, StatusCode.UNKNOWN, RpcError),
    Case(handler_cancels, End.RAISED, StatusCode.CANCELLED, End.LEFT, StatusCode.CANCELLED, penstock.Cancelled),
    Case(
        handlers_task_cancelled,
        End.RAISED,
        StatusCode.CANCELLED,
        End.TASK_CANCELLED,
        StatusCode.CANCELLED,
        penstock.Cancelled,
    ),
    Case(break_out, End.LEFT, StatusCode.CANCELLED, End.PEER_CANCELLED, StatusCode.CANCELLED, None, kinds=STREAMS),
    Case(
        raise_in_the_block,
        End.LEFT,
        StatusCode.CANCELLED,
        End.PEER_CANCELLED,
        StatusCode.CANCELLED,
        LeftError,
        kinds=STREAMS,
    ),
    Case(
        exit_in_the_block,
        End.EXITED,
        StatusCode.CANCELLED,
        End.PEER_CANCELLED,
        StatusCode.CANCELLED,
        None,
        kinds=READING,
    ),
    Case(
        task_cancelled,
        End.TASK_CANCELLED,
        StatusCode.CANCELLED,
        End.PEER_CANCELLED,
        StatusCode.CANCELLED,
        asyncio.CancelledError,
        from_outside=True,
    ),
    Case(
        cancel_from_another_task,
        End.LEFT,
        StatusCode.CANCELLED,
        End.PEER_CANCELLED,
        StatusCode.CANCELLED,
        penstock.Cancelled,
        from_outside=True,
    ),
    Case(
        miss_the_deadline,
        End.DEADLINE,
        StatusCode.DEADLINE_EXCEEDED,
        End.DEADLINE,
        StatusCode.DEADLINE_EXCEEDED,
        penstock.DeadlineExceeded,
        timeout=LONGER_SECONDS,
        kinds=(Kind.UNARY, Kind.BOTH_STREAM),
        or_of_server=End.PEER_CANCELLED,
        from_outside=True,
    ),
    Case(
        close_the_channel,
        End.CLOSED,
        StatusCode.CANCELLED,
        End.PEER_CANCELLED,
        StatusCode.CANCELLED,
        penstock.Cancelled,
        spares_connection=False,
        from_outside=True,
        or_of_server=End.CONNECTION_LOST,  # what the client had not read when it closed makes that a reset
    ),
    Case(
        kill_on_the_client,
        End.KILLED,
        StatusCode.CANCELLED,
        End.PEER_CANCELLED,
        StatusCode.CANCELLED,
        penstock.Cancelled,
        from_outside=True,
    ),
    Case(
        kill_on_the_server,
        End.RAISED,
        StatusCode.CANCELLED,
        End.KILLED,
        StatusCode.CANCELLED,
        penstock.Cancelled,
        from_outside=True,
    ),
    Case(
        reset_the_connection,
        End.CONNECTION_LOST,
        StatusCode.UNAVAILABLE,
        End.CONNECTION_LOST,
        StatusCode.CANCELLED,
        penstock.Unavailable,
        spares_connection=False,
        from_outside=True,
    ),
    Case(
        give_up_the_connection,
        End.PEER_SILENT,
        StatusCode.UNAVAILABLE,
        End.CONNECTION_LOST,
        StatusCode.CANCELLED,
        penstock.Unavailable,
        spares_connection=False,
        from_outside=True,
    ),
    Case(
        loop_ends,
        End.EXITED,
        StatusCode.UNAVAILABLE,
        End.EXITED,
        StatusCode.CANCELLED,
        penstock.Unavailable,
        spares_connection=False,
        from_outside=True,
    ),
    Case(
        stop_the_server,
        End.RAISED,
        StatusCode.UNAVAILABLE,
        End.DRAINED,
        StatusCode.UNAVAILABLE,
        penstock.Unavailable,
        spares_connection=False,
        from_outside=True,
    ),
    Case(
        stop_with_a_grace,
        End.RAISED,
        StatusCode.UNAVAILABLE,
        End.DRAINED,
        StatusCode.UNAVAILABLE,
        penstock.Unavailable,
        spares_connection=False,
        from_outside=True,
    ),
    Case(
        say_goaway_and_return,
        End.RETURNED,
        StatusCode.OK,
        End.RETURNED,
        StatusCode.OK,
        None,
        spares_connection=False,
    ),
    Case(
        send_too_much,
        End.RAISED,
        StatusCode.RESOURCE_EXHAUSTED,
        End.LIMIT,
        StatusCode.RESOURCE_EXHAUSTED,
        penstock.ResourceExhausted,
        kinds=SENDING,
    ),
    Case(
        reply_too_much,
        End.LIMIT,
        StatusCode.RESOURCE_EXHAUSTED,
        End.PEER_CANCELLED,
        StatusCode.CANCELLED,
        penstock.ResourceExhausted,
    ),
    Case(
        send_what_cannot_be_decoded,
        End.RAISED,
        StatusCode.INTERNAL,
        End.BROKEN,
        StatusCode.INTERNAL,
        RpcError,
        kinds=SENDING,
    ),
    Case(
        reply_what_cannot_be_decoded,
        End.BROKEN,
        StatusCode.INTERNAL,
        End.PEER_CANCELLED,
        StatusCode.CANCELLED,
        RpcError,
        kinds=READING,
    ),
]
