"""Let clients vanish from servers, and print which of them still answer and what is left in each."""

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from examples.leak import go_programs, machine, report, stranding, vanishing
from examples.leak.feed import WORKERS


async def run() -> dict[str, Any]:
    """Measure and print; return the figures."""
    facts = machine.facts()
    print(facts)
    print(f"\nUp to {vanishing.CLIENTS} clients open a stream and vanish. Servers with threads have {WORKERS}.")
    results = await vanishing.compare()
    print(*report.vanishing(results), sep="\n", flush=True)
    print("\nClients of the tutorial's third server, where both push, take a line and leave.")
    if not go_programs.is_installed():
        print("Only our own server: there is no `go` on the PATH to build the tutorial's with.")
    looks = await stranding.compare()
    print(*report.stranding(looks), sep="\n", flush=True)
    return {
        "machine": asdict(facts),
        "vanishing": [asdict(result) for result in results],
        "stranding": [asdict(look) for look in looks],
    }


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(prog="python -m examples.leak", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    figures = asyncio.run(run())
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
