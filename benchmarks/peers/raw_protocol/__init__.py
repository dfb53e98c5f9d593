"""The echo of `peers/raw_asyncio` with `asyncio.Protocol`, which most programs have, and streams of asyncio too.

For each read the loop allocates 256 KiB and gives most of them back: CPU of a round trip, both sides, 52 us; with a
`BufferedProtocol` 21 us (Python 3.11, least of 300 turns).
"""
