//! What becomes of a call that breaks the rules or the limits of gRPC, and does it end alone?

mod common;

use common::frames::{self, END_STREAM, Frame};
use common::{Pair, Scripted, ok, pattern, status};
use penstock_core::wire::metadata::{Pairs, Value};
use penstock_core::{Call, Origin, Reply};

const CANCELLED: u8 = 1;
const UNKNOWN: u8 = 2;
const RESOURCE_EXHAUSTED: u8 = 8;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;

/// RST_STREAM, of these reasons.
const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;

#[test]
fn a_message_over_the_limit_ends_its_call_and_one_at_the_limit_does_not() {
    let mut pairs = Vec::new();
    for limit in [100, 100_000] {
        for (size, fits) in [(limit - 1, true), (limit, true), (limit + 1, false), (4 * limit, false)] {
            let mut pair = Pair::with(3, |settings| settings.max_receive_message_bytes = limit).settled();
            // To the server.
            let up = pair.client.open();
            pair.client.send_all(up, [pattern(0, 10), pattern(0, size)]);
            pair.settle();
            assert_eq!(pair.server.messages(up).len(), 1 + usize::from(fits));
            // To the client.
            let down = pair.client.ask("go");
            pair.settle();
            pair.server.send_all(down, [pattern(0, 10), pattern(0, size)]);
            pair.settle();
            assert_eq!(pair.client.messages(down).len(), 1 + usize::from(fits));
            if fits {
                assert!(pair.client.call(up).outcome.is_none() && pair.client.call(down).outcome.is_none());
                pair.client.half_close(up);
                pair.server.finish(up, ok());
                pair.server.finish(down, ok());
            } else {
                let expected = format!("message of {size} bytes exceeds max_receive_message_bytes={limit}");
                for (end, id, origin) in [
                    (&pair.server, up, Origin::Local),
                    (&pair.client, up, Origin::Remote),
                    (&pair.client, down, Origin::Local),
                ] {
                    let outcome = end.outcome(id);
                    assert_eq!((outcome.code, &outcome.message), (RESOURCE_EXHAUSTED, &expected));
                    assert_eq!(outcome.origin, origin);
                }
                assert_eq!((pair.server.code(down), pair.server.outcome(down).origin), (CANCELLED, Origin::Remote));
            }
            pairs.push(pair);
        }
    }
    Pair::all_done(pairs);
}

// W7
#[test]
fn a_message_is_refused_before_it_is_received() {
    let mut server = Scripted::server(4);
    server.say(&[frames::request(1), frames::data(1, 0, [0, 0xff, 0xff, 0xff, 0xff].as_slice().to_vec())]);
    assert_eq!(server.end.code(1), RESOURCE_EXHAUSTED);
    let heard = server.heard();
    assert!(heard.iter().any(|frame| frame.stream == 1 && frame.is_last()), "a status");
    assert_eq!(frames::reset_reason(&heard, 1), Some(NO_ERROR), "and no need to send the rest");
    server.say(&[frames::data(1, 0, vec![0; 10_000])]);
    server.assert_serves(3);
    server.done();
}

#[test]
fn a_flag_nobody_agreed_on_ends_the_call() {
    // 1 is a compressed message, without a coding.
    for flag in [1, 2, 255] {
        let bad = [&frames::message(b"good")[..], &[flag, 0, 0, 0, 1, 7]].concat();
        let mut server = Scripted::server(5);
        server.say(&[frames::request(1), frames::data(1, 0, bad.clone())]);
        assert_eq!((server.end.code(1), server.end.outcome(1).origin), (INTERNAL, Origin::Local));
        assert_eq!(server.end.messages(1), ["good"]);
        server.assert_serves(3);
        server.done();

        let mut client = Scripted::client(5);
        let id = client.end.ask("go");
        client.heard();
        client.say(&[frames::response(id), frames::data(id, 0, bad)]);
        assert_eq!((client.end.code(id), client.end.outcome(id).origin), (INTERNAL, Origin::Local));
        assert_eq!(client.end.messages(id), ["good"]);
        assert_eq!(frames::reset_reason(&client.heard(), id), Some(CANCEL));
        client.done();
    }
}

// W6
#[test]
fn a_stream_that_ends_inside_a_message_is_no_success() {
    let whole = frames::message(b"a message");
    for cut in 1..whole.len() {
        let part = whole[..cut].to_vec();
        let mut server = Scripted::server(6);
        server.say(&[frames::request(1), frames::data(1, END_STREAM, part.clone())]);
        assert_eq!((server.end.code(1), server.end.outcome(1).origin), (INTERNAL, Origin::Local));
        assert!(server.heard().iter().any(|frame| frame.stream == 1 && frame.is_last()));
        server.done();

        for (status, code) in [("0", INTERNAL), ("5", 5)] {
            let mut client = Scripted::client(6);
            let id = client.end.ask("go");
            client.heard();
            client.say(&[frames::response(id), frames::data(id, 0, part.clone()), frames::trailers(id, status)]);
            assert_eq!(client.end.code(id), code);
            client.done();
        }
    }
}

