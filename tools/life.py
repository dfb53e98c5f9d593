"""docs/ends.md says why calls end and how they live: its tables and pictures are drawn from `ends.py` and `_life.py`.

`python -m tools.life` draws them again, between the two marks; the check finds a page that is out of date.
"""

import ast
import logging
import runpy
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tools import source
from tools.source import Finding

PAGE = Path("docs/ends.md")
ENDS = Path("src/penstock/ends.py")
LIFE = Path("src/penstock/_life.py")
BEGIN, END = "<!-- drawn by tools/life.py -->", "<!-- end of what is drawn -->"


def find(root: Path) -> Iterator[Finding]:
    """Give the page, if it does not say what the two files say."""
    if (root / LIFE).is_file():
        lines = source.lines(root, PAGE) if (root / PAGE).is_file() else []
        if BEGIN not in lines or END not in lines:
            yield Finding(PAGE, 1, f"lacks a line {BEGIN!r}, and behind it one {END!r}")
        elif lines[lines.index(BEGIN) + 1 : lines.index(END)] != drawn(root):
            yield Finding(PAGE, lines.index(BEGIN) + 1, "is out of date: python -m tools.life")


def draw(root: Path) -> None:
    """Write what is between the marks."""
    lines = source.lines(root, PAGE)
    lines[lines.index(BEGIN) + 1 : lines.index(END)] = drawn(root)
    (root / PAGE).write_text("\n".join(lines) + "\n", "utf-8")


def drawn(root: Path) -> list[str]:
    """Give the lines between the marks."""
    # By their paths: what is drawn is the repository that is looked at, whatever is installed.
    ends, life = runpy.run_path(str(root / ENDS)), runpy.run_path(str(root / LIFE))
    said = docstrings(root, ENDS)
    events = docstrings(root, LIFE)
    return [
        "",
        "## Why calls end",
        "",
        "| `penstock.End` | what happened | level |",
        "| --- | --- | --- |",
        *(f"| `{end.name}` | {said[end.name]} | {logging.getLevelName(end.level)} |" for end in ends["End"]),
        "",
        "## The life of a client's call",
        "",
        *side(life["CLIENT"], events),
        "## The life of a server's call",
        "",
        *side(life["SERVER"], events),
    ]


def side(states: tuple[Any, ...], events: dict[str, str]) -> list[str]:
    """Draw one side."""
    steps = [(state, event, into) for state in states for event, into in state.entries().items()]
    happen = {event: None for _, event, _ in steps}
    return [
        "```mermaid",
        "stateDiagram-v2",
        *(f"    state {state.name!r} as {name(state)}".replace("'", '"') for state in states),
        f"    [*] --> {name(states[0])}",
        *(f"    {name(state)} --> {name(into)}: {event.replace('_', ' ')}" for state, event, into in steps),
        f"    {name(states[-1])} --> [*]",
        "```",
        "",
        "| state | in it | leads to |",
        "| --- | --- | --- |",
        *(f"| {state.name} | {state.meaning} | {leads(state)} |" for state in states),
        "",
        "| event | when |",
        "| --- | --- |",
        *(f"| {event.replace('_', ' ')} | {events[event]} |" for event in happen),
        "",
    ]


def leads(state: Any) -> str:
    """Draw the entries of a state; what is not among them is an error."""
    entries = [f"{event.replace('_', ' ')} → {into.name}" for event, into in state.entries().items()]
    return ", ".join(entries) or "the end"


def name(state: Any) -> str:
    """Give a name that Mermaid takes."""
    return str(state.name).replace("-", "_")


def docstrings(root: Path, path: Path) -> dict[str, str]:
    """Give what stands under each name in the classes of a file, in one line."""
    found: dict[str, str] = {}
    for node in ast.walk(source.tree(root, path)):
        for before, behind in pairwise(node.body) if isinstance(node, ast.ClassDef) else ():
            target = before.targets[0] if isinstance(before, ast.Assign) else getattr(before, "target", None)
            if isinstance(target, ast.Name) and isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant):
                found[target.id] = " ".join(str(behind.value.value).split())
    return found


if __name__ == "__main__":
    draw(Path(__file__).parents[1])
