"""Serve the stand-in model until Ctrl+C or SIGTERM; answers that have begun are then finished."""

import argparse
import asyncio
import logging

import penstock
from examples.tokens.by_handler import ByHandler
from examples.tokens.by_step import ByStep
from examples.tokens.model import Model

STYLES: dict[str, type[ByStep] | type[ByHandler]] = {"step": ByStep, "handler": ByHandler}

GRACE_SECONDS = 60.0
"""What answers get to be finished once the server was told to stop."""

LIMITS = penstock.Limits(send_buffer_bytes=64)
"""A client that is slow has some tokens queued here; from then on they are merged. The default is 64 KiB."""


async def serve(address: str, style: str, step_seconds: float, heartbeat_seconds: float) -> None:
    """Serve, with the model's loop beside the server until the last answer is finished."""
    service = STYLES[style](Model(step_seconds), heartbeat_seconds)
    working = asyncio.create_task(service.run())
    try:
        report = await penstock.Server([service], limits=LIMITS).serve(address, grace=GRACE_SECONDS)
    finally:
        working.cancel()
    print(f"stopped: {report.finished} answers finished, {len(report.cancelled)} cut off")


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1:50057")
    parser.add_argument("--by", choices=STYLES, default="step", help="who sends: the model's step, or each handler")
    parser.add_argument("--step", type=float, default=0.05, help="seconds that a step of the model takes")
    parser.add_argument("--heartbeat", type=float, default=0.5, help="seconds between heartbeats before a first token")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(serve(options.address, options.by, options.step, options.heartbeat))


if __name__ == "__main__":
    main()
