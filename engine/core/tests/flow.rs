//! Does a sender go on exactly as far as its receiver takes?

mod common;

use bytes::Bytes;
use common::frames::{self, Frame};
use common::{End, Happening, Pair, Scripted, WINDOW, echo, ok, pattern};
use penstock_core::wire::prefix::PREFIX_BYTES;
use penstock_core::{Event, Payload, Pushed, Received};

/// DATA bytes among frames, on one stream or on all.
fn data_bytes(frames: &[Frame], stream: Option<u32>) -> usize {
    let data = frames.iter().filter(|frame| frame.kind == frames::DATA);
    data.filter(|frame| stream.is_none_or(|id| frame.stream == id)).map(|frame| frame.payload.len()).sum()
}

fn framed_bytes(messages: &[Bytes]) -> usize {
    messages.iter().map(|message| PREFIX_BYTES + message.len()).sum()
}

/// Bytes the receiver has not taken, by taking them all without giving their window back.
fn drain(end: &mut End, id: u32) -> usize {
    let mut bytes = 0;
    while let Received::Item(item) = end.connection.take(id) {
        bytes += match item {
            penstock_core::Item::Packed { messages, .. } => messages.len(),
            penstock_core::Item::Large { length, .. } => PREFIX_BYTES + length,
        };
    }
    bytes
}

#[test]
fn a_message_larger_than_the_window_arrives_at_a_waiting_receiver() {
    for seed in 0..4 {
        let mut pair = Pair::new(seed);
        let id = pair.client.open();
        let message = pattern(1, 4 << 20);
        pair.client.send(id, message.clone());
        pair.settle();
        assert_eq!(pair.server.messages(id), std::slice::from_ref(&message));
        assert_eq!(pair.server.connection.held(id), 0);
        pair.server.send(id, message.clone());
        pair.server.finish(id, ok());
        pair.client.half_close(id);
        pair.settle();
        assert_eq!(pair.client.messages(id), [message]);
        pair.done();
    }
}

#[test]
fn a_sender_stalls_at_the_window_while_nobody_waits() {
    for size in [100, 5_000, 10_000, 100_000, 1_000_000] {
        let mut pair = Pair::new(1);
        pair.server.reads = false;
        let id = pair.client.open();
        let messages: Vec<Bytes> = (0..2_000_000 / size).map(|i| pattern(i, size)).collect();
        pair.client.send_all(id, messages.clone());
        pair.settle();
        assert_eq!(pair.server.connection.held(id), WINDOW, "messages of {size}");
        assert!(pair.client.connection.queued(id) > 0);

        pair.server.read(id);
        pair.settle();
        assert!(pair.server.messages(id) == messages);
        assert_eq!((pair.server.connection.held(id), pair.client.connection.queued(id)), (0, 0));
        pair.server.finish(id, ok());
        pair.client.half_close(id);
        pair.done();
    }
}

/// How often a frame made stream 1 readable.
fn readable(server: &mut Scripted, frame: &Frame) -> usize {
    server.end.connection.feed(frame.to_bytes().into());
    server.end.connection.take_events().iter().filter(|event| **event == Event::Readable(1)).count()
}

#[test]
fn a_waiting_receiver_is_told_once() {
    let mut server = Scripted::server(2);
    server.end.reads = false;
    server.say(&[frames::request(1)]);
    let bytes = frames::message(b"message");
    let message = frames::data(1, 0, bytes.clone());
    assert_eq!(readable(&mut server, &message), 0, "nobody waits");
    server.end.take_all(1);
    assert!(!server.end.connection.await_message(1));
    assert_eq!(readable(&mut server, &frames::data(1, 0, bytes[..3].to_vec())), 0, "not whole");
    assert_eq!(readable(&mut server, &frames::data(1, 0, bytes[3..].to_vec())), 1);
    assert_eq!(readable(&mut server, &message), 0, "told already");
    assert!(server.end.connection.await_message(1), "there is no need to wait");
    server.end.take_all(1);
    assert!(!server.end.connection.await_message(1));
    assert_eq!(readable(&mut server, &frames::data(1, frames::END_STREAM, "")), 1, "the half-close");
    server.end.finish(1, ok());
    server.done();
}

