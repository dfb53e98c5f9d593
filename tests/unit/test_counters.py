"""What a server, or a channel, counts from its beginning."""

import asyncio

from penstock import End, Limits
from penstock._client_connection import ClientConnection
from penstock._counters import Counters
from tests.unit.memory import attach


async def test_what_a_connection_counted_is_kept_when_it_ends() -> None:
    ping = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + b"12345678"
    counters = Counters()
    for count in (1, 2):
        connection = ClientConnection(Limits(), asyncio.get_running_loop(), "localhost")
        wire = attach(connection)
        wire.arrive(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + ping * count)
        await asyncio.sleep(0)
        connection.end_of_calls = End.PEER_SILENT
        wire.lose(None)
        counters.add(connection)
    assert counters.pings == 3
    assert counters.bytes_received == 2 * 9 + 3 * 17
    assert counters.connection_ends[End.PEER_SILENT] == 2
    assert sum(counters.connection_ends.values()) == 2
