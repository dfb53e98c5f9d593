//! How do both sides agree on compression, and which messages are marked?

mod common;

use bytes::Bytes;
use common::frames::{self, END_STREAM};
use common::{Pair, Scripted, ok};
use penstock_core::wire::coding::Coding;
use penstock_core::wire::metadata::Pairs;
use penstock_core::wire::prefix::PREFIX_BYTES;
use penstock_core::{Call, Item, Payload, Pushed, Received};

const INTERNAL: u8 = 13;

fn call(coding: Option<Coding>) -> Call<'static> {
    static NONE: Pairs = Pairs::new();
    Call { path: "/a.B/C", authority: "test", secure: false, timeout: None, coding, metadata: &NONE }
}

fn compressed(coding: Coding, text: &'static [u8]) -> Payload<'static> {
    Payload::Compressed(Bytes::from(coding.compress(text)))
}

/// What a stream gives whose application takes by hand: its messages, and the coding of those that came compressed.
fn taken(received: Received<Vec<u8>>) -> Vec<(Option<Coding>, Vec<u8>)> {
    let Received::Item(Item::Packed { messages: mut packed, coding }) = received else { panic!("{received:?}") };
    let mut messages = Vec::new();
    while !packed.is_empty() {
        let head = packed.split_to(PREFIX_BYTES);
        let payload = packed.split_to(u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize);
        let coding = coding.filter(|_| head[0] == 1);
        let expand = |coding: Coding| coding.expand(&payload, 1000).expect("it was compressed so");
        messages.push((coding, coding.map_or_else(|| payload.to_vec(), expand)));
    }
    messages
}

// W27
#[test]
fn marked_messages_arrive_with_the_coding_of_their_side() {
    for (up, down) in [(Coding::Gzip, Coding::Deflate), (Coding::Deflate, Coding::Gzip)] {
        let mut pair = Pair::with(1, |settings| settings.coding = Some(down)).settled();
        (pair.client.reads, pair.server.reads) = (false, false);
        let id = pair.client.open_call(&call(Some(up)));
        for payload in [&Payload::Borrowed(b"plain"), &compressed(up, b"from the client")] {
            assert_eq!(pair.client.connection.push(id, payload), Pushed::Queued);
        }
        pair.settle();
        assert_eq!(pair.server.call(id).head.as_ref().unwrap().coding, Some(up));
        let expected = [(None, b"plain".to_vec()), (Some(up), b"from the client".to_vec())];
        assert_eq!(taken(pair.server.connection.take(id)), expected);
        assert_eq!(pair.server.connection.coding(id), Some(down));
        assert_eq!(pair.server.connection.push(id, &compressed(down, b"from the server")), Pushed::Queued);
        pair.settle();
        assert_eq!(taken(pair.client.connection.take(id)), [(Some(down), b"from the server".to_vec())]);
        pair.client.half_close(id);
        pair.server.finish(id, ok());
        pair.done();
    }
}

// W29
#[test]
fn a_server_uses_only_what_the_client_offered() {
    for (offer, offered) in [("identity,deflate, gzip", true), ("deflate", false), ("identity", false), ("br", false)] {
        let mut server = Scripted::server(2);
        let mut pairs = frames::REQUEST.to_vec();
        pairs.push(("grpc-accept-encoding", offer));
        server.say(&[frames::headers(1, END_STREAM, &pairs)]);
        let expected = offered.then_some(Coding::Gzip);
        assert_eq!(server.end.connection.coding(1), None, "nobody asked for it");
        assert!(server.end.connection.compress_with(1, Some(Coding::Gzip)));
        assert_eq!(server.end.connection.coding(1), expected, "{offer:?}");
        server.end.answer(1, "hello");
        assert!(!server.end.connection.compress_with(1, None), "it is too late behind the response head");
        assert_eq!(server.end.connection.coding(1), expected);
        server.done();
    }
}

// W27, W28
#[test]
fn a_mark_needs_a_coding_and_a_client_takes_that_of_the_response() {
    for (name, code) in [("gzip", 0), ("identity", INTERNAL), ("br", INTERNAL)] {
        let mut client = Scripted::client(3);
        client.end.reads = false;
        let id = client.end.open_call(&call(None));
        client.heard();
        let head = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-encoding", name)];
        let mut message = frames::message(b"not looked at here");
        message[0] = 1;
        client.say(&[frames::headers(id, 0, &head), frames::data(id, 0, message), frames::trailers(id, "0")]);
        assert_eq!(client.end.code(id), code, "{name}");
        client.done();
    }
}
