"""One end of a connection whose packets are lost: both send without end, and say how it ended."""

import asyncio
import sys

import penstock
from penstock import End, Status
from penstock.keepalive import ClientKeepalive, ServerKeepalive

METHOD = "/test.Cable/Both"
NEVER_SECONDS = 10_000.0
"""Keepalive is on, so that TCP_USER_TIMEOUT is; but no PING is ever due."""

WAIT_SECONDS = 3.0


def say(text: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_end(status: Status | None, end: End | None) -> None:
    """Tell how it ended."""
    say(f"ended: {status and status.code.name} {end and end.name}")


async def serve(address: str) -> None:
    """Serve; say how the one call ended."""

    async def handler(stream: penstock.ServerStream[bytes, bytes]) -> None:
        try:
            await stream.send(b"begun")
            while True:
                await stream.send(b"tick")
                await asyncio.sleep(0.05)  # real time: something is always on its way
        finally:
            # It is told by what it waits for, or cancelled.
            say_end(stream.status, stream.end)

    keepalive = ServerKeepalive(time_seconds=NEVER_SECONDS, timeout_seconds=WAIT_SECONDS)
    server = penstock.Server([], fallback=handler, keepalive=keepalive)
    async with server.listening(address, plaintext=True):
        say("listening")
        await asyncio.Event().wait()


async def call(address: str) -> None:
    """Call; say how it ended."""
    keepalive = ClientKeepalive(time_seconds=NEVER_SECONDS, timeout_seconds=WAIT_SECONDS)
    async with penstock.Channel(address, plaintext=True, keepalive=keepalive) as channel:
        stream = channel.stream(METHOD, wait_for_ready=True)
        try:
            async with stream:
                await stream.receive()
                say("streaming")
                while True:
                    await stream.send(b"tock")
                    await asyncio.sleep(0.05)  # real time: something is always on its way
        except penstock.RpcError:
            say_end(stream.status, stream.end)


asyncio.run({"server": serve, "client": call}[sys.argv[1]](sys.argv[2]))
