"""Files of raw results: every sample, and where and with what it was made."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import Samples
from benchmarks.sample import Sample

__all__ = ["Results", "read", "write"]


@dataclass(frozen=True)
class Results:
    """What one run of `benchmarks.run` left."""

    facts: Mapping[str, Any]
    """`benchmarks.machine.Facts`, `load` before and after, and whether it was over `tls`."""
    samples: Samples


def write(path: Path, results: Results) -> None:
    """Write a file; folders that it needs are made."""
    raw: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(dict)
    for (peer, scenario), rounds in results.samples.items():
        raw[peer][scenario] = [asdict(sample) for sample in rounds]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**results.facts, "samples": raw}, indent=2) + "\n", "utf-8")


def read(path: Path) -> Results:
    """Read what `write` wrote.

    Raises:
        OSError: There is no such file.
        ValueError, KeyError, TypeError: It holds something else.
    """
    facts = json.loads(path.read_text("utf-8"))
    raw = facts.pop("samples")
    samples = {
        (peer, scenario): [Sample(**one) for one in rounds]
        for peer, scenarios in raw.items()
        for scenario, rounds in scenarios.items()
    }
    return Results(facts, samples)
