"""An echo without HTTP/2 and without protobuf: the floor of latency for any program in an asyncio loop.

What stands on a wire of gRPC for one message, prefix and protobuf, goes there and back as it is. The server answers
where the loop tells of bytes; the client is a task that awaits each answer, as that of every peer. Both are
`BufferedProtocol`s: for a `Protocol` the loop allocates 256 KiB for each read. TLS is the loop's own.
"""
