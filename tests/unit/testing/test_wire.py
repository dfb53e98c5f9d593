"""Does an end of a connection in memory do what a socket's transport does?"""

import asyncio

import pytest

from penstock.testing.settling import settle
from penstock.testing.wire import Wire, join


class Listener(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self, *, keeps_open: bool = False) -> None:
        self.told: list[object] = []
        self._keeps_open = keeps_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("end")
        return self._keeps_open

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append(("lost", error))

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class Buffered(asyncio.BufferedProtocol):
    """Reads through a buffer of its own."""

    def __init__(self, size: int) -> None:
        self.reads: list[bytes] = []
        self._buffer = bytearray(size)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.reads.append(bytes(self._buffer[:nbytes]))


def pair(capacity_bytes: int = 100, *, keeps_open: bool = False) -> tuple[Listener, Wire, Listener, Wire]:
    one, other = Listener(keeps_open=keeps_open), Listener(keeps_open=keeps_open)
    near, far = join(one, other, capacity_bytes=capacity_bytes)
    assert (one.told, other.told) == (["made"], ["made"])
    one.told.clear()
    other.told.clear()
    return one, near, other, far


async def test_each_end_sees_the_name_of_the_other() -> None:
    near, far = join(Listener(), Listener(), names=(("a", 1), ("b", 2)))
    assert (near.get_extra_info("sockname"), near.get_extra_info("peername")) == (("a", 1), ("b", 2))
    assert (far.get_extra_info("sockname"), far.get_extra_info("peername")) == (("b", 2), ("a", 1))
    assert near.get_extra_info("socket", "none") == "none"


async def test_what_is_written_is_read_in_a_later_turn_and_together() -> None:
    _, near, other, _ = pair()
    near.write(b"ab")
    near.write(bytearray(b"c"))
    near.write(memoryview(b"d"))
    assert other.told == []
    await settle()
    assert other.told == [b"abcd"]


async def test_what_is_written_may_change_afterwards() -> None:
    _, near, other, _ = pair()
    data = bytearray(b"ab")
    near.write(data)
    data[0] = 0
    await settle()
    assert other.told == [b"ab"]


async def test_a_read_takes_at_most_what_the_buffer_holds() -> None:
    reader = Buffered(3)
    near, _ = join(Listener(), reader)
    near.write(b"ab")
    near.write(b"cde")
    near.write(b"fg")
    await settle()
    assert reader.reads == [b"abc", b"def", b"g"]


@pytest.mark.parametrize(("size", "told"), [(99, []), (100, []), (101, ["pause"])])
async def test_a_writer_pauses_above_the_capacity(size: int, told: list[str]) -> None:
    one, near, _, far = pair(100)
    far.pause_reading()
    near.write(bytes(size))
    assert one.told == told
    assert near.get_write_buffer_size() == max(0, size - 100)
    far.resume_reading()
    await settle()
    assert one.told == [*told, *["resume" for _ in told]]


async def test_a_writer_that_pauses_is_told_once() -> None:
    one, near, _, far = pair(1)
    far.pause_reading()
    near.write(bytes(2))
    near.write(bytes(2))
    near.hold()
    assert one.told == ["pause"]


async def test_a_held_end_has_no_room_until_it_is_released() -> None:
    one, near, other, _ = pair()
    near.hold()
    near.write(b"ab")
    await settle()
    assert (one.told, other.told) == (["pause"], [b"ab"])
    near.release()
    assert one.told == ["pause", "resume"]


async def test_a_protocol_that_paused_is_told_nothing() -> None:
    _, near, other, far = pair()
    far.pause_reading()
    assert not far.is_reading()
    near.write(b"ab")
    near.write_eof()
    await settle()
    assert other.told == []
    far.resume_reading()
    await settle()
    assert other.told[:2] == [b"ab", "end"]


async def test_a_silent_end_hears_nothing_until_it_comes_back() -> None:
    _, near, other, far = pair()
    far.go_silent()
    near.write(b"ab")
    near.close()
    await settle()
    assert other.told == []
    far.come_back()
    await settle()
    assert other.told == [b"ab", "end", ("lost", None)]


async def test_closing_sends_what_was_written_then_an_end() -> None:
    one, near, other, far = pair()
    near.write(b"ab")
    near.close()
    near.write(b"too late")
    assert near.is_closing()
    await settle()
    assert one.told == [("lost", None)]
    assert other.told == [b"ab", "end", ("lost", None)]
    assert far.is_closing()


async def test_closing_waits_until_the_other_end_has_room() -> None:
    one, near, other, far = pair(1)
    far.pause_reading()
    near.write(b"ab")
    near.close()
    await settle()
    assert one.told == ["pause"]
    far.resume_reading()
    await settle()
    assert one.told == ["pause", ("lost", None)]
    assert other.told == [b"ab", "end", ("lost", None)]


async def test_a_held_end_closes_when_it_is_released() -> None:
    one, near, _, _ = pair()
    near.hold()
    near.close()
    await settle()
    assert one.told == ["pause"]
    near.release()
    await settle()
    assert one.told == ["pause", ("lost", None)]


async def test_aborting_waits_for_nobody() -> None:
    one, near, other, far = pair(1)
    far.pause_reading()
    near.write(b"ab")
    near.abort()
    await settle()
    assert (one.told, other.told) == (["pause", ("lost", None)], [])
    far.resume_reading()
    await settle()
    assert other.told == [b"ab", "end", ("lost", None)]


async def test_who_writes_to_an_end_that_is_gone_can_still_close() -> None:
    one, near, _, far = pair(1, keeps_open=True)
    far.pause_reading()
    near.write(b"ab")
    far.abort()
    await settle()
    near.write(bytes(10))
    assert one.told == ["pause", "end", "resume"]
    near.close()
    await settle()
    assert one.told[-1] == ("lost", None)


async def test_an_end_of_one_direction_leaves_the_other_open() -> None:
    one, near, other, far = pair(keeps_open=True)
    assert near.can_write_eof()
    near.write_eof()
    await settle()
    assert other.told == ["end"]
    far.write(b"ab")
    await settle()
    assert one.told == [b"ab"]
    with pytest.raises(RuntimeError, match="after write_eof"):
        near.write(b"ab")
    near.close()
    await settle()


async def test_breaking_loses_what_is_under_way_to_this_end() -> None:
    one, near, other, far = pair()
    error = ConnectionResetError("reset")
    far.write(b"ab")
    near.lose(error)
    near.lose(None)
    await settle()
    assert one.told == [("lost", error)]
    assert other.told == ["end", ("lost", None)]


async def test_an_end_that_nobody_joined_can_be_fed() -> None:
    reader = Listener()
    wire = Wire(reader, asyncio.get_running_loop(), ("a", 1), ("b", 2))
    wire.arrive(b"ab")
    wire.hear_end()
    wire.write(b"to nobody")
    await settle()
    assert reader.told == [b"ab", "end", ("lost", None)]


async def test_another_protocol_can_take_over() -> None:
    _, near, other, far = pair()
    successor = Listener()
    assert far.get_protocol() is other
    far.set_protocol(successor)
    near.write(b"ab")
    await settle()
    assert (other.told, successor.told) == ([], [b"ab"])


async def test_limits_of_the_buffer_are_those_of_a_socket_that_pauses_at_once() -> None:
    _, near, _, _ = pair()
    near.set_write_buffer_limits(high=10)
    assert near.get_write_buffer_limits() == (0, 0)
