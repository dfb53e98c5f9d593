"""Ask the model, and print its tokens as they come; a dot is a heartbeat."""

import argparse
import asyncio
import time

import penstock
from examples.tokens.tokens_pb2 import Piece, Prompt
from examples.tokens.tokens_penstock import ModelClient

ANSWER_SECONDS = 300.0
"""The deadline of a whole answer."""

SMALL_WINDOW = penstock.Limits(stream_window_bytes=64)
"""For a client that would rather have a few large pieces than many that wait for it: what is in its window comes as it
was sent, what is not yet is merged. The default is 1 MiB."""


async def ask(options: argparse.Namespace) -> None:
    """Print one answer.

    There are two clocks: the deadline of all of it, and what may pass between two messages. With heartbeats the second
    can be short however long the prompt is, and a server that hangs is noticed soon.
    """
    patience = penstock.CallOptions(receive_idle_timeout_seconds=options.patience)
    prompt = Prompt(text=options.prompt, max_tokens=options.max_tokens)
    limits = SMALL_WINDOW if options.slow else None
    async with (
        penstock.Channel(options.address, limits=limits) as channel,
        ModelClient(channel).generate(prompt, timeout=ANSWER_SECONDS, options=patience) as stream,
    ):
        await show(stream, options.leave_after, options.slow)


async def show(stream: penstock.ServerStreamCall[Piece], leave_after: int | None, slow_seconds: float) -> None:
    """Print what comes, and at the end what came; leaving the call's block early is all there is to cancelling it."""
    begin = time.monotonic()
    tokens = pieces = heartbeats = 0
    first = "none"
    async for piece in stream:
        if piece.tokens:
            pieces += 1
            tokens += piece.tokens
            first = f"the first after {time.monotonic() - begin:.2f} s" if pieces == 1 else first
            print(piece.text, end="", flush=True)
        else:
            heartbeats += 1
            print(".", end="", flush=True)
        if leave_after is not None and tokens >= leave_after:
            print("\nleft", end="")
            break
        await asyncio.sleep(slow_seconds)
    print(f"\n{tokens} tokens in {pieces} pieces, {first}; {heartbeats} heartbeats")


def main() -> None:
    """Read the command line, and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompt", nargs="?", default="What is a penstock?")
    parser.add_argument("--address", default="localhost:50057")
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--leave-after", type=int, help="tokens; 0: at the first heartbeat")
    parser.add_argument("--slow", type=float, default=0.0, help="seconds to think about each piece")
    parser.add_argument("--patience", type=float, default=2.0, help="seconds without any message, then give up")
    asyncio.run(ask(parser.parse_args()))


if __name__ == "__main__":
    main()
