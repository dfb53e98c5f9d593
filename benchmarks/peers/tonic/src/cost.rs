//! What a process took: CPU and memory, from `/proc`.

use std::{fs, process};

use crate::work::Failure;

/// Of the times in `/proc/PID/stat`; Linux tells programs this value on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of a process until now, its own and the system's for it; 0 without a process.
///
/// # Errors
///
/// There is no such process.
pub fn cpu_seconds(process: Option<u32>) -> Result<f64, Failure> {
    let Some(process) = process else { return Ok(0.0) };
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name before it may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// Memory of a process that is in the machine's; 0 without a process.
///
/// # Errors
///
/// There is no such process.
pub fn resident_bytes(process: Option<u32>) -> Result<u64, Failure> {
    let Some(process) = process else { return Ok(0) };
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in status")?;
    let kibibytes: u64 = line.trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// This process.
#[must_use]
pub fn own() -> Option<u32> {
    Some(process::id())
}

/// The server's process, if the runner told it.
///
/// # Errors
///
/// What it told is no number.
pub fn server() -> Result<Option<u32>, Failure> {
    match std::env::var("BENCH_SERVER_PID") {
        Ok(process) => Ok(Some(process.parse()?)),
        Err(_) => Ok(None),
    }
}
