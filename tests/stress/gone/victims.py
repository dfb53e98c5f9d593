"""A program that makes processes to be killed: one for each line on stdin, forked, so that each takes milliseconds.

Arguments: `server`, or `client` with the address of a server and the port of a plain socket to connect to. A client's
call begins with the text of the line. Each victim says `ready`, its process id and, if it serves, its address and the
port of its plain socket. Its death is said as `dead`.
"""

import asyncio
import os
import socket
import sys

import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient

SYNC = "sync handler"
"""The text for a call that a sync handler serves."""


class Holding(EchoBase):
    """Holds its streams, and reads nothing but what they begin with."""

    async def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> None:
        note = await stream.receive()
        await stream.send(note)
        while note.text == "floods":
            await stream.send(note)
        await asyncio.Event().wait()


async def serve() -> None:
    """Be a server."""
    with socket.create_server(("127.0.0.1", 0)) as plain:
        async with penstock.Server([Holding()]).listening("127.0.0.1:0") as address:
            _say("ready", os.getpid(), address, plain.getsockname()[1])
            await asyncio.Event().wait()


async def call(text: str, address: str, plain_port: str) -> None:
    """Be a client: open a call, and read no more than the first answer."""
    with socket.create_connection(("127.0.0.1", int(plain_port))):
        async with penstock.Channel(address) as channel:
            client = EchoClient(channel)
            async with client.both_stream() if text != SYNC else client.server_stream(Note()) as stream:
                if isinstance(stream, penstock.BothStreamCall):
                    await stream.send(Note(text=text))
                await stream.receive()
                _say("ready", os.getpid())
                await asyncio.Event().wait()


def _say(*words: object) -> None:
    # In one piece: whoever reads must not find the words of two processes in one line.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main(role: str, *addresses: str) -> None:
    """Make victims until stdin ends."""
    while line := sys.stdin.readline():
        process = os.fork()
        if process == 0:
            asyncio.run(serve() if role == "server" else call(line.strip(), *addresses))
            return
        os.waitpid(process, 0)
        _say("dead", process)


if __name__ == "__main__":
    main(*sys.argv[1:])
