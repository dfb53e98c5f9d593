"""Is our hostile server what grpc's is? grpc-go's client for the negative cases finds it so."""

import asyncio

import pytest

from examples.tutorial.programs import Program
from tests.interop.http2 import go_programs
from tests.interop.http2.negative.cases import CASES
from tests.interop.http2.negative.hostile_server import HostileServer, serving

# Seconds; the first one builds the Go programs.
pytestmark = pytest.mark.timeout(300)


async def run(case: str) -> tuple[int | None, str, HostileServer]:
    """Let grpc-go's client make the calls of a case; it exits with 0 if all went as that case demands.

    Returns:
        Its exit code, what it printed, and what the server saw.
    """
    async with serving(CASES[case].answer, CASES[case].settings) as server:
        port = server.address.rpartition(":")[2]
        command = [str(go_programs.build() / "http2"), "-server_host", "127.0.0.1", "-server_port", port]
        with Program([*command, "-test_case", case]) as client:
            exit_code = await asyncio.to_thread(client.wait_for_end, 20)
    assert server.violations == []
    return exit_code, "\n".join(client.lines), server


@pytest.mark.parametrize("case", ["rst_after_header", "rst_after_data"])
async def test_resets_are_what_grpc_go_expects(case: str) -> None:
    exit_code, printed, server = await run(case)
    assert exit_code == 0, printed
    assert len(server.calls) == 1


async def test_a_reset_within_data_is_internal_to_grpc_go_though_its_own_check_still_says_unknown() -> None:
    exit_code, printed, server = await run("rst_during_data")
    # The library has followed the table of PROTOCOL-HTTP2, "Errors"; the check in its client has not.
    assert exit_code == 1
    assert "_, Internal, want _, Unknown" in printed
    assert len(server.calls) == 1


async def test_goaway_grpc_go_moves_to_another_connection() -> None:
    exit_code, printed, server = await run("goaway")
    assert exit_code == 0, printed
    assert [list(connection.streams) for connection in server.connections] == [[1], [1]]


async def test_ping_grpc_go_answers_all() -> None:
    exit_code, printed, server = await run("ping")
    assert exit_code == 0, printed
    (connection,) = server.connections
    assert connection.acks == connection.pings


async def test_max_streams_grpc_go_waits_for_the_one_place() -> None:
    exit_code, printed, server = await run("max_streams")
    assert exit_code == 0, printed
    assert (len(server.calls), len(server.connections), server.most_open) == (16, 1, 1)
