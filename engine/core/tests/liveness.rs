//! Is the peer there, does it ask too often, and do frames of ours never stand where none may?

mod common;

use bytes::Bytes;
use common::frames::{self, ACK, CONTINUATION, END_HEADERS, END_STREAM, Frame, Parser};
use common::{End, Pair, Scripted, echo, ok, settings};
use penstock_core::wire::metadata::{Pairs, Value};
use penstock_core::{Reason, Side};
use std::time::Duration;

const MAX_STREAM: u32 = (1 << 31) - 1;
const OWN: [u8; 8] = *b"penstock";
/// What h2's PING between two GOAWAYs carries.
const OF_SHUTDOWN: [u8; 8] = [0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54];

fn go_aways(frames: &[Frame]) -> Vec<(u32, u32, &str)> {
    let all = frames.iter().filter(|frame| frame.kind == frames::GOAWAY);
    all.map(|frame| (frame.word(0), frame.word(4), std::str::from_utf8(&frame.payload[8..]).unwrap())).collect()
}

fn asks(frames: &[Frame], payload: [u8; 8]) -> usize {
    frames.iter().filter(|&frame| frame == &frames::ping(0, payload)).count()
}

fn closed(end: &End) -> &str {
    &end.closed.as_ref().expect("the connection is over").message
}

// W37
#[test]
fn a_ping_is_answered_by_either_side() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed).settled();
        pair.server.react(echo);
        let id = pair.client.ask("hello");
        pair.client.connection.ping();
        pair.settle();
        assert_eq!((pair.client.pongs, pair.server.pongs), (1, 0));
        pair.server.connection.ping();
        pair.settle();
        assert_eq!((pair.client.pongs, pair.server.pongs), (1, 1));
        assert_eq!(pair.client.messages(id), ["hello"]);
        assert_eq!((pair.client.connection.counters().pings, pair.server.connection.counters().pings), (1, 1));
        pair.done();
    }
}

// W37
#[test]
fn an_answer_nobody_asked_for_is_no_sign_of_life() {
    let mut server = Scripted::server(1);
    let answers = vec![frames::ping(ACK, OWN); 100];
    server.say(&answers);
    assert_eq!(server.end.pongs, 0);
    server.end.connection.ping();
    assert_eq!(asks(&server.heard(), OWN), 1);
    server.say(&[frames::ping(ACK, [7; 8])]);
    assert_eq!(server.end.pongs, 0);
    server.say_at_once(&answers);
    assert_eq!(server.end.pongs, 1, "several answers in one read are one");
    server.say(&answers);
    assert_eq!(server.end.pongs, 1);
    server.assert_serves(1);
    server.done();
}

#[test]
fn a_server_asks_nothing_before_the_client_said_its_preface() {
    let mut server = Scripted::new(1, settings(Side::Server));
    server.end.connection.ping();
    assert_eq!(server.heard(), []);
    server.say_bytes(frames::PREFACE);
    server.say(&[frames::settings(&[])]);
    assert_eq!(asks(&server.heard(), OWN), 1);
    server.done();
}

#[test]
fn a_peer_is_not_silent_while_something_of_it_waits_to_be_looked_at() {
    let mut server = Scripted::server(33);
    let connection = &mut server.end.connection;
    connection.tick(Duration::from_secs(1));
    let pings: Vec<u8> = (0..300_u64).flat_map(|n| frames::ping(0, n.to_be_bytes()).to_bytes()).collect();
    connection.receive(pings.into());
    assert_eq!(connection.last_read(), Some(Duration::from_secs(1)));
    for second in [5, 9] {
        connection.tick(Duration::from_secs(second));
        assert!(connection.step());
        assert_eq!(connection.last_read(), Some(Duration::from_secs(second)));
    }
    server.say(&[]);
    server.done();
}

