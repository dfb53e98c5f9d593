"""Forward every call to another address."""

import argparse
from functools import partial

import penstock
from examples.proxy import command_line
from examples.proxy.forwarding import forward


async def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl+C; calls that are open then get 30 seconds to end."""
    limits = penstock.Limits(max_receive_message_bytes=options.max_message_bytes)
    tls, tls_onward = command_line.contexts(options)
    plaintext = options.plaintext
    async with penstock.Channel(
        options.to, tls=tls_onward, plaintext=plaintext and tls_onward is None, limits=limits
    ) as channel:
        server = penstock.Server([], limits=limits, fallback=partial(forward, channel=channel))
        await server.serve(options.listen, tls=tls, plaintext=plaintext and tls is None)


def main() -> None:
    """Read the command line, and run."""
    parser = command_line.common("examples.proxy", __doc__)
    parser.add_argument(
        "--max-message-bytes", type=int, default=penstock.Limits().max_receive_message_bytes, help="default: 4 MiB"
    )
    command_line.start(parser, run)


if __name__ == "__main__":
    main()
