"""A router that stops forwarding, between two network namespaces: no kernel acknowledges anything any more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs/losing_packets.py"
BOUND_SECONDS = 30.0


@dataclass(frozen=True)
class Network:
    """Two namespaces with one between them that forwards."""

    near: str
    router: str
    far: str

    def forward(self, on: bool) -> None:
        """Without it every packet is dropped, both ways, while both ends stay up: nobody is told."""
        command = f"echo {on:d} > /proc/sys/net/ipv4/ip_forward"
        run("ip", "netns", "exec", self.router, "sh", "-c", command)


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


@pytest.fixture
def network() -> Iterator[Network]:
    """Make it, or skip the test where there is no `ip`, or where that is not allowed."""
    if shutil.which("ip") is None:
        pytest.skip("needs the program `ip` (iproute2)")
    network = Network(*(f"penstock-{part}-{os.getpid()}" for part in ("near", "router", "far")))
    try:
        build(network)
    except OSError as error:
        take_down(network)
        pytest.skip(f"needs leave to make network namespaces: {error}")
    yield network
    take_down(network)


def build(network: Network) -> None:
    for name in (network.near, network.router, network.far):
        run("ip", "netns", "add", name)
    for number, name in enumerate((network.near, network.far)):
        inside, outside, gateway = f"in{number}", f"out{number}", f"10.213.{number}.1"
        run("ip", "-n", name, "link", "add", inside, "type", "veth", "peer", "name", outside, "netns", network.router)
        attach(name, inside, f"10.213.{number}.2/24")
        attach(network.router, outside, f"{gateway}/24")
        run("ip", "-n", name, "route", "add", "default", "via", gateway)
    network.forward(True)


def attach(name: str, device: str, address: str) -> None:
    run("ip", "-n", name, "address", "add", address, "dev", device)
    run("ip", "-n", name, "link", "set", device, "up")


def take_down(network: Network) -> None:
    for name in (network.near, network.router, network.far):
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


async def start(namespace: str, *arguments: str) -> asyncio.subprocess.Process:
    command = ("ip", "netns", "exec", namespace, sys.executable, str(PROGRAM), *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(BOUND_SECONDS):
        return (await process.stdout.readline()).decode().strip()


async def end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
        process.kill()
    await process.wait()


@pytest.mark.timeout(90)
@pytest.mark.wire("W24", "W36")
async def test_both_sides_find_that_no_packet_comes_through_with_bytes_on_their_way(network: Network) -> None:
    server = await start(network.far, "server", "10.213.1.2:50061")
    try:
        assert await line(server) == "listening"
        client = await start(network.near, "client", "10.213.1.2:50061")
        try:
            assert await line(client) == "streaming"
            network.forward(False)
            # Each is in the middle of sending: unacknowledged bytes are the kernel's to give up (TCP_USER_TIMEOUT),
            # before keepalive, which they are set to leave out.
            assert await line(client) == "ended: UNAVAILABLE PEER_SILENT"
            assert await line(server) == "ended: CANCELLED PEER_SILENT"
        finally:
            await end(client)
    finally:
        await end(server)
