//! How a measurement grows and ends, and what is said of it: the same rules as in `benchmarks/measure.py`.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::cost::{cpu_seconds, own, resident_bytes};
use crate::scenarios::{Bench, Work};
use crate::work::Failure;

/// How much longer than it must be the next run is meant to be.
const MARGIN: f64 = 1.25;

/// A very short run says little about how long the next one has to be.
const MAX_GROWTH: f64 = 20.0;

/// Run a scenario longer and longer; what took long enough is the measurement, all before it the warm-up.
///
/// # Errors
///
/// There is no such scenario, a call failed, or a message is wrong.
pub async fn measure(
    bench: &mut Bench,
    scenario: &str,
    least_seconds: f64,
    server: Option<u32>,
) -> Result<Value, Failure> {
    let work = Work::named(scenario)?;
    let mut count = work.first_count();
    bench.prepare(work).await?;
    bench.run(work, count).await?;
    loop {
        let (client_before, server_before) = (cpu_seconds(own())?, cpu_seconds(server)?);
        let started = Instant::now();
        let latencies = bench.run(work, count).await?;
        let seconds = started.elapsed().as_secs_f64();
        if seconds >= least_seconds {
            return Ok(json!({
                "scenario": scenario,
                "count": count,
                "seconds": seconds,
                "latency_us": percentiles(latencies),
                "client_cpu_seconds": cpu_seconds(own())? - client_before,
                "server_cpu_seconds": cpu_seconds(server)? - server_before,
                "client_rss_bytes": resident_bytes(own())?,
                "server_rss_bytes": resident_bytes(server)?,
            }));
        }
        count = grown(count, least_seconds * MARGIN / seconds).next_multiple_of(work.group());
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
fn grown(count: usize, growth: f64) -> usize {
    (count as f64 * growth.min(MAX_GROWTH)).ceil() as usize
}

fn percentiles(mut latencies: Vec<Duration>) -> Map<String, Value> {
    latencies.sort_unstable();
    let nearest_rank = |percent: usize| {
        let rank = (latencies.len() * percent).div_ceil(100);
        latencies.get(rank.saturating_sub(1)).map(|latency| json!(latency.as_secs_f64() * 1e6))
    };
    [("p50", 50), ("p90", 90), ("p99", 99)]
        .into_iter()
        .filter_map(|(name, percent)| Some((name.to_owned(), nearest_rank(percent)?)))
        .collect()
}
