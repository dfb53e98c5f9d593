//! However a connection ends: does every call end once, and the connection itself once and last?

mod common;

use bytes::Bytes;
use common::frames::{self, END_STREAM};
use common::{End, Happening, Pair, Scripted, echo, ok, pattern, settings, status};
use penstock_core::wire::metadata::Pairs;
use penstock_core::{Call, CallError, Closed, Event, Origin, Payload, Pushed, Reason, Received, Side};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const CANCELLED: u8 = 1;
const UNAVAILABLE: u8 = 14;

fn assert_clean(end: &End) {
    let closed = end.closed.as_ref().expect("the connection is over");
    assert!(closed.clean && !closed.foreign, "{closed:?}");
}

fn assert_broken(end: &End, message: &str) {
    let expected = Closed { message: message.to_owned(), clean: false, foreign: false };
    assert_eq!(end.closed.as_ref(), Some(&expected));
}

fn assert_refuses_calls(client: &mut End) {
    let call =
        Call { path: "/a.B/C", authority: "test", secure: false, timeout: None, coding: None, metadata: &Pairs::new() };
    assert!(matches!(client.connection.open(&call), Err(CallError::Connection(_))));
    assert_eq!(client.connection.max_calls(), 0);
}

#[test]
fn an_idle_connection_shuts_down() {
    for seed in 0..10 {
        for by_server in [true, false] {
            let mut pair = Pair::new(seed).settled();
            if by_server {
                pair.server.connection.shut_down();
            } else {
                pair.client.connection.shut_down();
            }
            pair.settle();
            assert_clean(&pair.client);
            assert_clean(&pair.server);
            assert_refuses_calls(&mut pair.client);
            pair.done();
        }
    }
}

#[test]
fn open_calls_finish_while_a_server_shuts_down() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed).settled();
        pair.server.react(echo);
        let messages: Vec<Bytes> = (0..10).map(|i| pattern(i, i * 5_000)).collect();
        let ids: Vec<u32> = (0..10).map(|_| pair.client.open()).collect();
        for &id in &ids {
            pair.client.send_all(id, messages[..5].to_vec());
        }
        pair.settle();
        pair.server.connection.shut_down();
        for (i, &id) in ids.iter().enumerate() {
            // Some were half-closed before the client knows, and some go on for long after.
            if i % 2 == 0 {
                pair.client.half_close(id);
            }
        }
        pair.settle();
        assert_eq!(pair.client.go_aways.len(), 2, "one that warns, one with the last stream");
        assert_refuses_calls(&mut pair.client);
        assert!(pair.server.closed.is_none() && pair.client.closed.is_none());
        for (i, &id) in ids.iter().enumerate() {
            if i % 2 == 0 {
                assert_eq!(pair.client.messages(id), &messages[..5]);
            } else {
                pair.client.send_all(id, messages[5..].to_vec());
                pair.client.half_close(id);
            }
        }
        pair.settle();
        for (i, &id) in ids.iter().enumerate() {
            assert_eq!((pair.client.code(id), pair.client.outcome(id).origin), (0, Origin::Remote));
            assert_eq!((pair.server.code(id), pair.server.outcome(id).origin), (0, Origin::Local));
            assert_eq!(pair.client.messages(id), if i % 2 == 0 { &messages[..5] } else { &messages[..] });
        }
        assert_clean(&pair.client);
        assert_clean(&pair.server);
        pair.done();
    }
}

#[test]
fn calls_on_the_way_when_the_server_shuts_down_are_served() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed).settled();
        pair.server.react(echo);
        pair.server.connection.shut_down();
        pair.flush_server();
        // The GOAWAY is on its way, the client does not know of it.
        let ids = [pair.client.ask("one"), pair.client.ask(pattern(0, 100_000))];
        pair.flush_client();
        pair.settle();
        for id in ids {
            assert_eq!((pair.client.outcome(id).message.as_str(), pair.client.messages(id).len()), ("", 1));
        }
        assert_clean(&pair.client);
        assert_clean(&pair.server);
        pair.done();
    }
}

