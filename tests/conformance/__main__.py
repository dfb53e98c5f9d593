"""`python -m tests.conformance [server|client] [OPTION...]`: run the suite; options are connectconformance's own."""

import sys
from collections.abc import Sequence
from typing import get_args

from tests.conformance import suite


def main(arguments: Sequence[str]) -> int:
    """Run one mode or both; 1 unless every case that was to be run was run and passed."""
    modes: Sequence[suite.Mode] = get_args(suite.Mode)
    if arguments and arguments[0] in modes:
        modes, arguments = [mode for mode in modes if mode == arguments[0]], arguments[1:]
    try:
        suite.prepare()
    except suite.MissingGoError:
        sys.exit("error: connectconformance is a Go program, and there is no `go` on the PATH")
    reports = {mode: suite.run(mode, arguments) for mode in modes}
    for mode, report in reports.items():
        print(f"conformance, {mode} under test: {report}")
    # With options, cases were left out on purpose.
    return 0 if all(report.is_clean or (arguments and not report.exit_code) for report in reports.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
