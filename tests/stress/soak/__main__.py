"""`make soak`: calls that end in every way at random, on both sides, for some time; a table, and 1 if one was wrong."""

import argparse
import asyncio
import os
import random
import sys

from tests.stress.soak.soak import Soak
from tests.stress.soak.table import rows
from tests.stress.soak.verdict import misses

CALLS = 1_000_000
CI_SECONDS = 120.0
SECONDS = 600.0


def main() -> int:
    """Run the command."""
    ci = bool(os.environ.get("CI"))
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--seconds", type=float, default=CI_SECONDS if ci else SECONDS)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--full", action="store_true", help="all calls, whatever time they take")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    seconds = float("inf") if options.full else options.seconds
    soak = Soak(seconds, options.calls, options.seed, options.loop)
    print(f"seed {soak.seed}", flush=True)
    asyncio.run(soak.run(lambda line: print(line, flush=True)))
    print(*rows(soak), sep="\n")
    missed = misses(soak)
    print(*[f"MISSED: {miss}" for miss in missed] or ["all as promised"], sep="\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
