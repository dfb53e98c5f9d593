"""The tables that people read."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from examples.leak.honest import Outcome
from examples.leak.stranding import Look
from examples.leak.vanishing import Result

WORDS: dict[Outcome, str] = {"answered": "answered", "refused": "refused", "silence": "no answer"}


def vanishing(results: Iterable[Result]) -> Iterator[str]:
    """Tell who answers, situation by situation."""
    head = ("", "honest client", "health check", "longest wait", "open calls", "threads", "memory")
    for situation, group in groupby(results, lambda result: result.situation):
        yield f"\n  client {situation}"
        yield from table(
            head,
            [
                (
                    result.server,
                    f"{WORDS[result.outcome]} after {result.vanished}",
                    WORDS[result.health],
                    f"{result.longest_wait_ms:,.0f} ms",
                    str(result.open_calls),
                    str(result.threads),
                    f"{result.memory_mib:.0f} MiB",
                )
                for result in group
            ],
        )


def stranding(looks: Iterable[Look]) -> Iterator[str]:
    """Tell what is left, server by server."""
    head = ("clients that left", "left over", "CPU", "memory", "answer")
    for server, group in groupby(looks, lambda look: look.server):
        yield f"\n  {server}"
        yield from table(
            head,
            [
                (
                    str(look.clients_left),
                    str(look.stranded),
                    f"{look.cpu_percent:.0f} %",
                    f"{look.memory_mib:.0f} MiB",
                    f"{look.answer_ms:.1f} ms",
                )
                for look in group
            ],
        )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lay out rows under a head: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        yield "    " + "  ".join([row[0].ljust(widths[0]), *numbers])
