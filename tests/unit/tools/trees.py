"""Small repositories for the checks to look at."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from textwrap import dedent

from tools.source import Finding


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below root, their text without common indentation."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
    return root


def found(find: Callable[[Path], Iterable[Finding]], root: Path) -> list[str]:
    """Run a check and give what it found in the form it is printed in."""
    return [str(finding) for finding in find(root)]


def places(find: Callable[[Path], Iterable[Finding]], root: Path) -> list[str]:
    """Run a check and give where it found something, in order: file:line."""
    return [f"{finding.path.as_posix()}:{finding.line}" for finding in sorted(find(root))]
