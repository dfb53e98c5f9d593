"""Passing one call on: any method of any service, its messages as bytes."""

import asyncio
from contextlib import suppress

import penstock


async def forward(stream: penstock.ServerStream[bytes, bytes], channel: penstock.Channel) -> None:
    """Make a client's call on `channel`, and pass on what either side says until one of them ends it.

    Whatever happens to one side happens to the other: a client that cancels, a server that fails, a deadline. The
    deadline needs no word here: a call inside a handler gets the time that is left. At most one message is held in
    each direction; behind it the sender waits.

    Raises:
        RpcError: How the server, or the way to it, ended the call.
    """
    try:
        async with channel.stream(stream.method, metadata=stream.metadata) as onward:
            requests = asyncio.create_task(_pass_requests(stream, onward))
            try:
                await _pass_replies(onward, stream)
            finally:
                requests.cancel()
                await asyncio.wait([requests])
    except penstock.RpcError as error:
        # Without relay() it would be a failure of this program, and its text nobody else's business.
        raise error.relay() from error


async def _pass_requests(
    stream: penstock.ServerStream[bytes, bytes], onward: penstock.BothStreamCall[bytes, bytes]
) -> None:
    # Once the call has ended on either side, whoever passes the replies learns how.
    with suppress(penstock.RpcError, penstock.EndOfStream):
        await onward.send_from(stream)
        await onward.end_sending()


async def _pass_replies(
    onward: penstock.BothStreamCall[bytes, bytes], stream: penstock.ServerStream[bytes, bytes]
) -> None:
    initial = await onward.initial_metadata()
    if initial or onward.status is None:
        # Now, not with the first message, which may be long in coming.
        await stream.send_initial_metadata(initial)
    async for reply in onward:
        await stream.send(reply)
    stream.trailing_metadata.extend(onward.trailing_metadata or {})