#[test]
fn the_last_read_is_told_in_the_time_of_the_embedder() {
    let mut server = End::of(Side::Server);
    let connection = &mut server.connection;
    assert_eq!(connection.last_read(), None);
    for (second, bytes) in (1..).zip([&frames::PREFACE[..3], &frames::PREFACE[3..], &[0]]) {
        connection.tick(Duration::from_secs(second));
        connection.feed(Bytes::copy_from_slice(bytes));
        connection.tick(Duration::from_secs(100));
        connection.flush();
        assert_eq!(connection.last_read(), Some(Duration::from_secs(second)));
    }
}

/// Metadata of more than one frame.
fn much_metadata() -> Pairs {
    (0..5).map(|n| (format!("key-{n}"), Value::Text("v".repeat(4_000)))).collect()
}

/// Frames of `bytes`, which may not stand inside a header block.
fn checked(parser: &mut Parser, open: &mut Option<u32>, bytes: &[u8]) -> Vec<Frame> {
    parser.feed(bytes);
    let frames: Vec<Frame> = parser.by_ref().collect();
    for frame in &frames {
        if let Some(stream) = *open {
            assert_eq!((frame.kind, frame.stream), (CONTINUATION, stream), "inside a header block");
        }
        if matches!(frame.kind, frames::HEADERS | CONTINUATION) {
            *open = (frame.flags & END_HEADERS == 0).then_some(frame.stream);
        }
    }
    frames
}

// The output is full after about 13 of these responses, in some cases between two frames of a header block.
#[test]
fn a_ping_never_stands_inside_a_header_block() {
    let mut held_back = 0;
    for calls in 1..40 {
        let mut server = Scripted::server(calls);
        let ids: Vec<u32> = (0..u32::try_from(calls).unwrap()).map(|n| 2 * n + 1).collect();
        server.say(&ids.iter().map(|&id| frames::request(id)).collect::<Vec<_>>());
        server.heard();
        let connection = &mut server.end.connection;
        for &id in &ids {
            connection.respond(id, &much_metadata()).unwrap();
        }
        let (mut parser, mut open, mut heard) = (Parser::default(), None, Vec::new());
        connection.flush();
        while connection.has_work() {
            connection.ping();
            connection.flush();
            let output = connection.take_output(Vec::new());
            let frames = checked(&mut parser, &mut open, &output);
            held_back += usize::from(open.is_some());
            heard.extend(frames);
        }
        assert!(open.is_none() && parser.is_empty() && asks(&heard, OWN) > 0);
        assert_eq!(heard.iter().filter(|frame| frame.kind == frames::HEADERS).count(), calls.try_into().unwrap());
        for id in ids {
            server.end.reset(id);
        }
        server.done();
    }
    assert!(held_back > 0, "no case was cut inside a header block");
}

// W35
#[test]
fn a_planned_end_says_why() {
    for seed in 0..20 {
        let mut server = Scripted::server(seed);
        server.say(&[frames::request(1)]);
        server.heard();
        server.end.connection.go_away(Reason::NO_ERROR, "max_age");
        let heard = server.heard();
        assert_eq!(go_aways(&heard), [(MAX_STREAM, 0, "max_age")]);
        assert_eq!(asks(&heard, OF_SHUTDOWN), 1);
        server.say(&[frames::ping(ACK, OF_SHUTDOWN), frames::data(1, END_STREAM, frames::message(b"late"))]);
        assert_eq!(go_aways(&server.heard()), [(1, 0, "max_age")]);
        assert_eq!(server.end.messages(1), ["late"]);
        server.end.answer(1, "still served");
        assert!(server.heard().iter().any(|frame| frame.stream == 1 && frame.is_last()));
        assert!(server.end.closed.as_ref().unwrap().clean);
        server.done();
    }
}

