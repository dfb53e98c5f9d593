"""Peers that are gone: `python -m tests.stress.gone silence`, or `killing`. Prints when the other side knows."""

import argparse
import asyncio
import random

from tests.stress.gone import killing, silence


async def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.gone")
    parser.add_argument("how", choices=["silence", "killing"])
    parser.add_argument("--count", type=int, default=100, help="connections, or kills of each side (default: 100)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="when the connections fall silent")
    options = parser.parse_args()
    if options.how == "silence":
        print(f"seed {options.seed}", await silence.lose(options.count, options.seed), sep="\n")
    else:
        deaths = [*await killing.kill_servers(options.count), *await killing.kill_clients(options.count)]
        print(killing.table(deaths))


if __name__ == "__main__":
    asyncio.run(main())
