"""The processes of one peer: a server, and a client that does the scenarios."""

import json
import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.certificate import Certificate
from benchmarks.peers import FOLDER, Peer
from benchmarks.sample import Sample
from benchmarks.scenarios import Scenario
from benchmarks.work import ADDRESS_KEY, SERVER_VARIABLE

__all__ = ["Failed", "address_of", "run_scenarios", "said_by_client", "serving", "trusting"]

START_SECONDS = 20.0
"""A server says its address by then."""

SCENARIO_SECONDS = 60.0
"""A client does a scenario, warm-up included, by then."""

STOP_SECONDS = 10.0
"""A server ends by then, once it was told."""


class Failed(Exception):
    """A process of a peer did not do what it should."""


def run_scenarios(
    peer: Peer, scenarios: Sequence[Scenario], least_seconds: float, certificate: Certificate | None = None
) -> Sequence[Sample]:
    """Start a peer's server and client, and give what the client measured, in order.

    Args:
        peer: What to run.
        scenarios: What it does.
        least_seconds: What each measurement takes at least, without its warm-up.
        certificate: For TLS; `None`: in plaintext.

    Raises:
        Failed: One of them failed or took too long; neither runs any more.
    """
    names = [scenario.name for scenario in scenarios]
    with serving(peer, certificate) as server:
        command = [*peer.client, address_of(peer.title, server), str(least_seconds), *names, *trusting(certificate)]
        environment = {**os.environ, SERVER_VARIABLE: str(server.pid)}
        said = said_by_client(peer.title, command, SCENARIO_SECONDS * len(names), environment)
    samples = [Sample(**json.loads(line)) for line in said.splitlines()]
    measured = [sample.scenario for sample in samples]
    if measured != names:
        msg = f"the client of {peer.title} measured {measured}, not {names}"
        raise Failed(msg)
    return samples


def trusting(certificate: Certificate | None) -> Sequence[str]:
    """Give what a client is told of the server's certificate."""
    return [] if certificate is None else ["--tls", str(certificate.ca)]


def said_by_client(
    title: str, command: Sequence[str], most_seconds: float, environment: Mapping[str, str] | None = None
) -> str:
    """Run a client to its end, and give what it printed.

    Args:
        title: Whose client it is.
        command: With its arguments.
        most_seconds: It is done by then.
        environment: `None`: that of this process.

    Raises:
        Failed: It failed, or took too long and does not run any more.
    """
    try:
        done = subprocess.run(
            command,
            cwd=FOLDER,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=most_seconds,
            text=True,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        msg = f"the client of {title} failed: {error}"
        raise Failed(msg) from error
    return done.stdout


@contextmanager
def serving(peer: Peer, certificate: Certificate | None) -> Iterator[subprocess.Popen[str]]:
    """Start a server, and end it afterwards.

    Args:
        peer: Whose.
        certificate: What it shows; `None`: plaintext.

    Raises:
        Failed: It did not end when it was told, or as it should.
    """
    shown = ["--tls", str(certificate.chain), str(certificate.key)] if certificate else []
    process = subprocess.Popen(
        [*peer.server, *shown], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
        process.communicate(timeout=STOP_SECONDS)  # closes its standard input
        if process.returncode:
            msg = f"the server of {peer.title} ended with {process.returncode}"
            raise Failed(msg)
    except subprocess.TimeoutExpired as error:
        msg = f"the server of {peer.title} did not end within {STOP_SECONDS:g} s"
        raise Failed(msg) from error
    finally:
        process.kill()
        process.communicate()


def address_of(title: str, process: subprocess.Popen[str]) -> str:
    """Wait until a server says where it listens."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if ready else ""
    if not line:
        msg = f"the server of {title} did not say its address"
        raise Failed(msg)
    return str(json.loads(line)[ADDRESS_KEY])
