//! Is it known what passed over a stream, what it keeps, and does the largest go when that is too much?

mod common;

use bytes::Bytes;
use common::frames::{self, END_STREAM};
use common::{End, Pair, Scripted, WINDOW, ok, pattern, settings};
use penstock_core::wire::prefix::PREFIX_BYTES;
use penstock_core::{Budget, Cause, Origin, Payload, Pushed, Reason, Side, Tally, Waits};
use std::sync::Arc;
use std::time::Duration;

const RESOURCE_EXHAUSTED: u8 = 8;

fn tally(end: &End, id: u32) -> Tally {
    end.connection.tally(id).expect("an open call")
}

fn framed(sizes: &[usize]) -> u64 {
    sizes.iter().map(|size| (size + PREFIX_BYTES) as u64).sum()
}

#[test]
fn both_sides_count_the_same_messages_and_bytes() {
    let sizes = [0, 1, 100, 8_191, 8_192, 70_000, 0, 200_000, 5];
    for seed in 0..20 {
        let mut pair = Pair::new(seed).settled();
        let id = pair.client.open();
        pair.client.send_all(id, sizes.iter().map(|&size| pattern(size, size)));
        pair.settle();
        let (out, arrived) = (tally(&pair.client, id), tally(&pair.server, id));
        assert_eq!((out.messages_out, out.bytes_out), (sizes.len() as u64, framed(&sizes)));
        assert_eq!((arrived.messages_in, arrived.bytes_in), (sizes.len() as u64, framed(&sizes)));
        assert_eq!((out.messages_in, arrived.messages_out, out.queued, arrived.held), (0, 0, 0, 0));
        pair.server.answer(id, "answer");
        pair.settle();
        for (end, messages) in [(&pair.client, (1, 9)), (&pair.server, (9, 1))] {
            let last = end.call(id).tally.expect("told with the end");
            assert_eq!((last.messages_in, last.messages_out), messages);
        }
        pair.done();
    }
}

#[test]
fn a_message_counts_when_it_is_whole() {
    let mut server = Scripted::server(1);
    let message = frames::message(&[7; 10]);
    server.say(&[frames::request(1), frames::data(1, 0, message[..14].to_vec())]);
    assert_eq!((tally(&server.end, 1).messages_in, tally(&server.end, 1).held), (0, 14));
    server.say(&[frames::data(1, END_STREAM, message[14..].to_vec())]);
    assert_eq!((tally(&server.end, 1).messages_in, tally(&server.end, 1).bytes_in), (1, 15));
    server.end.answer(1, "x");
    server.done();
}

#[test]
fn a_message_that_was_replaced_counts_once() {
    let mut pair = Pair::new(1).settled();
    let id = pair.client.open();
    let connection = &mut pair.client.connection;
    assert_eq!(connection.push(id, &Payload::Borrowed(b"one")), Pushed::Queued);
    assert!(connection.replace_newest(id, &Payload::Borrowed(b"one and two")));
    let Tally { messages_out, bytes_out, queued, .. } = tally(&pair.client, id);
    assert_eq!((messages_out, bytes_out, queued), (1, 16, 16));
    assert_eq!(pair.client.connection.queued_bytes(), 16);
    pair.client.reset(id);
    pair.done();
}

#[test]
fn idle_times_are_told_for_each_direction() {
    let at = Duration::from_secs;
    let mut pair = Pair::new(1);
    pair.settle();
    let tick = |pair: &mut Pair, second: u64| {
        pair.client.connection.tick(at(second));
        pair.server.connection.tick(at(second));
    };
    tick(&mut pair, 10);
    let id = pair.client.open();
    pair.settle();
    tick(&mut pair, 15);
    assert_eq!((tally(&pair.server, id).idle_in, tally(&pair.server, id).idle_out), (at(5), at(5)));
    pair.client.send(id, "x");
    pair.settle();
    tick(&mut pair, 22);
    assert_eq!((tally(&pair.client, id).idle_in, tally(&pair.client, id).idle_out), (at(12), at(7)));
    assert_eq!((tally(&pair.server, id).idle_in, tally(&pair.server, id).idle_out), (at(7), at(12)));
    let last = pair.client.connection.reset(id, Reason::CANCEL).expect("an open call");
    assert_eq!((last.idle_out, last.messages_out), (at(7), 1));
    assert_eq!(pair.client.connection.reset(id, Reason::CANCEL), None);
    assert_eq!(pair.client.connection.tally(id), None);
    pair.client.reset(id);
    pair.done();
}

#[test]
fn queued_bytes_wait_for_the_window_of_their_stream() {
    let mut pair = Pair::new(1).settled();
    pair.server.reads = false;
    let id = pair.client.open();
    pair.client.send_all(id, [pattern(0, WINDOW), pattern(0, 1_000)]);
    pair.settle();
    assert_eq!(tally(&pair.client, id).waits, Waits::Window);
    assert_eq!(tally(&pair.server, id).held, WINDOW);
    pair.client.reset(id);
    pair.done();
}

