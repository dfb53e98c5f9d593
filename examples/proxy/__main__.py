"""Forward every call to another address."""

import argparse
import asyncio
import logging
from functools import partial

import penstock
from examples.proxy.forwarding import forward


async def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl+C; calls that are open then get 30 seconds to end."""
    limits = penstock.Limits(max_receive_message_bytes=options.max_message_bytes)
    async with penstock.Channel(options.to, limits=limits, plaintext=options.plaintext) as channel:
        server = penstock.Server([], limits=limits, fallback=partial(forward, channel=channel))
        await server.serve(options.listen, plaintext=options.plaintext)


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(prog="python -m examples.proxy", description=__doc__)
    parser.add_argument("--listen", required=True, help="where clients connect: host:port or unix:/path")
    parser.add_argument("--to", required=True, help="where their calls go")
    parser.add_argument("--plaintext", action="store_true", help="let either address be on another machine")
    parser.add_argument(
        "--max-message-bytes", type=int, default=penstock.Limits().max_receive_message_bytes, help="default: 4 MiB"
    )
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