#[test]
fn a_client_hears_why_and_may_say_it_too() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed).settled();
        pair.server.react(echo);
        let id = pair.client.open();
        pair.settle();
        pair.server.connection.go_away(Reason::NO_ERROR, "max_idle");
        pair.settle();
        assert!(pair.client.go_aways.iter().all(|go_away| go_away.text == "max_idle"));
        assert_eq!(pair.client.go_aways.len(), 2);
        pair.client.connection.go_away(Reason::NO_ERROR, "as you like");
        pair.client.half_close(id);
        pair.settle();
        assert_eq!(pair.client.code(id), 0);
        assert!(pair.client.closed.as_ref().unwrap().clean && pair.server.closed.as_ref().unwrap().clean);
        assert!(pair.server.go_aways.iter().all(|go_away| go_away.text == "as you like"));
        pair.done();
    }
}

// W35
#[test]
fn what_a_client_opened_before_it_heard_of_the_shut_down_is_served() {
    for seed in 0..50 {
        let mut pair = Pair::new(seed).settled();
        pair.server.react(echo);
        let mut ids = vec![pair.client.ask("before")];
        pair.settle();
        pair.server.connection.go_away(Reason::NO_ERROR, "max_age");
        while pair.client.go_aways.is_empty() {
            // It is not out when the next bytes come.
            ids.push(pair.client.ask("meanwhile"));
            pair.step();
        }
        pair.settle();
        let codes: Vec<u8> = ids.iter().map(|&id| pair.client.code(id)).collect();
        assert!(codes.iter().all(|&code| code == 0), "seed {seed}: {codes:?}");
        pair.done();
    }
}

/// What a client says while a server shuts down: a call whose head takes two frames, and messages.
fn goes_on() -> Vec<u8> {
    let mut head = frames::request(3);
    let rest = head.payload.split_off(20);
    head.flags = 0;
    let more = frames::frame(CONTINUATION, END_HEADERS, 3, rest);
    let data =
        [(1, "one"), (3, "two")].map(|(id, text)| frames::data(id, END_STREAM, frames::message(text.as_bytes())));
    [head, more].iter().chain(&data).flat_map(Frame::to_bytes).collect()
}

// W35
#[test]
fn a_shut_down_goes_on_without_an_answer_wherever_the_peer_is() {
    let bytes = goes_on();
    for cut in 0..=bytes.len() {
        let mut server = Scripted::server(1);
        server.say(&[frames::request(1)]);
        server.end.connection.go_away(Reason::NO_ERROR, "");
        assert_eq!(go_aways(&server.heard()), [(MAX_STREAM, 0, "")]);
        server.say_bytes(&bytes[..cut]);
        server.end.connection.finish_shutdown();
        server.say_bytes(&bytes[cut..]);
        let last = if cut == 0 { 1 } else { 3 };
        assert_eq!(go_aways(&server.heard()), [(last, 0, "")], "cut at {cut}");
        // It comes after all.
        server.say(&[frames::ping(ACK, OF_SHUTDOWN)]);
        server.end.connection.finish_shutdown();
        for (id, text) in [(1, "one"), (3, "two")].into_iter().filter(|&(id, _)| id <= last) {
            assert_eq!(server.end.messages(id), [text]);
            server.end.finish(id, ok());
        }
        assert_eq!(go_aways(&server.heard()), []);
        assert!(server.end.closed.as_ref().expect("it is over").clean);
        server.done();
    }
}

#[test]
fn finishing_needs_a_shut_down_that_was_begun() {
    let mut pair = Pair::new(1).settled();
    pair.server.react(echo);
    pair.server.connection.finish_shutdown();
    pair.client.connection.finish_shutdown();
    let id = pair.client.ask("hello");
    pair.settle();
    assert_eq!(pair.client.messages(id), ["hello"]);
    assert!(pair.client.go_aways.is_empty());
    pair.done();
}

#[test]
fn an_abort_says_why_once_and_last() {
    let mut server = Scripted::server(1);
    server.say(&[frames::request(1), frames::request(5)]);
    server.heard();
    server.end.connection.abort("enough of it", Reason::ENHANCE_YOUR_CALM, "calm down");
    server.end.absorb();
    let heard = server.heard();
    assert_eq!(go_aways(&heard), [(5, 11, "calm down")]);
    assert_eq!(heard.last().unwrap().kind, frames::GOAWAY);
    assert_eq!(closed(&server.end), "enough of it");
    assert_eq!(server.end.outcome(1).message, "enough of it");
    server.done();
}

