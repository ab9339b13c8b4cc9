//! SQS on one machine: standard queues on SQLite, spoken to through the real SDK.
//!
//! Kept as SQS promises it: a message that was acknowledged is on disk, is given out at least once, is
//! hidden while somebody works on it, comes back when nobody finished it, and goes to the dead-letter
//! queue when that happened too often. AWS's limits are enforced with AWS's codes, so that nothing
//! works here that does not work there. Delays run on the schedule clock; visibility, retention and
//! long polls on the wall clock.
//!
//! `http` reads requests, `operations` does them, `worker` commits what comes together, `engine` and
//! `messages` change the `log` (SQLite) and each queue's `shelf` (the order in memory) together.

mod check;
mod digest;
mod engine;
mod fault;
pub(crate) mod http;
mod log;
mod messages;
mod operations;
mod receipt;
mod receive;
mod settings;
mod shelf;
mod wire;
pub(crate) mod worker;

use std::{io, net::SocketAddr, path::Path, thread::JoinHandle};

use millwright_core::{Clock, ScheduleTime};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle as Task};

pub use settings::arn;
use worker::Worker;

use crate::Durability;

/// A running endpoint.
#[derive(Debug)]
pub struct Sqs {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: Task<io::Result<()>>,
    worker: Worker,
    thread: JoinHandle<()>,
}

/// Tells when delays end. Clones ask the same endpoint.
#[derive(Clone, Debug)]
pub struct Delays(Worker);

impl Delays {
    /// When the next delayed message of any queue becomes visible; nothing when none is delayed, or the
    /// endpoint has stopped.
    pub async fn next(&self) -> Option<ScheduleTime> {
        self.0.call(false, |engine| Ok(engine.next_delay())).await.ok().flatten()
    }
}

impl Sqs {
    /// Opens or creates the database at `path` and serves it on a free port of 127.0.0.1. Messages that
    /// were in flight when the last process ended are free.
    ///
    /// # Errors
    /// When the database cannot be opened or no port can be had.
    pub async fn start(path: &Path, clock: Clock) -> io::Result<Self> {
        Self::start_with(path, clock, Durability::Flush).await
    }

    /// The same, with commits that outlive what they are asked to.
    ///
    /// # Errors
    /// When the database cannot be opened or no port can be had.
    pub async fn start_with(path: &Path, clock: Clock, durability: Durability) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (worker, thread) = Worker::start(path, clock, durability)?;
        let (stop, stopped) = oneshot::channel();
        let (router, waiting) = (http::router(worker.clone()), worker.clone());
        let server = tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await;
                waiting.stop_waiting();
            };
            axum::serve(listener, router).with_graceful_shutdown(shutdown).await
        });
        Ok(Self { address, stop, server, worker, thread })
    }

    /// What answers requests, for whoever is in this process.
    pub(crate) fn worker(&self) -> Worker {
        self.worker.clone()
    }

    /// When delays end.
    #[must_use]
    pub fn delays(&self) -> Delays {
        Delays(self.worker.clone())
    }

    /// The endpoint's URL, for `AWS_ENDPOINT_URL_SQS`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends long polls, finishes requests and closes the database.
    ///
    /// # Errors
    /// When the server had failed.
    pub async fn stop(self) -> io::Result<()> {
        let _ = self.stop.send(());
        self.server.await.map_err(io::Error::other)??;
        self.worker.end();
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        joined.map_err(io::Error::other)?.map_err(|_| io::Error::other("the queue thread failed"))
    }
}
