"""Passing one call on: any method of any service, its messages as bytes."""

import asyncio

import penstock


async def forward(stream: penstock.ServerStream[bytes, bytes], channel: penstock.Channel) -> None:
    """Make a client's call on `channel`, and pass on what either side says until one of them ends it.

    Whatever happens to one side happens to the other: a client that cancels, a server that fails, a deadline. The
    deadline needs no word here: a call inside a handler gets the time that is left. At most one message is held in
    each direction; behind it the sender waits.

    Raises:
        RpcError: How the server, or the way to it, ended the call.
    """
    options = penstock.CallOptions(compression=stream.peer_compression)
    try:
        async with channel.stream(stream.method, metadata=stream.metadata, options=options) as onward:
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
    try:
        await _pass_messages(stream, onward)
        await onward.end_sending()
    except (penstock.RpcError, penstock.EndOfStream):
        # The call has ended on either side, or cannot go on; whoever passes the replies learns how.
        onward.cancel()


async def _pass_replies(
    onward: penstock.BothStreamCall[bytes, bytes], stream: penstock.ServerStream[bytes, bytes]
) -> None:
    initial = await onward.initial_metadata()
    stream.set_compression(onward.peer_compression)
    if initial or onward.status is None:
        # Now, not with the first message, which may be long in coming.
        await stream.send_initial_metadata(initial)
    await _pass_messages(onward, stream)
    stream.trailing_metadata.extend(onward.trailing_metadata or {})


async def _pass_messages(source: penstock.Stream[bytes, bytes], sink: penstock.Stream[bytes, bytes]) -> None:
    async for message in source:
        # What came compressed goes on so, if who gets it can expand it.
        await sink.send(message, compress=source.came_compressed)
