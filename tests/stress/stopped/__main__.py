"""One of a thousand readers stops: `python -m tests.stress.stopped` prints what the others see of it."""

import argparse
import asyncio

from tests.stress.stopped.reading import measure


async def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.stopped")
    parser.add_argument("--rounds", type=int, default=30, help="with and without (default: 30 of each)")
    parser.add_argument("--notes", type=int, default=8, help="on each stream in a round (default: 8)")
    options = parser.parse_args()
    print(await measure(options.rounds, options.notes))


if __name__ == "__main__":
    asyncio.run(main())
