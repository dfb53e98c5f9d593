"""What a process has used until now, as Linux counts it."""

import os
from pathlib import Path

__all__ = ["cpu_seconds", "resident_bytes"]

UTIME = 11
"""Fields of `stat` behind the name of the program; `stime` is the next. Source: proc_pid_stat(5)."""


def cpu_seconds(process: int) -> float:
    """CPU time of all its threads and of its children, user and system, in steps of 10 ms as a rule."""
    ticks = 0
    for one in _with_children(process):
        _, _, fields = Path(f"/proc/{one}/stat").read_text("ascii", "replace").rpartition(")")
        user, system = fields.split()[UTIME : UTIME + 2]
        ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes(process: int) -> int:
    """Memory of a process and its children that is in the machine's."""
    pages = (int(Path(f"/proc/{one}/statm").read_text("ascii").split()[1]) for one in _with_children(process))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def _with_children(process: int) -> list[int]:
    """A server may be a program that only starts another one."""
    children = Path(f"/proc/{process}/task/{process}/children")  # not every kernel is built with it
    return [process, *map(int, children.read_text("ascii").split() if children.exists() else [])]
