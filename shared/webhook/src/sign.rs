//! Signatures by Standard Webhooks 1.0.0, scheme `v1`: HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use millwright_core::{Error, ExposeSecret, MessageId, Result, SecretString, WallTime};
use secrecy::SecretSlice;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The prefix of a secret's text.
const PREFIX: &str = "whsec_";
/// The length of a new secret, in bytes; the standard allows 24 to 64.
const LENGTH: usize = 32;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How an endpoint's attempts are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// The scheme of Standard Webhooks.
    #[serde(default)]
    pub scheme: Scheme,
    /// Whether `X-Webhook-Signature` is sent too: the base64 of an HMAC-SHA256 of the body alone.
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

/// A new secret as it is shown: `whsec_` and the base64 of 32 random bytes.
///
/// # Errors
/// When the operating system has no random source.
pub(crate) fn new_secret() -> Result<SecretString> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|e| Error::internal(e.to_string()))?;
    Ok(SecretString::from(format!("{PREFIX}{}", STANDARD.encode(bytes))))
}

/// A secret ready to sign with.
pub(crate) struct SigningKey(SecretSlice<u8>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// The key that a secret's text stands for: its base64 decoded.
    ///
    /// # Errors
    /// When the text is not a secret.
    pub(crate) fn from_secret(secret: &SecretString) -> Result<Self> {
        let text = secret.expose_secret();
        let bytes = STANDARD
            .decode(text.strip_prefix(PREFIX).unwrap_or(text))
            .map_err(|_| Error::internal("an endpoint's secret is not base64"))?;
        Ok(Self(SecretSlice::from(bytes)))
    }

    /// The three headers of an attempt made at `now`. The id stays the same over all attempts; the
    /// timestamp is this attempt's, or receivers would refuse late ones as replays.
    ///
    /// # Errors
    /// Never with an id of ours, which holds no character that a header may not.
    pub(crate) fn headers(&self, id: &MessageId, now: WallTime, body: &[u8]) -> Result<HeaderMap> {
        let timestamp = now.seconds();
        let value = |text: &str| HeaderValue::from_str(text).map_err(Error::internal);
        let signature = self.signature(id.as_str(), timestamp, body)?;
        Ok(HeaderMap::from_iter([
            (ID, value(id.as_str())?),
            (TIMESTAMP, HeaderValue::from(timestamp)),
            (SIGNATURE, value(&signature)?),
        ]))
    }

    fn signature(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret())
            .map_err(|e| Error::internal(e.to_string()))?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::Clock;
    use standardwebhooks::Webhook;

    use super::*;

    /// Vectors that stand in several official libraries' tests.
    #[test]
    fn the_published_vectors_are_met() {
        let vectors = [
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ];
        for (secret, id, timestamp, body, expected) in vectors {
            let key = SigningKey::from_secret(&SecretString::from(secret)).unwrap();
            assert_eq!(key.signature(id, timestamp, body.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn the_official_library_accepts_what_is_signed_and_nothing_else() {
        let secret = new_secret().unwrap();
        let key = SigningKey::from_secret(&secret).unwrap();
        let body = r#"{"type":"test.ping","data":{"ü":"1.50"}}"#.as_bytes();
        let headers = key.headers(&MessageId::new_at(1), Clock::system().wall(), body).unwrap();
        let receiver = Webhook::new(secret.expose_secret()).unwrap();
        receiver.verify(body, &headers).unwrap();
        assert!(receiver.verify(b"{}", &headers).is_err());
        let stranger = Webhook::new(new_secret().unwrap().expose_secret()).unwrap();
        assert!(stranger.verify(body, &headers).is_err());
    }

    #[test]
    fn a_new_secret_is_32_random_bytes_in_base64() {
        let secret = new_secret().unwrap();
        let text = secret.expose_secret().strip_prefix(PREFIX).unwrap();
        assert_eq!(STANDARD.decode(text).unwrap().len(), LENGTH);
        assert_ne!(secret.expose_secret(), new_secret().unwrap().expose_secret());
    }

    #[test]
    fn a_key_does_not_print_itself() {
        let key = SigningKey::from_secret(&SecretString::from("whsec_c2VjcmV0")).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey");
    }
}
