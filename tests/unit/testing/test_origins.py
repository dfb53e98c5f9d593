"""Is it remembered where things were made, and only while somebody looks?"""

import re
from collections.abc import Iterator

import pytest

from penstock import Channel, Server
from penstock._client_call import ClientCall
from penstock.testing import connected, origins
from tests.e2e.support import Echo
from tests.protos.echo_penstock import EchoClient

HERE = re.escape(__file__)


@pytest.fixture
def looking() -> Iterator[None]:
    origins.start()
    yield
    origins.stop()


def made() -> Channel:
    return Channel("localhost:1")


def test_the_line_and_its_callers_are_told(looking: None) -> None:
    channel = made()
    assert re.match(
        rf", made at {HERE}:\d+ in made < {HERE}:\d+ in test_the_line_and_its_callers_are_told",
        origins.where(channel),
    )


def test_nothing_is_told_of_what_nobody_saw() -> None:
    assert origins.where(made()) == ""
    assert origins.where(None) == ""


async def test_a_call_was_made_where_the_program_made_it(looking: None) -> None:
    async with connected(Echo()) as channel:
        call = EchoClient(channel).both_stream()
        assert re.match(rf", made at {HERE}:\d+ in test_a_call_was_made", origins.where(call))
        assert list(origins.known(ClientCall)) == [call]
        assert re.match(rf", made at {HERE}:\d+ in test_a_call_was_made", origins.where(channel.server))


def test_everything_is_as_it_was_when_the_last_one_stops() -> None:
    before = Channel.__init__, Server.__init__, ClientCall.__init__
    origins.start()
    origins.start()
    origins.stop()
    assert Channel.__init__ is not before[0]
    origins.stop()
    assert (Channel.__init__, Server.__init__, ClientCall.__init__) == before


def test_what_is_gone_is_forgotten(looking: None) -> None:
    made()
    assert list(origins.known(Channel)) == []
