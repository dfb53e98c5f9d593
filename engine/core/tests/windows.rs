//! Does a connection on which many streams are filled, and nobody reads them, have its peer send less, and end no call?

mod common;

use bytes::Bytes;
use common::frames::{self, Frame};
use common::{Happening, Pair, Scripted, ok, pattern, settings};
use penstock_core::{Abuse, Settings, Side};
use std::time::Duration;

const FULL: u32 = 64 * 1024;
/// What streams may hold together: 16 full windows. A quarter of it is much.
const TOGETHER: usize = 1 << 20;
const MUCH: usize = TOGETHER / 4;

fn bounded(settings: &mut Settings) {
    settings.budget_bytes = 16 * TOGETHER;
}

fn second(second: u64) -> Duration {
    Duration::from_secs(1000 + second)
}

fn tick(pair: &mut Pair, now: u64) {
    pair.client.connection.tick(second(now));
    pair.server.connection.tick(second(now));
}

/// A pair on which so many uploads are open, that nobody reads, each with more to send than a window.
fn unread(seed: u64, streams: usize) -> (Pair, Vec<u32>) {
    let mut pair = Pair::with(seed, bounded).settled();
    tick(&mut pair, 0);
    pair.server.reads = false;
    let ids: Vec<u32> = (0..streams).map(|_| pair.client.open()).collect();
    let messages: Vec<Bytes> = (0..30).map(|i| pattern(i, 4_000)).collect();
    for &id in &ids {
        pair.client.send_all(id, messages.clone());
        pair.client.half_close(id);
    }
    pair.settle();
    (pair, ids)
}

/// The windows a server or client told in SETTINGS.
fn told(frames: &[Frame]) -> Vec<u32> {
    let settings = frames.iter().filter(|frame| frame.kind == frames::SETTINGS && frame.flags & frames::ACK == 0);
    let pairs = settings.flat_map(|frame| frame.payload.chunks_exact(6).map(<[u8]>::to_vec).collect::<Vec<_>>());
    pairs
        .filter(|pair| pair[..2] == frames::INITIAL_WINDOW_SIZE.to_be_bytes())
        .map(|pair| u32::from_be_bytes(pair[2..].try_into().unwrap()))
        .collect()
}

/// A server with a peer that opened `streams` calls, and sends what [`fill`] says.
fn scripted(streams: u32) -> Scripted {
    let mut settings = settings(Side::Server);
    bounded(&mut settings);
    let mut server = Scripted::new(1, settings);
    server.end.reads = false;
    server.end.connection.tick(second(0));
    server.say_bytes(frames::PREFACE);
    server.say(&[frames::settings(&[]), frames::settings_ack()]);
    for i in 0..streams {
        server.say(&[frames::request(2 * i + 1)]);
    }
    assert_eq!(told(&server.heard()), [FULL]);
    server
}

/// So many bytes on one stream, in frames.
fn fill(server: &mut Scripted, id: u32, bytes: usize) {
    let zeros = vec![0; bytes];
    for part in zeros.chunks(16_000) {
        server.say(&[frames::data(id, 0, part.to_vec())]);
    }
}

fn cancel(server: &mut Scripted, streams: u32) {
    for i in 0..streams {
        server.say(&[frames::rst_stream(2 * i + 1, 8)]);
    }
}

#[test]
fn few_streams_keep_their_windows_however_full() {
    let (mut pair, ids) = unread(1, 16);
    assert_eq!(pair.server.connection.held_bytes(), 16 * FULL as usize);
    assert_eq!(pair.server.connection.stream_window(), FULL);
    for &id in &ids {
        pair.client.reset(id);
    }
    pair.done();
}

#[test]
fn many_full_streams_make_windows_small_and_lose_nothing() {
    for seed in 0..2 {
        let (mut pair, ids) = unread(seed, 200);
        assert_eq!(pair.server.connection.stream_window(), 16 * 1024);
        assert_eq!((pair.server.sheds, pair.server.opened()), (0, 200));
        // What was under way came: here that is what the sender had before it heard.
        assert!(pair.server.connection.held_bytes() <= 200 * FULL as usize);
        for &id in &ids {
            pair.server.read(id);
        }
        pair.settle();
        for &id in &ids {
            assert_eq!(pair.server.messages(id).len(), 30);
            pair.server.finish(id, ok());
        }
        pair.settle();
        assert!(ids.iter().all(|&id| pair.client.code(id) == 0));
        pair.done();
    }
}

