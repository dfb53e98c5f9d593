//! What does a peer get that breaks the rules, and what does everybody else feel of it?

mod common;

use bytes::Bytes;
use common::frames::{self, END_STREAM, Frame};
use common::{End, Happening, Pair, Rng, Scripted, ok, pattern, settings, status};
use penstock_core::wire::metadata::{Pairs, Value};
use penstock_core::{Call, Origin, Reply, Side};
use std::sync::Arc;

const CANCELLED: u8 = 1;
const UNKNOWN: u8 = 2;
const RESOURCE_EXHAUSTED: u8 = 8;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;

/// RST_STREAM, of these reasons.
const NO_ERROR: u32 = 0;
const FLOW_CONTROL_ERROR: u32 = 3;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

/// Output is bounded by this and one frame more.
const OUTPUT_LIMIT: usize = 256 * 1024;

/// The output of a connection that was said these bytes, in pieces.
fn answer(end: &mut End, bytes: &[u8], piece: usize) -> Vec<u8> {
    for part in bytes.chunks(piece) {
        end.feed(Bytes::copy_from_slice(part));
    }
    let mut output = Vec::new();
    end.flush(|bytes| output.extend_from_slice(bytes));
    output
}

fn assert_foreign(end: &End, message: &str) {
    let closed = end.closed.as_ref().expect("it is over");
    assert!(closed.foreign && !closed.clean && closed.message.contains(message), "{closed:?}");
}

/// The reason of the RST_STREAM of a stream among frames.
fn reset_reason(frames: &[Frame], stream: u32) -> Option<u32> {
    frames.iter().find(|frame| frame.kind == frames::RST_STREAM && frame.stream == stream).map(|frame| frame.word(0))
}

/// The connection still serves.
fn assert_serves(server: &mut Scripted, id: u32) {
    server.say(&[frames::request(id), frames::data(id, END_STREAM, frames::message(b"hello"))]);
    assert_eq!(server.end.messages(id), ["hello"]);
    server.end.answer(id, "hello yourself");
    let heard = server.heard();
    assert!(heard.iter().any(|frame| frame.stream == id && frame.kind == frames::DATA));
    assert!(heard.iter().any(|frame| frame.stream == id && frame.is_last()));
}

#[test]
fn a_server_answers_those_who_speak_something_else() {
    for piece in [1, 3, 1000] {
        let mut http = End::of(Side::Server);
        let output = answer(&mut http, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", piece);
        assert!(output.starts_with(b"HTTP/1.1 505 "), "{}", String::from_utf8_lossy(&output));
        assert_foreign(&http, "HTTP/1");
        http.assert_idle();

        let mut tls = End::of(Side::Server);
        let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 500]].concat();
        assert_eq!(answer(&mut tls, &hello, piece), [0x15, 3, 1, 0, 2, 2, 0x46]);
        assert_foreign(&tls, "TLS");
        tls.assert_idle();

        let mut other = End::of(Side::Server);
        assert_eq!(answer(&mut other, b"\0\x01\x02 what is this", piece), b"");
        assert_foreign(&other, "not speak HTTP/2");
        other.assert_idle();
    }
}

#[test]
fn a_client_names_what_it_met() {
    let answers =
        [(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "HTTP/1"), (&[0x15, 3, 3, 0, 2, 2, 40], "TLS"), (&[9; 40], "not")];
    for (answer, message) in answers {
        let mut client = Scripted::new(2, settings(Side::Client));
        let id = client.end.ask("hello");
        client.say_bytes(answer);
        assert_foreign(&client.end, message);
        let outcome = client.end.outcome(id);
        assert_eq!((outcome.code, outcome.origin), (UNAVAILABLE, Origin::Transport));
        assert!(outcome.message.contains(message));
        client.done();
    }
}

#[test]
fn an_empty_read_is_not_the_end() {
    let mut server = Scripted::server(1);
    server.end.feed(Bytes::new());
    assert!(server.end.closed.is_none());
    assert_serves(&mut server, 1);
    server.end.feed(Bytes::new());
    server.done();
}