#[test]
fn a_call_after_the_last_stream_is_not_served() {
    let mut server = Scripted::server(1);
    server.say(&[frames::request(1)]);
    server.heard();
    server.end.connection.shut_down();
    let heard = server.heard();
    let (go_away, ping) = (&heard[0], &heard[1]);
    assert_eq!((go_away.kind, go_away.word(0), go_away.word(4)), (frames::GOAWAY, (1 << 31) - 1, 0));
    assert_eq!(ping.kind, frames::PING);
    server.say(&[frames::request(3), frames::data(3, END_STREAM, "")]);
    assert_eq!(server.end.opened(), 2, "it was sent before the client could know");
    server.say(&[frames::ping(frames::ACK, ping.payload[..].try_into().unwrap())]);
    let last = server.heard().into_iter().find(|frame| frame.kind == frames::GOAWAY).expect("the second GOAWAY");
    assert_eq!((last.word(0), last.word(4)), (3, 0));
    server.say(&[frames::request(5), frames::data(5, END_STREAM, "")]);
    assert_eq!(server.end.opened(), 2);
    server.end.finish(3, ok());
    server.flush();
    assert!(server.end.closed.is_none());
    server.say(&[frames::data(1, END_STREAM, "")]);
    server.end.finish(1, ok());
    assert!(server.heard().iter().any(|frame| frame.stream == 1 && frame.is_last()), "the last answer leaves");
    assert_clean(&server.end);
    server.done();
}

#[test]
fn a_server_shuts_down_though_the_client_has_not_said_hello() {
    let mut server = Scripted::new(2, settings(Side::Server));
    server.flush();
    server.end.connection.shut_down();
    server.say_bytes(frames::PREFACE);
    server.say(&[frames::settings(&[]), frames::settings_ack()]);
    let heard = server.heard();
    assert!(heard.iter().any(|frame| frame.kind == frames::GOAWAY), "{heard:?}");
    let ping = heard.iter().find(|frame| frame.kind == frames::PING).expect("a PING follows");
    server.say(&[frames::ping(frames::ACK, ping.payload[..].try_into().unwrap())]);
    assert_clean(&server.end);
    server.done();
}

#[test]
fn a_client_shuts_down_when_its_calls_are_done() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed).settled();
        pair.server.react(echo);
        let (short, long) = (pair.client.ask("short"), pair.client.open());
        pair.client.connection.shut_down();
        assert_refuses_calls(&mut pair.client);
        pair.settle();
        assert_eq!(pair.client.messages(short), ["short"]);
        assert!(pair.client.closed.is_none() && pair.server.closed.is_none());
        pair.client.send(long, pattern(0, 300_000));
        pair.client.half_close(long);
        pair.settle();
        assert_eq!((pair.client.code(long), pair.client.messages(long)), (0, &[pattern(0, 300_000)][..]));
        assert_clean(&pair.client);
        assert_clean(&pair.server);
        pair.done();
    }
}

#[test]
fn a_shut_down_ends_when_the_last_call_is_cancelled() {
    for (by_server, cancelled_by_server) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut pair = Pair::new(3).settled();
        let id = pair.client.open();
        pair.client.send(id, pattern(0, 200_000));
        pair.server.reads = false;
        pair.settle();
        if by_server {
            pair.server.connection.shut_down();
        } else {
            pair.client.connection.shut_down();
        }
        pair.settle();
        if cancelled_by_server {
            pair.server.reset(id);
        } else {
            pair.client.reset(id);
        }
        pair.settle();
        assert_clean(&pair.client);
        assert_clean(&pair.server);
        pair.done();
    }
}

/// A pair with calls in every state: half-closed, streaming both ways, not read, about to end.
fn busy_pair(seed: u64) -> Pair {
    let mut pair = Pair::new(seed).settled();
    for i in 0..12 {
        let id = pair.client.open();
        pair.client.send_all(id, (0..i).map(|n| pattern(n, 9_000)));
        if i % 3 == 0 {
            pair.client.half_close(id);
        }
    }
    pair.server.react(|server, id, what| {
        if let Happening::Opened = what {
            match id % 8 {
                1 => server.send(id, pattern(0, 300_000)),
                3 => server.stop_reading(id),
                5 => server.answer(id, "done"),
                _ => {}
            }
        }
    });
    for _ in 0..seed {
        pair.step();
    }
    pair
}

#[test]
fn an_abort_ends_every_call_now() {
    for seed in 0..40 {
        let mut pair = busy_pair(seed);
        let (aborted, other) =
            if seed % 2 == 0 { (&mut pair.server, &mut pair.client) } else { (&mut pair.client, &mut pair.server) };
        aborted.abort("enough of it");
        assert_broken(aborted, "enough of it");
        assert_eq!(aborted.connection.open_calls(), 0);
        aborted.abort("again");
        assert!(other.closed.is_none());
        // The other end reads what was on the way, then the end of the socket.
        pair.settle();
        pair.client.end_of_input();
        pair.server.end_of_input();
        for (id, call) in &pair.server.calls {
            let outcome = call.outcome.as_ref().expect("it is over");
            let expected = if outcome.origin == Origin::Transport { CANCELLED } else { 0 };
            assert_eq!(outcome.code, expected, "call {id} on the server: {outcome:?}");
        }
        pair.done();
    }
}

