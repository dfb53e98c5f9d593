//! The seam: `penstock-core` as the Python module `penstock._engine`.
//!
//! - [`connection`] is the object the transport feeds and flushes; [`shared`] is what it shares with its streams
//! - [`stream`] is the base class of every stream: the paths taken once per message
//! - [`receive`] is the awaitable of one receive, [`done`] the one of a finished send; both by [`awaitable`]
//! - [`codec`], [`encoded`], [`compressed`] and [`metadata`] turn values into bytes and back
//! - [`expansion`] is a message that is expanded step by step, [`expanding`] what a stream does with it
//! - [`tally`] and [`budget`] are what is known of messages that pass and of bytes that stay
//! - [`watch`] lets the program see messages pass by
//! - [`lost`] gathers the calls that end with their connection
//! - [`share`] and [`slice`] are what a connection, a task gets of a turn of the loop; [`crowd`] is who else is there
//! - [`steps`] is what tasks do at the end of a read: [`waiter`] is what they awaited, [`beginning`] makes new ones
//! - [`clock`] is the time connections are told
//! - [`buffers`] holds the memory that crosses the seam, [`heap`] has the allocator keep that of large messages
//!
//! One rule keeps it free of deadlocks: under the lock of a connection no Python code runs and no object is made that
//! the garbage collector tracks (plain `bytes` are not), because a collection may run any finalizer.

#![expect(clippy::needless_pass_by_value, reason = "pyo3 hands arguments over by value")]

mod awaitable;
mod batch;
mod beginning;
mod birth;
mod budget;
mod buffers;
mod clock;
mod codec;
mod compressed;
mod connection;
mod crowd;
mod done;
mod encoded;
mod expanding;
mod expansion;
mod fanout;
mod heap;
mod lost;
mod metadata;
mod only;
mod paths;
mod receive;
mod share;
mod shared;
mod slice;
mod steps;
mod stream;
mod tally;
mod throttle;
mod waiter;
mod watch;

use pyo3::prelude::*;

/// The engine of penstock.
#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    clock::start(module.py())?;
    module.add_class::<budget::Budget>()?;
    module.add_class::<buffers::ReadBuffer>()?;
    module.add_class::<codec::Codec>()?;
    module.add_class::<compressed::Compressed>()?;
    module.add_class::<connection::Connection>()?;
    module.add_class::<encoded::Encoded>()?;
    module.add_class::<stream::StreamBase>()?;
    module.add_class::<waiter::Waiter>()?;
    module.add("MANY", only::many(module.py())?)?;
    module.add("DONE", done::done(module.py())?)?;
    module.add_function(wrap_pyfunction!(fanout::broadcast, module)?)?;
    module.add_function(wrap_pyfunction!(fanout::send_each, module)?)?;
    module.add_function(wrap_pyfunction!(clock::now, module)?)?;
    module.add_function(wrap_pyfunction!(clock::hold_time, module)?)?;
    module.add_function(wrap_pyfunction!(connection::live_connections, module)?)?;
    module.add_function(wrap_pyfunction!(beginning::begin_task, module)?)?;
    module.add_function(wrap_pyfunction!(steps::begin, module)?)?;
    module.add_function(wrap_pyfunction!(steps::end, module)?)?;
    module.add_function(wrap_pyfunction!(steps::forget, module)?)?;
    module.add_function(wrap_pyfunction!(slice::turn_begins, module)?)?;
    module.add_function(wrap_pyfunction!(slice::turn_over, module)?)?;
    module.add_function(wrap_pyfunction!(slice::slice_begins, module)?)?;
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add("IS_DEBUG_BUILD", cfg!(debug_assertions))?;
    receive::register(module.py())
}
