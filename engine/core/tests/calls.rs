//! Does a call carry what was put into it, in both directions, and end as it was ended?

mod common;

use bytes::Bytes;
use common::frames::{self, END_STREAM};
use common::{Happening, Pair, Scripted, WINDOW, echo, ok, pattern, status};
use penstock_core::wire::metadata::{Pairs, Value};
use penstock_core::{Call, CallError, Origin, Payload, Pushed, Reply};
use std::time::Duration;

const CANCELLED: u8 = 1;
const UNAVAILABLE: u8 = 14;

/// The sizes every kind of call is tried with.
const SIZES: [usize; 9] = [0, 1, 5, 8 * 1024 - 1, 8 * 1024, 16 * 1024, WINDOW, 100_000, 4 << 20];

fn messages() -> Vec<Bytes> {
    SIZES.iter().enumerate().map(|(seed, &length)| pattern(seed, length)).collect()
}

fn text(name: &str, value: &str) -> (String, Value) {
    (name.to_owned(), Value::Text(value.to_owned()))
}

fn binary(name: &str, value: &[u8]) -> (String, Value) {
    (name.to_owned(), Value::Binary(value.to_vec()))
}

#[test]
fn a_unary_call_of_each_size() {
    for (seed, message) in messages().into_iter().enumerate() {
        let mut pair = Pair::new(seed as u64);
        pair.server.react(|server, id, what| {
            if let Happening::Message(message) = what {
                server.answer(id, message);
            }
        });
        let id = pair.client.ask(message.clone());
        pair.settle();
        assert_eq!(pair.client.messages(id), [message]);
        assert_eq!(pair.client.code(id), 0);
        assert_eq!(pair.client.outcome(id).origin, Origin::Remote);
        assert!(!pair.client.outcome(id).unprocessed);
        pair.done();
    }
}

#[test]
fn a_server_stream() {
    for seed in 0..4 {
        let mut pair = Pair::new(seed);
        pair.server.react(|server, id, what| {
            if let Happening::HalfClosed = what {
                server.send_all(id, messages());
                server.finish(id, ok());
            }
        });
        let id = pair.client.ask("go");
        pair.settle();
        assert_eq!(pair.client.messages(id), messages());
        assert_eq!(pair.client.code(id), 0);
        pair.done();
    }
}

#[test]
fn a_client_stream() {
    for seed in 0..4 {
        let mut pair = Pair::new(seed);
        pair.server.react(|server, id, what| {
            if let Happening::HalfClosed = what {
                server.answer(id, "thanks");
            }
        });
        let id = pair.client.open();
        pair.client.send_all(id, messages());
        pair.client.half_close(id);
        pair.settle();
        assert_eq!(pair.server.messages(id), messages());
        assert_eq!(pair.client.messages(id), ["thanks"]);
        pair.done();
    }
}

#[test]
fn both_ways_at_once() {
    for seed in 0..4 {
        let mut pair = Pair::new(seed);
        pair.server.react(echo);
        let id = pair.client.open();
        pair.client.send_all(id, messages());
        pair.client.half_close(id);
        pair.settle();
        assert_eq!(pair.client.messages(id), messages());
        assert_eq!(pair.client.code(id), 0);
        pair.done();
    }
}

#[test]
fn ten_thousand_messages_keep_their_order() {
    let all: Vec<Bytes> = (0..10_000).map(|i| pattern(i, i % 97)).collect();
    let mut pair = Pair::new(1);
    pair.server.react(echo);
    let id = pair.client.open();
    pair.client.send_all(id, all.clone());
    pair.client.half_close(id);
    pair.settle();
    assert!(pair.server.messages(id) == all && pair.client.messages(id) == all);
    pair.done();
}

#[test]
fn many_calls_at_once_do_not_mix() {
    let mut pair = Pair::new(2).settled();
    pair.server.react(|server, id, what| {
        if let Happening::Message(message) = what {
            server.answer(id, message);
        }
    });
    let ids: Vec<u32> = (0..1000).map(|i| pair.client.ask(pattern(i, i * 3))).collect();
    pair.settle();
    for (i, &id) in ids.iter().enumerate() {
        assert_eq!(pair.client.messages(id), [pattern(i, i * 3)]);
    }
    pair.done();
}