#[test]
fn an_aborting_server_says_go_away() {
    let mut server = Scripted::server(4);
    server.say(&[frames::request(1), frames::request(3)]);
    server.heard();
    server.end.abort("no more");
    let heard = server.heard();
    let go_away = heard.iter().find(|frame| frame.kind == frames::GOAWAY).expect("a GOAWAY");
    assert_eq!((go_away.word(0), go_away.word(4)), (3, 0));
    for id in [1, 3] {
        assert_eq!((server.end.code(id), server.end.outcome(id).origin), (CANCELLED, Origin::Transport));
    }
    assert_broken(&server.end, "no more");
    server.done();
}

#[test]
fn an_abort_needs_nobody_who_reads() {
    let mut server = Scripted::server(4);
    server.say(&[frames::request(1), frames::data(1, END_STREAM, ""), frames::request(3)]);
    server.heard();
    // The peer asks and does not read: no GOAWAY fits into the output.
    let pings = Bytes::from(frames::ping(0, [1; 8]).to_bytes().repeat(6_000));
    let mut unread = 0;
    for hour in 1..=4 {
        server.end.connection.tick(Duration::from_hours(hour)); // so slowly that it is no flood
        unread = server.end.connection.feed(pings.clone());
    }
    assert!(unread > 0);
    server.end.abort("no more");
    for id in [1, 3] {
        assert_eq!((server.end.code(id), server.end.outcome(id).origin), (CANCELLED, Origin::Transport));
    }
    assert_broken(&server.end, "no more");
    assert_eq!(server.end.connection.unread(), 0);
    server.done();
}

// W24
#[test]
fn the_end_of_the_socket_ends_every_call() {
    for seed in 0..60 {
        let mut pair = busy_pair(seed);
        let busy = [&pair.client, &pair.server].map(|end| end.connection.open_calls() > 0);
        pair.cut();
        for (end, busy) in [&pair.client, &pair.server].into_iter().zip(busy) {
            if busy {
                assert_broken(end, "the peer closed the connection");
            }
        }
        for call in pair.client.calls.values() {
            let outcome = call.outcome.as_ref().expect("it is over");
            if outcome.origin == Origin::Transport {
                assert_eq!((outcome.code, outcome.unprocessed), (UNAVAILABLE, false));
                assert!(!outcome.message.contains("broken pipe"), "{}", outcome.message);
            }
        }
        pair.done();
    }
}

#[test]
fn the_end_of_an_idle_socket_is_clean() {
    for seed in 0..4 {
        let mut pair = Pair::new(seed).settled();
        pair.server.react(echo);
        let id = pair.client.ask("hello");
        pair.settle();
        assert_eq!(pair.client.code(id), 0);
        pair.cut();
        assert_clean(&pair.client);
        assert_clean(&pair.server);
        pair.done();
    }
}

#[test]
fn what_came_before_the_end_of_the_socket_is_delivered() {
    let mut client = Scripted::client(5);
    client.end.reads = false;
    let (done, open) = (client.end.ask("a"), client.end.ask("b"));
    client.heard();
    for id in [done, open] {
        client.say(&[frames::response(id), frames::data(id, 0, frames::message(b"first"))]);
    }
    let last = [frames::data(open, 0, frames::message(b"second")), frames::trailers(done, "0")];
    client.end.connection.feed(last.map(|frame| frame.to_bytes()).concat().into());
    client.end.end_of_input();
    assert_eq!((client.end.code(done), client.end.messages(done).len()), (0, 1));
    assert_eq!((client.end.code(open), client.end.messages(open).len()), (UNAVAILABLE, 2));
    client.done();
}