// W14
#[test]
fn a_header_list_over_the_peers_limit_is_not_sent() {
    let mut pair = Pair::new(9).settled();
    let large = vec![("k".to_owned(), Value::Text("v".repeat(20_000)))];
    let call = Call { path: "/a.B/C", authority: "test", secure: false, timeout: None, coding: None, metadata: &large };
    let error = pair.client.connection.open(&call).unwrap_err();
    assert!(error.to_string().contains("exceed the peer's limit of 16384"), "{error}");
    // The other way.
    let id = pair.client.ask("hello");
    pair.settle();
    let error = pair.server.connection.respond(id, &large).unwrap_err();
    assert!(error.to_string().contains("exceed the peer's limit of 16384"), "{error}");
    // An error keeps its code and loses what came with it; an OK without its metadata would be a lie.
    for (code, seen) in [(5, 5), (0, 8)] {
        let id = pair.client.ask("hello");
        pair.settle();
        pair.server.send(id, "message");
        pair.server.finish(id, Reply { trailers: large.clone(), ..status(code, "text") });
        pair.settle();
        assert_eq!((pair.client.code(id), &pair.client.outcome(id).trailers), (seen, &Pairs::new()));
    }
    pair.server.answer(id, "yes");
    pair.settle();
    assert_eq!(pair.client.messages(id), ["yes"]);
    pair.done();
}

// W14
#[test]
fn a_header_list_over_our_limit_ends_its_call_only() {
    // 400 times 10 and 10 bytes, and 32 that count for each.
    let many = [("many-names", "and-values"); 400];
    let with = |frame: &Frame, id, flags| {
        let more = frames::headers(id, flags, &many);
        let payload = [&frame.payload[..], &more.payload].concat();
        frames::frame(frames::HEADERS, more.flags, id, payload)
    };
    let mut server = Scripted::server(9);
    server.say(&[with(&frames::request(1), 1, END_STREAM)]);
    assert_eq!(server.end.opened(), 0);
    let heard = server.heard();
    assert!(heard.iter().any(|frame| frame.stream == 1 && frame.is_last()), "HTTP 431");
    server.assert_serves(3);
    server.done();

    let mut client = Scripted::client(9);
    let (in_head, in_trailers) = (client.end.ask("a"), client.end.ask("b"));
    client.heard();
    client.say(&[with(&frames::response(in_head), in_head, 0)]);
    assert_eq!(client.end.code(in_head), RESOURCE_EXHAUSTED);
    // Of trailers that are over the limit an error is left, and nothing that came with it.
    client.say(&[frames::response(in_trailers), with(&frames::trailers(in_trailers, "5"), in_trailers, END_STREAM)]);
    let outcome = client.end.outcome(in_trailers);
    assert!(outcome.code == 5 && outcome.trailers.len() < 400, "{outcome:?}");
    client.done();
}

#[test]
fn what_is_no_grpc_call_is_answered_and_not_served() {
    let changed = |changes: &[(&'static str, &'static str)]| {
        let mut pairs = vec![
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/a.B/C"),
            (":authority", "test"),
            ("content-type", "application/grpc"),
        ];
        for &(name, value) in changes {
            pairs.retain(|pair| pair.0 != name);
            let at = if name.starts_with(':') { 0 } else { pairs.len() };
            pairs.insert(at, (name, value));
        }
        pairs
    };
    let bad = [
        changed(&[(":method", "GET")]),
        changed(&[("content-type", "text/html")]),
        changed(&[("grpc-timeout", "soon")]),
        changed(&[("key-bin", "%%%")]),
        changed(&[("grpc-encoding", "br")]),
    ];
    let mut server = Scripted::server(17);
    for (i, pairs) in (0u32..).zip(&bad) {
        let id = 2 * i + 1;
        server.say(&[frames::headers(id, 0, pairs), frames::data(id, END_STREAM, frames::message(b"hello"))]);
        let heard = server.heard();
        assert!(heard.iter().any(|frame| frame.stream == id && frame.is_last()), "{pairs:?}");
    }
    assert_eq!(server.end.opened(), 0);
    server.assert_serves(99);
    server.done();
}

/// What a server says on a stream.
type Answer = fn(u32) -> Vec<Frame>;

#[test]
fn answers_that_are_no_grpc_end_their_call_once() {
    let answers: [(&str, Answer, u8); 8] = [
        ("HTTP 503", |id| vec![frames::headers(id, END_STREAM, &[(":status", "503")])], UNAVAILABLE),
        (
            "HTTP 404 with a body",
            |id| vec![frames::headers(id, 0, &[(":status", "404")]), frames::data(id, 1, "no")],
            12,
        ),
        (
            "another content type",
            |id| vec![frames::headers(id, 0, &[(":status", "200"), ("content-type", "text/html")])],
            UNKNOWN,
        ),
        ("no trailers", |id| vec![frames::response(id), frames::data(id, END_STREAM, "")], INTERNAL),
        (
            "trailers without status",
            |id| vec![frames::response(id), frames::headers(id, END_STREAM, &[("k", "v")])],
            UNKNOWN,
        ),
        ("DATA before the head", |id| vec![frames::data(id, 0, "x")], INTERNAL),
        ("a status that is none", |id| vec![frames::response(id), frames::trailers(id, "99")], UNKNOWN),
        (
            "bad base64",
            |id| {
                vec![frames::headers(
                    id,
                    0,
                    &[(":status", "200"), ("content-type", "application/grpc"), ("k-bin", "%")],
                )]
            },
            INTERNAL,
        ),
    ];
    for (what, answer, code) in answers {
        let mut client = Scripted::client(18);
        let id = client.end.ask("hello");
        client.heard();
        client.say(&answer(id));
        assert_eq!(client.end.code(id), code, "{what}: {:?}", client.end.outcome(id));
        client.done();
    }
    // An informational head before the real one is no answer yet.
    let mut client = Scripted::client(18);
    let id = client.end.ask("hello");
    client.heard();
    client.say(&[frames::headers(id, 0, &[(":status", "103")]), frames::response(id), frames::trailers(id, "0")]);
    assert_eq!(client.end.code(id), 0);
    client.done();
}
