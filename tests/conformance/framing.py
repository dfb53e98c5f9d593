"""What the programs under test and connectconformance say to each other, on stdin and stdout.

Each message is `u32 length, big-endian | protobuf`.
"""

import asyncio
import struct
import sys

from google.protobuf.message import Message

_LENGTH = struct.Struct(">I")


async def stdin() -> asyncio.StreamReader:
    """Read our standard input in this loop."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def receive(reader: asyncio.StreamReader) -> bytes | None:
    """Read one message; `None` at the end.

    Raises:
        asyncio.IncompleteReadError: The end came inside a message.
    """
    try:
        head = await reader.readexactly(_LENGTH.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    return await reader.readexactly(_LENGTH.unpack(head)[0])


def send(message: Message) -> None:
    """Write one message to our standard output, whole."""
    payload = message.SerializeToString()
    sys.stdout.buffer.write(_LENGTH.pack(len(payload)) + payload)
    sys.stdout.buffer.flush()
