"""A server: echoes on many streams, floods one, and says on request what it holds for that one."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Never

import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase


class Serving(EchoBase):
    """Its `server_stream` is the flood."""

    def __init__(self, server: "list[penstock.Server]") -> None:
        self._server = server

    async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        (server,) = self._server
        flooded = [stream for stream in server.streams() if stream.method.endswith("/ServerStream")]
        look = {
            "queued": sum(stream.queued_bytes for stream in flooded),
            "waits_for": [stream.waits_for.value for stream in flooded],
            "resident": resident_bytes(),
        }
        return Note(text=json.dumps(look))

    async def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        note = Note(payload=bytes(request.size))
        while True:
            await stream.send(note)

    async def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> None:
        async for note in stream:
            await stream.send(note)


def resident_bytes() -> int:
    """What this process has in memory."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("Linux says it there")


async def main(stream_window_bytes: int, send_buffer_bytes: int) -> None:
    """Serve."""
    limits = penstock.Limits(
        stream_window_bytes=stream_window_bytes, send_buffer_bytes=send_buffer_bytes, max_concurrent_streams=2000
    )
    servers: list[penstock.Server] = []
    server = penstock.Server([Serving(servers)], limits=limits)
    servers.append(server)
    async with server.listening("127.0.0.1:0") as address:
        sys.stdout.write(f"listening on {address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
