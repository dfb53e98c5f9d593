"""Draw a file of raw results: `python -m benchmarks.picture results/latest.json docs/benchmarks.svg`."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.peers import OURS, PEERS
from benchmarks.report import Samples, Spread, short
from benchmarks.results import Results, read
from benchmarks.rows import Better
from benchmarks.scenarios import Scenario, named

__all__ = ["draw", "main"]

PANELS = [
    "server_stream",
    "both_stream",
    "raw_server_stream",
    "broadcast_1000",
    "ping_pong",
    "unary",
    "unary_64",
    "blobs_64kib",
]
"""What is drawn of a file, in two columns."""

WIDTH = 980
MARGIN = 24
COLUMNS = 2
PANEL_WIDTH = (WIDTH - MARGIN * (COLUMNS + 1)) / COLUMNS
LABEL_WIDTH = 128
FIGURES_WIDTH = 150
"""Behind the longest bar: its value, and the CPU time."""
BAR_HEIGHT = 22
HEAD_HEIGHT = 76
TITLE_HEIGHT = 40
FOOT_HEIGHT = 40

STYLE = """
    svg { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
          --card: #fff; --edge: #d0d7de; --ink: #1f2328; --soft: #59636e; --ours: #1a7f37; --other: #8c959f; }
    @media (prefers-color-scheme: dark) {
      svg { --card: #151b23; --edge: #3d444d; --ink: #f0f6fc; --soft: #9198a1; --ours: #3fb950; --other: #656c76; } }
    text { fill: var(--ink); }
    .title { font-size: 17px; font-weight: 600; }
    .strong { font-weight: 600; }
    .soft { fill: var(--soft); }
    .card { fill: var(--card); stroke: var(--edge); }
    rect.ours { fill: var(--ours); } rect.other { fill: var(--other); }
    .range { stroke: var(--ink); stroke-width: 1.5; }
""".strip("\n")


def draw(results: Results) -> str:
    """Give the picture as SVG. It brings its own background, light or dark as the reader's system is."""
    measured = {name for _, name in results.samples}
    scenarios = {scenario.name: scenario for scenario in named([name for name in PANELS if name in measured])}
    panels = [_panel(scenarios[name], results.samples) for name in PANELS if name in scenarios]
    body, top = list[str](), float(HEAD_HEIGHT)
    for first in range(0, len(panels), COLUMNS):
        row = panels[first : first + COLUMNS]
        for column, (_, lines) in enumerate(row):
            left = MARGIN + (PANEL_WIDTH + MARGIN) * column
            body += [f'  <g transform="translate({left:.0f} {top:.0f})">', *lines, "  </g>"]
        top += max(height for height, _ in row)
    height = top + FOOT_HEIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
        "  <title>Penstock beside other implementations of gRPC: rates and latencies</title>",
        f"  <style>\n{STYLE}\n  </style>",
        f'  <rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="10"/>',
        _text(MARGIN, 36, "The same work with each of them, client and server", "title"),
        _text(
            MARGIN,
            56,
            "Medians; thin lines from the least round to the most. CPU: seconds for a million, both sides together",
            "soft",
        )
        + _text(WIDTH - MARGIN, 56, "over TLS" if results.facts.get("tls") else "in plaintext", "soft", "end").lstrip(),
        *body,
        _text(MARGIN, height - 16, _source(results.facts), "soft"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _panel(scenario: Scenario, samples: Samples) -> tuple[float, Sequence[str]]:
    """Give the height of a panel, and what is in it: a bar for each peer."""
    row = scenario.rows[0]
    titles = {peer.name: peer.title for peer in PEERS if (peer.name, scenario.name) in samples}
    spreads = {name: Spread.of([row.value(sample) for sample in samples[name, scenario.name]]) for name in titles}
    most = max(spread.most for spread in spreads.values())
    lines = [_text(0, 16, row.title, "strong"), _text(PANEL_WIDTH, 16, _axis(row.unit, row.better), "soft", "end")]
    for number, (name, title) in enumerate(titles.items()):
        cpu = median(sample.cpu_seconds_per_million for sample in samples[name, scenario.name])
        kind = "ours" if name.startswith(OURS) else "other"
        lines += _bar(TITLE_HEIGHT - 14 + BAR_HEIGHT * number, title, kind, spreads[name], most, cpu)
    return TITLE_HEIGHT + BAR_HEIGHT * len(titles) + 12, lines


def _bar(top: float, title: str, kind: str, spread: Spread, most: float, cpu_seconds: float) -> Iterator[str]:
    scale = (PANEL_WIDTH - LABEL_WIDTH - FIGURES_WIDTH) / most
    middle = top + BAR_HEIGHT / 2
    yield _text(0, middle + 4, title, "strong" if kind == "ours" else "")
    size = f'width="{max(1.0, spread.median * scale):.1f}" height="{BAR_HEIGHT - 6}"'
    yield f'    <rect class="{kind}" x="{LABEL_WIDTH}" y="{top + 3:.0f}" {size} rx="2"/>'
    ends = [LABEL_WIDTH + value * scale for value in (spread.least, spread.most)]
    yield f'    <path class="range" d="M{ends[0]:.1f},{middle:.0f} H{ends[1]:.1f}"/>'
    yield _text(ends[1] + 6, middle + 4, short(spread.median), "strong" if kind == "ours" else "")
    if cpu_seconds:
        yield _text(PANEL_WIDTH, middle + 4, f"CPU {cpu_seconds:.3g} s", "soft", "end")


def _axis(unit: str, better: Better) -> str:
    return f"{unit}, {'more' if better is Better.HIGHER else 'less'} is better"


def _source(facts: Mapping[str, Any]) -> str:
    return f"{facts['date'][:10]}, {facts['processor']}, {facts['cores']} cores, {facts['python']}. Again: make bench"


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'    <text class="{kind}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the results, write the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__)
    parser.add_argument("results", type=Path, help="what `python -m benchmarks.run --json` wrote")
    parser.add_argument("picture", type=Path, help="the SVG file to write")
    options = parser.parse_args(arguments)
    options.picture.write_text(draw(read(options.results)), "utf-8")


if __name__ == "__main__":
    main()