#[test]
fn the_head_of_a_call_arrives() {
    let metadata =
        vec![text("room", "a b"), text("room", "c"), binary("key-bin", &[0, 255, 3]), binary("none-bin", &[])];
    let call = Call {
        path: "/package.Service/Method",
        authority: "host.test:50051",
        secure: true,
        timeout: Some(Duration::from_millis(1500)),
        coding: None,
        metadata: &metadata,
    };
    let mut pair = Pair::new(3);
    let id = pair.client.open_call(&call);
    pair.settle();
    let head = pair.server.call(id).head.clone().expect("the call came");
    assert_eq!((head.path.as_str(), head.authority.as_str()), (call.path, call.authority));
    assert_eq!((head.timeout, head.metadata), (call.timeout, metadata));
    pair.server.finish(id, ok());
    pair.done();
}

#[test]
fn metadata_of_the_response_comes_first_and_trailers_last() {
    let initial = vec![text("first", "1"), binary("first-bin", b"\xff")];
    let trailers = vec![text("last", "2"), text("last", "3"), binary("last-bin", b"\0")];
    for seed in 0..10 {
        let mut pair = Pair::new(seed);
        let id = pair.client.ask("hello");
        pair.settle();
        assert_eq!(pair.server.connection.respond(id, &initial), Ok(true));
        assert_eq!(pair.server.connection.respond(id, &Pairs::new()), Ok(false), "the head is sent once");
        pair.settle();
        assert_eq!(pair.client.call(id).initial.as_ref(), Some(&initial), "before any message");
        pair.server.send(id, "message");
        let reply = Reply { trailers: trailers.clone(), details: b"any bytes \xfe".to_vec(), ..status(9, "no") };
        pair.server.finish(id, reply);
        pair.settle();
        let outcome = pair.client.outcome(id).clone();
        assert_eq!((outcome.code, outcome.message.as_str(), outcome.origin), (9, "no", Origin::Remote));
        let mut expected = trailers.clone();
        expected.push(binary("grpc-status-details-bin", b"any bytes \xfe"));
        let mut got = outcome.trailers;
        got.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(got, expected);
        pair.done();
    }
}

#[test]
fn a_response_that_comes_in_one_read_has_its_metadata() {
    let mut client = Scripted::client(4);
    let id = client.end.ask("hello");
    client.heard();
    let head = [(":status", "200"), ("content-type", "application/grpc"), ("k", "v")];
    client.say_at_once(&[
        frames::headers(id, 0, &head),
        frames::data(id, 0, frames::message(b"message")),
        frames::trailers(id, "0"),
    ]);
    let call = client.end.call(id);
    assert_eq!((call.initial.as_ref(), call.messages.len()), (Some(&vec![text("k", "v")]), 1));
    assert_eq!(client.end.code(id), 0);
    client.done();
}

#[test]
fn bad_metadata_sends_nothing_and_the_call_goes_on() {
    let bad = vec![text("Upper", "x")];
    let mut pair = Pair::new(4);
    let call = Call { path: "/a.B/C", authority: "test", secure: false, timeout: None, coding: None, metadata: &bad };
    assert!(matches!(pair.client.connection.open(&call), Err(CallError::Metadata(_))));
    let id = pair.client.ask("hello");
    pair.settle();
    assert!(pair.server.connection.respond(id, &bad).is_err());
    let reply = Reply { trailers: bad, ..Reply::default() };
    assert!(pair.server.connection.finish(id, &reply, false).is_err());
    pair.server.answer(id, "still here");
    pair.settle();
    assert_eq!(pair.client.messages(id), ["still here"]);
    assert_eq!(pair.server.opened(), 1);
    pair.done();
}

#[test]
fn an_answer_without_messages_is_one_header_block() {
    let mut server = Scripted::server(5);
    server.say(&[frames::request(1), frames::data(1, END_STREAM, "")]);
    server.heard();
    server.end.finish(1, status(5, "no room"));
    let heard = server.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].kind, heard[0].is_last()), (frames::HEADERS, true));
    server.done();

    let mut pair = Pair::new(5);
    let id = pair.client.ask("hello");
    pair.settle();
    pair.server.finish(id, Reply { trailers: vec![text("why", "full")], ..status(5, "no room") });
    pair.settle();
    let call = pair.client.call(id);
    assert_eq!((&call.initial, call.messages.len()), (&None, 0));
    let outcome = pair.client.outcome(id);
    assert_eq!((outcome.code, outcome.message.as_str()), (5, "no room"));
    assert_eq!(outcome.trailers, [text("why", "full")]);
    pair.done();
}

