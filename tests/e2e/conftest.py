"""Fixtures of the end-to-end tests."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import certificates as certificates


def _speaks_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture(params=["tcp", "ipv6", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give an address of each form, to listen on."""
    if request.param == "ipv6" and not _speaks_ipv6():
        pytest.skip("this machine has no [::1]")
    return {"tcp": "127.0.0.1:0", "ipv6": "[::1]:0", "unix": f"unix:{tmp_path / 'socket'}"}[request.param]


@pytest.fixture(autouse=True)
def log_is_forgotten(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Forget what was logged in the end: a record holds a traceback, and with it a call and its connection."""
    yield
    for phase in ("setup", "call"):
        caplog.get_records(phase).clear()
