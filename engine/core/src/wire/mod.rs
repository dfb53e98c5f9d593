//! Pure functions between bytes and values of gRPC over HTTP/2: no clock, no lock, no connection.
//!
//! - [`prefix`] is the five bytes before each message
//! - [`timeout`] is `grpc-timeout`
//! - [`coding`] is how a message is compressed, [`expander`] how it is expanded step by step
//! - [`metadata`] is ASCII and `-bin` headers
//! - [`status`] is `grpc-status`, `grpc-message`, and what stands in for them

pub mod coding;
pub mod expander;
pub mod metadata;
pub mod prefix;
pub mod status;
pub mod timeout;
