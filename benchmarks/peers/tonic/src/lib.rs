//! tonic as a peer of the benchmarks: see `README.md`.

pub mod client;
pub mod cost;
pub mod measure;
pub mod raw_codec;
pub mod raw_service;
pub mod scenarios;
pub mod service;
pub mod settings;
pub mod subscribers;
pub mod transport;
pub mod work;

/// What is made of `bench.proto`.
#[allow(missing_docs, clippy::pedantic)]
pub mod bench {
    tonic::include_proto!("penstock.benchmarks");
}

/// The service of bytes, which no `.proto` describes.
#[allow(missing_docs, clippy::pedantic)]
pub mod raw {
    include!(concat!(env!("OUT_DIR"), "/penstock.benchmarks.Raw.rs"));
}
