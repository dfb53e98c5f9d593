"""Running a program as a child process and following what it prints."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

PROJECT = Path(__file__).parents[2]

MAX_LINES = 10_000
"""Lines read of one program. One that prints more waits in its pipe, so a flood costs nobody anything."""


class Program:
    """A child process and the lines it has printed, on either output; leaving the block kills it.

    Its output is read all the time by a thread, so it never waits for a reader (until MAX_LINES).
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the command in the project's folder, with these variables on top of our own environment."""
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._name = " ".join(command)
        self._lines: list[str] = []
        self._finished = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def process_id(self) -> int:
        """Its number, for who looks at it from outside."""
        return self._process.pid

    @property
    def lines(self) -> list[str]:
        """What it has printed so far, without line feeds."""
        with self._changed:
            return list(self._lines)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the number of the signal that ended it."""
        return self._process.poll()

    def wait_until(self, done: Callable[[list[str]], bool], timeout_seconds: float = 10) -> list[str]:
        """Wait until the lines satisfy `done`, and return them.

        Raises:
            TimeoutError: They do not in time.
            EOFError: The program has ended, and they do not.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._finished or done(self._lines), timeout_seconds)
            if done(self._lines):
                return list(self._lines)
            reason = EOFError if self._finished else TimeoutError
            raise reason(self._transcript("printed only"))

    def wait_until_listening(self, address: str, timeout_seconds: float = 10) -> None:
        """Wait until the address takes connections.

        Raises:
            TimeoutError: It does not in time.
            EOFError: The program has ended.
        """
        host, _, port = address.rpartition(":")
        deadline = time.monotonic() + timeout_seconds
        while not self._has_ended(within_seconds=0.02):
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(self._transcript(f"does not listen on {address} and printed")) from error
            else:
                return
        self._reader.join()
        raise EOFError(self._transcript("has ended and printed"))

    def wait_for_end(self, timeout_seconds: float = 10) -> int:
        """Wait until the program ends by itself and everything it printed is in `lines`; return its exit code.

        Raises:
            TimeoutError: It does not in time.
        """
        if not self._has_ended(timeout_seconds):
            raise TimeoutError(self._transcript("has not ended and printed"))
        self._reader.join()
        return self._process.returncode

    def end(self, signal_number: int = signal.SIGTERM, timeout_seconds: float = 10) -> int:
        """Ask the program to end, and wait until it has; return its exit code.

        Raises:
            TimeoutError: It does not in time.
        """
        self._process.send_signal(signal_number)
        return self.wait_for_end(timeout_seconds)

    def _has_ended(self, within_seconds: float) -> bool:
        try:
            self._process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in islice(self._process.stdout, MAX_LINES):
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def _transcript(self, what: str) -> str:
        return "\n".join([f"{self._name} {what}:", *self._lines[-50:]])


def run_module(module: str, *arguments: str) -> Program:
    """Start a program of this package: `run_module("server_push.server", "--interval", "0.05")`."""
    return Program([sys.executable, "-m", f"examples.tutorial.{module}", *arguments])


def free_address(preferred_port: int = 0) -> str:
    """Give an address of this machine that nobody listens on: with this port, unless it is taken.

    It is free now; nothing keeps it so until the program that gets it has bound it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred_port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
    return f"{host}:{port}"