#[test]
fn a_stream_that_is_read_goes_on_between_full_ones() {
    let (mut pair, ids) = unread(5, 200);
    // Larger than the small window, to one that waits, and small ones to one that takes them now and then.
    for (messages, waits) in [
        ((0..3).map(|i| pattern(i, 1 << 20)).collect::<Vec<Bytes>>(), true),
        ((0..3000).map(|i| pattern(i, 100)).collect(), false),
    ] {
        let id = pair.client.open();
        pair.client.send_all(id, messages.clone());
        pair.client.half_close(id);
        assert!(pair.settle_until(|pair| pair.server.opened() > ids.len()));
        for _ in 0..1000 {
            if waits {
                pair.server.read(id);
            } else {
                pair.server.take_all(id);
            }
            pair.settle();
            if pair.server.call(id).half_closed {
                break;
            }
        }
        assert!(pair.server.messages(id) == messages, "waits: {waits}");
        pair.server.finish(id, ok());
        pair.settle();
        assert_eq!(pair.client.code(id), 0);
    }
    for &id in &ids {
        pair.client.reset(id);
    }
    pair.done();
}

#[test]
fn a_client_with_unread_downloads_does_the_same() {
    let mut pair = Pair::with(6, bounded).settled();
    tick(&mut pair, 0);
    let messages: Vec<Bytes> = (0..30).map(|i| pattern(i, 4_000)).collect();
    pair.server.react(move |server, id, what| {
        if let Happening::HalfClosed = what {
            server.send_all(id, messages.clone());
            server.finish(id, ok());
        }
    });
    let ids: Vec<u32> = (0..200).map(|_| pair.client.ask("go")).collect();
    for &id in &ids {
        pair.client.stop_reading(id);
    }
    pair.settle();
    assert_eq!(pair.client.connection.stream_window(), 16 * 1024);
    for &id in &ids {
        pair.client.read(id);
    }
    pair.settle();
    assert!(ids.iter().all(|&id| pair.client.messages(id).len() == 30 && pair.client.code(id) == 0));
    pair.done();
}

#[test]
fn windows_shrink_at_much_and_grow_at_half_of_it_a_second_later() {
    let mut server = scripted(64);
    let windows = |server: &mut Scripted| {
        let told = told(&server.heard());
        (0..told.len()).for_each(|_| server.say(&[frames::settings_ack()]));
        told
    };
    fill(&mut server, 1, MUCH / 4);
    fill(&mut server, 3, MUCH / 4);
    fill(&mut server, 5, MUCH / 4);
    fill(&mut server, 7, MUCH / 4 - 5);
    assert_eq!(windows(&mut server), [0; 0], "one message less than much");
    fill(&mut server, 9, 5);
    assert_eq!(windows(&mut server), [16 * 1024], "the 64th part");

    server.end.take_all(1);
    assert_eq!(windows(&mut server), [0; 0], "still more than a half");
    server.end.take_all(3);
    server.end.take_all(5);
    assert_eq!(windows(&mut server), [0; 0], "within a second");
    server.end.connection.tick(second(1));
    fill(&mut server, 1, 5);
    assert_eq!(windows(&mut server), [FULL]);
    assert_eq!(server.end.connection.stream_window(), FULL);
    cancel(&mut server, 64);
    server.done();
}

#[test]
fn the_share_is_that_of_the_streams_there_are() {
    for (streams, size) in
        [(16, None), (17, Some(32 * 1024)), (32, Some(32 * 1024)), (33, Some(16 * 1024)), (500, Some(16 * 1024))]
    {
        let mut server = scripted(streams);
        (0..5).for_each(|i| fill(&mut server, 2 * i + 1, FULL as usize));
        assert_eq!(told(&server.heard()), Vec::from_iter(size), "{streams} streams");
        cancel(&mut server, streams);
        server.done();
    }
}

#[test]
fn nothing_is_told_before_the_peer_has_answered() {
    let mut server = scripted(100);
    (0..5).for_each(|i| fill(&mut server, 2 * i + 1, FULL as usize));
    assert_eq!(told(&server.heard()), [16 * 1024]);
    server.end.connection.tick(second(5));
    for i in 0..5 {
        server.end.take_all(2 * i + 1);
    }
    assert_eq!(told(&server.heard()), [0; 0]);
    server.say(&[frames::settings_ack()]);
    server.say(&[frames::ping(0, [1; 8])]);
    assert_eq!(told(&server.heard()), [FULL]);
    cancel(&mut server, 100);
    server.done();
}

