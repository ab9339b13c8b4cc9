//! Signatures by Standard Webhooks 1.0.0: one for each key that is valid, newest first.

use http::{HeaderMap, HeaderName, HeaderValue};
use millwright_core::{Error, MessageId, Result, WallTime};
use serde::{Deserialize, Serialize};

use crate::signing_key::SigningKey;

pub(crate) const ID: HeaderName = HeaderName::from_static("webhook-id");
pub(crate) const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const BODY_SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-signature");

/// How an endpoint's attempts are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// The scheme of Standard Webhooks.
    #[serde(default)]
    pub scheme: Scheme,
    /// Whether `X-Webhook-Signature` is sent too: the base64 of an HMAC-SHA256 of the body alone. Its
    /// key is the text of the newest secret; with [`Scheme::V1a`], which shares none, it is not sent.
    #[serde(default)]
    pub body_signature: bool,
}

/// A signature scheme of Standard Webhooks 1.0.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// `v1`: HMAC-SHA256 with a shared secret.
    #[default]
    V1,
    /// `v1a`: ed25519; receivers hold the public key only.
    V1a,
}

/// The opened keys of an endpoint. Each knows until when it is valid, so a signer may be kept for as
/// long as the endpoint's `secret_version` stays what it was.
#[derive(Debug)]
pub struct Signer {
    newest: SigningKey,
    /// Newest first, each with the time from which it signs no more.
    former: Vec<(SigningKey, WallTime)>,
    body_signature: bool,
}

impl Signer {
    pub(crate) fn new(
        newest: SigningKey,
        former: Vec<(SigningKey, WallTime)>,
        body_signature: bool,
    ) -> Self {
        Self { newest, former, body_signature }
    }

    /// The headers of an attempt made at `now`: id, timestamp, and the signatures of all keys that are
    /// valid then. The id stays the same over all attempts; the timestamp is this attempt's, or
    /// receivers would refuse late ones as replays.
    ///
    /// # Errors
    /// Never with an id of ours, which holds no character that a header may not.
    pub fn headers(&self, id: &MessageId, now: WallTime, body: &[u8]) -> Result<HeaderMap> {
        let timestamp = now.seconds();
        let value = |text: &str| HeaderValue::from_str(text).map_err(Error::internal);
        let former = self.former.iter().filter(|(_, ends_at)| *ends_at > now).map(|(key, _)| key);
        let signatures: Vec<String> = std::iter::once(&self.newest)
            .chain(former)
            .map(|key| key.signature(id.as_str(), timestamp, body))
            .collect::<Result<_>>()?;
        // Single spaces and none at the end: the Python library stumbles over others.
        let mut headers = HeaderMap::from_iter([
            (ID, value(id.as_str())?),
            (TIMESTAMP, HeaderValue::from(timestamp)),
            (SIGNATURE, value(&signatures.join(" "))?),
        ]);
        if self.body_signature
            && let Some(signature) = self.newest.body_signature(body)?
        {
            headers.insert(BODY_SIGNATURE, value(&signature)?);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests;
