"""The tutorial's pairs, crosswise: every client with every server, in Go and in ours."""

import re
import signal
from collections.abc import Callable
from itertools import product
from typing import get_args

import pytest

from examples.tutorial.programs import free_address
from tests.interop.programs import Language, quoted, serving, start_client

# Seconds; the first test that needs the Go programs builds them, and with an empty cache grpc-go as well.
pytestmark = pytest.mark.timeout(300)

LANGUAGES: tuple[Language, ...] = get_args(Language)
every_pair = pytest.mark.parametrize(("server_language", "client_language"), [*product(LANGUAGES, LANGUAGES)])

PUSHED_BY_SERVER = [f"count:{number} client data: 1" for number in range(20)]
PUSHED_BY_CLIENT = [f" client data: {number}" for number in range(20)]
FROM_SERVER = "All Stream From Server"
FROM_CLIENT = "All Stream From Client"


@every_pair
def test_server_pushes_its_lines_in_order_then_ends(server_language: Language, client_language: Language) -> None:
    address = free_address()
    with (
        serving(server_language, "server_push", address),
        start_client(client_language, "server_push", address) as client,
    ):
        assert client.wait_for_end() == 0
    assert quoted(client.lines) == PUSHED_BY_SERVER
    said_that_it_ended, took = client.lines[20:]
    assert "EOF" in said_that_it_ended
    assert took.startswith("take time :")


@every_pair
def test_client_pushes_its_lines_in_order_then_leaves(server_language: Language, client_language: Language) -> None:
    address = free_address()
    with (
        serving(server_language, "client_push", address) as server,
        start_client(client_language, "client_push", address, *leaving(client_language)) as client,
    ):
        assert client.wait_for_end() == 0
        lines = server.wait_until(lambda lines: len(lines) > 20)
        assert quoted(lines) == PUSHED_BY_CLIENT
        assert re.search("code = (Canceled|CANCELLED) ", lines[20])
        if server_language == "penstock":
            server.wait_until(lambda lines: lines[21:] == ["open calls: 0"])


def leaving(language: Language) -> list[str]:
    """Give what makes a client leave at its end; the Go client knows nothing else."""
    return ["--leave"] if language == "penstock" else []


def test_client_that_half_closes_is_told_how_many_lines_arrived() -> None:
    address = free_address()
    with (
        serving("penstock", "client_push", address) as server,
        start_client("penstock", "client_push", address) as client,
    ):
        assert client.wait_for_end() == 0
        assert client.lines == ['data:"received 20"']
        lines = server.wait_until(lambda lines: len(lines) == 22)
        assert quoted(lines) == PUSHED_BY_CLIENT
        assert lines[20:] == ["EOF", "open calls: 0"]


def test_client_that_half_closes_gets_the_go_servers_eof_as_an_error() -> None:
    # The tutorial's server takes the end of the stream for a failure: it returns io.EOF as the status of the call.
    address = free_address()
    with (
        serving("go", "client_push", address) as server,
        start_client("penstock", "client_push", address) as client,
    ):
        assert client.wait_for_end() == 1
        assert re.search("UNKNOWN.*EOF", client.lines[-1])
        lines = server.wait_until(lambda lines: len(lines) > 20)
        assert quoted(lines) == PUSHED_BY_CLIENT


@every_pair
def test_both_push_until_the_client_leaves(server_language: Language, client_language: Language) -> None:
    address = free_address()
    count = ["--count", "10"] if client_language == "penstock" else []
    with serving(server_language, "both_push", address) as server:
        with start_client(client_language, "both_push", address, *count) as client:
            if client_language == "penstock":
                assert client.wait_for_end() == 0
            else:  # runs for ever; leaving the block kills it
                client.wait_until(lambda lines: len(lines) >= 10)
                server.wait_until(lambda lines: len(lines) >= 10)
        if server_language == "penstock":
            lines = server.wait_until(lambda lines: lines[-1:] == ["the client has left"])
            assert server.end() == 0
            assert server.lines == lines
        else:  # never notices: section 4.2 throws away the error of Recv, and prints nothings for ever
            lines = server.wait_until(lambda lines: "<nil>" in lines)
    assert set(quoted(client.lines)) == {FROM_SERVER}
    assert set(quoted(lines)) == {FROM_CLIENT}
    assert len(quoted(lines)) == 10 if client_language == "penstock" else len(quoted(lines)) >= 10


def test_neither_side_waits_for_the_other() -> None:
    address = free_address()
    with (
        serving("penstock", "both_push", address) as server,
        start_client("penstock", "both_push", address, "--interval", "3600") as client,
    ):
        client.wait_until(lambda lines: quoted(lines) == [FROM_SERVER] * 20)
        assert quoted(server.wait_until(lambda lines: len(lines) > 0)) == [FROM_CLIENT]


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
    reason="started by a shell that makes its background jobs ignore SIGINT, and they hand that on",
)
def test_ctrl_c_ends_the_client_quietly_and_the_call_with_it() -> None:
    address = free_address()
    with (
        serving("penstock", "both_push", address) as server,
        start_client("penstock", "both_push", address) as client,
    ):
        client.wait_until(lambda lines: len(lines) > 0)
        server.wait_until(lambda lines: len(lines) > 0)
        assert client.end(signal.SIGINT) == 0
        assert set(client.lines) == {f'data:"{FROM_SERVER}"'}
        server.wait_until(lambda lines: lines[-1] == "the client has left")


def test_server_frees_the_call_of_every_client_that_is_killed() -> None:
    # The tutorial's last words: "after a while the server can no longer serve".
    address = free_address()
    with serving("penstock", "both_push", address) as server:
        for clients in range(1, 6):
            with start_client("penstock", "both_push", address) as client:
                client.wait_until(lambda lines: len(lines) > 0)
            server.wait_until(have_left(clients))
        assert server.end() == 0


def have_left(clients: int) -> Callable[[list[str]], bool]:
    """Make the condition that so many clients have left."""
    return lambda lines: lines.count("the client has left") == clients
