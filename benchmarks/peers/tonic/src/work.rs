//! What the programs of all peers agree on: see `benchmarks/work.py`.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

/// Of every small message: 32 bytes, 34 encoded.
pub const TEXT: &str = "count:7 client data: 0123456789a";

/// Tasks that make unary calls at once.
pub const CONCURRENT_CALLS: usize = 64;

/// Streams that get what is published.
pub const SUBSCRIBERS: usize = 1_000;

/// Of every call, streams too.
const DEADLINE: Duration = Duration::from_secs(60);

/// Whatever ends a program early; it goes to standard error.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Give a request with the deadline that every call has.
pub fn asking<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// Compare what came with what had to come: a figure from wrong work would mean nothing.
///
/// # Errors
///
/// It is something else.
pub fn check<T: PartialEq + Debug>(what: &str, got: T, expected: T) -> Result<(), Failure> {
    if got == expected {
        return Ok(());
    }
    Err(format!("{what}: {got:?} came, not {expected:?}").into())
}
