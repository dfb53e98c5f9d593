"""What the programs of all peers agree on: the messages, the deadline, how they start, end and fail."""

import asyncio
import json
import sys

__all__ = [
    "ADDRESS_KEY",
    "CONCURRENT_CALLS",
    "DEADLINE_SECONDS",
    "RAW",
    "RAW_MESSAGE",
    "SERVER_NAME",
    "SERVER_VARIABLE",
    "SUBSCRIBERS",
    "TEXT",
    "WrongWork",
    "announce",
    "check",
    "until_told",
]

TEXT = "count:7 client data: 0123456789a"
"""Of every small message: 32 bytes, 34 encoded."""

RAW = "penstock.benchmarks.Raw"
"""A service of bytes, beside that of `bench.proto`. `ServerStream`: the request is a count in ASCII, the replies are
that many `RAW_MESSAGE`s. `ClientStream`: the requests are `RAW_MESSAGE`s, the reply is their count in ASCII."""

RAW_MESSAGE = TEXT.encode()

DEADLINE_SECONDS = 60.0
"""Of every call, streams too. None ever gets near it; it is there because programs have one."""

CONCURRENT_CALLS = 64

SUBSCRIBERS = 1_000
"""Streams of one client that all get what is published."""

ADDRESS_KEY = "address"
"""A server's first line is JSON with this key: where it listens."""

SERVER_NAME = "localhost"
"""What clients call a server over TLS: the name in its certificate."""

SERVER_VARIABLE = "BENCH_SERVER_PID"
"""Names the server's process in the environment of a client, which is to say what that used."""


class WrongWork(Exception):
    """The other side did not do what it should: a figure from here would mean nothing."""


def check(what: str, got: object, expected: object) -> None:
    """Compare what came with what had to come.

    Raises:
        WrongWork: It is something else.
    """
    if got != expected:
        msg = f"{what}: {got!r} came, not {expected!r}"
        raise WrongWork(msg)


def announce(address: str) -> None:
    """Tell the runner where this server listens."""
    print(json.dumps({ADDRESS_KEY: address}), flush=True)


async def until_told() -> None:
    """Wait until the runner closes our standard input, which happens however the runner ends."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), told.set)
    try:
        await told.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
