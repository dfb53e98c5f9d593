"""What is measured: the work of each scenario, the rows it fills, and the ratios that are promised.

A new scenario is an entry of SCENARIOS here, and what `Client` lacks for it in every peer.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from benchmarks.rows import Row, Target, latency, rate, throughput
from benchmarks.work import CONCURRENT_CALLS, SUBSCRIBERS

__all__ = ["SCENARIOS", "Client", "Scenario", "named"]

KIB = 1024
MIB = 1024 * KIB


class Client(Protocol):
    """One peer's client: each method does the whole work, checks every message, and raises if one is wrong."""

    async def unary(self) -> None:
        """Make one call: a text there, the same text back."""

    async def unary_at_once(self, count: int) -> None:
        """Make `count` calls as `unary`, 64 at any time."""

    async def server_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Receive `count` texts, or blobs of this size, on one stream."""

    async def client_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Send `count` texts, or blobs of this size, on one stream; the server answers how many came."""

    async def both_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Send as much on one stream without waiting, and receive each back meanwhile."""

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Send a text on one stream and wait for it, `count` times; returns the seconds of each round trip."""

    async def raw_server_stream(self, count: int) -> None:
        """Receive `count` messages of bytes on one stream, in the fastest way there is."""

    async def raw_client_stream(self, count: int) -> None:
        """Send `count` messages of bytes on one stream, in the fastest way there is."""

    def subscribed(self) -> AbstractAsyncContextManager[None]:
        """Open SUBSCRIBERS streams on one connection; each has its first reply once this is entered."""

    async def broadcast(self, count: int) -> None:
        """Have a text published so often that `count` arrive in all, and wait for the last. Only while subscribed."""


@dataclass(frozen=True)
class Scenario:
    """Something to measure."""

    name: str
    first_count: int
    """Of the first run, which only warms up; later runs are longer, see `benchmarks.measure`."""
    run: Callable[[Client, int], Awaitable[Sequence[float] | None]]
    """Does the work `count` times; returns seconds of each, where latency counts."""
    rows: Sequence[Row]
    around: Callable[[Client], AbstractAsyncContextManager[None]] = lambda _client: nullcontext()
    """What is there before the first run and until after the last."""
    multiple: int = 1
    """The count of every run is a multiple of this."""


def _grpcio(ratio: float) -> Target:
    return Target("grpcio_aio", ratio)


def _go(ratio: float) -> Target:
    return Target("grpc_go", ratio)


def _tonic(ratio: float) -> Target:
    return Target("tonic", ratio)


def _engine(ratio: float) -> Target:
    """Our engine under a protocol without features."""
    return Target("bare_engine", ratio)


def _asyncio(ratio: float) -> Target:
    """An echo of bytes, without HTTP."""
    return Target("raw_asyncio", ratio)


async def _one_after_another(client: Client, count: int) -> Sequence[float]:
    latencies = []
    for _ in range(count):
        started = perf_counter()
        await client.unary()
        latencies.append(perf_counter() - started)
    return latencies


def _streams_of(size: str, blob_bytes: int, first_count: int, *targets: Target) -> Iterator[Scenario]:
    """Give the three streams with messages of another size than the usual."""
    yield Scenario(
        f"server_stream_{size}",
        first_count,
        run=lambda client, count: client.server_stream(count, blob_bytes),
        rows=rate(f"server stream, {blob_bytes // KIB} KiB", "msg/s", *targets),
    )
    yield Scenario(
        f"client_stream_{size}",
        first_count,
        run=lambda client, count: client.client_stream(count, blob_bytes),
        rows=rate(f"client stream, {blob_bytes // KIB} KiB", "msg/s", *targets),
    )
    yield Scenario(
        f"both_stream_{size}",
        first_count,
        run=lambda client, count: client.both_stream(count, blob_bytes),
        rows=rate(f"both ways, each, {blob_bytes // KIB} KiB", "msg/s", *targets),
    )


SCENARIOS: Sequence[Scenario] = [
    Scenario(
        "server_stream",
        first_count=2_000,
        run=lambda client, count: client.server_stream(count),
        rows=rate("server stream", "msg/s", _grpcio(70), _go(1.4), _engine(0.85)),
    ),
    Scenario(
        "client_stream",
        first_count=2_000,
        run=lambda client, count: client.client_stream(count),
        rows=rate("client stream", "msg/s", _grpcio(70), _go(1.4), _engine(0.85)),
    ),
    Scenario(
        "both_stream",
        first_count=2_000,
        run=lambda client, count: client.both_stream(count),
        rows=rate("both ways, each", "msg/s", _grpcio(80), _go(1.5), _engine(0.85)),
    ),
    Scenario(
        "raw_server_stream",
        first_count=2_000,
        run=lambda client, count: client.raw_server_stream(count),
        rows=rate("server stream of bytes", "msg/s", _grpcio(200), _go(4), _tonic(0.35)),
    ),
    Scenario(
        "raw_client_stream",
        first_count=2_000,
        run=lambda client, count: client.raw_client_stream(count),
        rows=rate("client stream of bytes", "msg/s", _grpcio(200), _go(4), _tonic(0.35)),
    ),
    *_streams_of("1kib", KIB, 2_000, _grpcio(20), _go(1.0)),
    *_streams_of("16kib", 16 * KIB, 1_000, _grpcio(5), _go(1.0)),
    Scenario(
        "ping_pong",
        first_count=500,
        run=lambda client, count: client.ping_pong(count),
        rows=latency("ping-pong", _grpcio(0.40), _go(1.3), _asyncio(1.2)),
    ),
    Scenario(
        "unary",
        first_count=300,
        run=_one_after_another,
        rows=latency("unary, one after another", _grpcio(0.22), _go(1.2), _asyncio(1.4)),
    ),
    Scenario(
        "unary_64",
        first_count=20 * CONCURRENT_CALLS,
        run=lambda client, count: client.unary_at_once(count),
        rows=rate(f"unary, {CONCURRENT_CALLS} at once", "calls/s", _grpcio(9), _go(0.9), _tonic(0.75)),
    ),
    Scenario(
        "blobs_64kib",
        first_count=512,
        run=lambda client, count: client.server_stream(count, 64 * KIB),
        rows=throughput("64 KiB messages", 64 * KIB, _grpcio(1.6), _go(1.5), _tonic(1.2)),
    ),
    Scenario(
        "blobs_1mib",
        first_count=64,
        run=lambda client, count: client.server_stream(count, MIB),
        rows=throughput("1 MiB messages", MIB, _grpcio(1.6), _go(1.5), _tonic(1.2)),
    ),
    Scenario(
        f"broadcast_{SUBSCRIBERS}",
        first_count=10 * SUBSCRIBERS,
        run=lambda client, count: client.broadcast(count),
        rows=rate(f"broadcast to {SUBSCRIBERS:,}", "deliveries/s", _grpcio(20), _go(1.0), _engine(0.9)),
        around=lambda client: client.subscribed(),
        multiple=SUBSCRIBERS,
    ),
]


def named(names: Sequence[str]) -> Sequence[Scenario]:
    """Give the scenarios with these names, in the order of the table.

    Raises:
        KeyError: There is none of that name.
    """
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    wanted = {by_name[name].name for name in names}
    return [scenario for scenario in SCENARIOS if scenario.name in wanted]
