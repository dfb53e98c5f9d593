"""Where and with what the figures were made."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import FOLDER, Peer

__all__ = ["Facts", "facts", "load"]


@dataclass(frozen=True)
class Facts:
    """What belongs beside every figure."""

    date: str
    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    commit: str
    """What is checked out, `-dirty` if files differ from it; empty outside a repository."""
    packages: Mapping[str, str]
    """Versions of what the peers are made of."""

    def __str__(self) -> str:
        """Give what the head of a table says."""
        packages = ", ".join(f"{package} {version}" for package, version in sorted(self.packages.items()))
        commit = f" ({self.commit})" if self.commit else ""
        return f"{self.date}{commit}\n{self.processor}, {self.cores} cores, {self.system}\n{self.python}, {packages}"


def facts(peers: Sequence[Peer]) -> Facts:
    """Look at this machine, and at what these peers are made of."""
    return Facts(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        commit=_commit(),
        packages=_versions(peers),
    )


def load() -> float:
    """Give how many processes ran or wanted to, on average over the last minute."""
    return os.getloadavg()[0]


def _versions(peers: Sequence[Peer]) -> Mapping[str, str]:
    versions = {package: version(package) for peer in peers for package in peer.packages}
    for peer in peers:
        versions.update(peer.made_of)
    return versions


def _processor() -> str:
    """Name the processor; Python's own answer is empty on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commit() -> str:
    # Without taking the lock that somebody's commit may want now.
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
