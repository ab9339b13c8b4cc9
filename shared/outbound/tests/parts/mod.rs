//! What the tests of the client share: a client for loopback, and servers that do as told.

use std::{future::Future, net::SocketAddr};

use millwright_outbound::{Outbound, OutboundConfig};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

/// How most answers begin.
pub const OK: &str = "HTTP/1.1 200 OK\r\n";

/// The configuration under which requests may go to this machine.
pub fn loopback_config() -> OutboundConfig {
    OutboundConfig {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
        https_required: false,
        resolver: None,
    }
}

/// A client that may send to this machine.
pub fn loopback() -> Outbound {
    Outbound::new(loopback_config()).unwrap()
}

/// A server that reads a request's head and then does as told with the connection.
pub async fn raw<F, R>(act: F) -> SocketAddr
where
    F: Fn(TcpStream) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            tokio::spawn(act(stream));
        }
    });
    address
}
