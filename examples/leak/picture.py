"""Draw the figures of a run: `python -m examples.leak.picture result.json leak.svg`."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH = 980
MARGIN = 24
LABEL_WIDTH = 208
ROW_HEIGHT = 34
MATRIX_TOP = 140
CHART_WIDTH = 430
CHART_HEIGHT = 168

LATE_MS = 500
"""An answer that took longer is drawn as late; it takes about two."""

STYLE = """
    svg { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
          --card: #fff; --edge: #d0d7de; --ink: #1f2328; --soft: #59636e; --good: #1a7f37; --bad: #cf222e;
          --late: #7d4e00; --good-back: #dafbe1; --bad-back: #ffebe9; --late-back: #fff8c5; }
    @media (prefers-color-scheme: dark) {
      svg { --card: #151b23; --edge: #3d444d; --ink: #f0f6fc; --soft: #9198a1; --good: #56d364; --bad: #ff938a;
            --late: #e3b341; --good-back: #12361f; --bad-back: #4a1a1c; --late-back: #3b2e0a; } }
    text { fill: var(--ink); }
    .title { font-size: 17px; font-weight: 600; }
    .strong { font-weight: 600; }
    .soft { fill: var(--soft); }
    .card { fill: var(--card); stroke: var(--edge); }
    .axis { fill: none; stroke: var(--edge); }
    rect.good { fill: var(--good-back); } rect.bad { fill: var(--bad-back); } rect.late { fill: var(--late-back); }
    text.good { fill: var(--good); } text.bad { fill: var(--bad); } text.late { fill: var(--late); }
    polyline { fill: none; stroke-width: 2.5; }
    polyline.good { stroke: var(--good); } polyline.bad { stroke: var(--bad); }
""".strip("\n")

Row = Mapping[str, Any]


def draw(figures: Mapping[str, Any]) -> str:
    """Give the picture as SVG. It brings its own background, light or dark as the reader's system is."""
    results, looks = figures["vanishing"], figures["stranding"]
    chart_top = MATRIX_TOP + ROW_HEIGHT * (len(_names(results, "situation")) + 1) + 84
    height = chart_top + CHART_HEIGHT + 80
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "  <title>Which servers still answer when clients vanish, and what clients that left leave behind</title>",
        f"  <style>\n{STYLE}\n  </style>",
        f'  <rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
        *_matrix(results),
        *_chart(looks, chart_top),
        _text(MARGIN, height - 18, _source(figures["machine"]), "soft"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _matrix(results: Sequence[Row]) -> Iterator[str]:
    """Draw who answers: a row for each situation, a column for each server; health checks below."""
    situations, servers = _names(results, "situation"), _names(results, "server")
    by_names = {(result["situation"], result["server"]): result for result in results}
    width = (WIDTH - 2 * MARGIN - LABEL_WIDTH) / len(servers)
    yield _text(MARGIN, 36, "Clients open a stream and vanish: is an honest one still answered?", "title")
    yield _text(MARGIN, MATRIX_TOP - 12, "How they vanish", "strong")
    for column, server in enumerate(servers):
        for line, words in enumerate(server.split(", ")):
            kind = "soft" if line else "strong"
            yield _text(MARGIN + LABEL_WIDTH + width * (column + 0.5), 68 + 17 * line, words, kind, "middle")
    for row, situation in enumerate(situations):
        yield from _row(MATRIX_TOP + ROW_HEIGHT * row, situation, [_verdict(by_names[situation, s]) for s in servers])
    checked = [all(by_names[situation, s]["health"] == "answered" for situation in situations) for s in servers]
    top = MATRIX_TOP + ROW_HEIGHT * len(situations) + 8
    yield from _row(top, "Health checks, in all six", [("good", "yes") if c else ("bad", "no") for c in checked])


def _row(top: float, label: str, cells: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Draw cells of the same width, each a kind and its words."""
    yield _text(MARGIN, top + 21, label)
    width = (WIDTH - 2 * MARGIN - LABEL_WIDTH) / len(cells)
    for column, (kind, words) in enumerate(cells):
        left = MARGIN + LABEL_WIDTH + width * column
        size = f'width="{width - 4:.0f}" height="{ROW_HEIGHT - 4}"'
        yield f'  <rect class="{kind}" x="{left + 2:.0f}" y="{top + 2}" {size} rx="5"/>'
        yield _text(left + width / 2, top + 21, words, kind, "middle")


def _verdict(result: Row) -> tuple[str, str]:
    """Give the kind of a cell, and its words."""
    if result["outcome"] == "silence":
        return "bad", f"not after {result['vanished']}"
    if result["outcome"] == "refused":
        return "late", f"refused after {result['vanished']}"
    if result["longest_wait_ms"] > LATE_MS:
        return "late", f"yes, {result['longest_wait_ms'] / 1000:.1f} s late"
    if result["gone"] and result["open_calls"]:
        return "late", f"yes; {result['open_calls']} left"
    return "good", "yes"


def _chart(looks: Sequence[Row], top: float) -> Iterator[str]:
    """Draw what clients that left have left behind: a line for each server."""
    most_left = max(look["clients_left"] for look in looks)
    most_stranded = max(1, *(look["stranded"] for look in looks))
    begin, bottom = MARGIN + 34, top + CHART_HEIGHT

    def at(look: Row) -> tuple[float, float]:
        across, up = look["clients_left"] / most_left, look["stranded"] / most_stranded
        return begin + CHART_WIDTH * across, bottom - CHART_HEIGHT * up

    yield _text(MARGIN, top - 22, "Clients of the tutorial's third server leave: what stays behind?", "title")
    yield f'  <path class="axis" d="M{begin},{top} V{bottom} H{begin + CHART_WIDTH}"/>'
    yield _text(begin - 8, top + 10, str(most_stranded), "soft", "end")
    yield _text(begin - 8, bottom + 4, "0", "soft", "end")
    for server in reversed(_names(looks, "server")):
        own = [look for look in looks if look["server"] == server]
        points = " ".join("{:.0f},{:.0f}".format(*at(look)) for look in own)
        yield f'  <polyline class="{_kind(own[-1])}" points="{points}"/>'
    for left in _names(looks, "clients_left"):
        yield _text(begin + CHART_WIDTH * left / most_left, bottom + 18, str(left), "soft", "middle")
    yield _text(begin + CHART_WIDTH / 2, bottom + 36, "clients that have left", "soft", "middle")
    yield from _legend([look for look in looks if look["clients_left"] == most_left], begin + CHART_WIDTH + 30, top)


def _legend(last: Sequence[Row], left: float, top: float) -> Iterator[str]:
    """Say what each server has at the end of its line."""
    for row, look in enumerate(last):
        what = "goroutines" if look["server"].startswith("Go") else "handlers"
        yield _text(left, top + 10 + 45 * row, look["server"], "strong")
        words = f"{look['stranded']} {what} left, {look['cpu_percent']:.0f} % of a core"
        yield _text(left, top + 28 + 45 * row, words, _kind(look))


def _kind(look: Row) -> str:
    return "bad" if look["stranded"] else "good"


def _source(machine: Row) -> str:
    return (
        f"{machine['date']}, {machine['cores']} cores, load {machine['load']}, grpcio {machine['grpcio']}. 20 clients;"
        " 10 threads where there are threads; keepalive 1 s + 1 s. Again: make leak"
    )


def _names(rows: Sequence[Row], key: str) -> list[Any]:
    """Give the different values of a column, in the order they come."""
    return list(dict.fromkeys(row[key] for row in rows))


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'  <text class="{kind}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def main() -> None:
    """Read the figures, write the picture."""
    parser = argparse.ArgumentParser(prog="python -m examples.leak.picture", description=__doc__)
    parser.add_argument("figures", type=Path, help="what `python -m examples.leak --json` wrote, with Go")
    parser.add_argument("picture", type=Path, help="the SVG file to write")
    options = parser.parse_args()
    options.picture.write_text(draw(json.loads(options.figures.read_text())))


if __name__ == "__main__":
    main()
