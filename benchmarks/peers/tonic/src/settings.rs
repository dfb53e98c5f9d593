//! What differs from tonic's defaults: `README.md` says why, and what others do.

use std::env;

use crate::work::Failure;

/// Sets others, as `name=value,name=value`, to measure what each does.
const VARIABLE: &str = "BENCH_TONIC";

/// What both sides set. 0 leaves one as tonic has it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Threads of the runtime; 0: as many as there are processors, 1: the one that `main` runs in.
    pub threads: u32,
    /// The largest frame that is taken.
    pub frame_bytes: u32,
    /// The windows that are given to the peer.
    pub stream_window_bytes: u32,
    /// Of all streams together.
    pub connection_window_bytes: u32,
    /// Send at once what is smaller than a packet.
    pub nodelay: bool,
}

impl Settings {
    /// Give those that are used.
    ///
    /// # Errors
    ///
    /// The environment names something that is no setting, or no number.
    pub fn used() -> Result<Self, Failure> {
        let mut settings = Self {
            threads: 1,
            frame_bytes: 256 * 1024,
            stream_window_bytes: 0,
            connection_window_bytes: 0,
            nodelay: true,
        };
        let assignments = env::var(VARIABLE).unwrap_or_default();
        for assignment in assignments.split(',').filter(|assignment| !assignment.is_empty()) {
            let (name, value) = assignment.split_once('=').ok_or_else(|| format!("{VARIABLE}: {assignment:?}"))?;
            settings.set(name, value.parse()?)?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: u32) -> Result<(), Failure> {
        match name {
            "threads" => self.threads = value,
            "frame_bytes" => self.frame_bytes = value,
            "stream_window_bytes" => self.stream_window_bytes = value,
            "connection_window_bytes" => self.connection_window_bytes = value,
            "nodelay" => self.nodelay = value != 0,
            _ => return Err(format!("{VARIABLE}: {name:?} is no setting").into()),
        }
        Ok(())
    }
}