#[test]
fn queued_bytes_wait_for_a_socket_that_takes_nothing() {
    let mut pair = Pair::with(1, |settings| settings.stream_window_bytes = 1 << 20).settled();
    let id = pair.client.open();
    pair.client.send(id, "x");
    assert_eq!(tally(&pair.client, id).waits, Waits::Nothing, "it leaves with the next flush");
    pair.settle();
    pair.client.connection.push(id, &Payload::Shared(pattern(0, 600_000)));
    pair.client.connection.flush();
    assert_eq!(tally(&pair.client, id).waits, Waits::Socket);
    pair.settle();
    assert_eq!(tally(&pair.client, id).waits, Waits::Nothing);
    pair.client.reset(id);
    pair.done();
}

#[test]
fn queued_bytes_wait_for_the_window_of_the_connection() {
    let mut client = Scripted::client(1);
    client.say(&[frames::settings(&[(frames::INITIAL_WINDOW_SIZE, 1 << 20)])]);
    let id = client.end.open();
    client.end.send(id, pattern(0, 100_000));
    client.heard();
    let Tally { waits, queued, .. } = tally(&client.end, id);
    assert_eq!((waits, queued), (Waits::Connection, 100_000 + PREFIX_BYTES - 65_535));
    client.say(&[frames::window_update(0, 1 << 20)]);
    assert_eq!(tally(&client.end, id).queued, 0);
    client.end.reset(id);
    client.done();
}

/// Sends so many bytes on each call, to a side that takes nothing.
fn fill(pair: &mut Pair, sizes: &[usize]) -> Vec<u32> {
    pair.server.reads = false;
    let ids: Vec<u32> = sizes.iter().map(|_| pair.client.open()).collect();
    for (&id, &size) in ids.iter().zip(sizes) {
        pair.client.send(id, pattern(0, size - PREFIX_BYTES));
        pair.settle();
    }
    ids
}

#[test]
fn the_largest_call_goes_when_a_connection_holds_too_much() {
    for (last, shed) in [(19_999, false), (20_000, false), (20_001, true)] {
        let mut pair = Pair::with(1, |settings| settings.budget_bytes = 100_000).settled();
        let ids = fill(&mut pair, &[30_000, 50_000, last]);
        assert_eq!(pair.server.sheds, usize::from(shed));
        if shed {
            let outcome = pair.server.outcome(ids[1]);
            assert_eq!(
                (outcome.code, outcome.origin, outcome.cause),
                (RESOURCE_EXHAUSTED, Origin::Local, Cause::Limit)
            );
            assert_eq!(pair.client.code(ids[1]), RESOURCE_EXHAUSTED);
            assert_eq!(pair.client.outcome(ids[1]).message, outcome.message);
            assert!(pair.server.messages(ids[1]).is_empty(), "what it held is dropped");
        }
        let left = if shed { 50_001 } else { 80_000 + last };
        assert_eq!(pair.server.connection.held_bytes(), left);
        for id in ids {
            if !pair.server.is_over(id) {
                pair.server.take_all(id);
                assert_eq!(pair.server.messages(id).len(), 1);
                pair.server.finish(id, ok());
            }
        }
        assert_eq!(pair.server.connection.held_bytes(), 0);
        pair.settle();
        pair.done();
    }
}

#[test]
fn what_a_message_becomes_while_it_is_expanded_counts() {
    for (bytes, shed) in [(50_000, false), (50_001, true)] {
        let mut pair = Pair::with(1, |settings| settings.budget_bytes = 100_000).settled();
        let id = fill(&mut pair, &[50_000])[0];
        assert!(!pair.server.connection.expanded(id, 20_000));
        assert_eq!(pair.server.connection.held_bytes(), 70_000);
        assert_eq!(pair.server.connection.expanded(id, bytes), shed, "the program hears of it");
        pair.settle();
        assert_eq!(pair.server.sheds, usize::from(shed));
        if !shed {
            assert!(!pair.server.connection.expanded(id, 0));
            assert_eq!(pair.server.connection.held_bytes(), 50_000);
            pair.server.take_all(id);
            pair.server.finish(id, ok());
        }
        assert_eq!(pair.server.connection.held_bytes(), 0);
        pair.settle();
        pair.done();
    }
}

#[test]
fn a_client_that_sheds_resets_the_stream() {
    let mut client = Scripted::client(1);
    client.end.reads = false;
    let ids = [client.end.open(), client.end.open()];
    client.heard();
    for (id, size) in [(1, 9_000), (3, 10_000)] {
        client.say(&[frames::response(id), frames::data(id, 0, frames::message(&pattern(0, size)))]);
    }
    assert!(client.end.connection.shed(None, "too much"));
    client.end.absorb();
    assert_eq!(frames::reset_reason(&client.heard(), 3), Some(11));
    assert_eq!(client.end.code(ids[1]), RESOURCE_EXHAUSTED);
    assert!(client.end.connection.shed(None, "too much"));
    assert!(!client.end.connection.shed(None, "too much"), "nobody holds anything");
    client.end.absorb();
    client.done();
}