#[test]
fn a_client_that_aborts_says_something_only_if_asked_to() {
    for (code, text, said) in [
        (Reason::NO_ERROR, "", None),
        (Reason::NO_ERROR, "bye", Some((0, 0, "bye"))),
        (Reason::INTERNAL_ERROR, "", Some((0, 2, ""))),
    ] {
        let mut client = Scripted::client(1);
        let id = client.end.open();
        client.heard();
        client.end.connection.abort("gone", code, text);
        client.end.absorb();
        assert_eq!(go_aways(&client.heard()), said.into_iter().collect::<Vec<_>>());
        assert_eq!(client.end.outcome(id).message, "gone");
        client.done();
    }
}

#[test]
fn the_last_frame_of_an_abort_waits_for_a_whole_header_block() {
    for calls in 1..40 {
        let mut server = Scripted::server(calls);
        let ids: Vec<u32> = (0..u32::try_from(calls).unwrap()).map(|n| 2 * n + 1).collect();
        server.say(&ids.iter().map(|&id| frames::request(id)).collect::<Vec<_>>());
        server.heard();
        let connection = &mut server.end.connection;
        for &id in &ids {
            connection.respond(id, &much_metadata()).unwrap();
        }
        connection.flush();
        connection.abort("over", Reason::NO_ERROR, "over");
        let frames = checked(&mut Parser::default(), &mut None, &connection.take_output(Vec::new()));
        assert_eq!(go_aways(&frames), [(*ids.last().unwrap(), 0, "over")]);
        assert_eq!(frames.last().unwrap().kind, frames::GOAWAY);
        server.end.absorb();
        server.done();
    }
}

fn pinged(end: &mut Scripted, second: u64) -> bool {
    end.end.connection.tick(Duration::from_secs(second));
    end.say(&[frames::ping(0, [1; 8])]);
    end.end.closed.is_some()
}

// W33
#[test]
fn a_peer_that_asks_too_often_is_told_so_and_left() {
    let mut server = Scripted::server(1);
    server.end.connection.set_ping_policy(Duration::from_secs(10), true);
    server.say(&[frames::request(1)]);
    assert_eq!([100, 101, 102, 103].map(|second| pinged(&mut server, second)), [false, false, false, true]);
    let heard = server.heard();
    assert_eq!(go_aways(&heard), [(1, 11, "too_many_pings")]);
    assert_eq!(closed(&server.end), "the peer sent PINGs too often");
    assert_eq!(server.end.outcome(1).message, "the peer sent PINGs too often");
    server.done();
}

// W33
#[test]
fn a_server_that_sends_is_asked_as_often_as_the_peer_likes() {
    let mut server = Scripted::server(1);
    server.end.connection.set_ping_policy(Duration::from_secs(10), false);
    server.say(&[frames::request(1)]);
    for round in 0..10 {
        assert_eq!([0, 1, 2].map(|second| pinged(&mut server, second)), [false; 3], "round {round}");
        server.end.send(1, "message");
        server.heard();
    }
    server.end.connection.respond(1, &Pairs::new()).unwrap();
    assert_eq!([0, 1, 2].map(|second| pinged(&mut server, second)), [false; 3]);
    server.end.finish(1, ok());
    server.heard();
    // Trailers were the last thing; from here on the peer is idle.
    assert_eq!([9, 20, 30, 40].map(|second| pinged(&mut server, second)), [false, false, false, true]);
    server.done();
}

#[test]
fn what_a_peer_says_is_counted_by_kind() {
    let mut server = Scripted::server(1);
    server.say(&[frames::ping(0, [1; 8]), frames::ping(ACK, OWN), frames::settings(&[]), frames::request(1)]);
    server.say(&[frames::rst_stream(1, 8)]);
    let counters = server.end.connection.counters();
    assert_eq!((counters.pings, counters.settings, counters.resets), (1, 2, 1));
    server.done();
}