#[test]
fn a_window_given_back_early_is_not_given_back_again() {
    let mut pair = Pair::new(2);
    let large = pattern(0, 1 << 20);
    let id = pair.client.open();
    pair.client.send(id, large.clone());
    pair.client.send_all(id, (0..10_000).map(|i| pattern(i, 100)));
    // The receiver waits for the large message, and for nothing more.
    pair.server.reads = false;
    assert!(pair.settle_until(|pair| pair.server.opened() == 1));
    assert!(!pair.server.connection.await_message(id));
    pair.settle();
    let Received::Item(item) = pair.server.connection.take(id) else { panic!("the large message came") };
    assert_eq!(item, penstock_core::Item::Large { body: large.to_vec(), length: large.len(), coding: None });
    pair.server.connection.took(id, PREFIX_BYTES + large.len());
    pair.settle();
    let held = pair.server.connection.held(id);
    assert_eq!(held, WINDOW, "a full window waits again");
    let untaken = drain(&mut pair.server, id);
    assert!(untaken <= held && held - untaken < 105, "{untaken} bytes of whole messages wait, {held} are counted");
    pair.client.reset(id);
    pair.done();
}

#[test]
fn what_was_taken_opens_the_window_again() {
    let mut pair = Pair::new(3);
    pair.server.reads = false;
    let messages: Vec<Bytes> = (0..3000).map(|i| pattern(i, 100)).collect();
    let id = pair.client.open();
    pair.client.send_all(id, messages.clone());
    // Taken in batches, and never a receiver that waits.
    for _ in 0..100 {
        pair.settle();
        assert!(pair.server.connection.held(id) <= WINDOW);
        if pair.server.messages(id).len() == messages.len() {
            break;
        }
        pair.server.take_all(id);
    }
    assert!(pair.server.messages(id) == messages);
    pair.client.reset(id);
    pair.done();
}

#[test]
fn stopped_readers_hold_their_window_and_nobody_else() {
    let streams: u32 = 1000;
    for stopped in [1, 900] {
        let mut pair = Pair::with(4, |settings| settings.stream_window_bytes = 8 * 1024).settled();
        pair.server.react(|server, id, what| {
            if let Happening::HalfClosed = what {
                server.send_all(id, (0..150).map(|i| pattern(i, 135)));
                server.finish(id, ok());
            }
        });
        let ids: Vec<u32> = (0..streams).map(|_| pair.client.ask("go")).collect();
        for &id in &ids[..stopped] {
            pair.client.stop_reading(id);
        }
        pair.settle();
        for &id in &ids[stopped..] {
            assert_eq!((pair.client.messages(id).len(), pair.client.code(id)), (150, 0));
        }
        for &id in &ids[..stopped] {
            // One Readable was heard before the reader stopped; it took nothing.
            assert_eq!(pair.client.messages(id).len(), 0);
            assert_eq!(pair.client.connection.held(id), 8 * 1024);
            pair.client.read(id);
        }
        pair.settle();
        assert!(ids.iter().all(|&id| pair.client.messages(id).len() == 150));
        pair.done();
    }
}

#[test]
fn many_streams_against_tiny_windows() {
    let streams = if cfg!(debug_assertions) { 500 } else { 10_000 };
    let mut pair = Pair::with(5, |settings| {
        settings.stream_window_bytes = 1000;
        settings.max_concurrent_streams = streams;
    })
    .settled();
    pair.server.react(echo);
    // Most are smaller than the window, one is larger.
    let messages: Vec<Bytes> = [150, 333, 900, 5000, 0, 20].iter().map(|&size| pattern(size, size)).collect();
    let ids: Vec<u32> = (0..streams).map(|_| pair.client.open()).collect();
    for &id in &ids {
        pair.client.send_all(id, messages.clone());
        pair.client.half_close(id);
    }
    pair.settle();
    assert!(ids.iter().all(|&id| pair.client.messages(id) == messages && pair.client.code(id) == 0));
    pair.done();
}

