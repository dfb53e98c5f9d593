"""A connection that can go dead without anybody being told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Cable:
    """Carries bytes between a client and a server, until it is pulled."""

    def __init__(self) -> None:
        self._pulled = False

    def pull(self) -> None:
        """From now on what either side sends arrives nowhere; neither side is told."""
        self._pulled = True

    async def carry(self, near_end: End, far_end: End) -> None:
        """Carry both ways, until both sides have closed."""
        (near_reader, near_writer), (far_reader, far_writer) = near_end, far_end
        with closing(near_writer), closing(far_writer):
            await asyncio.gather(self._one_way(near_reader, far_writer), self._one_way(far_reader, near_writer))

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(64 * 1024):
            if not self._pulled:
                writer.write(data)


@asynccontextmanager
async def laid_to(address: str) -> AsyncIterator[tuple[Cable, str]]:
    """Lay a cable to a server, for one connection; give it with the address of its near end."""
    cable = Cable()
    connected = asyncio.get_running_loop().create_future()
    listener = await asyncio.start_server(lambda *near_end: connected.set_result(near_end), "127.0.0.1", 0)

    async def carry() -> None:
        host, _, port = address.rpartition(":")
        await cable.carry(await connected, await asyncio.open_connection(host, int(port)))

    async with listener, asyncio.TaskGroup() as tasks:
        carrying = tasks.create_task(carry())
        yield cable, "{}:{}".format(*listener.sockets[0].getsockname())
        carrying.cancel()
