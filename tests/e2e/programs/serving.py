"""A server program: `serve` until a signal comes. Arguments: the seconds of grace; for TLS a certificate and a CA."""

import asyncio
import logging
import sys

import penstock
from tests.e2e.support import Echo
from tests.protos.echo_pb2 import Note


async def tell_and_echo(stream: "penstock.ServerStream[Note, Note]") -> None:
    """Say when the server drains, then echo as long as the client likes."""
    await stream.send(Note(text="open"))
    await stream.draining.wait()
    await stream.send(Note(text="draining"))
    async for note in stream:
        await stream.send(note)


async def main(grace_seconds: float, certificate: str | None = None, ca: str | None = None) -> None:
    """Serve, and say how it ended."""
    tls = None if certificate is None else penstock.tls.server_context(certificate, certificate, client_ca=ca)
    server = penstock.Server([Echo(both_stream=tell_and_echo)])
    report = await server.serve("127.0.0.1:0", tls=tls, grace=grace_seconds)
    sys.stdout.write(f"stopped: {report.finished} finished, {len(report.cancelled)} cancelled\n")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    asyncio.run(main(float(sys.argv[1]), *sys.argv[2:]))
