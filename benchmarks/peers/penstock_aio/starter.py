"""A fresh process that exchanges one message: what starting costs. Run it as a file: `-m` would import more before."""

import time

BEGAN = time.perf_counter()

import penstock  # noqa: E402 - it is what is measured

IMPORTED = time.perf_counter()

from benchmarks.bench_pb2 import Request  # noqa: E402
from benchmarks.bench_penstock import BenchClient  # noqa: E402

Channel = penstock.Channel  # its modules are imported by now, not while it connects

GENERATED = time.perf_counter()

import asyncio  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

TEXT = "count:7 client data: 0123456789a"
DEADLINE_SECONDS = 60.0


async def exchange(address: str, authority: str | None) -> None:
    """Make a connection, and send and receive one message."""
    tls = penstock.tls.client_context(authority) if authority else None
    async with (
        Channel(address, tls=tls, authority="localhost") as channel,
        BenchClient(channel).both_stream(timeout=DEADLINE_SECONDS) as stream,
    ):
        await stream.send(Request(text=TEXT))
        reply = await stream.receive()
        if reply.text != TEXT:
            sys.exit(f"reply: {reply.text!r} came")
        report(time.perf_counter())


def report(ended: float) -> None:
    """Print the line."""
    line = {
        "section": "starter",
        "import_seconds": IMPORTED - BEGAN,
        "generated_seconds": GENERATED - IMPORTED,
        "first_message_seconds": ended - STARTED,
        "cpu_seconds": time.process_time(),
    }
    print(json.dumps(line), flush=True)


STARTED = time.perf_counter()
asyncio.run(exchange(sys.argv[1], sys.argv[3] if sys.argv[2:] else None))
