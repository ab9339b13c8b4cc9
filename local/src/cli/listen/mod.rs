//! `millwright listen`: receives a workspace's messages here by polling, verifies them, prints them, and
//! forwards them. A page is acknowledged only when all of it has been forwarded; whatever ends this
//! before comes again.

mod forward;
mod service;

use std::{collections::HashSet, io::Write, time::Duration};

use clap::Args;
use forward::Forward;
use millwright_core::{Clock, EndpointId, SecretString, WallTime};
use service::{Fetched, Message, Service};

use super::{Line, serve::asked_to_stop};

/// How long signatures of a fetched message are good for: receivers refuse those older than five minutes.
const FRESH: Duration = Duration::from_secs(120);
/// The waits between tries: doubling from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(30);

#[derive(Args, Debug)]
pub(super) struct ListenOptions {
    /// Where Millwright is
    #[arg(
        long,
        value_name = "URL",
        env = "MILLWRIGHT_URL",
        default_value = "http://127.0.0.1:8700"
    )]
    url: String,
    /// A key of the workspace: an admin's, or with --endpoint any
    #[arg(long, value_name = "KEY", env = "MILLWRIGHT_API_KEY", hide_env_values = true)]
    api_key: SecretString,
    /// The polled endpoint whose messages to receive [default: one of its own, deleted at the end]
    #[arg(long, value_name = "ID")]
    endpoint: Option<EndpointId>,
    /// The event types to receive, such as purchase_orders.*,sync.failed [default: all]
    #[arg(long, value_name = "TYPES", value_delimiter = ',', conflicts_with = "endpoint")]
    events: Vec<String>,
    /// Where each message is sent on to, with its own headers, until that answers 2xx
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    /// What to verify the endpoint's messages with, when the key may not see it: whsec_... or whpk_...
    #[arg(long, value_name = "SECRET", env = "MILLWRIGHT_WEBHOOK_SECRET", hide_env_values = true)]
    secret: Option<SecretString>,
}

/// Receives until it is told to stop.
pub(super) async fn listen(options: ListenOptions) -> Result<(), Line> {
    let forward = options.forward.as_deref().map(Forward::new).transpose()?;
    let own = options.endpoint.is_none();
    if own && options.secret.is_some() {
        return Err(Line("--secret is for --endpoint: one of its own has a new secret".to_owned()));
    }
    let mut service = Service::open(options).await?;
    say(&format!("receiving for {}", service.endpoint()));
    let ended = {
        let mut listener = Listener { service: &mut service, forward, forwarded: HashSet::new() };
        tokio::select! {
            stopped = asked_to_stop() => stopped.map_err(Line::from),
            ended = listener.run() => ended,
        }
    };
    // What the last page was forwarded for is acknowledged even when the next was being waited for.
    let acknowledged = service.acknowledge().await;
    if own {
        service.delete_endpoint().await?;
    }
    ended.and(acknowledged)
}

struct Listener<'a> {
    service: &'a mut Service,
    forward: Option<Forward>,
    /// Those of the present page that have been dealt with: they are not when the page comes again.
    forwarded: HashSet<String>,
}

impl Listener<'_> {
    async fn run(&mut self) -> Result<(), Line> {
        let mut wait = FIRST_WAIT;
        loop {
            match self.service.fetch().await? {
                Fetched::Page(page) => {
                    wait = FIRST_WAIT;
                    self.take(page).await?;
                }
                Fetched::Later(why) => {
                    say(&format!("{why}; trying again"));
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LAST_WAIT);
                }
            }
        }
    }

    /// Deals with a page, and only then lets it be acknowledged. When that takes so long that its
    /// signatures grow old, it is fetched again.
    async fn take(&mut self, page: Vec<Message>) -> Result<(), Line> {
        let fetched_at = Clock::system().wall();
        for message in &page {
            if self.forwarded.contains(&message.id) {
                continue;
            }
            self.service.verify(message).await?;
            print(message);
            if !self.pass_on(message, fetched_at).await {
                return Ok(());
            }
            self.forwarded.insert(message.id.clone());
        }
        self.forwarded.clear();
        self.service.done();
        Ok(())
    }

    /// Forwards a message until that succeeds; false when its signatures have grown old before.
    async fn pass_on(&self, message: &Message, fetched_at: WallTime) -> bool {
        let Some(forward) = &self.forward else { return true };
        let mut wait = FIRST_WAIT;
        loop {
            match forward.send(message).await {
                Ok(told) => {
                    say(&format!("  {told}"));
                    return true;
                }
                Err(told) => say(&format!("  {told}; trying again in {} ms", wait.as_millis())),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LAST_WAIT);
            if Clock::system().wall().since(fetched_at) > FRESH {
                return false;
            }
        }
    }
}

fn print(message: &Message) {
    say(&format!("{} {} {}", message.created_at, message.event_type, message.id));
    say(&message.body);
}

/// A line on standard output. Nobody may be reading any more: that is no reason to stop forwarding.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