#[test]
fn many_streams_share_a_small_connection_window() {
    for seed in 0..4 {
        let mut pair = Pair::new(seed).narrow().settled();
        pair.server.react(echo);
        let ids: Vec<u32> = (0..200).map(|_| pair.client.open()).collect();
        for (i, &id) in ids.iter().enumerate() {
            pair.client.send_all(id, [pattern(i, 100), pattern(i, 30_000), pattern(i, 0)]);
            pair.client.half_close(id);
        }
        pair.settle();
        for (i, &id) in ids.iter().enumerate() {
            assert_eq!(pair.client.messages(id), [pattern(i, 100), pattern(i, 30_000), pattern(i, 0)]);
        }
        pair.done();
    }
}

#[test]
fn calls_opened_above_the_limit_of_streams_wait_for_a_slot() {
    let mut pair = Pair::with(6, |settings| settings.max_concurrent_streams = 3).settled();
    pair.server.react(echo);
    assert_eq!(pair.client.connection.max_calls(), 3);
    let ids: Vec<u32> = (0..20).map(|i| pair.client.ask(pattern(i, 100_000))).collect();
    // One that waits is cancelled, and takes no slot for good.
    pair.client.reset(ids[10]);
    pair.settle();
    for (i, &id) in ids.iter().enumerate().filter(|&(i, _)| i != 10) {
        assert_eq!(pair.client.messages(id), [pattern(i, 100_000)]);
    }
    pair.done();
}

#[test]
fn the_connection_window_is_used_to_the_last_byte() {
    let mut server = Scripted::server(6);
    server.say(&[frames::settings(&[(frames::INITIAL_WINDOW_SIZE, 1 << 20)])]);
    let ids = [1, 3, 5];
    for id in ids {
        server.say(&[frames::request(id)]);
        server.end.send(id, pattern(0, 100_000));
        server.end.finish(id, ok());
    }
    assert_eq!(data_bytes(&server.heard(), None), 65_535);
    for grant in [1, 10_000, 7, 99_999] {
        server.say(&[frames::window_update(0, grant)]);
        assert_eq!(data_bytes(&server.heard(), None), grant as usize);
    }
    server.say(&[frames::window_update(0, 1 << 30)]);
    assert_eq!(data_bytes(&server.heard(), None), 3 * 100_005 - 65_535 - 110_007);
    for id in ids {
        assert_eq!(server.end.code(id), 0);
    }
    server.done();
}

// W37
#[test]
fn a_changed_initial_window_moves_every_stream() {
    let initial = |bytes| frames::settings(&[(frames::INITIAL_WINDOW_SIZE, bytes)]);
    let mut server = Scripted::server(7);
    server.say(&[initial(1000), frames::window_update(0, 1 << 30)]);
    let ids: Vec<u32> = (0..20).map(|i| 2 * i + 1).collect();
    for &id in &ids {
        server.say(&[frames::request(id)]);
        server.end.send(id, pattern(0, 199_995));
        server.end.finish(id, ok());
    }
    let all = |frames: &[Frame], each: usize| {
        for &id in &ids {
            assert_eq!(data_bytes(frames, Some(id)), each, "stream {id}");
        }
    };
    all(&server.heard(), 1000);
    server.say(&[initial(100_000)]);
    all(&server.heard(), 99_000);
    // Lowered, the windows are 90,000 below zero: what was sent counts.
    server.say(&[initial(10_000)]);
    all(&server.heard(), 0);
    for &id in &ids {
        server.say(&[frames::window_update(id, 90_000)]);
    }
    all(&server.heard(), 0);
    for &id in &ids {
        server.say(&[frames::window_update(id, 1)]);
    }
    all(&server.heard(), 1);
    server.say(&[initial(200_000)]);
    all(&server.heard(), 99_999);
    assert!(ids.iter().all(|&id| server.end.code(id) == 0));
    server.done();
}

