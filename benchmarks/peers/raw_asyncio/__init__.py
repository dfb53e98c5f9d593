"""An echo without HTTP/2 and without protobuf: the floor of latency for what awaits its answers in an asyncio loop.

What stands on a wire of gRPC for one message, prefix and protobuf, goes there and back as it is. The server answers
where the loop tells of bytes; the client is a task that awaits a future, as that of every peer. Both are
`BufferedProtocol`s: that is the fastest, and `peers/raw_protocol` what most programs have. TLS is the loop's own.
"""
