"""Where and with what the figures were made."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version


@dataclass(frozen=True)
class Facts:
    """What belongs beside every figure."""

    date: str
    cores: int
    load: float
    """How many processes ran or wanted to, on average over the minute before."""
    python: str
    grpcio: str
    penstock: str

    def __str__(self) -> str:
        """Give what the head of a table says."""
        versions = f"Python {self.python}, grpcio {self.grpcio}, Penstock {self.penstock}"
        return f"{self.date}, {self.cores} cores (load {self.load}), {versions}"


def facts() -> Facts:
    """Look at this machine."""
    return Facts(
        date=datetime.now(UTC).date().isoformat(),
        load=round(os.getloadavg()[0], 1),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        grpcio=version("grpcio"),
        penstock=version("penstock"),
    )