// W44
#[test]
fn padding_is_given_back_too() {
    let mut server = Scripted::server(8);
    server.say(&[frames::request(1)]);
    let frame = frames::padded_data(1, &frames::message(b"tiny"), 255);
    let mut window = WINDOW;
    for sent in 0..4000 {
        for heard in server.heard() {
            if heard.kind == frames::WINDOW_UPDATE && heard.stream == 1 {
                window += heard.word(0) as usize;
            }
        }
        assert!(window >= frame.payload.len(), "stuck after {sent} frames");
        window -= frame.payload.len();
        server.say(std::slice::from_ref(&frame));
    }
    assert_eq!(server.end.messages(1).len(), 4000);
    server.end.finish(1, ok());
    server.done();
}

#[test]
fn a_full_queue_says_so_and_tells_when_half_is_free() {
    let mut server = Scripted::server(9);
    server.say(&[frames::request(1)]);
    let push = |server: &mut Scripted, size| server.end.connection.push(1, &Payload::Shared(pattern(0, size)));
    // Less than the limit is queued, so one more message is taken, however large.
    assert_eq!(push(&mut server, 60_000), Pushed::Queued);
    assert_eq!(push(&mut server, 100_000), Pushed::Queued);
    assert_eq!(push(&mut server, 0), Pushed::Full);
    assert!(server.end.connection.await_room(1));
    let queued = 2 * PREFIX_BYTES + 160_000;
    assert_eq!(server.end.connection.queued(1), queued);
    let writable = |server: &mut Scripted| {
        let mut count = 0;
        server.end.connection.flush();
        server.end.connection.take_output(Vec::new());
        for event in server.end.connection.take_events() {
            assert_eq!(event, Event::Writable(1));
            count += 1;
        }
        count
    };
    // 65,535 bytes leave, then what the peer grants: the half is 32 KiB.
    assert_eq!(writable(&mut server), 0);
    let to_go = queued - 65_535 - 32 * 1024;
    let grant = |bytes: usize| {
        let bytes = u32::try_from(bytes).unwrap();
        [frames::window_update(0, bytes), frames::window_update(1, bytes)].map(|frame| frame.to_bytes()).concat()
    };
    server.end.connection.feed(grant(to_go - 1).into());
    assert_eq!(writable(&mut server), 0);
    assert_eq!(server.end.connection.queued(1), 32 * 1024 + 1);
    server.end.connection.feed(grant(1).into());
    assert_eq!(writable(&mut server), 1);
    server.end.connection.feed(grant(40_000).into());
    assert_eq!(writable(&mut server), 0, "told once");
    // Who waits with room at hand is told at once.
    assert!(server.end.connection.await_room(1));
    assert_eq!(writable(&mut server), 1);
    server.end.connection.finish(1, &ok(), false).unwrap();
    server.done();
}

#[test]
fn a_message_that_waits_can_be_replaced_until_it_leaves() {
    let mut pair = Pair::with(10, |settings| settings.stream_window_bytes = 1000);
    pair.client.reads = false;
    let id = pair.client.ask("go");
    pair.settle();
    assert!(!pair.server.connection.replace_newest(id, &Payload::Borrowed(b"none")), "nothing was sent");
    pair.server.send(id, pattern(0, 995));
    pair.settle();
    assert!(!pair.server.connection.replace_newest(id, &Payload::Borrowed(b"left")), "it has left");
    pair.server.send(id, "old");
    pair.settle();
    for newer in [&b"newer"[..], b"", b"newest"] {
        assert!(pair.server.connection.replace_newest(id, &Payload::Borrowed(newer)));
    }
    pair.server.finish(id, ok());
    pair.client.read(id);
    pair.settle();
    assert_eq!(pair.client.messages(id), [pattern(0, 995), Bytes::from("newest")]);
    pair.done();
}

#[test]
fn framed_bytes_are_what_is_held() {
    let mut pair = Pair::new(11);
    pair.server.reads = false;
    let id = pair.client.open();
    let messages = [pattern(0, 0), pattern(1, 7), pattern(2, 9000), pattern(3, 20_000)];
    pair.client.send_all(id, messages.clone());
    pair.settle();
    assert_eq!(pair.server.connection.held(id), framed_bytes(&messages));
    pair.server.take_all(id);
    assert_eq!(pair.server.connection.held(id), 0);
    pair.client.reset(id);
    pair.done();
}
