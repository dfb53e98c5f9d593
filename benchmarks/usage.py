"""What a process has used until now, as Linux counts it."""

import os
from pathlib import Path

__all__ = ["cpu_seconds", "resident_bytes"]

UTIME = 11
"""Fields of `stat` behind the name of the program; `stime` is the next. Source: proc_pid_stat(5)."""


def cpu_seconds(process: int) -> float:
    """CPU time of all its threads, user and system, in steps of 10 ms as a rule."""
    _, _, fields = Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")
    user, system = fields.split()[UTIME : UTIME + 2]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def resident_bytes(process: int) -> int:
    """Memory of a process that is in the machine's."""
    return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
