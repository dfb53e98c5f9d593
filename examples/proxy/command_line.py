"""What the proxies take on their command line, and what they say if it cannot be used."""

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable
from ssl import SSLContext

import penstock

OPTIONS = {
    "pass tls=": "use --ca (for --to) or --certificate (for --listen)",
    "write plaintext=True": "--plaintext",
}
"""The library's words for its arguments, and the option that is meant here."""


def common(program: str, description: str | None) -> argparse.ArgumentParser:
    """Make a parser of the options that both proxies have."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--listen", required=True, help="where clients connect: host:port or unix:/path")
    parser.add_argument("--to", required=True, help="where their calls go")
    parser.add_argument("--certificate", metavar="PEM", help="speak TLS to clients, with this certificate")
    parser.add_argument("--key", metavar="PEM", help="its key")
    parser.add_argument("--ca", metavar="PEM", help="speak TLS to the server, and trust these certificates")
    parser.add_argument("--plaintext", action="store_true", help="let either address be on another machine")
    return parser


def contexts(options: argparse.Namespace) -> tuple[SSLContext | None, SSLContext | None]:
    """Make what TLS needs, to clients and to the server."""
    if options.key and not options.certificate:
        msg = "--key without --certificate: pass the certificate too"
        raise penstock.UsageError(msg)
    key = options.key or options.certificate
    to_clients = penstock.tls.server_context(options.certificate, key) if options.certificate else None
    return to_clients, penstock.tls.client_context(options.ca) if options.ca else None


def start(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], Awaitable[None]]) -> None:
    """Read the command line, and run; what it cannot be used for ends the program as a wrong option does."""
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    async def running() -> None:
        await run(options)

    try:
        asyncio.run(running())
    except (penstock.UsageError, OSError) as error:
        text = str(error)
        for argument, option in OPTIONS.items():
            text = text.replace(argument, option)
        parser.error(text)
