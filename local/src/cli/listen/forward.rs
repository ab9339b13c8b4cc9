//! Sending messages on.

use std::time::{Duration, Instant};

use reqwest::{Client, Url, redirect::Policy};

use super::{super::Line, service::Message};

/// How long the whole exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where messages are sent on to.
pub(super) struct Forward {
    client: Client,
    url: Url,
}

impl Forward {
    /// # Errors
    /// When it is no URL to send to.
    pub(super) fn new(url: &str) -> Result<Self, Line> {
        let refused = |why: &str| Line(format!("--forward: {url}: {why}"));
        let url: Url = url.parse().map_err(|_| refused("it is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("it must be http:// or https://"));
        }
        let client = Client::builder().timeout(TIMEOUT).redirect(Policy::none()).no_proxy();
        Ok(Self { client: client.build()?, url })
    }

    /// Sends a message as it would have come from Millwright: what became of it, in words. Anything but
    /// a 2xx is a failure.
    pub(super) async fn send(&self, message: &Message) -> Result<String, String> {
        #[allow(clippy::disallowed_methods, reason = "how long a person's own receiver took")]
        let started = Instant::now();
        let request = self.client.post(self.url.clone()).headers(message.headers.clone());
        let answer = request.body(message.body.clone()).send().await;
        let took = started.elapsed().as_millis();
        match answer {
            Ok(answer) if answer.status().is_success() => {
                Ok(format!("{} after {took} ms", answer.status().as_u16()))
            }
            Ok(answer) => Err(format!("{} after {took} ms", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err(format!("no answer within {took} ms")),
            Err(error) if error.is_connect() => Err("no connection".to_owned()),
            Err(_) => Err("no whole answer".to_owned()),
        }
    }
}
