//! What AWS does around the functions, on one machine: HTTP requests become API Gateway events, messages
//! become batches, minutes become ticks, and AWS's limits hold.
//!
//! The functions run in process, unchanged, and reach tables and queues by URL through the real SDK, so
//! a proxy that makes faults can sit between.

mod clock_route;
mod environment;
mod functions;
mod gateway;
mod invocation;
mod poller;
mod queues;
mod tick;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use millwright_core::Clock;
use millwright_queue::queue_client;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use clock_route::StepClock;
pub use environment::{Environment, Variables};
pub use functions::{Functions, SqsFunction, TickFunction};
pub(crate) use queues::INCOMING;
pub use queues::{Consumer, QUEUES, QueueDef, create_queues};

/// How long requests and batches may take to end when the host stops; what is not done by then comes
/// again at the next start.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// A running host.
#[derive(Debug)]
pub struct Host {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Host {
    /// Serves the functions: HTTP on `listener`, the queues behind `sdk`, the minutes of `clock`. With
    /// `step`, the clock can be stepped over HTTP.
    ///
    /// # Errors
    /// When the listener fails, or a queue is not there.
    pub async fn start(
        listener: TcpListener,
        sdk: &SdkConfig,
        clock: Clock,
        functions: Functions,
        step: Option<StepClock>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let client = queue_client(sdk);
        let urls = queues::urls(&client).await?;
        let mut tasks = Vec::new();
        for (queue, url) in urls {
            let function = match queue.consumer {
                Consumer::Sync => Arc::clone(&functions.sync),
                Consumer::Deliver => Arc::clone(&functions.deliver),
            };
            let poller = poller::Poller {
                queue,
                url,
                function,
                client: client.clone(),
                clock: clock.clone(),
            };
            tasks.push(tokio::spawn(poller.run(stopped.clone())));
        }
        tasks.push(tokio::spawn(tick::run(functions.tick, clock.clone(), stopped.clone())));
        let front = gateway::Front { api: functions.api, clock, step };
        tasks.push(tokio::spawn(gateway::serve(listener, front, stopped)));
        Ok(Self { address, stop, tasks })
    }

    /// Where the API is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes nothing more, and ends what is running, within 8 seconds.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let ended = futures::future::join_all(self.tasks);
        if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
            tracing::warn!("some work was still running; it comes again at the next start");
        }
    }
}

/// Until the host stops.
async fn stopping(mut stopped: watch::Receiver<bool>) {
    // An error means that the host was dropped.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
