//! What does a peer get that breaks the rules of HTTP/2, or speaks something else?

mod common;

use bytes::Bytes;
use common::frames::{self, END_STREAM, Frame};
use common::{End, Happening, Rng, Scripted, ok, pattern, settings};
use penstock_core::{Origin, Side};
use std::sync::Arc;
use std::time::Duration;

const CANCELLED: u8 = 1;
const UNAVAILABLE: u8 = 14;

/// RST_STREAM, of these reasons.
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
    server.assert_serves(1);
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
fn a_peer_that_asks_and_never_reads_costs_a_bounded_output() {
    let flood = |frame: Frame| Bytes::from(frame.to_bytes().repeat(900));
    for flood in [flood(frames::ping(0, [1; 8])), flood(frames::settings(&[(frames::INITIAL_WINDOW_SIZE, 70_000)]))] {
        let mut server = Scripted::server(7);
        // A flush with DATA lifts the limit of the output, for as long as it takes.
        server.assert_serves(1);
        let connection = &mut server.end.connection;
        let (mut fed, mut unread) = (0, 0);
        // So slowly that it is no flood.
        let mut seconds = (0..).step_by(1000).map(Duration::from_secs);
        for _ in 0..200 {
            fed += flood.len();
            connection.tick(seconds.next().unwrap());
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
            while connection.step() {
                connection.tick(seconds.next().unwrap());
            }
            assert!(connection.unread() < unread, "each output taken lets some more be read");
            unread = connection.unread();
            steps += 1;
            assert!(steps < 1000);
        }
        connection.take_output(Vec::new());
        server.end.absorb();
        server.assert_serves(3);
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
    let pings = frames::ping(0, [1; 8]).to_bytes().repeat(6_000);
    let reads = [
        frames::request(1).to_bytes(),
        data(100).to_bytes(),
        data(10_000).to_bytes(),
        // Of these the last are not even read.
        pings.clone(),
        pings.clone(),
        pings.clone(),
        pings,
    ];
    let lent = Arc::new(());
    for (i, read) in reads.into_iter().enumerate() {
        server.end.connection.tick(Duration::from_secs(1000 * i as u64));
        let unread = server.end.connection.feed(Bytes::from_owner(Lent { _alive: lent.clone(), bytes: read }));
        assert_eq!(Arc::strong_count(&lent), 1, "read {i}");
        assert_eq!(unread > 0, i > 4, "{unread} bytes of read {i} are left");
    }
    server.end.absorb();
    server.heard();
    server.end.finish(1, ok());
    server.done();
}

#[test]
fn data_of_one_byte_a_frame_is_read() {
    let mut server = Scripted::server(8);
    let messages: Vec<Bytes> = (0..600).map(|i| pattern(i, 10)).collect();
    let bytes = messages.iter().flat_map(|message| frames::message(message)).collect::<Vec<_>>();
    let mut all = vec![frames::request(1)];
    all.extend(bytes.iter().map(|&byte| frames::data(1, 0, vec![byte])));
    all.push(frames::data(1, END_STREAM, ""));
    // 90 KB, in one read; more would be a flood.
    server.say_at_once(&all);
    assert!(server.end.closed.is_none(), "{:?}", server.end.closed);
    assert_eq!(server.end.messages(1), messages);
    server.end.finish(1, ok());
    server.done();
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
        assert_eq!(frames::reset_reason(&heard, id), expected, "stream {id}");
    }
    for &id in &ids[..5] {
        server.end.finish(id, ok());
    }
    server.flush();
    server.assert_serves(17);
    server.done();
}

// W43
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

// W44
#[test]
fn frames_of_a_stream_that_was_reset_here_are_ignored() {
    let mut server = Scripted::server(12);
    server.say(&[frames::request(1), frames::data(1, 0, frames::message(b"hello"))]);
    server.end.reset(1);
    assert_eq!(frames::reset_reason(&server.heard(), 1), Some(CANCEL));
    for _ in 0..100 {
        server.say(&[frames::data(1, 0, vec![0; 1000]), frames::window_update(1, 1000)]);
    }
    server.say(&[frames::data(1, END_STREAM, ""), frames::rst_stream(1, CANCEL)]);
    server.assert_serves(3);
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

// W44
#[test]
fn more_data_than_the_window_ends_its_call_only() {
    let mut server = Scripted::server(15);
    server.end.reads = false;
    server.say(&[frames::request(1)]);
    for _ in 0..5 {
        server.say(&[frames::data(1, 0, vec![0; 16 * 1024])]);
    }
    assert_eq!(frames::reset_reason(&server.heard(), 1), Some(FLOW_CONTROL_ERROR));
    assert!(server.end.is_over(1));
    server.end.reads = true;
    server.assert_serves(3);
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
    server.assert_serves(9001);
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
