//! What receivers do: verifying a message by Standard Webhooks 1.0.0.

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use millwright_core::WallTime;
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::{
    sign::{ID, SIGNATURE, TIMESTAMP},
    signing_key::{PUBLIC, SHARED},
};

/// How far a message's timestamp may be off, either way: as the official libraries have it.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Verifies the messages of an endpoint.
#[derive(Debug)]
pub struct Verifier(Key);

enum Key {
    Shared(SecretSlice<u8>),
    Public(Vec<u8>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Verifier {
    /// Takes nothing for right.
    #[must_use]
    pub fn none() -> Self {
        Self(Key::Public(Vec::new()))
    }

    /// Verifies with a shared secret (`whsec_`) or a public key (`whpk_`); nothing when the text is
    /// neither.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let bytes = |encoded| STANDARD.decode(encoded).ok();
        if let Some(encoded) = text.strip_prefix(PUBLIC) {
            return Some(Self(Key::Public(bytes(encoded)?)));
        }
        let secret = bytes(text.strip_prefix(SHARED)?)?;
        (!secret.is_empty()).then(|| Self(Key::Shared(SecretSlice::from(secret))))
    }

    /// Verifies a message that came at `now`.
    ///
    /// # Errors
    /// Why it is not to be trusted, in words.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: WallTime,
    ) -> Result<(), &'static str> {
        let id = text(headers, &ID).ok_or("it has no webhook-id")?;
        let timestamp = text(headers, &TIMESTAMP).ok_or("it has no webhook-timestamp")?;
        let signatures = text(headers, &SIGNATURE).ok_or("it has no webhook-signature")?;
        let seconds: i64 = timestamp.parse().map_err(|_| "its webhook-timestamp is no number")?;
        let sent = WallTime::from_millis(seconds.saturating_mul(1000));
        if now.since(sent).max(sent.since(now)) > TOLERANCE {
            return Err("its webhook-timestamp is too far from now");
        }
        let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        let right = signatures.split(' ').any(|entry| self.signed(entry, &content));
        if right { Ok(()) } else { Err("none of its signatures is right") }
    }

    fn signed(&self, entry: &str, content: &[u8]) -> bool {
        let Some((scheme, encoded)) = entry.split_once(',') else { return false };
        let Ok(signature) = STANDARD.decode(encoded) else { return false };
        match (&self.0, scheme) {
            (Key::Shared(secret), "v1") => {
                let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret());
                mac.is_ok_and(|mac| mac.chain_update(content).verify_slice(&signature).is_ok())
            }
            (Key::Public(public), "v1a") => {
                UnparsedPublicKey::new(&ED25519, public).verify(content, &signature).is_ok()
            }
            _ => false,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use millwright_core::{Clock, ExposeSecret as _, MessageId};

    use super::*;
    use crate::{
        sign::{Scheme, Signer},
        signing_key::{SigningKey, new_secret},
    };

    const BODY: &[u8] = b"{}";

    fn signed(scheme: Scheme, now: WallTime) -> (HeaderMap, String) {
        let secret = new_secret(scheme).unwrap();
        let key = SigningKey::from_secret(&secret).unwrap();
        let verify_with = key.public_key().unwrap_or_else(|| secret.expose_secret().to_owned());
        let signer = Signer::new(key, Vec::new(), false);
        (signer.headers(&MessageId::new_at(1), now, BODY).unwrap(), verify_with)
    }

    #[test]
    fn what_was_signed_is_accepted_and_what_was_tampered_with_is_not() {
        let now = Clock::system().wall();
        for scheme in [Scheme::V1, Scheme::V1a] {
            let (headers, key) = signed(scheme, now);
            let verifier = Verifier::new(&key).unwrap();
            verifier.verify(&headers, BODY, now).unwrap();
            assert!(verifier.verify(&headers, b"{ }", now).is_err());
            let (_, stranger) = signed(scheme, now);
            assert!(Verifier::new(&stranger).unwrap().verify(&headers, BODY, now).is_err());
            let mut renamed = headers.clone();
            renamed.insert(ID, HeaderValue::from_static("msg_other"));
            assert!(verifier.verify(&renamed, BODY, now).is_err());
            for missing in [ID, TIMESTAMP, SIGNATURE] {
                let mut headers = headers.clone();
                headers.remove(missing);
                assert!(verifier.verify(&headers, BODY, now).is_err());
            }
        }
    }

    #[test]
    fn a_message_of_another_time_is_refused() {
        let now = WallTime::from_millis(1_700_000_000_000);
        let (headers, key) = signed(Scheme::V1, now);
        let verifier = Verifier::new(&key).unwrap();
        let at = |seconds: i64| WallTime::from_millis(now.millis() + seconds * 1000);
        for (seconds, fine) in [(-301, false), (-300, true), (300, true), (301, false)] {
            assert_eq!(verifier.verify(&headers, BODY, at(seconds)).is_ok(), fine, "{seconds}");
        }
    }

    #[test]
    fn what_is_no_key_makes_no_verifier() {
        for text in ["", "whsec_", "whsec_%", "whsk_AAAA", "secret"] {
            assert!(Verifier::new(text).is_none(), "{text}");
        }
    }
}
