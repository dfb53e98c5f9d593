"""What the programs take on their command line, and what they say when something is in their way."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Coroutine
from typing import Any

import penstock

ADDRESS = "127.0.0.1:50056"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser of what all programs have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--address", default=ADDRESS, help="host:port of the server; default: %(default)s")
    return parser


def of_server(description: str | None) -> argparse.Namespace:
    """Read the command line of a server, which says on its log where it listens."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parser(description)
    options.add_argument("--workers", type=count, help="pictures to work on at once; default: one for each core")
    return options.parse_args()


def run(program: Coroutine[Any, Any, object]) -> None:
    """Run it; what is wrong outside of it ends the process with a sentence, and Ctrl+C without one."""
    try:
        asyncio.run(program)
    except (penstock.Error, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def count(text: str) -> int:
    """Read a number of things, of which there is at least one; for `type=`."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text!r}")
    return int(text)
