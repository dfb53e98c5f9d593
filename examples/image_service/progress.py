"""A progress bar on standard error."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

WIDTH = 30


class Progress:
    """How many of so many are done. On a terminal a bar that moves, elsewhere a line for each tenth."""

    def __init__(self, total: int, output: TextIO = sys.stderr) -> None:
        self._total = total
        self._done = 0
        self._begin = time.monotonic()
        self._output = output
        self._moves = output.isatty()

    def __enter__(self) -> Self:
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._moves:
            self._output.write("\n")

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        tenth = self._done * 10 // self._total != (self._done - 1) * 10 // self._total
        if self._moves or tenth:
            self._show()

    def _show(self) -> None:
        text = f"{self._done}/{self._total} pictures, {time.monotonic() - self._begin:.1f} s"
        if self._moves:
            full = WIDTH * self._done // self._total
            self._output.write(f"\r[{'#' * full}{'.' * (WIDTH - full)}] {text}\x1b[K")
        else:
            self._output.write(f"{text}\n")
        self._output.flush()
