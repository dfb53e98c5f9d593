"""Have pictures improved in every way, and print what is image work and what is not."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from examples.image_service import command_line, go_client, report
from examples.image_service.albums import ALBUMS, TINY, Album
from examples.image_service.comparison import SERVERS, Results, Row, compare, serving
from examples.image_service.workers import cores
from examples.leak import machine
from examples.tutorial.programs import PROJECT

BUILD = PROJECT / "build/images"
PYTHON_CLIENT = [sys.executable, "-m", "examples.image_service.client"]

CORES = cores()
ONE_BY_ONE = [
    *(Row(server, how) for server in SERVERS for how in ("unary", "stream")),
    Row("Penstock", "lockstep"),  # what a stream does by being one
]
AT_ONCE = [row for server in SERVERS for row in (Row(server, "unary", CORES + 1), Row(server, "stream"))]


def measure(client: Sequence[str], albums: Sequence[Album], rounds: int) -> Iterator[tuple[str, Results]]:
    """Print table after table, and give each with its name."""
    for album in albums:
        results = compare(client, album.write(BUILD), ONE_BY_ONE, workers=1, rounds=rounds)
        print(f"\n{album.name} pictures, {album.width} x {album.height}; one thread for image work")
        print(*report.one_by_one(results), sep="\n", flush=True)
        yield album.name, results
    results = compare(client, albums[-1].write(BUILD), AT_ONCE, workers=CORES, rounds=rounds)
    print(f"\n{albums[-1].name} pictures; {CORES} cores, as many threads for image work")
    print(*report.several_at_once(results), sep="\n", flush=True)
    yield "several at once", results


def as_json(name: str, results: Results) -> list[dict[str, object]]:
    """Give a table for programs: a line for each run."""
    return [{"table": name, **asdict(row), **asdict(run)} for row, runs in results.items() for run in runs]


def show_python_client(album: Album) -> None:
    """Run the client in Python as a person does: with a progress bar, and the results in a folder."""
    print(f"\nThe client in Python, {album.count} {album.name} pictures on one stream:", flush=True)
    with serving("Penstock", CORES) as address:
        arguments = [str(album.write(BUILD)), "--out", str(BUILD / "improved"), "--address", address]
        subprocess.run([*PYTHON_CLIENT, *arguments], cwd=PROJECT, check=True)


def run(options: argparse.Namespace) -> None:
    """Do all of it."""
    facts = machine.facts()
    print(facts)
    client = PYTHON_CLIENT
    if go_client.is_installed() and not options.python:
        client = [go_client.build()]
    print(f"The client is a program in {'Python, ours' if client is PYTHON_CLIENT else 'Go, with grpc-go'}.")
    albums = [TINY] if options.tiny else ALBUMS
    runs = [line for table in measure(client, albums, options.rounds) for line in as_json(*table)]
    show_python_client(albums[-1])
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": asdict(facts), "runs": runs}, indent=2) + "\n")


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(prog="python -m examples.image_service", description=__doc__)
    parser.add_argument("--rounds", type=command_line.count, default=5, help="runs of each row; default: %(default)s")
    parser.add_argument("--python", action="store_true", help="the client in Python, though there is a `go`")
    parser.add_argument("--tiny", action="store_true", help="tiny pictures, to see whether all of it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    try:
        run(options)
    except (subprocess.CalledProcessError, RuntimeError, EOFError, TimeoutError) as error:
        sys.exit(str(error))  # a program that could not do its part, and what it said
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
