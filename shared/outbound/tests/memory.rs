//! The client's memory while many servers at once send more than anybody wants. A process of its own:
//! the highest mark of a process's memory never falls again.

use std::{fs, io::Write, net::SocketAddr, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::future::join_all;
use http::Method;
use millwright_outbound::{OverCap, Request, Url};
use tokio::io::AsyncWriteExt;

mod parts;

use parts::{OK, loopback, raw};

/// How many of each kind at a time.
const AT_ONCE: usize = 20;
/// The most that is read of an answer's body, as of a webhook's receiver.
const CAP: usize = 64 * 1024;
/// What all of them together may take: the caps, and the buffers of connections and decompressors.
const GROWTH_MAX_KB: u64 = 48 * 1024;

async fn endless() -> SocketAddr {
    raw(|mut stream| async move {
        let _ = stream.write_all(format!("{OK}connection: close\r\n\r\n").as_bytes()).await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await
}

/// 128 MB of zeros, a thousandth of that on the wire.
async fn bomb() -> SocketAddr {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..128 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = Bytes::from(bomb.finish().unwrap());
    raw(move |mut stream| {
        let bomb = bomb.clone();
        async move {
            let head = format!("{OK}content-encoding: gzip\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&bomb).await;
        }
    })
    .await
}

async fn endless_headers() -> SocketAddr {
    raw(|mut stream| async move {
        let _ = stream.write_all(OK.as_bytes()).await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await
}

/// The highest that this process's memory has been.
fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[tokio::test]
async fn what_nobody_wants_takes_bounded_memory_however_much_is_sent() {
    let addresses = [endless().await, bomb().await, endless_headers().await];
    let outbound = loopback();
    let before = peak_kb();
    let all = (0..AT_ONCE * addresses.len()).map(|n| {
        let url = Url::parse(&format!("http://{}/", addresses[n % addresses.len()])).unwrap();
        let mut request = Request::new(Method::POST, url);
        request.timeout = Duration::from_secs(20);
        (request.body_cap, request.over_cap) = (CAP, OverCap::Truncate);
        outbound.send(request)
    });
    for (n, result) in join_all(all).await.into_iter().enumerate() {
        match result {
            Ok(response) => assert!(response.truncated && response.body.len() == CAP, "{n}"),
            Err(error) => assert_eq!(error.class.as_str(), "too_large", "{n}"),
        }
    }
    let grown = peak_kb() - before;
    println!("{} answers at once: {grown} KB", AT_ONCE * addresses.len());
    assert!(grown < GROWTH_MAX_KB, "{grown} KB");
}
