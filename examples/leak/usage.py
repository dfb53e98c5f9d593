"""What a server process uses, seen from outside."""

import asyncio
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """One look at a process."""

    threads: int
    memory_mib: float
    cpu_percent: float
    """Of one core."""


async def look_at(process_id: int, seconds: float) -> Usage:
    """Watch a process for so long."""
    process = psutil.Process(process_id)
    process.cpu_percent()  # begins the measurement
    await asyncio.sleep(seconds)
    return Usage(
        threads=process.num_threads(),
        memory_mib=round(process.memory_info().rss / 2**20, 1),
        cpu_percent=round(process.cpu_percent(), 1),
    )
