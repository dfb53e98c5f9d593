"""The example that reproduces the tutorial's failure: who still answers, and what is left behind."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from examples.leak.feed import WORKERS
from examples.leak.picture import draw
from examples.leak.servers import SERVERS
from examples.leak.situations import SITUATIONS
from examples.leak.stranding import LOOKS
from examples.leak.vanishing import CLIENTS
from examples.tutorial.programs import Program
from tests.interop.programs import find_go

# Seconds; it is most of a minute on an idle machine, and with an empty cache go builds grpc-go first.
pytestmark = pytest.mark.timeout(300)

SVG = "{http://www.w3.org/2000/svg}"

SENDS, WAITS = "the handler sends", "the handler waits"
THREADS, KEEPALIVE, WOKEN = (server.name for server in SERVERS if server.module == "grpcio_threads")
SYNC_HANDLERS = "Penstock, sync handlers, keepalive"

STOPPING = {
    f"killed; {SENDS}": set[str](),
    f"killed; {WAITS}": {THREADS, KEEPALIVE},
    f"unplugged; {SENDS}": {THREADS},
    f"unplugged; {WAITS}": {THREADS, KEEPALIVE},
    "stops reading": {THREADS, KEEPALIVE, WOKEN},
    "stays, and there is no news": {THREADS, KEEPALIVE, WOKEN, SYNC_HANDLERS},
}
"""Who does not answer any more when clients have vanished like that. All others do."""

MOST_STREAMS = {SYNC_HANDLERS: WORKERS - WORKERS // 4}
"""Threads that streams can hold; WORKERS unless said here. A quarter of Penstock's is kept for unary calls."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the example as a person does, and give what it wrote."""
    find_go("the tutorial's server")
    path: Path = tmp_path_factory.mktemp("leak") / "result.json"
    with Program([sys.executable, "-m", "examples.leak", "--json", str(path)]) as example:
        assert example.wait_for_end(timeout_seconds=280) == 0, "\n".join(example.lines)
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def test_servers_whose_streams_hold_threads_stop_answering_and_no_other(figures: dict[str, Any]) -> None:
    results = {(result["situation"], result["server"]): result for result in figures["vanishing"]}
    assert len(results) == len(SITUATIONS) * len(SERVERS)
    for (situation, server), result in results.items():
        if server in STOPPING[situation]:
            assert result["outcome"] == ("silence" if server.startswith("grpcio") else "refused"), result
            assert result["health"] == ("silence" if server.startswith("grpcio") else "answered"), result
            assert MOST_STREAMS.get(server, WORKERS) <= result["vanished"] < CLIENTS, result
        else:
            answers = (result["outcome"], result["health"], result["vanished"])
            assert answers == ("answered", "answered", CLIENTS), result


def test_calls_of_clients_that_are_gone_end_in_penstock(figures: dict[str, Any]) -> None:
    for result in figures["vanishing"]:
        if result["server"].startswith("Penstock"):
            # Those that stop reading or stay are there, after all.
            assert result["open_calls"] == (0 if result["gone"] else result["vanished"]), result


def test_each_client_strands_three_goroutines_of_the_tutorials_server_and_none_of_ours(
    figures: dict[str, Any],
) -> None:
    looks = {(look["server"], look["clients_left"]): look for look in figures["stranding"]}
    for left in LOOKS:
        assert looks["Go, as printed", left]["stranded"] == 3 * left
        assert looks["Penstock, as printed", left]["stranded"] == 0
        assert looks["Penstock, examples/tutorial", left]["stranded"] == 0
    most = max(LOOKS)
    assert looks["Go, errors returned", most]["stranded"] < most
    assert looks["Go, as printed", most]["cpu_percent"] > looks["Penstock, as printed", most]["cpu_percent"]


def test_picture_has_a_cell_for_each_result_and_a_line_for_each_server(figures: dict[str, Any]) -> None:
    picture = ElementTree.fromstring(draw(figures))
    kinds = Counter(cell.get("class") for cell in picture.iter(f"{SVG}rect"))
    silent = [result for result in figures["vanishing"] if result["outcome"] == "silence"]
    unhealthy = {result["server"] for result in silent if result["health"] == "silence"}
    assert kinds["bad"] == len(silent) + len(unhealthy)
    assert kinds["good"] + kinds["late"] + kinds["bad"] == (len(SITUATIONS) + 1) * len(SERVERS)
    lines = [line.get("class") for line in picture.iter(f"{SVG}polyline")]
    assert sorted(map(str, lines)) == ["bad", "good", "good", "good"]
