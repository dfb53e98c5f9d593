//! What both sides stand on: the runtime, and the two ends of a connection.

use std::path::Path;
use std::{fs, io};

use tokio::runtime::{Builder, Runtime};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};

use crate::settings::Settings;
use crate::work::Failure;

/// A thousand subscriptions and the calls beside them. hyper's default is 200.
const MAX_CONCURRENT_STREAMS: u32 = 2_000;

/// The name in the certificate.
const SERVER_NAME: &str = "localhost";

/// Give what runs the program.
///
/// # Errors
///
/// The system gives no threads.
pub fn runtime(settings: Settings) -> io::Result<Runtime> {
    match settings.threads {
        0 => Builder::new_multi_thread().enable_all().build(),
        1 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads as usize).enable_all().build(),
    }
}

/// Give a server without services, and where it listens.
///
/// # Errors
///
/// A file cannot be read or used, or the system gives no port.
pub fn server(settings: Settings, tls: Option<(&Path, &Path)>) -> Result<(Server, TcpIncoming), Failure> {
    let mut server = Server::builder()
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_frame_size(set(settings.frame_bytes))
        .initial_stream_window_size(set(settings.stream_window_bytes))
        .initial_connection_window_size(set(settings.connection_window_bytes));
    if let Some((certificate, key)) = tls {
        let identity = Identity::from_pem(fs::read(certificate)?, fs::read(key)?);
        server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(settings.nodelay));
    Ok((server, incoming))
}

/// Connect to a server.
///
/// # Errors
///
/// The file cannot be read or used, or nobody answers.
pub async fn connect(settings: Settings, address: &str, authority: Option<&Path>) -> Result<Channel, Failure> {
    let scheme = if authority.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
        .max_frame_size(set(settings.frame_bytes))
        .initial_stream_window_size(set(settings.stream_window_bytes))
        .initial_connection_window_size(set(settings.connection_window_bytes))
        .tcp_nodelay(settings.nodelay);
    if let Some(authority) = authority {
        let authority = Certificate::from_pem(fs::read(authority)?);
        endpoint = endpoint.tls_config(ClientTlsConfig::new().domain_name(SERVER_NAME).ca_certificate(authority))?;
    }
    Ok(endpoint.connect().await?)
}

fn set(value: u32) -> Option<u32> {
    (value > 0).then_some(value)
}
