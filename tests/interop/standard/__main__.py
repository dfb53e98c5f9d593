"""Runs every standard case with every pair, prints a table of what came of it, and fails if a case did."""

import argparse
import asyncio
import gc
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.interop.standard import pairs, table
from tests.interop.standard.cases import CASES, why_skipped
from tests.interop.standard.soak import Soak
from tests.interop.standard.table import Outcome, Row
from tests.interop.standard.target import Certificates, Target, make_certificates

ELSEWHERE = "other"
"""The server that `--server` tells of."""

CASE_SECONDS = 60.0
"""What a case that is no soak gets."""


def soaks(iterations: int) -> dict[str, Soak]:
    """Give how much the cases of many calls do."""
    many = Soak(iterations=iterations, overall_timeout_seconds=max(60, iterations // 10))
    return {
        "concurrent_large_unary": Soak(iterations=1000),
        "rpc_soak": many,
        "channel_soak": many,
        "long_lived_channel": Soak(iterations=10, min_time_ms_between_rpcs=500),
    }


async def run_pair(client: str, server: str, certificates: Certificates | None, wanted: dict[str, Soak]) -> Row:
    """Run all cases, one after the other, with one server."""
    row = Row(client, server, "plain" if certificates is None else "tls")
    # Now, not within a call: ten thousand channels of the pair before keep the garbage collection for half a second.
    gc.collect()
    begun = time.monotonic()
    row.outcomes = {case: (Outcome.SKIPPED, why) for case in CASES if (why := why_skipped(case, client, server))}
    runnable = [case for case in CASES if case not in row.outcomes]
    try:
        async with pairs.SERVERS[server](certificates) as target:
            for case in runnable:
                row.outcomes[case] = await _outcome(case, client, target, wanted.get(case, Soak()))
    except pytest.skip.Exception as absent:
        row.outcomes |= {case: (Outcome.SKIPPED, str(absent)) for case in runnable}
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever it is, the table tells of it
        # It did not start, or does not end as it should.
        row.outcomes["the server"] = (Outcome.FAILED, f"{type(error).__name__}: {error}")
    row.seconds = time.monotonic() - begun
    return row


async def _outcome(case: str, client: str, target: Target, soak: Soak) -> tuple[Outcome, str]:
    try:
        async with asyncio.timeout(CASE_SECONDS + soak.overall_timeout_seconds):
            await pairs.CLIENTS[client](case, target, soak)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever it is, the table tells of it
        *_, where = traceback.extract_tb(error.__traceback__)
        return (
            Outcome.FAILED,
            f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno} {where.line})",
        )
    return Outcome.PASSED, ""


async def run_all(wanted: Sequence[tuple[str, str]], soak: int) -> list[Row]:
    """Run the pairs, without TLS and with it; say what came of each as it is done."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="penstock-interop-") as folder:
        made = make_certificates(Path(folder))
        for client, server in wanted:
            for certificates in [None] if server == ELSEWHERE else [None, made]:
                rows.append(await run_pair(client, server, certificates, soaks(soak)))
                print(table.line(rows[-1]), *table.failures(rows[-1:]), sep="\n", flush=True)
    return rows


def main() -> int:
    """Run what the command line says; 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.standard", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--pair", action="append", metavar="CLIENT-SERVER", help="only this pair; may be repeated")
    which.add_argument("--through-proxy", action="store_true", help="only the pairs with examples/proxy between them")
    which.add_argument("--server", metavar="HOST:PORT", help="every client with a server that runs there, without TLS")
    parser.add_argument("--soak", type=int, default=1000, metavar="COUNT", help="calls of each soak (default: 1000)")
    options = parser.parse_args()
    wanted = [*pairs.PAIRS, *pairs.THROUGH_PROXY]
    if options.pair:
        wanted = [pair for pair in wanted if "-".join(pair) in options.pair]
    elif options.through_proxy:
        wanted = [*pairs.THROUGH_PROXY]
    elif options.server:
        pairs.SERVERS[ELSEWHERE] = partial(pairs.elsewhere, options.server)
        wanted = [(client, ELSEWHERE) for client in pairs.CLIENTS]
    # What a client does that gives up during the handshake, as timeout_on_sleeping_server may, belongs in no table.
    logging.getLogger("penstock").setLevel(logging.ERROR)
    print(table.HEAD)
    rows = asyncio.run(run_all(wanted, options.soak))
    for line in table.summary(rows):
        print(line)
    return 0 if rows and not any(row.count(Outcome.FAILED) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
