//! Does every stream get its share of the wire, in bytes, and a short answer its place before long ones?
//!
//! Everything is counted in bytes and flushes, nothing in time.

mod common;

use common::frames::{self, Frame};
use common::{Scripted, ok, pattern};
use std::collections::BTreeMap;

const KIB: usize = 1024;
/// The portion of a stream while others wait.
const QUANTUM: usize = 16 * KIB;

/// A server whose client has windows that never close.
fn server(seed: u64) -> Scripted {
    let mut server = server_without_window(seed);
    server.say(&[frames::window_update(0, (1 << 31) - 1 - 65_535)]);
    server
}

/// A server whose client has large stream windows, and a connection window that was used up.
fn server_without_window(seed: u64) -> Scripted {
    let mut server = Scripted::server(seed);
    server.say(&[frames::settings(&[(frames::INITIAL_WINDOW_SIZE, (1 << 31) - 1)])]);
    server.heard();
    server
}

fn call(server: &mut Scripted, id: u32) {
    server.say_at_once(&[frames::request(id), frames::data(id, frames::END_STREAM, frames::message(b"go"))]);
}

/// One flush and the frames it gave.
fn flush(server: &mut Scripted) -> Vec<Frame> {
    let mut parser = frames::Parser::default();
    server.end.flush(|bytes| parser.feed(bytes));
    parser.collect()
}

/// Adds the DATA bytes of each stream.
fn count(shares: &mut BTreeMap<u32, usize>, frames: &[Frame]) {
    for frame in frames.iter().filter(|frame| frame.kind == frames::DATA) {
        *shares.entry(frame.stream).or_default() += frame.payload.len();
    }
}

/// Nobody is ahead of another by more than two portions: one of this round, and one from when others were new.
fn assert_even(shares: &BTreeMap<u32, usize>, streams: usize) {
    let least = if shares.len() == streams { *shares.values().min().unwrap() } else { 0 };
    let most = *shares.values().max().unwrap();
    assert!(most - least <= 2 * QUANTUM, "shares from {least} to {most} bytes");
}

fn reset_all(mut server: Scripted, ids: impl IntoIterator<Item = u32>) {
    for id in ids {
        server.end.reset(id);
    }
    server.done();
}

#[test]
fn streams_of_small_and_of_large_messages_share_evenly() {
    let streams = 1000;
    let rounds = 10;
    let mut server = server(1);
    let ids: Vec<u32> = (0..streams).map(|i| 2 * i + 1).collect();
    let (small, large) = (pattern(1, 100), pattern(2, 64 * KIB));
    for &id in &ids {
        call(&mut server, id);
        let message = if id % 4 == 1 { &small } else { &large };
        let enough = (rounds + 4) * QUANTUM / message.len() + 1;
        server.end.send_all(id, std::iter::repeat_n(message.clone(), enough));
    }
    let mut shares = BTreeMap::new();
    while shares.len() < ids.len() {
        count(&mut shares, &flush(&mut server));
    }
    // From here on nobody is new.
    shares.clear();
    while shares.values().sum::<usize>() < rounds * ids.len() * QUANTUM {
        count(&mut shares, &flush(&mut server));
        assert_even(&shares, ids.len());
    }
    let (least, most) = (shares.values().min().unwrap(), shares.values().max().unwrap());
    assert!(most * 100 <= least * 120, "shares from {least} to {most} bytes");
    reset_all(server, ids);
}

#[test]
fn a_window_that_opens_in_steps_is_shared_evenly() {
    for (streams, step) in [(2, 20_000), (2, 16_384), (3, 100), (5, 40_000), (10, 65_000), (7, 1)] {
        let mut server = server_without_window(2);
        let ids: Vec<u32> = (0..streams).map(|i| 2 * i + 1).collect();
        for &id in &ids {
            call(&mut server, id);
            server.end.send_all(id, std::iter::repeat_n(pattern(0, 10_000), 200));
        }
        let mut shares = BTreeMap::new();
        count(&mut shares, &server.heard());
        // At least twenty portions each, or at least a thousand steps.
        let steps = (20 * QUANTUM * ids.len() / step as usize).min(20_000);
        for _ in 0..steps {
            server.say_at_once(&[frames::window_update(0, step)]);
            count(&mut shares, &server.heard());
        }
        assert_even(&shares, ids.len());
        reset_all(server, ids);
    }
}

#[test]
fn a_new_short_answer_does_not_wait_behind_long_ones() {
    let mut server = server(3);
    let long: Vec<u32> = (0..999).map(|i| 2 * i + 1).collect();
    for &id in &long {
        call(&mut server, id);
        server.end.send_all(id, std::iter::repeat_n(pattern(0, 64 * KIB), 2));
    }
    // Every long one has had its first portion.
    let mut shares = BTreeMap::new();
    while shares.len() < long.len() {
        count(&mut shares, &flush(&mut server));
    }
    for id in (0..100).map(|i| 2001 + 2 * i) {
        call(&mut server, id);
        server.end.answer(id, pattern(0, 100));
        let heard = flush(&mut server);
        assert_eq!(heard.iter().filter(|frame| frame.stream == id && frame.kind == frames::DATA).count(), 1);
        assert!(heard.iter().any(|frame| frame.stream == id && frame.is_last()), "the end leaves with it");
        assert!(heard.iter().any(|frame| frame.stream != id && frame.kind == frames::DATA), "and others go on");
    }
    reset_all(server, long);
}

#[test]
fn more_streams_than_one_write_serves_are_a_crowd() {
    let mut server = server(4);
    let ids: Vec<u32> = (0..17).map(|i| 2 * i + 1).collect();
    for &id in &ids {
        assert!(!server.end.connection.is_crowded(), "16 share one write");
        call(&mut server, id);
        server.end.send_all(id, [pattern(0, 64 * KIB)]);
    }
    // Who sends is put into line by the flush that comes next.
    flush(&mut server);
    assert!(server.end.connection.is_crowded());
    reset_all(server, ids);
}

#[test]
fn a_trailer_waits_for_nobody() {
    let mut server = server_without_window(4);
    for id in [1, 3] {
        call(&mut server, id);
    }
    server.end.send_all(1, std::iter::repeat_n(pattern(0, 64 * KIB), 4));
    server.heard();
    // The connection window is closed, and a stream that has nothing to send ends all the same.
    server.end.finish(3, ok());
    assert!(flush(&mut server).iter().any(|frame| frame.stream == 3 && frame.is_last()));
    reset_all(server, [1]);
}

#[test]
fn long_answers_go_on_while_short_ones_come_without_end() {
    let mut server = server(5);
    call(&mut server, 1);
    server.end.send_all(1, std::iter::repeat_n(pattern(0, 64 * KIB), 100));
    flush(&mut server);
    let mut next = 3;
    let (mut long, mut total) = (0, 0);
    // Each turn brings more short answers than a flush has room for.
    for _ in 0..50 {
        for id in (0..40).map(|i| next + 2 * i) {
            call(&mut server, id);
            server.end.answer(id, pattern(0, 10 * KIB));
        }
        next += 80;
        let mut shares = BTreeMap::new();
        count(&mut shares, &flush(&mut server));
        long += shares.get(&1).copied().unwrap_or(0);
        total += shares.values().sum::<usize>();
    }
    assert!(long * 10 >= total, "the long answer got {long} of {total} bytes");
    server.flush();
    reset_all(server, [1]);
}