#[test]
fn every_status_arrives_with_its_message() {
    let mut pair = Pair::new(6);
    for code in 0..=16 {
        let message = format!("Größe {code} % ☺\n");
        for with_message in [false, true] {
            let id = pair.client.ask("hello");
            pair.settle();
            if with_message {
                pair.server.send(id, "partly");
            }
            pair.server.finish(id, status(code, &message));
            pair.settle();
            let outcome = pair.client.outcome(id);
            assert_eq!((outcome.code, &outcome.message), (code, &message));
            assert_eq!(pair.client.messages(id).len(), usize::from(with_message));
            // The server hears that its end is out, whatever it said.
            assert_eq!((pair.server.code(id), pair.server.outcome(id).origin), (0, Origin::Local));
        }
    }
    pair.done();
}

#[test]
fn a_long_answer_after_the_half_close() {
    for seed in 0..4 {
        let mut pair = Pair::new(seed);
        let id = pair.client.ask("go");
        pair.settle();
        assert!(pair.server.call(id).half_closed);
        assert_eq!(pair.client.connection.push(id, &Payload::Borrowed(b"late")), Pushed::Gone);
        for i in 0..100 {
            pair.server.send(id, pattern(i, 30_000));
        }
        pair.settle();
        assert_eq!(pair.client.messages(id).len(), 100);
        assert!(pair.client.call(id).outcome.is_none(), "it goes on until the server ends it");
        pair.server.finish(id, ok());
        pair.settle();
        assert_eq!(pair.client.code(id), 0);
        pair.done();
    }
}

#[test]
fn a_server_that_ends_first_gives_its_status_though_the_client_sends() {
    let mut pairs = Vec::new();
    for (code, seed) in [0, 8].into_iter().flat_map(|code| (0..20).map(move |seed| (code, seed))) {
        let mut pair = Pair::new(seed).settled();
        let id = pair.client.open();
        for i in 0..20 {
            pair.client.send(id, pattern(i, 20_000));
        }
        assert!(pair.settle_until(|pair| pair.server.opened() == 1));
        pair.server.send(id, "enough");
        pair.server.finish(id, status(code, "ended first"));
        pair.settle();
        let outcome = pair.client.outcome(id);
        assert_eq!((outcome.code, outcome.message.as_str(), outcome.origin), (code, "ended first", Origin::Remote));
        assert_eq!(pair.client.messages(id), ["enough"]);
        assert_eq!(pair.client.connection.push(id, &Payload::Borrowed(b"late")), Pushed::Gone);
        pairs.push(pair);
    }
    Pair::all_done(pairs);
}

// W21
#[test]
fn a_status_and_a_reset_in_one_read_are_the_status() {
    for reason in [0, 8] {
        let mut client = Scripted::client(7);
        let id = client.end.open();
        client.end.send(id, pattern(0, 200_000));
        client.heard();
        client.say_at_once(&[
            frames::response(id),
            frames::data(id, 0, frames::message(b"enough")),
            frames::trailers(id, "0"),
            frames::rst_stream(id, reason),
        ]);
        assert_eq!(client.end.code(id), 0);
        assert_eq!(client.end.messages(id), ["enough"]);
        client.done();
    }
}

#[test]
fn an_end_can_leave_behind_what_is_queued() {
    let mut pair = Pair::new(7).settled();
    pair.client.reads = false;
    let id = pair.client.ask("hello");
    pair.settle();
    pair.server.send_all(id, (0..10).map(|i| pattern(i, 20_000)));
    pair.settle();
    // The client's window is full, and the client does not read.
    assert!(pair.server.connection.queued(id) > 0);
    pair.server.connection.finish(id, &status(4, "too late"), true).unwrap();
    pair.settle();
    assert_eq!((pair.client.code(id), pair.client.messages(id).len()), (4, WINDOW / 20_005));
    pair.done();
}

