"""Have the pictures of a folder improved, and write the results to another."""

import argparse
import json
import sys
import time
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import penstock
from examples.image_service import command_line, folders
from examples.image_service.images_penstock import ImagesClient
from examples.image_service.progress import Progress
from examples.image_service.ways import WAYS, Improved


@dataclass
class Tally:
    """What came of the pictures."""

    pictures: int = 0
    seconds: float = 0.0
    """From the first byte to the last, in all."""
    image_seconds: float = 0.0
    """What the server says it worked on the pictures themselves."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with files that were no pictures."""

    def count(self, result: Improved) -> None:
        """One more has come."""
        self.image_seconds += result.image_seconds
        if result.problem:
            self.problems.append(f"{result.path}: {result.problem}")
        else:
            self.pictures += 1


async def improve(options: argparse.Namespace) -> Tally:
    """Send the pictures and write what comes back.

    Raises:
        OSError: The folders cannot be read or written.
        RpcError: The server is not there, or goes.
    """
    paths = folders.pictures_of(options.folder)
    if not options.json:
        folders.make(options.out)
    tally = Tally()
    async with penstock.Channel(options.address) as channel:
        improved = partial(WAYS[options.how], ImagesClient(channel))
        if options.json:  # warm
            _ = [result async for result in improved(paths[:1], 1)]
        begin = time.perf_counter()
        with Progress(len(paths)) as progress:
            async with aclosing(improved(paths, options.together)) as results:
                async for result in results:
                    progress.step()
                    tally.count(result)
                    if not options.json and not result.problem:
                        folders.result_path(options.out, result.path).write_bytes(result.data)
        tally.seconds = time.perf_counter() - begin
    return tally


async def run(options: argparse.Namespace) -> None:
    """Improve, and say what came of it.

    Raises:
        SystemExit: Not all were pictures, or nobody answers.
    """
    try:
        tally = await improve(options)
    except penstock.Unavailable as error:
        sys.exit(f"nobody answers at {options.address}: {error.message}\nStart python -m examples.image_service.server")
    for problem in tally.problems:
        print(problem, file=sys.stderr)
    if options.json:
        print(json.dumps(asdict(tally)))
    else:
        took = f"{tally.seconds:.2f} s, of which image work {tally.image_seconds:.2f} s"
        print(f"{tally.pictures} pictures are in {options.out}: {took}")
    if tally.problems:
        sys.exit(1)


def main() -> None:
    """Read the command line, and run."""
    parser = command_line.parser(__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures are")
    parser.add_argument("--out", type=Path, default=Path("improved"), help="where the results go; default: %(default)s")
    parser.add_argument("--how", choices=WAYS, default="stream", help="default: %(default)s")
    parser.add_argument(
        "--together", type=command_line.count, default=1, metavar="N", help="with --how unary: calls at once"
    )
    parser.add_argument(
        "--json", action="store_true", help="measure: print figures for programs, and write no pictures"
    )
    command_line.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
