"""Windows: who may send how much, and when more is granted. Source: RFC 9113 section 5.2."""

from penstock import Limits
from tests.wire.engine import RESPONSE, Call, Engine, client
from tests.wire.frames import message

WINDOW = 64 * 1024
PREFIX = 5


def receiving(limits: Limits) -> tuple[Engine, Call]:
    """A call whose server has begun to answer."""
    engine = client(limits)
    call = engine.open()
    call._half_close()
    engine.says()
    engine.hears(engine.peer.headers(1, RESPONSE))
    return engine, call


def test_small_reads_grant_nothing_until_a_quarter_of_the_window_is_taken() -> None:
    engine, call = receiving(Limits(stream_window_bytes=WINDOW))
    payload = bytes(1024 - PREFIX)
    said: list[str] = []
    taken = 0
    while not said:
        assert taken < WINDOW // 2
        engine.hears(engine.peer.data(1, message(payload)))
        assert call.take_all() == [payload]
        taken += 1024
        said = engine.says()
    assert taken >= WINDOW // 4
    assert said == [f"WindowUpdate 1 +{taken}"]


def test_what_nobody_takes_is_never_granted_again() -> None:
    engine, call = receiving(Limits(stream_window_bytes=WINDOW))
    for _ in range(WINDOW // 1024):
        assert engine.hears(engine.peer.data(1, message(bytes(1024 - PREFIX)))) == []
    assert call._held_bytes == WINDOW
    assert len(call.take_all()) == WINDOW // 1024
    assert engine.says() == [f"WindowUpdate 1 +{WINDOW}"]
    assert call._held_bytes == 0


def test_a_message_larger_than_the_window_comes_while_somebody_waits_for_it() -> None:
    engine, call = receiving(Limits(stream_window_bytes=WINDOW))
    whole, granted, at = message(bytes(4 * WINDOW)), WINDOW, 0
    assert call.take_all() == []
    while at < len(whole):
        part = whole[at : at + min(granted, 16 * 1024)]
        assert part, "the sender would wait for ever"
        said = engine.hears(engine.peer.data(1, part))
        at, granted = at + len(part), granted - len(part) + sum(int(line.rpartition("+")[2]) for line in said)
    assert call.take_all() == [bytes(4 * WINDOW)]


def test_a_message_larger_than_the_window_stalls_while_nobody_waits_for_it() -> None:
    engine, call = receiving(Limits(stream_window_bytes=WINDOW))
    whole = message(bytes(4 * WINDOW))
    for at in range(0, WINDOW, 16 * 1024):
        assert engine.hears(engine.peer.data(1, whole[at : at + 16 * 1024])) == []
    assert not call._await_message()
    assert engine.says() == [f"WindowUpdate 1 +{WINDOW}"]


def test_no_more_is_sent_than_the_peer_granted() -> None:
    engine = client(initial_window_size=10)
    call = engine.open()
    call.send_now(b"0123456789")
    assert engine.says()[1:] == [r"Data 1 b'\x00\x00\x00\x00\n01234'"]
    assert call._queued_bytes == 5
    assert engine.hears(engine.peer.window(1, 3)) == ["Data 1 b'567'"]
    assert engine.hears(engine.peer.window(1, 100)) == ["Data 1 b'89'"]
    assert call._queued_bytes == 0


def test_a_larger_initial_window_is_granted_to_open_streams_too() -> None:
    engine = client(initial_window_size=5)
    call = engine.open()
    call.send_now(b"ab")
    assert engine.says()[1:] == [r"Data 1 b'\x00\x00\x00\x00\x02'"]
    assert engine.hears(engine.peer.settings(initial_window_size=6)) == ["Settings ACK", "Data 1 b'a'"]


def test_the_window_of_the_connection_bounds_all_streams_together() -> None:
    engine = client(initial_window_size=100_000)
    for _ in range(2):
        engine.open().send_now(bytes(40_000 - PREFIX))
    engine.says()
    left = sum(call._queued_bytes for call in engine.calls.values())
    assert left == 2 * 40_000 - 65_535
    engine.hears(engine.peer.window(0, left - 1))
    assert sum(call._queued_bytes for call in engine.calls.values()) == 1
    engine.hears(engine.peer.window(0, 1))
    assert all(call._queued_bytes == 0 for call in engine.calls.values())


def test_a_frame_is_never_larger_than_the_peer_takes() -> None:
    engine = client(initial_window_size=100_000)
    engine.open().send_now(bytes(40_000))
    assert engine.says()[1:] == [
        "Data 1 16384 bytes",
        "Data 1 16384 bytes",
        f"Data 1 {40_000 + PREFIX - 2 * 16384} bytes",
    ]


def test_there_is_room_until_the_buffer_is_full_and_again_when_half_of_it_has_left() -> None:
    engine = client(Limits(send_buffer_bytes=100), initial_window_size=0)
    call = engine.open()
    engine.says()
    room = []
    while call.send_now(bytes(20 - PREFIX)):
        room.append(call._queued_bytes)
    assert room == [20, 40, 60, 80, 100]
    assert call._await_room()
    engine.hears(engine.peer.window(1, 49))
    assert call.told == []
    engine.hears(engine.peer.window(1, 1))
    assert call.told == ["writable"]
    assert call.send_now(b"")


def test_a_message_may_be_larger_than_the_buffer_when_there_is_room() -> None:
    engine = client(Limits(send_buffer_bytes=100), initial_window_size=0)
    call = engine.open()
    assert call.send_now(bytes(1000))
    assert not call.send_now(b"")
    assert call._queued_bytes == 1000 + PREFIX


def test_the_newest_message_is_replaced_only_while_none_of_it_has_left() -> None:
    engine = client(initial_window_size=7)
    call = engine.open()
    call.send_now(b"ab")
    call._mark_mergeable()
    assert engine.says()[1:] == [r"Data 1 b'\x00\x00\x00\x00\x02ab'"]
    assert not call._replace_newest(b"too late")
    call.send_now(b"cd")
    assert not call._replace_newest(b"it was not marked")
    call._mark_mergeable()
    assert call._replace_newest(b"cdef")
    assert engine.hears(engine.peer.window(1, 100)) == [r"Data 1 b'\x00\x00\x00\x00\x04cdef'"]
