"""A fresh process that exchanges one message: what starting costs. Run it as a file: `-m` would import more before."""

import time

BEGAN = time.perf_counter()

import grpc.aio  # noqa: E402 - it is what is measured

IMPORTED = time.perf_counter()

from benchmarks.bench_pb2 import Reply, Request  # noqa: E402
from benchmarks.bench_pb2_grpc import BenchStub  # noqa: E402

GENERATED = time.perf_counter()

import asyncio  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

TEXT = "count:7 client data: 0123456789a"
DEADLINE_SECONDS = 60.0
OVER_TLS = [("grpc.ssl_target_name_override", "localhost")]


async def exchange(address: str, authority: str | None) -> None:
    """Make a connection, and send and receive one message."""
    async with _channel(address, authority) as channel:
        call = BenchStub(channel).BothStream(timeout=DEADLINE_SECONDS)
        await call.write(Request(text=TEXT))
        reply = await call.read()
        if not isinstance(reply, Reply) or reply.text != TEXT:
            sys.exit(f"reply: {reply!r} came")
        report(time.perf_counter())


def _channel(address: str, authority: str | None) -> grpc.aio.Channel:
    if authority is None:
        return grpc.aio.insecure_channel(address)
    with open(authority, "rb") as file:  # noqa: PTH123 - pathlib is one more import
        credentials = grpc.ssl_channel_credentials(file.read())
    return grpc.aio.secure_channel(address, credentials, OVER_TLS)


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
