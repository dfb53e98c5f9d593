"""Does a peer play its script on either side, and tell what went otherwise?"""

import asyncio

import pytest

import penstock
from penstock import RpcError, Server, UsageError
from penstock.testing import ScriptedPeer, ScriptMismatch
from tests.e2e.support import Echo
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

HELLO = Note(text="hi").SerializeToString().hex()

CANCELS = f"""
    < HEADERS 1 :path=/penstock.test.echo.Echo/Unary
    < DATA 1 END_STREAM message={HELLO}
    > HEADERS 1 :status=200 content-type=application/grpc
    > RST_STREAM 1 CANCEL
"""

REPLIES = f"""
    < HEADERS 1
    < DATA 1 END_STREAM
    > HEADERS 1 :status=200 content-type=application/grpc
    > DATA 1 message={HELLO}
    > HEADERS 1 END_STREAM grpc-status=0
"""

CALLS = f"""
    > HEADERS 1 :method=POST :scheme=http :path=/penstock.test.echo.Echo/Unary te=trailers content-type=application/grpc
    > DATA 1 END_STREAM message={HELLO}
    < HEADERS 1 :status=200
    < DATA 1 message={HELLO}
    < HEADERS 1 END_STREAM grpc-status=0
"""


async def call(channel: penstock.Channel) -> Note:
    return await EchoClient(channel).unary(Note(text="hi"))


async def test_it_is_a_server_in_memory() -> None:
    peer = ScriptedPeer(CANCELS)
    async with peer.channel() as channel:
        with pytest.raises(RpcError, match="CANCELLED"):
            await call(channel)
    assert any(line.startswith("< HEADERS 1 :method=POST") for line in peer.seen)
    async with ScriptedPeer(REPLIES).channel() as channel:
        assert await call(channel) == Note(text="hi")


async def test_it_is_a_server_on_a_socket() -> None:
    async with ScriptedPeer(REPLIES).listening() as address, penstock.Channel(address) as channel:
        assert await call(channel) == Note(text="hi")


async def test_it_is_a_client_in_memory_and_on_a_socket() -> None:
    server = Server([Echo()])
    async with ScriptedPeer(CALLS).connected_to(server):
        pass
    await server.stop(0)
    server = Server([Echo()])
    async with server.listening("127.0.0.1:0") as address, ScriptedPeer(CALLS).connected_to(address):
        pass


async def test_what_differs_is_shown_side_by_side() -> None:
    script = """
        < HEADERS 1
        < DATA 1
        > HEADERS 1 :status=200
        > RST_STREAM 1 CANCEL
    """
    with pytest.raises(ScriptMismatch) as caught:
        async with ScriptedPeer(script).channel() as channel:
            await call(channel)
    rows = [tuple(cell.strip() for cell in row.split("|")) for row in str(caught.value).splitlines()]
    assert rows[:2] == [("something else came",), ("the script", "what was seen")]
    (heard,) = [seen for expected, seen in rows[2:] if expected == "< HEADERS 1"]
    assert heard.startswith("< HEADERS 1 :method=POST")
    assert ("! < DATA 1", f"< DATA 1 END_STREAM message={HELLO}") in rows
    assert rows[-2:] == [("> HEADERS 1 :status=200", ""), ("> RST_STREAM 1 CANCEL", "")]
    assert isinstance(caught.value.__cause__, RpcError)


async def test_what_does_not_come_is_told() -> None:
    with pytest.raises(ScriptMismatch, match=r"nothing came for 0\.01 s"):
        async with ScriptedPeer("< PING", timeout_seconds=0.01).channel() as channel:
            await channel.ready()
    with pytest.raises(ScriptMismatch, match="nobody connected"):
        async with ScriptedPeer("< PING", timeout_seconds=0.01).channel():
            pass


async def test_what_comes_after_the_script_is_told() -> None:
    with pytest.raises(ScriptMismatch, match="the script ends here") as caught:
        async with ScriptedPeer("< HEADERS 1").channel() as channel:
            task = asyncio.ensure_future(call(channel))
            await asyncio.wait([task], timeout=0.01)
    assert "< DATA 1 END_STREAM" in str(caught.value)
    with pytest.raises(RpcError):
        await task


async def test_an_error_of_the_test_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with ScriptedPeer("< PING").channel() as channel:
            await channel.ready()
            raise ValueError("mine")


async def test_it_greets_and_answers_unless_the_script_does() -> None:
    script = """
        > SETTINGS MAX_CONCURRENT_STREAMS=1
        < SETTINGS
        > SETTINGS ACK
        < SETTINGS ACK
        < CLOSE
    """
    peer = ScriptedPeer(script, greets=False, answers=False)
    async with peer.channel() as channel:
        await channel.ready()
        await channel.close()
    assert peer.seen[0] == "> SETTINGS MAX_CONCURRENT_STREAMS=1"


@pytest.mark.parametrize("end", ["CLOSE", "ABORT"])
@pytest.mark.parametrize("over_socket", [False, True])
async def test_it_ends_the_connection(end: str, over_socket: bool) -> None:
    peer = ScriptedPeer(f"< HEADERS 1\n> {end}")
    if over_socket:
        async with peer.listening() as address, penstock.Channel(address) as channel:
            with pytest.raises(penstock.Unavailable, match="reset" if end == "ABORT" else "closed"):
                await call(channel)
    else:
        async with peer.channel() as channel:
            with pytest.raises(penstock.Unavailable):
                await call(channel)


async def test_it_says_nothing_on_a_connection_that_is_closed() -> None:
    with pytest.raises(ScriptMismatch, match="the connection is closed"):
        async with ScriptedPeer("< CLOSE\n~ 0.001\n> PING").channel() as channel:
            await channel.ready()
            await channel.close()


async def test_it_plays_for_one_connection_only() -> None:
    script = "< HEADERS 1\n< DATA 1 END_STREAM\n> CLOSE"
    async with ScriptedPeer(script).channel(limits=penstock.Limits(reconnect_initial_seconds=0.001)) as channel:
        for _ in range(2):
            with pytest.raises(penstock.Unavailable):
                await call(channel)


def test_a_script_with_a_mistake_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="line 1 of the script"):
        ScriptedPeer("HEADERS 1")
