"""grpc-go's and grpc-js's interop programs, as child processes. All take the flags that gRPC's description gives."""

import asyncio
import functools
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager

import pytest

from examples.tutorial.programs import PROJECT, Program, free_address
from tests.interop.standard.soak import Soak
from tests.interop.standard.target import SERVER_NAME, Certificates, Target

Start = Callable[[ExitStack, Certificates | None], Target]
"""Starts a server that the stack ends."""

NODE_ENVIRONMENT = {"NODE_PATH": str(PROJECT / "build/interop/js/node_modules")}

LINES_SHOWN = 40
"""Of what a client that failed has printed."""

GO_RACE = "CloseAndRecv() got error code 0, want 1"
"""In `cancel_after_begin` grpc-go's client cancels and then half-closes all the same, and may read the reply to that
before it notices its cancellation: with its own server 7 times in 1,600, with grpcio's 3 times."""

GO_RACE_ATTEMPTS = 5


@functools.cache
def make(target: str, needs: str) -> None:
    """Make the programs of a language, or skip the test if there is nothing to make them with."""
    if shutil.which(needs) is None:
        absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        absent(f"`make {target}` needs `{needs}`, and there is none on the PATH")
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    command = ["make", "--silent", target]
    made = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.fail(f"make {target}:\n{made.stdout}{made.stderr}")


class Kept:
    """Servers that serve one case after the other, while there is somebody to keep them."""

    def __init__(self) -> None:
        self._stack: ExitStack | None = None
        self._targets: dict[tuple[Start, Certificates | None], Target] = {}

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep what is started within the block until its end."""
        with ExitStack() as self._stack:
            yield
        self._stack = None
        self._targets.clear()

    @asynccontextmanager
    async def serving(self, start: Start, certificates: Certificates | None) -> AsyncIterator[Target]:
        """Give one that is kept, or start one."""
        target = self._targets.get((start, certificates))
        if target is not None:
            yield target
            return
        with ExitStack() as stack:
            target = await asyncio.to_thread(start, stack, certificates)
            if self._stack is not None:
                self._stack.push(stack.pop_all())
                self._targets[start, certificates] = target
            yield target


KEPT = Kept()


def serving_go(certificates: Certificates | None) -> AbstractAsyncContextManager[Target]:
    """Run grpc-go's interop server."""
    return KEPT.serving(_start_go, certificates)


def _start_go(stack: ExitStack, certificates: Certificates | None) -> Target:
    make("grpc-go", "go")
    address = free_address()
    target = Target(address, certificates)
    command = [str(PROJECT / "build/interop/go/server"), f"--port={target.port}", *_server_flags(certificates)]
    stack.enter_context(Program(command)).wait_until_listening(address)
    return target


def serving_js(certificates: Certificates | None) -> AbstractAsyncContextManager[Target]:
    """Run the server of js/server.js."""
    return KEPT.serving(_start_js, certificates)


def _start_js(stack: ExitStack, certificates: Certificates | None) -> Target:
    make("grpc-js", "npm")
    command = ["node", "tests/interop/standard/js/server.js", *_server_flags(certificates)]
    (line, *_) = stack.enter_context(Program(command, NODE_ENVIRONMENT)).wait_until(lambda lines: len(lines) > 0)
    found = re.fullmatch(r"listening on port (\d+)", line)
    assert found, line
    return Target(f"127.0.0.1:{found[1]}", certificates)


async def run_go(case: str, target: Target, soak: Soak) -> None:
    """Run a case with grpc-go's interop client."""
    make("grpc-go", "go")
    # Its name for a call now and then on one channel.
    name = "rpc_soak" if case == "long_lived_channel" else case
    command = [str(PROJECT / "build/interop/go/client"), *_client_flags(name, target, soak)]
    for _ in range(GO_RACE_ATTEMPTS):
        try:
            return await _run(command, {})
        except AssertionError as error:
            if case != "cancel_after_begin" or GO_RACE not in str(error):
                raise
    raise AssertionError(f"{GO_RACE}, {GO_RACE_ATTEMPTS} times in a row")


async def run_js(case: str, target: Target, soak: Soak) -> None:
    """Run a case with js/client.js."""
    make("grpc-js", "npm")
    await _run(["node", "tests/interop/standard/js/client.js", *_client_flags(case, target, soak)], NODE_ENVIRONMENT)


def _server_flags(certificates: Certificates | None) -> list[str]:
    if certificates is None:
        return []
    return ["--use_tls=true", f"--tls_cert_file={certificates.chain}", f"--tls_key_file={certificates.key}"]


def _client_flags(case: str, target: Target, soak: Soak) -> list[str]:
    flags = ["--server_host=127.0.0.1", f"--server_port={target.port}", f"--test_case={case}", *soak.flags()]
    if target.certificates is not None:
        flags += ["--use_tls=true", "--use_test_ca=true", f"--ca_file={target.certificates.ca}"]
        flags += [f"--server_host_override={SERVER_NAME}"]
    return flags


async def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a client to its end; it ends with 0 if the case passed.

    Raises:
        AssertionError: It ended otherwise.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # A soak of grpc-go's says a line for each call, and a histogram of them all behind the one that failed.
    said = [line for line in output.decode(errors="replace").splitlines() if not line.endswith(" succeeded")]
    assert process.returncode == 0, "\n".join([f"exit code {process.returncode}", *said[-LINES_SHOWN:]])