#[test]
fn a_smaller_window_is_opened_in_smaller_steps() {
    let mut server = scripted(100);
    (0..5).for_each(|i| fill(&mut server, 2 * i + 1, FULL as usize));
    server.say(&[frames::settings_ack()]);
    server.heard();
    let id = 101;
    fill(&mut server, id, 16 * 1024);
    // A quarter of the small window is taken, by somebody who does not wait for more.
    server.end.connection.take(id);
    server.end.connection.took(id, 4095);
    assert!(!server.heard().iter().any(|frame| frame.kind == frames::WINDOW_UPDATE && frame.stream == id));
    server.end.connection.took(id, 1);
    let opened: Vec<u32> =
        server.heard().iter().filter(|frame| frame.stream == id).map(|frame| frame.word(0)).collect();
    assert_eq!(opened, [4096]);
    cancel(&mut server, 100);
    server.done();
}

#[test]
fn who_sends_beyond_the_smaller_window_loses_that_call() {
    let mut server = scripted(100);
    (0..5).for_each(|i| fill(&mut server, 2 * i + 1, FULL as usize));
    server.say(&[frames::settings_ack()]);
    fill(&mut server, 101, 16 * 1024);
    fill(&mut server, 101, 5);
    let heard = server.heard();
    assert_eq!(frames::reset_reason(&heard, 101), Some(3), "FLOW_CONTROL_ERROR");
    assert_eq!(server.end.connection.open_calls(), 99);
    cancel(&mut server, 100);
    server.done();
}

#[test]
fn who_does_not_answer_is_read_slowly_and_then_cut_off() {
    let mut settings = settings(Side::Server);
    (settings.stream_window_bytes, settings.budget_bytes) = (1 << 20, 256 << 20);
    let mut server = Scripted::new(1, settings);
    server.end.reads = false;
    server.end.connection.tick(second(0));
    server.say_bytes(frames::PREFACE);
    server.say(&[frames::settings(&[]), frames::settings_ack()]);
    (0..100).for_each(|i| server.say(&[frames::request(2 * i + 1)]));
    let piece = [0; 16_000];
    let mut pieces = 0;
    let mut send = |server: &mut Scripted| {
        let id = 2 * (pieces / 60) + 1;
        pieces += 1;
        server.say_at_once(&[frames::data(id, 0, piece.to_vec())]);
        server.flush();
    };
    while server.end.connection.pause().is_zero() {
        send(&mut server);
    }
    assert_eq!(told(&server.heard()), [1 << 20, 128 * 1024]);
    let held = server.end.connection.held_bytes();
    assert!((20 << 20..21 << 20).contains(&held), "much, and what may be under way: {held}");
    // What came meanwhile waits.
    send(&mut server);
    assert_eq!(server.end.connection.held_bytes(), held);
    assert!(server.end.connection.unread() > 0);

    for now in 1..10 {
        server.end.connection.tick(second(now));
        while server.end.connection.pause().is_zero() {
            server.flush();
            send(&mut server);
        }
        let read = server.end.connection.held_bytes() - held;
        assert!(read.abs_diff((usize::try_from(now).unwrap()) << 22) < 1 << 17, "{read} in {now} s");
    }
    assert!(server.end.abuses.is_empty());
    server.end.connection.tick(second(10));
    server.flush();
    send(&mut server);
    assert_eq!(server.end.abuses, [(Abuse::SettingsTimeout, true)]);
    assert!(server.heard().iter().any(|frame| frame.kind == frames::GOAWAY));
    assert_eq!(server.end.closed.as_ref().map(|closed| closed.clean), Some(false));
    server.done();
}

#[test]
fn who_answers_late_is_read_again_at_once() {
    let mut server = scripted(100);
    (0..5).for_each(|i| fill(&mut server, 2 * i + 1, FULL as usize));
    server.end.connection.tick(second(20));
    // Time alone is no offence: this side may have slept.
    server.say(&[frames::ping(0, [1; 8])]);
    assert!(server.end.abuses.is_empty() && server.end.connection.pause().is_zero());
    server.say(&[frames::settings_ack()]);
    cancel(&mut server, 100);
    server.done();
}

#[test]
fn messages_larger_than_the_small_window_come_whole_to_those_who_wait() {
    for seed in 0..10 {
        let mut pair = Pair::with(seed, bounded).settled();
        tick(&mut pair, 0);
        let ids: Vec<u32> = (0..64).map(|_| pair.client.open()).collect();
        // Bytes of all of them come in turn, so that all are in their middle when windows become small.
        let message = pattern(9, 60_000);
        for &id in &ids {
            pair.client.send_all(id, vec![message.clone()]);
            pair.client.half_close(id);
        }
        pair.settle();
        assert!(pair.server.connection.stream_window() < FULL, "nothing became small");
        for &id in &ids {
            assert!(pair.server.messages(id) == [message.clone()], "seed {seed}, stream {id}");
            pair.server.finish(id, ok());
        }
        pair.settle();
        pair.done();
    }
}
