//! Does a connection outlive a hundred thousand cancelled calls, and keep nothing of them?

mod common;

use bytes::Bytes;
use common::frames::{self, Frame};
use common::{End, Happening, Pair, Rng, Scripted, ok, pattern};

const CALLS: usize = if cfg!(debug_assertions) { 2_000 } else { 100_000 };
/// Calls that are open at once.
const LIVE: usize = 200;

#[derive(Clone, Copy, PartialEq)]
enum Who {
    Client,
    Server,
    Both,
}

/// Sends a few messages of any size, so that some of them are on the way or wait for a window at the end.
fn send_some(end: &mut End, id: u32, rng: &mut Rng) {
    static ZEROS: [u8; 60_000] = [0; 60_000];
    for _ in 0..rng.below(4) {
        let length = if rng.chance(50) { rng.below(200) } else { rng.below(ZEROS.len()) };
        end.send(id, Bytes::from_static(&ZEROS[..length]));
    }
}

/// A call that is open, any of them.
fn any(end: &End, rng: &mut Rng) -> Option<u32> {
    let newest = *end.calls.last_key_value()?.0;
    let from = u32::try_from(rng.below(newest as usize + 1)).unwrap();
    end.calls.range(from..).next().map(|(&id, _)| id)
}

fn reset_any(end: &mut End, rng: &mut Rng) {
    if let Some(id) = any(end, rng) {
        end.reset(id);
        end.forget(id);
    }
}

fn storm(seed: u64, narrow: bool, who: Who) {
    let mut pair = if narrow {
        // Small windows of streams too: what waits for one of them may find the other closed when it opens.
        Pair::with(seed, |settings| settings.stream_window_bytes = 8 * 1024).narrow().settled()
    } else {
        Pair::new(seed).settled()
    };
    let mut rng = Rng::new(seed + 1000);
    let mut server_rng = Rng::new(seed + 2000);
    pair.server.react(move |server, id, what| match what {
        Happening::Opened => {
            send_some(server, id, &mut server_rng);
            match server_rng.below(10) {
                0 => server.finish(id, ok()),
                1..4 => server.stop_reading(id),
                _ => {}
            }
        }
        Happening::Ended => server.forget(id),
        Happening::Message(_) | Happening::HalfClosed => {}
    });
    pair.client.react(|client, id, what| {
        if let Happening::Ended = what {
            client.forget(id);
        }
    });
    while pair.client.opened() < CALLS {
        for _ in 0..rng.below(8) {
            if pair.client.calls.len() < LIVE {
                let id = pair.client.open();
                send_some(&mut pair.client, id, &mut rng);
                match rng.below(10) {
                    0 | 1 => pair.client.half_close(id),
                    2 | 3 => pair.client.stop_reading(id),
                    // Cancelled before anything of it was sent.
                    4 if who != Who::Server => {
                        pair.client.reset(id);
                        pair.client.forget(id);
                    }
                    _ => {}
                }
            }
        }
        for _ in 0..rng.below(6) {
            if who != Who::Server {
                reset_any(&mut pair.client, &mut rng);
            }
            if who != Who::Client {
                reset_any(&mut pair.server, &mut rng);
            }
        }
        pair.step();
    }
    while !pair.client.calls.is_empty() || !pair.server.calls.is_empty() {
        let victims = if who == Who::Server { &mut pair.server } else { &mut pair.client };
        for id in victims.calls.keys().copied().collect::<Vec<_>>() {
            victims.reset(id);
            victims.forget(id);
        }
        pair.settle();
    }
    for end in [&pair.client, &pair.server] {
        // Each call has a handful of them, and what one read brings is bounded.
        assert!(end.most_events <= 20 * LIVE, "{} events waited at once", end.most_events);
    }
    assert_carries(&mut pair);
    pair.done();
}

/// The windows of both sides are whole: a long message passes either way.
fn assert_carries(pair: &mut Pair) {
    pair.server.react(|server, id, what| {
        if let Happening::Message(message) = what {
            server.answer(id, message);
        }
    });
    let received = std::rc::Rc::new(std::cell::RefCell::new(Vec::<Bytes>::new()));
    let messages = received.clone();
    pair.client.react(move |_, _, what| {
        if let Happening::Message(message) = what {
            messages.borrow_mut().push(message);
        }
    });
    pair.client.ask(pattern(1, 1 << 20));
    pair.settle();
    assert_eq!(received.take(), [pattern(1, 1 << 20)]);
}

#[test]
fn cancelled_by_the_client() {
    storm(1, false, Who::Client);
}

#[test]
fn cancelled_by_the_server() {
    storm(2, false, Who::Server);
}

#[test]
fn cancelled_by_both() {
    storm(3, false, Who::Both);
}

#[test]
fn cancelled_by_the_client_with_a_small_connection_window() {
    storm(4, true, Who::Client);
}

#[test]
fn cancelled_by_the_server_with_a_small_connection_window() {
    storm(5, true, Who::Server);
}

#[test]
fn cancelled_by_both_with_a_small_connection_window() {
    storm(6, true, Who::Both);
}

// W44
#[test]
fn the_connection_window_stays_exact() {
    let mut rng = Rng::new(7);
    let message = pattern(0, 20_000);
    let mut server = Scripted::server(7);
    server.say(&[frames::settings(&[(frames::INITIAL_WINDOW_SIZE, 1 << 30)])]);
    let data = |frames: &[Frame]| {
        let data = frames.iter().filter(|frame| frame.kind == frames::DATA);
        data.map(|frame| frame.payload.len()).sum::<usize>()
    };
    let (mut granted, mut sent, mut next) = (65_535, 0, 1);
    for _ in 0..CALLS / 4 {
        // Always more to send than may be sent.
        while server.end.calls.len() < 20 {
            server.say_at_once(&[frames::request(next)]);
            server.end.send_all(next, std::iter::repeat_n(message.clone(), 5));
            next += 2;
        }
        for _ in 0..rng.below(5) {
            let Some(id) = any(&server.end, &mut rng) else { break };
            if rng.chance(50) {
                server.end.reset(id);
            } else {
                server.say_at_once(&[frames::rst_stream(id, 8)]);
            }
            server.end.forget(id);
        }
        let grant = 1 + rng.below(30_000);
        server.say_at_once(&[frames::window_update(0, u32::try_from(grant).unwrap())]);
        granted += grant;
        sent += data(&server.heard());
        assert!(sent <= granted, "{sent} bytes sent, {granted} granted");
        let queued: usize = server.end.calls.keys().map(|&id| server.end.connection.queued(id)).sum();
        assert!(sent == granted || queued == 0, "{sent} bytes sent, {granted} granted, {queued} queued");
    }
    for id in server.end.calls.keys().copied().collect::<Vec<_>>() {
        server.end.reset(id);
    }
    server.done();
}
