//! Why no answer came.

use std::{error::Error as StdError, io, net::IpAddr};

use serde::{Deserialize, Serialize};

/// The kind of failure, for people and for decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The URL is not one that can be sent to.
    InvalidUrl,
    /// The host's name has no address, or nobody told it in time.
    Dns,
    /// The host has an address that requests may not go to.
    BlockedAddress,
    /// No connection could be made.
    Connect,
    /// The connection could not be made safe: certificate or handshake.
    Tls,
    /// The time was up.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// What came back is not an HTTP answer.
    Malformed,
    /// The answer is longer than the cap, or its headers are more than anybody needs.
    TooLarge,
}

impl FailureClass {
    /// The class as it stands in attempts and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidUrl => "invalid_url",
            Self::Dns => "dns",
            Self::BlockedAddress => "blocked_address",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
        }
    }

    /// What the customer is told. It names no address: what a name resolves to inside our network
    /// is not theirs to learn.
    const fn sentence(self) -> &'static str {
        match self {
            Self::InvalidUrl => "the URL cannot be sent to",
            Self::Dns => "the host name could not be resolved",
            Self::BlockedAddress => "the host is at an address that requests may not go to",
            Self::Connect => "no connection could be made",
            Self::Tls => "no secure connection could be made",
            Self::Timeout => "no complete answer came in time",
            Self::Reset => "the connection ended before the answer was complete",
            Self::Malformed => "the answer is not valid HTTP",
            Self::TooLarge => "the answer is too large",
        }
    }
}

/// A request that got no answer. Displays what a customer may read.
#[derive(Debug)]
pub struct OutboundError {
    /// The kind of failure.
    pub class: FailureClass,
    sent: bool,
    answered: bool,
    hint: Option<&'static str>,
    detail: String,
}

impl OutboundError {
    /// Whether the request may have reached the other side; true when in doubt, as after a time
    /// that was up.
    #[must_use]
    pub fn sent(&self) -> bool {
        self.sent
    }

    /// Whether an answer had begun to come: what ended then was the answer, not the connection alone.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answered
    }

    /// The same failure within an answer.
    pub(crate) fn within_answer(self) -> Self {
        Self { answered: true, ..self }
    }

    /// What an operator needs to know: addresses and causes, never the URL, which may hold a
    /// secret.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// A failure before anything was sent. Public for whoever plays a system that cannot be reached.
    pub fn before_sending(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { class, sent: false, answered: false, hint: None, detail: detail.into() }
    }

    /// A failure after which the request may have reached the other side. Public for the same.
    pub fn after_sending(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { class, sent: true, answered: false, hint: None, detail: detail.into() }
    }

    pub(crate) fn invalid_url(hint: &'static str) -> Self {
        let class = FailureClass::InvalidUrl;
        Self { class, sent: false, answered: false, hint: Some(hint), detail: hint.to_owned() }
    }
}

impl std::fmt::Display for OutboundError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.class.sentence())?;
        match self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

impl StdError for OutboundError {}

/// Why a name or an address is not dialled.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the name could not be resolved: {0}")]
    Unresolved(String),
    #[error("{ip} is forbidden ({range})")]
    Forbidden { ip: IpAddr, range: &'static str },
}

impl From<Refusal> for OutboundError {
    fn from(refusal: Refusal) -> Self {
        let class = match refusal {
            Refusal::Unresolved(_) => FailureClass::Dns,
            Refusal::Forbidden { .. } => FailureClass::BlockedAddress,
        };
        Self::before_sending(class, refusal.to_string())
    }
}

impl From<reqwest::Error> for OutboundError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if let Some(refusal) = cause::<Refusal>(&error) {
            return refusal.clone().into();
        }
        let detail = chain(&error);
        if error.is_connect() {
            return Self::before_sending(connect_class(&error), detail);
        }
        if error.is_builder() {
            return Self::before_sending(FailureClass::InvalidUrl, detail);
        }
        Self::after_sending(exchange_class(&error), detail)
    }
}

fn connect_class(error: &reqwest::Error) -> FailureClass {
    // The TLS layer reports a failed handshake as one of these two kinds; a refused or unreachable
    // connection never has them.
    let tls = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
    match cause::<io::Error>(error).map(innermost_kind) {
        Some(kind) if tls.contains(&kind) => FailureClass::Tls,
        _ if error.is_timeout() => FailureClass::Timeout,
        _ => FailureClass::Connect,
    }
}

/// An I/O error's `source` passes over an I/O error that it wraps.
fn innermost_kind(error: &io::Error) -> io::ErrorKind {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    inner.map_or(error.kind(), innermost_kind)
}

fn exchange_class(error: &reqwest::Error) -> FailureClass {
    let hyper = cause::<hyper::Error>(error);
    let bad_http = hyper.is_some_and(hyper::Error::is_parse);
    let bad_body =
        cause::<io::Error>(error).is_some_and(|e| innermost_kind(e) == io::ErrorKind::InvalidData);
    if error.is_timeout() {
        FailureClass::Timeout
    } else if hyper.is_some_and(hyper::Error::is_parse_too_large) {
        FailureClass::TooLarge
    } else if bad_http || bad_body {
        FailureClass::Malformed
    } else {
        FailureClass::Reset
    }
}

fn cause<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn chain(error: &reqwest::Error) -> String {
    causes(error).fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
