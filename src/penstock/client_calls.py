"""The four kinds of call, as a client makes them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Never

from penstock._client_call import ClientCall, ReplyT, RequestT
from penstock._stream_call import StreamCall
from penstock.errors import BusyError, UnfinishedCall
from penstock.method import Kind

if TYPE_CHECKING:
    from collections.abc import Generator

    from penstock import _engine
    from penstock._interception import Around

__all__ = ["BothStreamCall", "ClientCall", "ClientStreamCall", "ServerStreamCall", "UnaryCall"]


class UnaryCall(ClientCall[Never, ReplyT]):
    """One → one. Await it for the reply; it starts then.

    Cancelling: the call is cancelled on both sides.

    Raises (when awaited):
        RpcError: The call ended with another status than OK.
        UsageError: It was awaited before.
    """

    __slots__ = ()
    kind = Kind.UNARY

    def __init__(self, codec: _engine.Codec, request: Any, *call: Any) -> None:
        super().__init__(codec, *call)
        self._request = request
        self._encoded_request = self._encode(request)

    def __await__(self) -> Generator[Any, None, ReplyT]:
        run = self._run() if self._around is None else self._run_inside(self._around)
        return run.__await__()

    async def _run(self) -> ReplyT:
        self._begin()
        try:
            await self._start()
            return await self._receive_only()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self._part()

    async def _run_inside(self, around: Around) -> ReplyT:
        self._begin()
        try:
            await self._go_inside(around)
            await self._start()
            reply = await self._receive_only()
        except BaseException as error:
            self._give_up(error)
            await self._leave(error)
            raise
        await self._leave(None)
        return reply


class ServerStreamCall(StreamCall[Never, ReplyT]):
    """One → many: `async with client.feed(request) as stream: async for reply in stream: ...`.

    Leaving the block ends the call on both sides. The loop ends normally only if the server's status is OK.
    """

    __slots__ = ()
    kind = Kind.SERVER_STREAM

    def __init__(self, codec: _engine.Codec, request: Any, *call: Any) -> None:
        super().__init__(codec, *call)
        self._request = request
        self._encoded_request = self._encode(request)


class ClientStreamCall(StreamCall[RequestT, ReplyT]):
    """Many → one: `async with client.put() as stream: await stream.send(m); reply = await stream.finish()`.

    Leaving the block without `finish()` or `cancel()` cancels the call and warns `UnfinishedCall`.
    """

    __slots__ = ("_finished",)
    kind = Kind.CLIENT_STREAM

    def __init__(self, codec: _engine.Codec, *call: Any) -> None:
        super().__init__(codec, *call)
        self._finished: ReplyT | None = None

    async def finish(self) -> ReplyT:
        """Half-close, and return the reply once the status is OK.

        Waits until: the server has answered and ended.
        Cancelling: the call stays open, and half-closed; `finish()` may be called again.

        Raises:
            RpcError: The call ended otherwise. UNIMPLEMENTED: or with OK, but not with exactly one reply.
            BusyError: Another task is in `finish()`.
            UsageError: The call is used outside of its block.
        """
        await self.end_sending()
        if self._receiving:
            msg = "another task is in finish()"
            raise BusyError(msg)
        if self._finished is None:
            self._receiving = True
            try:
                self._finished = await self._receive_only()
            finally:
                self._receiving = False
        return self._finished

    def _warn_unfinished(self) -> None:
        name = self.method.rpartition("/")[2]
        text = f"{name}: the block was left without finish() or cancel(); the call is cancelled"
        warnings.warn(text, UnfinishedCall, stacklevel=3)


class BothStreamCall(StreamCall[RequestT, ReplyT]):
    """Many → many: send and receive as you like, from different tasks if you like.

    `end_sending()` half-closes; `async for` ends when the server has ended with OK. Leaving the block ends the call.
    """

    __slots__ = ()
    kind = Kind.BOTH_STREAM

    async def finish(self) -> None:
        """Half-close, then wait for OK. Replies that still come are received and dropped.

        Waits until: the server has ended.
        Cancelling: the call stays open, and half-closed; `finish()` may be called again.

        Raises:
            RpcError: The call ended otherwise.
            BusyError: Another task is receiving.
            UsageError: The call is used outside of its block.
        """
        await self.end_sending()
        async for _reply in self:
            pass
