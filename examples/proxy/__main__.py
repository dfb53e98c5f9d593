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
    tls = penstock.tls.server_context(options.certificate, options.key) if options.certificate else None
    tls_onward = penstock.tls.client_context(options.ca) if options.ca else None
    async with penstock.Channel(options.to, tls=tls_onward, plaintext=options.plaintext, limits=limits) as channel:
        server = penstock.Server([], limits=limits, fallback=partial(forward, channel=channel))
        await server.serve(options.listen, tls=tls, plaintext=options.plaintext)


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(prog="python -m examples.proxy", description=__doc__)
    parser.add_argument("--listen", required=True, help="where clients connect: host:port or unix:/path")
    parser.add_argument("--to", required=True, help="where their calls go")
    parser.add_argument("--certificate", metavar="PEM", help="speak TLS to clients, with this certificate")
    parser.add_argument("--key", metavar="PEM", help="its key")
    parser.add_argument("--ca", metavar="PEM", help="speak TLS to the server, and trust these certificates")
    parser.add_argument("--plaintext", action="store_true", help="let either address be on another machine")
    parser.add_argument(
        "--max-message-bytes", type=int, default=penstock.Limits().max_receive_message_bytes, help="default: 4 MiB"
    )
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
