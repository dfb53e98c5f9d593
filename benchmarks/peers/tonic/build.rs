//! Writes the code of both services: of `bench.proto`, and of the one that carries bytes.

use std::error::Error;

use tonic_prost_build::manual::{self, Method, Service};

const RAW_BYTES: &str = "bytes::Bytes";
const RAW_CODEC: &str = "crate::raw_codec::RawCodec";

fn main() -> Result<(), Box<dyn Error>> {
    // A blob then is a piece of what was received, not a copy of it.
    tonic_prost_build::configure().bytes(".").compile_protos(&["../../bench.proto"], &["../.."])?;
    manual::Builder::new().compile(&[raw()]);
    Ok(())
}

fn raw() -> Service {
    let method = |name, route| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(RAW_BYTES)
            .output_type(RAW_BYTES)
            .codec_path(RAW_CODEC)
    };
    Service::builder()
        .package("penstock.benchmarks")
        .name("Raw")
        .method(method("server_stream", "ServerStream").server_streaming().build())
        .method(method("client_stream", "ClientStream").client_streaming().build())
        .build()
}
