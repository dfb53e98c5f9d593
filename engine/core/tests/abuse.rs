//! What becomes of a peer that keeps the rules of HTTP/2 and abuses them?

mod common;

use bytes::Bytes;
use common::frames::{self, ACK, CONTINUATION, END_HEADERS, END_STREAM, Frame, GOAWAY, PING};
use common::{Scripted, ok};
use penstock_core::Abuse;
use std::time::Duration;

const PRIORITY: u8 = 2;
const CANCEL: u32 = 8;

#[test]
fn a_flood_of_frames_that_do_nothing_ends_the_connection() {
    let floods = [
        (frames::ping(0, [1; 8]), Abuse::ControlFlood),
        (frames::ping(ACK, [1; 8]), Abuse::ControlFlood),
        (frames::window_update(0, 1), Abuse::ControlFlood),
        (frames::rst_stream(1, CANCEL), Abuse::ControlFlood),
        (frames::data(3, 0, "x"), Abuse::DataFlood),
    ];
    for (flood, abuse) in floods {
        let mut server = Scripted::server(11);
        server.say(&[frames::request(1), frames::rst_stream(1, CANCEL), frames::request(3)]);
        server.say(&[frames::data(3, 0, vec![0, 0, 1, 0, 0])]);
        server.say(&vec![flood.clone(); 9_900]);
        assert!(server.end.closed.is_none(), "{abuse:?}: {:?}", server.end.closed);
        server.say(&vec![flood.clone(); 200]);
        assert_eq!(server.end.abuses, [(abuse, true)]);
        let last = server.heard().into_iter().rev().find(|frame| frame.kind == GOAWAY).expect("it says why");
        assert!(last.payload.ends_with(abuse.name().as_bytes()), "{last:?}");
        server.done();
    }
}

#[test]
fn empty_data_is_cut_off_by_its_rate_and_not_by_its_count() {
    let mut server = Scripted::server(15);
    server.say(&[frames::request(1), frames::data(1, 0, vec![0, 0, 0])]);
    for second in 0..200 {
        server.end.connection.tick(Duration::from_secs(second));
        server.say(&vec![frames::data(1, 0, ""); 10]);
    }
    assert!(server.end.closed.is_none(), "{:?}", server.end.closed);
    server.say(&[
        frames::data(1, 0, ""),
        frames::data(1, 0, vec![0, 2, 7]),
        frames::data(1, 0, ""),
        frames::data(1, 0, "8"),
    ]);
    server.end.read(1);
    assert_eq!(server.end.messages(1), ["\x078"]);
    server.say(&vec![frames::data(1, 0, ""); 11_000]);
    assert_eq!(server.end.abuses, [(Abuse::DataFlood, true)]);
    server.done();
}

#[test]
fn empty_data_where_none_may_be_is_an_error_as_before() {
    let places: [&[Frame]; 4] = [
        &[frames::data(0, 0, "")],
        &[frames::data(1, 0, "")],
        &[frames::request(1), frames::data(1, END_STREAM, ""), frames::data(1, 0, "")],
        &[frames::headers(1, 0, &[(":method", "POST")]), frames::data(1, 0, "")],
    ];
    for said in places {
        let mut server = Scripted::server(16);
        server.say(said);
        let heard = server.heard();
        assert!(heard.iter().any(|frame| frame.kind == GOAWAY || frame.kind == frames::RST_STREAM), "{said:?}");
        server.done();
    }
}

#[test]
fn a_client_that_cancels_all_its_calls_lives_and_is_told_of_once() {
    let mut server = Scripted::server(12);
    for id in (1..20_001).step_by(2) {
        server.say_at_once(&[frames::request(id), frames::rst_stream(id, CANCEL)]);
    }
    assert_eq!(server.end.abuses, [(Abuse::RapidReset, false)]);
    assert!(server.end.connection.is_spoiling());
    assert_eq!(server.end.opened(), 0, "nobody need see a call that is cancelled in the read that brought it");
    server.end.connection.tick(Duration::from_secs(1));
    server.assert_serves(20_001);
    server.end.connection.tick(Duration::from_secs(2));
    server.assert_serves(20_003);
    assert!(!server.end.connection.is_spoiling());
    server.done();
}

#[test]
fn a_client_that_leaves_long_open_calls_is_not_told_of() {
    let mut server = Scripted::server(1);
    for id in (1..2_001).step_by(2) {
        server.say_at_once(&[frames::request(id)]);
    }
    server.end.connection.tick(Duration::from_secs(1));
    for id in (1..2_001).step_by(2) {
        server.say_at_once(&[frames::rst_stream(id, CANCEL)]);
    }
    assert_eq!(server.end.abuses, []);
    assert!(!server.end.connection.is_spoiling());
    server.done();
}

#[test]
fn a_peer_that_makes_a_server_reset_its_calls_is_cut_off() {
    let breaches: [fn(u32) -> Frame; 2] = [
        |id| frames::window_update(id, (1 << 31) - 1),
        |id| frames::frame(PRIORITY, 0, id, [&id.to_be_bytes()[..], &[16]].concat()),
    ];
    for breach in breaches {
        let mut server = Scripted::server(13);
        let mut calls = 0;
        while server.end.closed.is_none() && calls < 3000 {
            let id = 2 * calls + 1;
            server.say(&[frames::request(id), breach(id)]);
            calls += 1;
        }
        assert_eq!(calls, 1001, "{:?}", server.end.closed);
        assert_eq!(server.end.abuses.last(), Some(&(Abuse::MadeResets, true)));
        server.done();
    }
}

#[test]
fn a_read_is_looked_at_in_steps_that_end_between_frames() {
    let mut server = Scripted::server(14);
    let pings: Vec<u8> = (0..1000_u64).flat_map(|n| frames::ping(0, n.to_be_bytes()).to_bytes()).collect();
    let connection = &mut server.end.connection;
    connection.receive(pings.clone().into());
    let mut lefts = vec![connection.unread()];
    while connection.step() {
        lefts.push(connection.keep());
    }
    assert!(lefts.iter().all(|left| left % 17 == 0), "{lefts:?}");
    assert_eq!(lefts.len(), 1000_usize.div_ceil(128));
    // Between two steps a flush sends what was answered so far.
    connection.receive(pings.into());
    connection.step();
    assert!(connection.flush());
    assert!(connection.unread() > 0);
    while connection.step() {}
    server.end.absorb();
    assert_eq!(server.heard().iter().filter(|frame| frame.kind == PING).count(), 2000);
    server.done();
}

#[test]
fn a_header_block_that_does_not_end_is_told() {
    let mut server = Scripted::server(15);
    let request = frames::request(1).to_bytes();
    for cut in 0..request.len() {
        let mut server = Scripted::server(15);
        server.end.feed(Bytes::copy_from_slice(&request[..cut]));
        // Of its head it cannot be known what it will be.
        assert_eq!(server.end.connection.is_in_headers(), cut >= 9, "{cut}");
        server.done();
    }
    let mut open = frames::request(1);
    open.flags &= !END_HEADERS;
    server.say(&[open]);
    assert!(server.end.connection.is_in_headers());
    server.say(&[frames::frame(CONTINUATION, END_HEADERS, 1, "")]);
    assert!(!server.end.connection.is_in_headers());
    server.end.finish(1, ok());
    server.done();
}
