"""The sockets a server listens on."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock import _address

BACKLOG = 1024
"""Connections the kernel holds for us until the loop comes round."""


class Listeners:
    """Sockets that listen, and the paths they have in the file system."""

    def __init__(self) -> None:
        self._open: list[asyncio.Server] = []
        self._paths: list[Path] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    async def add(self, address: _address.Address, connection: Callable[[], asyncio.BaseProtocol]) -> list[str]:
        """Listen on an address, too.

        Returns:
            What became of it: a name can be several addresses, and the system chooses the port for 0.

        Raises:
            OSError: It cannot be listened on; the text names the address.
        """
        try:
            listener = await self._bind(address, connection)
            # In two steps: it listens, then it lets the loop turn. Who is cancelled there has to know what to close.
            self._open.append(listener)
            await listener.start_serving()
        except (OSError, UnicodeError) as error:
            raise _about(address, error) from error
        return [_address.of_socket(_plain(sock)) for sock in listener.sockets]

    async def _bind(self, address: _address.Address, connection: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if not address.path:
            host, port = address.host, address.port
            return await loop.create_server(connection, host, port, backlog=BACKLOG, start_serving=False)
        _check_unused(address.path)
        listener = await loop.create_unix_server(connection, address.path, backlog=BACKLOG, start_serving=False)
        self._paths.append(Path(address.path))
        return listener

    def close(self) -> None:
        """Listen no more. Connections stay."""
        for listener in self._open:
            listener.close()
        self._open.clear()
        # Now, not at the end of a stop: a successor may listen on the same path while calls here still finish.
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._paths.clear()


def _check_unused(path: str) -> None:
    """Raise OSError if somebody listens there: the loop itself would take the path away from a living server."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            pass  # somebody does, with a full backlog
        except OSError:
            return
    raise OSError(errno.EADDRINUSE, "another server listens on it")


def _about(address: _address.Address, error: OSError | UnicodeError) -> OSError:
    """The same error, with the address it is about."""
    if isinstance(error, OSError) and error.errno is not None:
        return type(error)(error.errno, f"cannot listen on {address}: {error.strerror}")
    # A path too long for the system, or a host that no name can have.
    return OSError(errno.EINVAL, f"cannot listen on {address}: {error}")


def _plain(sock: Any) -> socket.socket:
    # uvloop and asyncio wrap the socket in types of their own, with the one method needed here.
    plain: socket.socket = sock
    return plain
