"""Runs every check of this folder over the repository and prints what they found, as file:line: what."""

import sys
from pathlib import Path

from tools import excepts, imports, life, mirror, sizes, sleeps, units, wire
from tools.source import Finding

CHECKS = (imports.find, sizes.find, mirror.find, units.find, sleeps.find, excepts.find, wire.find, life.find)


def find(root: Path) -> list[Finding]:
    """Give what all checks found, ordered by place."""
    return sorted({finding for check in CHECKS for finding in check(root)})


def main() -> int:
    """Check the repository that this file is in; 1 when something was found."""
    findings = find(Path(__file__).parents[1])
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
