//! `client ADDRESS LEAST_SECONDS SCENARIO... [--tls CA]`: prints a line of JSON for each scenario.

use std::env;
use std::path::Path;

use penstock_benchmark_tonic::client::Client;
use penstock_benchmark_tonic::measure::measure;
use penstock_benchmark_tonic::scenarios::Bench;
use penstock_benchmark_tonic::settings::Settings;
use penstock_benchmark_tonic::work::Failure;
use penstock_benchmark_tonic::{cost, transport};

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (arguments, authority) = match &arguments[..] {
        [before @ .., "--tls", authority] => (before, Some(Path::new(*authority))),
        all => (all, None),
    };
    let [address, least_seconds, scenarios @ ..] = arguments else {
        return Err("client ADDRESS LEAST_SECONDS SCENARIO... [--tls CA]".into());
    };
    let least_seconds = least_seconds.parse()?;
    let settings = Settings::used()?;
    transport::runtime(settings)?.block_on(async {
        let mut bench = Bench::new(Client::new(transport::connect(settings, address, authority).await?));
        let server = cost::server()?;
        for scenario in scenarios {
            println!("{}", measure(&mut bench, scenario, least_seconds, server).await?);
        }
        Ok(())
    })
}
