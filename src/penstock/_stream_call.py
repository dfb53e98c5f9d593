"""A client's call with a stream in it: it lives in a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from penstock._client_call import ClientCall, ReplyT, RequestT
from penstock.errors import UsageError

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from penstock import _engine


class StreamCall(ClientCall[RequestT, ReplyT]):
    """A call with a stream in it: an async context manager, so that it has an end whatever happens."""

    __slots__ = ("_entered",)

    def __init__(self, codec: _engine.Codec, *call: Any) -> None:
        super().__init__(codec, *call)
        self._entered = False

    async def __aenter__(self) -> Self:
        self._begin()
        try:
            if self._around is not None:
                await self._go_inside(self._around)
            await self._start()
        except BaseException as error:
            self._give_up(error)
            await self._leave(error)
            raise
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del traceback
        is_unfinished = self._status is None
        self._give_up(error)
        if self._inside is None:
            self._part()
        else:
            await self._leave(error)
        if is_unfinished and kind is None:
            self._warn_unfinished()

    @property
    def draining(self) -> asyncio.Event:
        """Set when the server wants its clients to finish (GOAWAY), or the connection has ended."""
        self._check_usable()
        if self._connection is None:
            raise self._lost()
        return self._connection.draining

    async def end_sending(self) -> None:
        """Half-close: the server learns that no more messages come, and may go on answering.

        Does not wait. Calling it again changes nothing.

        Raises:
            UsageError: The call is used outside of its block.

        Source: RFC 9113 section 5.1, "half-closed (local)".
        """
        self._check_usable()
        if not self._ended_sending:
            self._ended_sending = True
            if self._status is None:
                self._life = self._life.half_close
            self._half_close()

    def _warn_unfinished(self) -> None:
        """Leaving early is how a reader says that it has enough; only uploads have something to lose."""

    def _check_usable(self) -> None:
        if not self._entered:
            name = self.method.rpartition("/")[2]
            msg = (
                f"a streaming call lives in a block: write `async with client.{name}(...) as stream:` and use it inside"
            )
            raise UsageError(msg)
