"""Does everything come to rest, and does a task that never rests not hold it up?"""

import asyncio
import socket

import pytest

from penstock.testing.settling import settle


async def chain(length: int, done: asyncio.Event) -> None:
    for _ in range(length):
        await asyncio.sleep(0)
    done.set()


@pytest.mark.loops
async def test_tasks_that_are_ready_run() -> None:
    done = asyncio.Event()
    task = asyncio.ensure_future(chain(10, done))
    await settle()
    assert done.is_set()
    await task


async def test_a_long_chain_runs_to_its_end() -> None:
    done = asyncio.Event()
    task = asyncio.ensure_future(chain(1000, done))
    await settle()
    assert done.is_set()
    await task


@pytest.mark.loops
async def test_sockets_of_this_process_come_to_rest() -> None:
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with near, far:

        async def echo() -> bytes:
            while data := await loop.sock_recv(far, 1):
                await loop.sock_sendall(far, data)
            return b""

        async def ask() -> bytes:
            answer = b""
            for number in range(5):
                await loop.sock_sendall(near, bytes([number]))
                answer += await loop.sock_recv(near, 1)
            near.shutdown(socket.SHUT_WR)
            return answer

        tasks = [asyncio.ensure_future(ask()), asyncio.ensure_future(echo())]
        await settle()
        assert [task.done() for task in tasks] == [True, True]
        assert tasks[0].result() == bytes(range(5))


async def test_a_task_that_never_rests_does_not_hold_it_up() -> None:
    turns = 0

    async def spin() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(spin())
    await settle()
    assert turns > 1000
    task.cancel()
    await asyncio.wait([task])
