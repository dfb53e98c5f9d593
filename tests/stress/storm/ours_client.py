"""Our client in a storm."""

import asyncio
import random
import time

import penstock
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.stress.storm.calls import NOTE_BYTES, TRANSFER_NOTES, WORKERS, Storm

PAYLOAD = bytes(4096)


async def storm(address: str, calls: int, seed: int) -> Storm:
    """Make so many calls on one connection; then move 64 MiB each way, here and on a fresh one."""
    result = Storm(calls=calls)
    chance = random.Random(seed)
    async with penstock.Channel(address) as channel:
        await channel.ready()
        connection = channel._connector.newest if channel._connector else None
        client = EchoClient(channel)
        began = time.perf_counter()
        left = iter(range(calls))

        async def work() -> None:
            for _ in left:
                result.codes[await _call(client, chance)] += 1

        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(work())
        result.seconds = time.perf_counter() - began
        began = time.perf_counter()
        result.received, result.sent = await _transfer(client)
        result.after_seconds = time.perf_counter() - began
        assert channel._connector is not None
        assert connection is not None
        result.connections = 1 if {connection} == channel._connector.connections else 2
        assert not connection.calls
        assert connection.engine.open_calls == 0
    async with penstock.Channel(address) as channel:
        await channel.ready()
        began = time.perf_counter()
        await _transfer(EchoClient(channel))
        result.fresh_seconds = time.perf_counter() - began
    return result


async def _call(client: EchoClient, chance: random.Random) -> int:
    """Make one call; it ends by the server, or by this side at a random moment, or in order. Give its code."""
    notes = chance.randrange(8)
    stream = client.both_stream()
    task = asyncio.ensure_future(_use(stream, notes, chance))
    handle = None
    if chance.random() < 0.5:
        # By its number of turns, not by time: some of them fall before the call is on the wire.
        handle = asyncio.ensure_future(_cancel_after(task, chance.randrange(20)))
    await asyncio.wait([task])
    if handle is not None:
        handle.cancel()
        await asyncio.wait([handle])
    if not task.cancelled():
        task.result()
    # A task that was cancelled before its first step never made a call.
    return int(stream.status.code) if stream.status is not None else int(penstock.StatusCode.CANCELLED)


async def _cancel_after(task: asyncio.Task[None], turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()


async def _use(stream: penstock.BothStreamCall[Note, Note], notes: int, chance: random.Random) -> None:
    try:
        async with stream:
            payload = PAYLOAD[: chance.randrange(4096)]
            for _ in range(notes):
                await stream.send(Note(number=chance.randrange(16), payload=payload))
            most = notes
            if chance.random() < 0.25:
                await stream.end_sending()
                most += 1  # the end
            for _ in range(chance.randint(0, most)):
                await stream.receive()
    except (penstock.RpcError, penstock.EndOfStream):
        pass  # its status is counted


async def _transfer(client: EchoClient) -> tuple[int, int]:
    received = 0
    async with client.server_stream(Note(number=TRANSFER_NOTES, size=NOTE_BYTES)) as down:
        async for note in down:
            received += len(note.payload)
    async with client.client_stream() as up:
        payload = bytes(NOTE_BYTES)
        for _ in range(TRANSFER_NOTES):
            await up.send(Note(payload=payload))
        reply = await up.finish()
    return received, reply.number * NOTE_BYTES
