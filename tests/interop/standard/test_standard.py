"""Every standard case with every pair, without TLS and with it; `make interop` runs them with long soaks.

Through the proxy they run here without TLS: its two sides are our server and our client.
"""

import asyncio
from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from tests.interop.standard import pairs, programs
from tests.interop.standard.cases import CASES, why_skipped
from tests.interop.standard.soak import Soak
from tests.interop.standard.target import Certificates, make_certificates

BOUND_SECONDS = 50.0
"""What a case gets before it says where it hangs."""

SOAKS = {
    "concurrent_large_unary": Soak(iterations=100),
    "rpc_soak": Soak(iterations=100),
    "channel_soak": Soak(iterations=100),
    "long_lived_channel": Soak(iterations=3, min_time_ms_between_rpcs=50),
}

# Seconds; the first test that needs grpc-go or grpc-js installs it.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give certificates for all tests."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session", autouse=True)
def servers_of_others() -> Iterator[None]:
    """Start them once, without TLS and with it."""
    with programs.KEPT.keeping():
        yield


def runs() -> Iterator[ParameterSet]:
    """Give every pair with every case, without TLS and with it."""
    for client, server in (*pairs.PAIRS, *pairs.THROUGH_PROXY):
        for security in ["plain"] if (client, server) in pairs.THROUGH_PROXY else ["plain", "tls"]:
            for case in CASES:
                why = why_skipped(case, client, server)
                marks = [pytest.mark.skip(reason=why)] if why else []
                yield pytest.param(
                    client, server, security, case, marks=marks, id=f"{client}-{server}-{security}-{case}"
                )


@pytest.mark.parametrize(("client", "server", "security", "case"), list(runs()))
async def test_standard_case(client: str, server: str, security: str, case: str, certificates: Certificates) -> None:
    async with pairs.SERVERS[server](certificates if security == "tls" else None) as target:
        async with asyncio.timeout(BOUND_SECONDS):
            await pairs.CLIENTS[client](case, target, SOAKS.get(case, Soak()))
