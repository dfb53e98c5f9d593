"""A program that forks while a stream is open. The child tries all it inherited; the parent must not notice."""

import asyncio
import os
import sys
from collections.abc import Callable

import penstock
from tests.e2e.support import Echo
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

Tried = dict[str, str]


def outcome(act: Callable[[], object]) -> str:
    """Say what became of it."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return f"{type(error).__name__}: {error}"
    return "done"


async def call_of(channel: penstock.Channel) -> None:
    await EchoClient(channel).unary(Note(), timeout=5)


async def stream_of(channel: penstock.Channel) -> None:
    async with EchoClient(channel).both_stream(timeout=5):
        pass


async def listen_with(server: penstock.Server) -> None:
    async with server.listening("127.0.0.1:0"):
        pass


async def serve_and_call_anew() -> None:
    server = penstock.Server([Echo()])
    async with server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        await call_of(channel)


def tell(what: str, became: str) -> None:
    sys.stdout.write(f"{what}: {became}\n")
    sys.stdout.flush()


def try_all(channel: penstock.Channel, server: penstock.Server, stream: "penstock.BothStreamCall[Note, Note]") -> None:
    """What a forked child may try."""
    tell("send", outcome(lambda: stream.send_nowait(Note(text="of the child"))))
    tell("cancel", outcome(stream.cancel))
    tell("call", outcome(lambda: asyncio.run(call_of(channel))))
    tell("stream", outcome(lambda: asyncio.run(stream_of(channel))))
    tell("close", outcome(lambda: asyncio.run(channel.close())))
    tell("listen", outcome(lambda: asyncio.run(listen_with(server))))
    tell("anew", outcome(lambda: asyncio.run(serve_and_call_anew())))


async def main() -> None:
    """Fork in the middle, then go on."""
    server = penstock.Server([Echo()])
    async with (
        server.listening("127.0.0.1:0") as address,
        penstock.Channel(address) as channel,
        EchoClient(channel).both_stream(timeout=10) as stream,
    ):
        await stream.send(Note(number=1))
        await stream.receive()
        stream.send_nowait(Note(number=2))  # queued, and not on its way yet
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                try_all(channel, server, stream)
            finally:
                os._exit(0)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        await stream.send(Note(number=3))
        await stream.end_sending()
        tell("parent received", str([note.number async for note in stream]))
        tell("child exited with", str(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    asyncio.run(main())