#[test]
fn the_socket_ends_before_or_inside_the_first_bytes() {
    let opening = [frames::PREFACE, &frames::settings(&[]).to_bytes()].concat();
    for length in 0..opening.len() {
        let mut server = Scripted::new(6, settings(Side::Server));
        server.say_bytes(&opening[..length]);
        server.end.end_of_input();
        assert!(server.end.closed.is_some(), "after {length} bytes");
        server.done();
        let mut client = Scripted::new(6, settings(Side::Client));
        let id = client.end.ask("hello");
        let hello = frames::settings(&[]).to_bytes();
        client.say_bytes(&hello[..length.min(hello.len())]);
        client.end.end_of_input();
        assert_eq!(client.end.code(id), UNAVAILABLE);
        client.done();
    }
}

#[test]
fn nothing_happens_on_a_connection_that_is_over() {
    for ended in 0..4 {
        let mut pair = Pair::new(7).settled();
        let id = pair.client.ask("hello");
        pair.settle();
        for end in [&mut pair.client, &mut pair.server] {
            match ended {
                0 => end.connection.end_of_input(),
                1 => end.connection.abort("over", Reason::NO_ERROR, ""),
                2 => end.connection.poison("over"),
                _ => drop(end.connection.feed(frames::ping(0, [0; 8]).to_bytes().repeat(2)[..20].to_vec().into())),
            }
            if ended == 3 {
                end.connection.end_of_input();
            }
            end.absorb();
            end.flush(|_| ());
            assert!(end.closed.is_some());
            let connection = &mut end.connection;
            assert_eq!(connection.push(id, &Payload::Borrowed(b"x")), Pushed::Gone);
            assert_eq!(connection.take(id), Received::Gone);
            assert_eq!(connection.respond(id, &Pairs::new()), Ok(false));
            assert_eq!(connection.finish(id, &status(3, "late"), false), Ok(()));
            assert!(connection.await_message(id) && !connection.await_room(id));
            assert!(!connection.replace_newest(id, &Payload::Borrowed(b"x")));
            connection.half_close(id);
            connection.took(id, 100);
            connection.reset(id, Reason::CANCEL);
            connection.shut_down();
            connection.abort("again", Reason::NO_ERROR, "");
            connection.go_away(Reason::NO_ERROR, "again");
            connection.finish_shutdown();
            connection.ping();
            connection.end_of_input();
            connection.poison("again");
            assert_eq!(connection.feed(Bytes::from_static(b"bytes that come late")), 0);
            assert_eq!((connection.queued(id), connection.held(id), connection.max_calls()), (0, 0, 0));
            assert_eq!(connection.take_events(), []);
            assert!(!connection.flush() && !connection.has_work());
        }
        assert_refuses_calls(&mut pair.client);
        pair.done();
    }
}

/// A payload that panics when it is dropped, which h2 does while it holds its lock.
struct Bomb;

impl AsRef<[u8]> for Bomb {
    fn as_ref(&self) -> &[u8] {
        &[0; 9_000]
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb of a test");
    }
}

#[test]
fn a_panic_inside_h2_ends_the_connection_and_not_the_process() {
    let mut pair = Pair::new(8).settled();
    let ids: Vec<u32> = (0..5).map(|_| pair.client.ask("hello")).collect();
    pair.settle();
    for &id in &ids {
        pair.server.send(id, "answer");
    }
    let payload = Payload::Shared(Bytes::from_owner(Bomb));
    assert_eq!(pair.server.connection.push(ids[0], &payload), Pushed::Queued);
    // The queue has the only reference that is left.
    drop(payload);
    let flushed = catch_unwind(AssertUnwindSafe(|| pair.server.connection.flush()));
    assert!(flushed.is_err(), "the bomb went off");
    pair.server.connection.poison("the engine failed");
    let events = pair.server.connection.take_events();
    let ended =
        events.iter().filter(|event| matches!(event, Event::Ended(_, outcome, ..) if outcome.code == CANCELLED));
    assert_eq!((ended.count(), events.len()), (ids.len(), ids.len() + 1));
    let closed = Closed { message: "the engine failed".to_owned(), clean: false, foreign: false };
    assert_eq!(events.last(), Some(&Event::Closed(closed)));
    let server = &mut pair.server.connection;
    server.take_output(Vec::new());
    assert!(!server.has_work() && server.open_calls() == 0);
    assert_eq!(server.push(ids[1], &Payload::Borrowed(b"x")), Pushed::Gone);
    server.flush();
    // Nothing was said to the client; its socket ends.
    pair.server = End::of(Side::Server);
    pair.client.end_of_input();
    assert!(ids.iter().all(|&id| pair.client.code(id) == UNAVAILABLE));
    pair.client.flush(|_| ());
    pair.server.end_of_input();
    pair.server.flush(|_| ());
    pair.done();
}
