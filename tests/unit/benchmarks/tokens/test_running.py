"""Do the servers that need nothing but this project and grpcio deliver tokens to the client they are measured with?"""

import pytest

from benchmarks.tokens.running import SERVERS, Server, run

GRPC = [server for server in SERVERS if server.client == ["grpc"]]


@pytest.mark.timeout(60)  # two processes
@pytest.mark.parametrize("server", GRPC, ids=[server.name for server in GRPC])
def test_a_server_delivers_what_its_model_makes(server: Server) -> None:
    seconds = 0.1
    while (sample := run(server, 150, 0, seconds)).tokens <= 150:
        seconds *= 2  # a busy machine
    assert sample.gap_us["p50"] <= sample.gap_us["p99"]
    assert sample.first_token_us["p50"] > 0
    assert sample.server_rss_bytes > 0
