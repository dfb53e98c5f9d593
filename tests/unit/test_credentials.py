"""What credentials give for a call. On sockets: tests/e2e/test_credentials.py."""

from typing import Any

import pytest

from penstock import MetadataLike, RpcError, StatusCode
from penstock.credentials import OF_THE_METHOD, fetch
from tests.unit.memory import both_ends


async def first(_call: object) -> MetadataLike:
    return {"Key": "1"}


async def second(_call: object) -> MetadataLike:
    return [("key", "2"), ("key", "3")]


async def test_all_are_asked_in_order_and_what_they_give_is_kept() -> None:
    async with both_ends() as ends:
        assert await fetch([first, second], ends.client) == [("key", "1"), ("key", "2"), ("key", "3")]
        assert await fetch([], ends.client) == []


@pytest.mark.parametrize("code", [code for code in StatusCode if code])
async def test_every_code_is_kept_or_internal(code: StatusCode) -> None:
    async def failing(_call: object) -> MetadataLike:
        raise RpcError(code, "why")

    async with both_ends() as ends:
        with pytest.raises(RpcError) as caught:
            await fetch([first, failing], ends.client)
    if code in OF_THE_METHOD:
        assert str(caught.value) == f"INTERNAL: the credentials failed with {code.name}: why"
        assert isinstance(caught.value.__cause__, RpcError)
    else:
        assert str(caught.value) == f"{code.name}: why"


async def test_what_gives_nothing_to_await_is_a_failure_that_names_it() -> None:
    def at_once(_call: object) -> Any:
        return {}

    async with both_ends() as ends:
        with pytest.raises(RpcError, match=r"UNAUTHENTICATED.*at_once returned dict"):
            await fetch([at_once], ends.client)
