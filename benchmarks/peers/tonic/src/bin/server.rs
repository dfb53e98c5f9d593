//! `server [--tls CERTIFICATE KEY]`: says where it listens, and ends when its standard input does.

use std::io::{Read, stdin};
use std::path::Path;
use std::{env, io, thread};

use penstock_benchmark_tonic::bench::bench_server::BenchServer;
use penstock_benchmark_tonic::raw::raw_server::RawServer;
use penstock_benchmark_tonic::raw_service::RawService;
use penstock_benchmark_tonic::service::Service;
use penstock_benchmark_tonic::settings::Settings;
use penstock_benchmark_tonic::transport;
use penstock_benchmark_tonic::work::Failure;
use serde_json::json;
use tokio::sync::oneshot;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let tls = match arguments[..] {
        [] => None,
        ["--tls", certificate, key] => Some((Path::new(certificate), Path::new(key))),
        _ => return Err("server [--tls CERTIFICATE KEY]".into()),
    };
    let settings = Settings::used()?;
    transport::runtime(settings)?.block_on(serve(settings, tls))
}

async fn serve(settings: Settings, tls: Option<(&Path, &Path)>) -> Result<(), Failure> {
    let (mut server, incoming) = transport::server(settings, tls)?;
    let services = server.add_service(BenchServer::new(Service::default())).add_service(RawServer::new(RawService));
    println!("{}", json!({"address": incoming.local_addr()?.to_string()}));
    tokio::select! {
        served = services.serve_with_incoming(incoming) => Ok(served?),
        told = until_told() => told,
    }
}

async fn until_told() -> Result<(), Failure> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || ended.send(drain()));
    Ok(end.await??)
}

fn drain() -> io::Result<()> {
    stdin().read_to_end(&mut Vec::new()).map(drop)
}
