//! `holder ADDRESS PROCESS STREAMS`: holds streams open and prints what they cost, as `benchmarks/holding.py` does.

use std::env;

use penstock_benchmark_tonic::client::Client;
use penstock_benchmark_tonic::cost::{own, resident_bytes};
use penstock_benchmark_tonic::settings::Settings;
use penstock_benchmark_tonic::transport;
use penstock_benchmark_tonic::work::Failure;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CALLS: usize = 2_000;
const STREAMS_PER_CONNECTION: usize = 1_000;
/// Opened before anything is measured: they pay for connections and for what grows once.
const WARM_STREAMS: usize = 100;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, server, streams] = &arguments[..] else { return Err("holder ADDRESS PROCESS STREAMS".into()) };
    let (server, streams) = (server.parse()?, streams.parse()?);
    let settings = Settings::used()?;
    let cost = transport::runtime(settings)?.block_on(hold(settings, address, server, streams))?;
    println!("{cost}");
    Ok(())
}

async fn hold(settings: Settings, address: &str, server: u32, streams: usize) -> Result<Value, Failure> {
    let mut alone = Client::new(transport::connect(settings, address, None).await?);
    let mut clients = Vec::new();
    for _ in 0..streams.div_ceil(STREAMS_PER_CONNECTION) {
        clients.push(Client::new(transport::connect(settings, address, None).await?));
    }
    let warm = open(&mut clients, WARM_STREAMS).await?;
    median_us(&mut alone).await?;
    drop(warm);
    let before = median_us(&mut alone).await?;
    let (client_bytes, server_bytes) = (resident_bytes(own())?, resident_bytes(Some(server))?);
    let open = open(&mut clients, streams).await?;
    let client_bytes = resident_bytes(own())?.saturating_sub(client_bytes);
    let server_bytes = resident_bytes(Some(server))?.saturating_sub(server_bytes);
    let among = median_us(&mut alone).await?;
    drop(open);
    let after = median_us(&mut alone).await?;
    let each = |bytes: u64| bytes as f64 / streams as f64;
    Ok(json!({
        "streams": streams,
        "client_bytes": each(client_bytes),
        "server_bytes": each(server_bytes),
        "empty_us": f64::midpoint(before, after),
        "among_us": among,
    }))
}

/// Open streams, each with a task that waits for its next message; they end with what this gives.
async fn open(clients: &mut [Client], streams: usize) -> Result<JoinSet<Result<(), Failure>>, Failure> {
    let mut tasks = JoinSet::new();
    let connections = clients.len();
    for number in 0..streams {
        let waiting = clients[number % connections].hold().await?;
        tasks.spawn(waiting);
    }
    Ok(tasks)
}

async fn median_us(alone: &mut Client) -> Result<f64, Failure> {
    let mut latencies = alone.unary(CALLS).await?;
    latencies.sort_unstable();
    let middle = latencies[CALLS / 2 - 1] + latencies[CALLS / 2];
    Ok(middle.as_secs_f64() / 2.0 * 1e6)
}
