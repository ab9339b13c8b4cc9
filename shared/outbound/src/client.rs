//! The client.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use millwright_core::config::{ConfigError, Source};
use reqwest::redirect::Policy;
use url::{Host, Url};

use crate::{
    FailureClass, OutboundConfig, OutboundError, OverCap, Request, Response,
    address::AddressPolicy,
    config::invalid,
    resolve::{SystemLookup, VettingResolver},
};

/// How long a connection may take: name, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Below the five seconds after which common servers close an idle connection, so that a request is
/// not sent into one that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
const USER_AGENT: &str = concat!("Millwright/", env!("CARGO_PKG_VERSION"));

/// The client. Clones share its connections.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    resolver: VettingResolver,
    https_required: bool,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

impl Outbound {
    /// A client that keeps to `config`.
    ///
    /// # Errors
    /// When the certificates by which others are recognised cannot be loaded.
    pub fn new(config: OutboundConfig) -> Result<Self, ConfigError> {
        let lookup = config.resolver.unwrap_or_else(|| Arc::new(SystemLookup));
        let resolver = VettingResolver::new(lookup, AddressPolicy::new(config.allowed));
        let client = reqwest::Client::builder()
            .dns_resolver(Arc::new(resolver.clone()))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build()
            .map_err(|e| invalid("SSL_CERT_FILE", "", &e.to_string()))?;
        Ok(Self { client, resolver, https_required: config.https_required })
    }

    /// A client that keeps to [`OutboundConfig::from_source`].
    ///
    /// # Errors
    /// When the configuration cannot be read or the certificates cannot be loaded.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        Self::new(OutboundConfig::from_source(source)?)
    }

    /// Checks a URL as sending would, its addresses included, without sending.
    ///
    /// # Errors
    /// What sending would fail with before anything is sent.
    pub async fn check_url(&self, url: &Url) -> Result<(), OutboundError> {
        self.check_target(url)?;
        if let Some(Host::Domain(name)) = url.host() {
            self.resolver.vetted(name.to_owned()).await?;
        }
        Ok(())
    }

    /// Sends a request and reads the answer, all within its time.
    ///
    /// # Errors
    /// When there is no complete answer. An answer with any status is an answer.
    pub async fn send(&self, request: Request) -> Result<Response, OutboundError> {
        self.check_target(&request.url)?;
        let started = Instant::now();
        let timeout = request.timeout;
        let late = |_| OutboundError::after_sending(FailureClass::Timeout, "the time was up");
        let mut response =
            tokio::time::timeout(timeout, self.exchange(request)).await.map_err(late)??;
        response.elapsed = started.elapsed();
        Ok(response)
    }

    /// What can be told from the URL alone. The resolver is never asked about an address that
    /// stands in the URL itself, so that is vetted here.
    fn check_target(&self, url: &Url) -> Result<(), OutboundError> {
        let refused = |why| Err(OutboundError::invalid_url(why));
        match url.scheme() {
            "https" => {}
            "http" if !self.https_required => {}
            "http" => return refused("it must start with https://"),
            _ => return refused("it must start with http:// or https://"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it must not hold a user name or password");
        }
        let policy = self.resolver.policy();
        match url.host() {
            None => return refused("it has no host"),
            Some(Host::Domain(_)) => {}
            Some(Host::Ipv4(ip)) => policy.check(ip.into())?,
            Some(Host::Ipv6(ip)) => policy.check(ip.into())?,
        }
        Ok(())
    }

    async fn exchange(&self, request: Request) -> Result<Response, OutboundError> {
        let (cap, over_cap) = (request.body_cap, request.over_cap);
        let call = self.client.request(request.method, request.url).headers(request.headers);
        let mut response = call.body(request.body).send().await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = read_body(&mut response, cap, over_cap).await;
        let (body, truncated) = body.map_err(OutboundError::within_answer)?;
        Ok(Response { status, headers, body, truncated, elapsed: Duration::ZERO })
    }
}

/// Reads up to `cap` bytes. Dropping an unfinished answer closes its connection.
async fn read_body(
    response: &mut reqwest::Response,
    cap: usize,
    over_cap: OverCap,
) -> Result<(Bytes, bool), OutboundError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        let room = cap - body.len();
        if chunk.len() <= room {
            body.extend_from_slice(&chunk);
            continue;
        }
        if over_cap == OverCap::Fail {
            let detail = format!("the answer is longer than {cap} bytes");
            return Err(OutboundError::after_sending(FailureClass::TooLarge, detail));
        }
        body.extend_from_slice(&chunk[..room]);
        return Ok((body.freeze(), true));
    }
    Ok((body.freeze(), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn urls_that_cannot_be_sent_to_are_refused_with_what_is_wrong() {
        let outbound = Outbound::new(OutboundConfig::default()).unwrap();
        for (url, hint) in [
            ("http://example.com/", "it must start with https://"),
            ("ftp://example.com/", "it must start with http:// or https://"),
            ("data:text/plain,x", "it must start with http:// or https://"),
            ("https://user@example.com/", "it must not hold a user name or password"),
            ("https://user:secret@example.com/", "it must not hold a user name or password"),
        ] {
            let error = outbound.check_url(&Url::parse(url).unwrap()).await.unwrap_err();
            assert_eq!(error.class, FailureClass::InvalidUrl, "{url}");
            assert!(error.to_string().ends_with(hint), "{error}");
            assert!(!error.detail().contains("secret"));
        }
    }

    #[tokio::test]
    async fn an_address_in_the_url_is_vetted_however_it_is_written() {
        let outbound = Outbound::new(OutboundConfig::default()).unwrap();
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "0.0.0.0",
            "[::]",
            "10.0.0.1:8080",
        ] {
            let url = Url::parse(&format!("https://{host}/hook")).unwrap();
            let error = outbound.check_url(&url).await.unwrap_err();
            assert_eq!(error.class, FailureClass::BlockedAddress, "{host}");
            assert!(!error.sent());
            let error = outbound.send(Request::new(http::Method::GET, url)).await.unwrap_err();
            assert_eq!(error.class, FailureClass::BlockedAddress, "{host}");
        }
    }
}
