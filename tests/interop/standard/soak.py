"""The same call again and again, with a limit for each and for all together."""

import time
from asyncio import sleep
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Soak:
    """How much, and what is too much. Each field is the flag `--soak_<name>` of the interop programs."""

    iterations: int = 10
    max_failures: int = 0
    """Iterations that may fail: that ended with another status than OK, or took too long."""
    per_iteration_max_acceptable_latency_ms: int = 1000
    overall_timeout_seconds: float = 60
    """The iterations must be done by then."""
    min_time_ms_between_rpcs: int = 0
    """From the begin of one to the begin of the next."""

    def flags(self) -> list[str]:
        """Give what tells an interop program."""
        return [f"--soak_{field.name}={getattr(self, field.name)}" for field in fields(self)]


async def run(soak: Soak, call: Callable[[], Awaitable[None]]) -> None:
    """Make the call as often as asked.

    Raises:
        AssertionError: More calls failed than may, or not all were made in time.
    """
    begun = time.monotonic()
    failures: list[str] = []
    for number in range(soak.iterations):
        earliest_next = time.monotonic() + soak.min_time_ms_between_rpcs / 1000
        assert time.monotonic() - begun < soak.overall_timeout_seconds, (
            f"{number} of {soak.iterations} iterations were done in {soak.overall_timeout_seconds} s; {failures[:5]}"
        )
        if failure := await _failure(soak, call):
            failures.append(f"iteration {number} {failure}")
            assert len(failures) <= soak.max_failures, f"{len(failures)} failures: {failures[:5]}"
        if soak.min_time_ms_between_rpcs:
            await sleep(earliest_next - time.monotonic())  # real time: the pause is what the case is about


async def _failure(soak: Soak, call: Callable[[], Awaitable[None]]) -> str:
    begun = time.monotonic()
    try:
        await call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is one failure of those that may be
        return f"failed: {error!r}"
    elapsed_ms = (time.monotonic() - begun) * 1000
    limit_ms = soak.per_iteration_max_acceptable_latency_ms
    return f"took {elapsed_ms:.0f} ms, more than {limit_ms}" if elapsed_ms > limit_ms else ""
