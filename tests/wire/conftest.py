"""Fixtures of the wire tests."""

from collections.abc import Iterator

import pytest

from tests.wire.engine import detach_all


@pytest.fixture(autouse=True)
def detached() -> Iterator[None]:
    """Part every connection from its owner when the test is over."""
    yield
    detach_all()
