"""The `penstock` script: reads the command line and hands over to one command.

Data goes to standard output, everything said about it to standard error. Exit codes: 0 done, 1 it did not work,
2 the command cannot be run as given (wrong arguments, or something it needs is missing).
"""

import argparse
from collections.abc import Callable, Sequence

from penstock.cli import generate

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code.

    Args:
        arguments: What stands after the program's name; None means the arguments of this process.
    """
    parser = argparse.ArgumentParser(prog="penstock", description="gRPC streams for Python.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    generate.add_parser(commands)
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)