#[test]
fn what_was_given_and_not_taken_is_held() {
    let mut pair = Pair::new(1).settled();
    let ids = fill(&mut pair, &[1_005]);
    let connection = &mut pair.server.connection;
    connection.take(ids[0]);
    assert_eq!((connection.held(ids[0]), connection.held_bytes()), (1_005, 1_005));
    connection.took(ids[0], 1_000);
    assert_eq!((connection.held(ids[0]), connection.held_bytes()), (5, 5));
    connection.took(ids[0], 1_000_000);
    assert_eq!((connection.held(ids[0]), connection.held_bytes()), (0, 0));
    pair.client.reset(ids[0]);
    pair.done();
}

#[test]
fn connections_share_a_budget() {
    let budget = Arc::new(Budget::new(50_000));
    let mut pairs = [Pair::new(1).settled(), Pair::new(2).settled()];
    for pair in &mut pairs {
        pair.server.connection.share(vec![budget.clone()]);
    }
    let first = fill(&mut pairs[0], &[20_000, 10_000]);
    assert_eq!((budget.used(), pairs[0].server.over_budget), (30_000, 0));
    let second = fill(&mut pairs[1], &[20_000]);
    assert_eq!((budget.used(), pairs[1].server.over_budget), (50_000, 0));
    pairs[1].client.send(second[0], Bytes::from_static(b"x"));
    pairs[1].settle();
    assert_eq!(budget.used(), 50_006);
    assert!(pairs[1].server.over_budget > 0, "who grew is told");
    assert_eq!(pairs[0].server.over_budget, 0, "and nobody else");
    assert!(pairs[0].server.connection.shed(None, "too much"));
    pairs[0].settle();
    assert_eq!(budget.used(), 30_006);
    pairs[0].client.reset(first[1]);
    pairs[1].client.reset(second[0]);
    let [one, other] = pairs;
    one.done();
    assert_eq!(budget.used(), 20_006);
    other.done();
    assert_eq!(budget.used(), 0);
}

#[test]
fn calls_share_a_budget() {
    let (budget, other) = (Arc::new(Budget::new(50_000)), Arc::new(Budget::new(1 << 30)));
    let mut pair = Pair::new(1).settled();
    let ids = fill(&mut pair, &[60_000, 30_000, 20_000]);
    pair.server.connection.share_call(ids[1], vec![budget.clone(), other.clone()]);
    pair.server.connection.share_call(ids[2], vec![budget.clone()]);
    pair.settle();
    assert_eq!((budget.used(), other.used(), pair.server.over_budget), (50_000, 30_000, 0), "what came before counts");
    pair.client.send(ids[0], Bytes::from_static(b"x"));
    pair.settle();
    assert_eq!((budget.used(), pair.server.over_budget), (50_000, 0), "a call that does not share");
    pair.client.send(ids[2], Bytes::from_static(b"x"));
    pair.settle();
    assert_eq!((budget.used(), pair.server.over_budget), (50_006, 1));
    assert!(pair.server.connection.shed(Some(&budget), "too much"));
    pair.settle();
    assert_eq!((budget.used(), other.used()), (20_006, 0), "the largest of those that share");
    assert_eq!((pair.client.code(ids[1]), &*pair.client.outcome(ids[1]).message), (RESOURCE_EXHAUSTED, "too much"));
    pair.client.reset(ids[2]);
    pair.settle();
    assert_eq!(budget.used(), 0);
    assert!(!pair.server.connection.shed(Some(&budget), "too much"));
    pair.client.reset(ids[0]);
    pair.done();
}

#[test]
fn what_is_queued_counts_in_the_budget_of_a_call() {
    let budget = Arc::new(Budget::new(11_000));
    let mut client = Scripted::client(1);
    let id = client.end.open();
    client.end.connection.share_call(id, vec![budget.clone()]);
    client.say(&[frames::settings(&[(frames::INITIAL_WINDOW_SIZE, 1_000)])]);
    client.end.send(id, pattern(0, 11_000 - PREFIX_BYTES));
    client.heard();
    assert_eq!((budget.used(), client.end.over_budget), (10_000, 0));
    client.end.send(id, pattern(0, 1_000));
    client.heard();
    assert_eq!(budget.used(), 11_005);
    assert!(client.end.over_budget > 0);
    assert!(client.end.connection.shed(Some(&budget), "too much"));
    assert_eq!(budget.used(), 0);
    client.end.absorb();
    client.end.reset(id);
    client.done();
}

#[test]
fn a_connection_that_is_gone_keeps_nothing_of_a_budget() {
    let budget = Arc::new(Budget::new(50_000));
    let mut end = End::new(settings(Side::Server));
    end.connection.share(vec![budget.clone()]);
    end.reads = false;
    end.feed(frames::PREFACE.into());
    let request = [frames::settings(&[]), frames::request(1), frames::data(1, 0, frames::message(&[0; 995]))];
    end.feed(request.iter().flat_map(frames::Frame::to_bytes).collect());
    assert_eq!(budget.used(), 1_000);
    drop(end);
    assert_eq!(budget.used(), 0);
}
