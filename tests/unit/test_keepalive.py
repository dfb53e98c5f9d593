"""Settings of keepalive: pairs that fit, and pairs that would be punished."""

from dataclasses import fields
from math import inf
from typing import Any

import pytest

from penstock import UsageError, keepalive
from penstock.keepalive import ClientKeepalive, Pair, ServerKeepalive

PAIRS = {name: pair for name in keepalive.__all__ if isinstance(pair := getattr(keepalive, name), Pair)}


def test_a_client_does_not_ask_unless_it_is_told_to() -> None:
    assert ClientKeepalive().time_seconds == inf
    assert ServerKeepalive().time_seconds == 60


def test_there_are_five_pairs() -> None:
    assert set(PAIRS) == {"DEFAULT", "LIVELY", "STEADY", "FRUGAL", "GRPC"}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_each_pair_fits(pair: Pair) -> None:
    keepalive.check(pair.client, pair.server)


@pytest.mark.parametrize("pair", [pair for name, pair in PAIRS.items() if name != "FRUGAL"])
def test_each_client_may_talk_to_the_default_server(pair: Pair) -> None:
    keepalive.check(pair.client, ServerKeepalive())


def test_the_client_of_grpc_may_talk_to_servers_at_grpcs_defaults() -> None:
    keepalive.check(keepalive.GRPC.client, ServerKeepalive(min_ping_interval_seconds=300, without_calls=False))


@pytest.mark.parametrize("asks", [10, 59.9])
def test_a_client_that_asks_sooner_than_allowed_does_not_fit(asks: float) -> None:
    with pytest.raises(UsageError, match="the server allows it every 60 s: raise"):
        keepalive.check(ClientKeepalive(time_seconds=asks), ServerKeepalive(min_ping_interval_seconds=60))
    keepalive.check(ClientKeepalive(time_seconds=60), ServerKeepalive(min_ping_interval_seconds=60))


def test_a_client_that_asks_without_calls_needs_a_server_that_allows_that() -> None:
    strict = ServerKeepalive(min_ping_interval_seconds=60, without_calls=False)
    with pytest.raises(UsageError, match="without a call"):
        keepalive.check(ClientKeepalive(time_seconds=60, without_calls=True), strict)
    keepalive.check(ClientKeepalive(time_seconds=7200, without_calls=True), strict)
    keepalive.check(ClientKeepalive(time_seconds=60), strict)


def test_less_than_ten_seconds_count_as_ten() -> None:
    keepalive.check(ClientKeepalive(time_seconds=1), ServerKeepalive(min_ping_interval_seconds=10))


@pytest.mark.parametrize("pair", [(ServerKeepalive(), ClientKeepalive()), (keepalive.LIVELY, ServerKeepalive())])
def test_only_a_client_and_a_server_can_fit(pair: Any) -> None:
    with pytest.raises(UsageError, match=r"^client is ClientKeepalive"):
        keepalive.check(*pair)


@pytest.mark.parametrize("kind", [ClientKeepalive, ServerKeepalive])
@pytest.mark.parametrize("value", ["yes", 1, None])
def test_what_is_done_or_not_is_true_or_false(kind: type, value: object) -> None:
    with pytest.raises(UsageError, match=r"^without_calls is True or False, not"):
        kind(without_calls=value)


@pytest.mark.parametrize("kind", [ClientKeepalive, ServerKeepalive])
@pytest.mark.parametrize("value", [0, -1, "10", None, float("nan"), True])
def test_each_time_is_a_number_of_seconds_above_0(kind: type, value: object) -> None:
    for field in fields(kind):
        if field.name.endswith("_seconds"):
            with pytest.raises(UsageError, match=f"{field.name} is a number of seconds above 0"):
                kind(**{field.name: value})