#[test]
fn one_wrong_byte_in_the_preface_is_enough() {
    for at in 0..frames::PREFACE.len() {
        for piece in [1, 100] {
            let mut server = End::of(Side::Server);
            let mut preface =
                [frames::PREFACE, &frames::settings(&[]).to_bytes(), &frames::request(1).to_bytes()].concat();
            preface[at] ^= 1;
            answer(&mut server, &preface, piece);
            assert!(server.closed.as_ref().is_some_and(|closed| closed.foreign), "byte {at}: {:?}", server.closed);
            assert_eq!(server.opened(), 0);
            server.assert_idle();
        }
    }
}

#[test]
fn a_message_over_the_limit_ends_its_call_and_one_at_the_limit_does_not() {
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
            pair.done();
        }
    }
}

#[test]
fn a_message_is_refused_before_it_is_received() {
    let mut server = Scripted::server(4);
    server.say(&[frames::request(1), frames::data(1, 0, [0, 0xff, 0xff, 0xff, 0xff].as_slice().to_vec())]);
    assert_eq!(server.end.code(1), RESOURCE_EXHAUSTED);
    let heard = server.heard();
    assert!(heard.iter().any(|frame| frame.stream == 1 && frame.is_last()), "a status");
    assert_eq!(reset_reason(&heard, 1), Some(NO_ERROR), "and no need to send the rest");
    server.say(&[frames::data(1, 0, vec![0; 10_000])]);
    assert_serves(&mut server, 3);
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
        assert_serves(&mut server, 3);
        server.done();

        let mut client = Scripted::client(5);
        let id = client.end.ask("go");
        client.heard();
        client.say(&[frames::response(id), frames::data(id, 0, bad)]);
        assert_eq!((client.end.code(id), client.end.outcome(id).origin), (INTERNAL, Origin::Local));
        assert_eq!(client.end.messages(id), ["good"]);
        assert_eq!(reset_reason(&client.heard(), id), Some(CANCEL));
        client.done();
    }
}

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

#[test]
fn a_peer_that_asks_and_never_reads_costs_a_bounded_output() {
    let flood = |frame: Frame| Bytes::from(frame.to_bytes().repeat(64 * 1024 / 17));
    for flood in [flood(frames::ping(0, [1; 8])), flood(frames::settings(&[(frames::INITIAL_WINDOW_SIZE, 70_000)]))] {
        let mut server = Scripted::server(7);
        // A flush with DATA lifts the limit of the output, for as long as it takes.
        assert_serves(&mut server, 1);
        let connection = &mut server.end.connection;
        let (mut fed, mut unread) = (0, 0);
        for _ in 0..200 {
            fed += flood.len();
            let left = connection.feed(flood.clone());
            assert!(left >= unread, "unread bytes are read in order");
            unread = left;
            connection.flush();
            assert!(connection.output_len() <= OUTPUT_LIMIT + 64 * 1024, "output {}", connection.output_len());
        }
        assert!(unread > fed / 2, "{unread} of {fed} unread");
        // It begins to read: everything is answered, and nothing is left.
        let mut steps = 0;
        while connection.unread() > 0 {
            connection.take_output(Vec::new());
            connection.flush();
            assert!(connection.unread() < unread, "each output taken lets some more be read");
            unread = connection.unread();
            steps += 1;
            assert!(steps < 1000);
        }
        connection.take_output(Vec::new());
        server.end.absorb();
        assert_serves(&mut server, 3);
        server.done();
    }
}