#[test]
fn a_reset_ends_the_call_on_the_other_side() {
    let mut pairs = Vec::new();
    for seed in 0..20 {
        let mut pair = Pair::new(seed).settled();
        let by_client = pair.client.open();
        let by_server = pair.client.open();
        for id in [by_client, by_server] {
            pair.client.send(id, pattern(0, 100_000));
        }
        assert!(pair.settle_until(|pair| pair.server.opened() == 2));
        pair.server.send(by_client, pattern(0, 100_000));
        pair.server.send(by_server, pattern(0, 100_000));
        for _ in 0..seed {
            pair.step();
        }
        pair.client.reset(by_client);
        pair.server.reset(by_server);
        pair.settle();
        for (end, id) in [(&pair.server, by_client), (&pair.client, by_server)] {
            let outcome = end.outcome(id);
            assert_eq!((outcome.code, outcome.origin, outcome.unprocessed), (CANCELLED, Origin::Remote, false));
        }
        pairs.push(pair);
    }
    Pair::all_done(pairs);
}

#[test]
fn a_half_closed_call_hears_of_a_reset_whatever_it_does() {
    for sent in ["nothing", "the head", "a message", "more than the window"] {
        let mut server = Scripted::server(8);
        server.say(&[frames::request(1), frames::data(1, END_STREAM, frames::message(b"hello"))]);
        match sent {
            "nothing" => {}
            "the head" => assert_eq!(server.end.connection.respond(1, &Pairs::new()), Ok(true)),
            "a message" => server.end.send(1, "message"),
            _ => server.end.send(1, pattern(0, 100_000)),
        }
        server.heard();
        assert!(server.end.call(1).half_closed);
        server.say(&[frames::rst_stream(1, 8)]);
        let outcome = server.end.outcome(1);
        assert_eq!((outcome.code, outcome.origin), (CANCELLED, Origin::Remote), "{sent} was sent");
        server.done();
    }
}

// W25
#[test]
fn a_call_above_the_last_stream_was_not_processed() {
    let mut client = Scripted::client(8);
    let ids = [client.end.ask("a"), client.end.ask("b"), client.end.ask("c")];
    client.heard();
    client.say(&[frames::go_away(ids[0], 0, "bye")]);
    for id in [ids[1], ids[2]] {
        let outcome = client.end.outcome(id);
        assert_eq!((outcome.code, outcome.origin, outcome.unprocessed), (UNAVAILABLE, Origin::Transport, true));
    }
    assert_eq!(client.end.go_aways[0].text, "bye");
    assert!(client.end.call(ids[0]).outcome.is_none());
    // The one that was taken is lost with the socket: it may have had an effect.
    client.end.end_of_input();
    let outcome = client.end.outcome(ids[0]);
    assert_eq!((outcome.code, outcome.origin, outcome.unprocessed), (UNAVAILABLE, Origin::Transport, false));
    let expected = "connection lost: the peer closed it; the peer had sent GOAWAY, code 0 (NO_ERROR), 'bye'";
    assert_eq!(outcome.message, expected);
    client.done();
}

#[test]
fn a_go_away_with_an_error_says_the_same_of_its_streams() {
    let mut client = Scripted::client(9);
    let (taken, above) = (client.end.ask("a"), client.end.ask("b"));
    client.heard();
    client.say(&[frames::go_away(taken, 11, "too_many_pings")]);
    assert!(client.end.outcome(above).unprocessed);
    let expected = "the peer closed the connection before it took the call; \
                    the peer had sent GOAWAY, code 11 (ENHANCE_YOUR_CALM), 'too_many_pings'";
    assert_eq!(client.end.outcome(above).message, expected);
    client.end.end_of_input();
    assert!(!client.end.outcome(taken).unprocessed);
    assert_eq!(client.end.code(taken), UNAVAILABLE);
    assert_eq!(client.end.go_aways[0].text, "too_many_pings");
    client.done();
}

#[test]
fn a_refused_stream_was_not_processed_and_others_may_have_been() {
    // REFUSED_STREAM, CANCEL, INTERNAL_ERROR, NO_ERROR.
    for (reason, code, unprocessed) in [(7, 14, true), (8, 1, false), (2, 13, false), (0, 13, false)] {
        let mut client = Scripted::client(10);
        let id = client.end.ask("a");
        client.heard();
        client.say(&[frames::rst_stream(id, reason)]);
        let outcome = client.end.outcome(id);
        assert_eq!((outcome.code, outcome.unprocessed), (code, unprocessed), "reason {reason}");
        client.done();
    }
}