/// Bytes of a socket's buffer that somebody may still refer to.
struct Lent {
    _alive: Arc<()>,
    bytes: Vec<u8>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[test]
fn a_read_keeps_no_reference_to_its_buffer() {
    let mut server = Scripted::server(7);
    server.end.reads = false;
    server.heard();
    let data = |length| frames::data(1, 0, frames::message(&vec![7; length]));
    let pings = frames::ping(0, [1; 8]).to_bytes().repeat(40_000);
    let reads = [
        frames::request(1).to_bytes(),
        data(100).to_bytes(),
        data(10_000).to_bytes(),
        // Of these the last are not even read.
        pings.clone(),
        pings,
    ];
    let lent = Arc::new(());
    for (i, read) in reads.into_iter().enumerate() {
        let unread = server.end.connection.feed(Bytes::from_owner(Lent { _alive: lent.clone(), bytes: read }));
        assert_eq!(Arc::strong_count(&lent), 1, "read {i}");
        assert_eq!(unread > 0, i > 2, "{unread} bytes of read {i} are left");
    }
    server.end.absorb();
    server.heard();
    server.end.finish(1, ok());
    server.done();
}

#[test]
fn data_of_one_byte_a_frame_is_read() {
    let mut server = Scripted::server(8);
    let messages: Vec<Bytes> = (0..3000).map(|i| pattern(i, 10)).collect();
    let bytes = messages.iter().flat_map(|message| frames::message(message)).collect::<Vec<_>>();
    let mut all = vec![frames::request(1)];
    all.extend(bytes.iter().map(|&byte| frames::data(1, 0, vec![byte])));
    all.push(frames::data(1, END_STREAM, ""));
    // 450 KB, in one read.
    server.say_at_once(&all);
    assert!(server.end.closed.is_none(), "{:?}", server.end.closed);
    assert_eq!(server.end.messages(1), messages);
    server.end.finish(1, ok());
    server.done();
}

#[test]
fn a_header_list_over_the_peers_limit_is_not_sent() {
    let mut pair = Pair::new(9).settled();
    let large = vec![("k".to_owned(), Value::Text("v".repeat(20_000)))];
    let call = Call { path: "/a.B/C", authority: "test", secure: false, timeout: None, metadata: &large };
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
    assert_serves(&mut server, 3);
    server.done();

    let mut client = Scripted::client(9);
    let (in_head, in_trailers) = (client.end.ask("a"), client.end.ask("b"));
    client.heard();
    client.say(&[with(&frames::response(in_head), in_head, 0)]);
    assert_eq!(client.end.code(in_head), INTERNAL);
    // Of trailers h2 drops what is over the limit, and does not tell: the status came first.
    client.say(&[frames::response(in_trailers), with(&frames::trailers(in_trailers, "5"), in_trailers, END_STREAM)]);
    let outcome = client.end.outcome(in_trailers);
    assert!(outcome.code == 5 && outcome.trailers.len() < 400, "{outcome:?}");
    client.done();
}

#[test]
fn calls_above_the_limit_of_streams_are_refused() {
    let mut settings = settings(Side::Server);
    settings.max_concurrent_streams = 5;
    let mut server = Scripted::new(10, settings);
    server.say_bytes(frames::PREFACE);
    server.say(&[frames::settings(&[]), frames::settings_ack()]);
    let ids: Vec<u32> = (0..8).map(|i| 2 * i + 1).collect();
    for &id in &ids {
        server.say(&[frames::request(id), frames::data(id, END_STREAM, frames::message(b"hello"))]);
    }
    assert_eq!(server.end.opened(), 5);
    let heard = server.heard();
    for &id in &ids {
        let expected = (id > 9).then_some(REFUSED_STREAM);
        assert_eq!(reset_reason(&heard, id), expected, "stream {id}");
    }
    for &id in &ids[..5] {
        server.end.finish(id, ok());
    }
    server.flush();
    assert_serves(&mut server, 17);
    server.done();
}

#[test]
fn a_client_keeps_to_the_limit_of_its_server() {
    let mut client = Scripted::client(11);
    assert!(client.end.connection.max_calls() > 3);
    client.say(&[frames::settings(&[(frames::MAX_CONCURRENT_STREAMS, 3)])]);
    assert_eq!(client.end.connection.max_calls(), 3);
    assert_eq!(client.end.settings_seen, 2);
    client.end.end_of_input();
    client.done();
}

#[test]
fn frames_of_a_stream_that_was_reset_here_are_ignored() {
    let mut server = Scripted::server(12);
    server.say(&[frames::request(1), frames::data(1, 0, frames::message(b"hello"))]);
    server.end.reset(1);
    assert_eq!(reset_reason(&server.heard(), 1), Some(CANCEL));
    for _ in 0..100 {
        server.say(&[frames::data(1, 0, vec![0; 1000]), frames::window_update(1, 1000)]);
    }
    server.say(&[frames::data(1, END_STREAM, ""), frames::rst_stream(1, CANCEL)]);
    assert_serves(&mut server, 3);
    server.done();
}

#[test]
fn frames_that_break_the_protocol_end_the_connection() {
    let bad: [(&str, Vec<Frame>); 9] = [
        ("DATA after END_STREAM", vec![frames::data(1, END_STREAM, ""), frames::data(1, 0, "more")]),
        ("DATA of an idle stream", vec![frames::data(99, 0, "x")]),
        ("RST_STREAM of an idle stream", vec![frames::rst_stream(99, CANCEL)]),
        ("an even stream", vec![frames::request(2)]),
        ("DATA of stream 0", vec![frames::data(0, 0, "x")]),
        ("a WINDOW_UPDATE of nothing", vec![frames::window_update(0, 0)]),
        ("a connection window over 2^31-1", vec![frames::window_update(0, (1 << 31) - 1)]),
        ("a SETTINGS of the wrong length", vec![frames::frame(frames::SETTINGS, 0, 0, "12345")]),
        ("a frame over the limit", vec![frames::data(1, 0, vec![0; 16 * 1024 + 1])]),
    ];
    for (what, frames) in bad {
        let mut server = Scripted::server(13);
        server.say(&[frames::request(1)]);
        server.heard();
        server.say(&frames);
        let closed = server.end.closed.as_ref().unwrap_or_else(|| panic!("{what}: it goes on"));
        assert!(!closed.clean && !closed.foreign, "{what}: {closed:?}");
        assert_eq!(server.end.code(1), CANCELLED, "{what}: {:?}", server.end.outcome(1));
        assert!(server.heard().iter().any(|frame| frame.kind == frames::GOAWAY && frame.word(4) != 0), "{what}");
        server.done();
    }
}

#[test]
fn half_closed_calls_hear_of_a_broken_connection() {
    let mut server = Scripted::server(14);
    server.say(&[frames::request(1), frames::data(1, END_STREAM, frames::message(b"go"))]);
    server.end.send(1, "answer");
    server.heard();
    server.say(&[frames::data(99, 0, "x")]);
    let outcome = server.end.outcome(1);
    assert_eq!((outcome.code, outcome.origin), (CANCELLED, Origin::Transport), "{outcome:?}");
    server.done();
}

#[test]
fn more_data_than_the_window_ends_its_call_only() {
    let mut server = Scripted::server(15);
    server.end.reads = false;
    server.say(&[frames::request(1)]);
    for _ in 0..5 {
        server.say(&[frames::data(1, 0, vec![0; 16 * 1024])]);
    }
    assert_eq!(reset_reason(&server.heard(), 1), Some(FLOW_CONTROL_ERROR));
    assert!(server.end.is_over(1));
    server.end.reads = true;
    assert_serves(&mut server, 3);
    server.done();
}

#[test]
fn a_header_block_without_end_ends_the_connection() {
    let mut server = Scripted::server(16);
    let mut head = frames::request(1);
    head.flags &= !frames::END_HEADERS;
    let mut all = vec![head];
    all.extend((0..10_000).map(|_| frames::frame(frames::CONTINUATION, 0, 1, "")));
    server.say(&all);
    assert!(server.end.closed.is_some());
    assert_eq!(server.end.opened(), 0);
    server.done();
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
        changed(&[("grpc-encoding", "gzip")]),
    ];
    let mut server = Scripted::server(17);
    for (i, pairs) in (0u32..).zip(&bad) {
        let id = 2 * i + 1;
        server.say(&[frames::headers(id, 0, pairs), frames::data(id, END_STREAM, frames::message(b"hello"))]);
        let heard = server.heard();
        assert!(heard.iter().any(|frame| frame.stream == id && frame.is_last()), "{pairs:?}");
    }
    assert_eq!(server.end.opened(), 0);
    assert_serves(&mut server, 99);
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
        ("no status", |id| vec![frames::response(id), frames::data(id, END_STREAM, "")], UNKNOWN),
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

#[test]
fn a_rapid_reset_is_survived_and_counted() {
    let mut server = Scripted::server(19);
    let mut all = Vec::new();
    for id in (0..4000).map(|i| 2 * i + 1) {
        all.extend([frames::request(id), frames::rst_stream(id, CANCEL)]);
    }
    // All in one read, before anything can be accepted.
    server.say_at_once(&all);
    assert!(server.end.closed.is_none(), "{:?}", server.end.closed);
    assert_eq!(server.end.connection.counters().resets, 4000);
    assert!(server.end.opened() <= 4000);
    assert_serves(&mut server, 9001);
    server.done();
}

/// Frames of every kind, some good, some broken, on a few streams.
fn soup(rng: &mut Rng, ids: u32) -> Vec<Frame> {
    let length = 1 + rng.below(60);
    (0..length)
        .map(|_| {
            let id = u32::try_from(rng.below(2 * ids as usize + 1)).unwrap();
            let mut frame = match rng.below(14) {
                0 | 1 => frames::request(id),
                2 => frames::response(id),
                3 => frames::trailers(id, "0"),
                4 | 5 => frames::data(id, 0, frames::message(&vec![7; rng.below(3000)])),
                6 => frames::data(id, END_STREAM, frames::message(b"last")),
                7 => frames::rst_stream(id, u32::try_from(rng.below(14)).unwrap()),
                8 => frames::window_update(id, u32::try_from(rng.below(70_000)).unwrap()),
                9 => frames::settings(&[(frames::INITIAL_WINDOW_SIZE, u32::try_from(rng.below(100_000)).unwrap())]),
                10 => frames::ping(0, [3; 8]),
                11 => frames::go_away(id, u32::try_from(rng.below(3)).unwrap(), "soup"),
                12 => frames::padded_data(id, &[0, 0, 0, 0, 1, 9], 20),
                _ => frames::frame(u8::try_from(rng.below(12)).unwrap(), 0, id, vec![0; rng.below(20)]),
            };
            if rng.chance(10) {
                frame.flags ^= 1 << rng.below(8);
            }
            frame
        })
        .collect()
}

#[test]
fn no_soup_of_frames_breaks_a_promise() {
    let seeds = if cfg!(debug_assertions) { 500 } else { 20_000 };
    for seed in 0..seeds {
        let mut rng = Rng::new(seed);
        let mut peer = if seed % 2 == 0 { Scripted::server(seed) } else { Scripted::client(seed) };
        peer.end.react(|end, id, what| {
            if let Happening::Message(message) = what {
                end.send(id, message);
            }
        });
        if seed % 2 == 1 {
            for _ in 0..5 {
                peer.end.ask(pattern(0, 10_000));
            }
            peer.flush();
        }
        let mut bytes: Vec<u8> = soup(&mut rng, 8).iter().flat_map(Frame::to_bytes).collect();
        if rng.chance(30) {
            let at = rng.below(bytes.len());
            bytes[at] = bytes[at].wrapping_add(u8::try_from(1 + rng.below(255)).unwrap());
        }
        peer.say_bytes(&bytes);
        if rng.chance(50) {
            peer.end.connection.shut_down();
            peer.flush();
        }
        peer.end.end_of_input();
        assert!(peer.end.closed.is_some());
        peer.done();
    }
}
