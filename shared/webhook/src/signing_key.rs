//! Secrets as people see them, and the keys that they stand for.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use millwright_core::{Error, ExposeSecret, Result, SecretString};
use secrecy::SecretSlice;
use sha2::Sha256;

use crate::sign::Scheme;

/// The prefixes of secrets' texts: a shared one, a private key, a public key.
pub(crate) const SHARED: &str = "whsec_";
const PRIVATE: &str = "whsk_";
pub(crate) const PUBLIC: &str = "whpk_";
/// The length of a new shared secret, in bytes; the standard allows 24 to 64.
const SHARED_LENGTH: usize = 32;
/// The seed of an ed25519 key pair and its public key, in bytes. A private key's text has both.
const SEED_LENGTH: usize = 32;
const PRIVATE_LENGTH: usize = 64;

/// A secret ready to sign with.
pub(crate) enum SigningKey {
    /// For HMAC-SHA256.
    Shared {
        /// The base64 decoded.
        bytes: SecretSlice<u8>,
        /// As it is shown.
        text: SecretString,
    },
    /// For ed25519.
    Pair(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// A new secret as it is shown.
///
/// # Errors
/// When the operating system has no random source.
pub(crate) fn new_secret(scheme: Scheme) -> Result<SecretString> {
    let mut bytes = [0; SHARED_LENGTH];
    getrandom::fill(&mut bytes).map_err(|e| Error::internal(e.to_string()))?;
    match scheme {
        Scheme::V1 => Ok(SecretString::from(format!("{SHARED}{}", STANDARD.encode(bytes)))),
        Scheme::V1a => {
            let pair = Ed25519KeyPair::from_seed_unchecked(&bytes).map_err(rejected)?;
            let both = [&bytes[..], pair.public_key().as_ref()].concat();
            Ok(SecretString::from(format!("{PRIVATE}{}", STANDARD.encode(both))))
        }
    }
}

/// Reads a secret that somebody chose, and writes it as it is shown.
///
/// # Errors
/// Why it cannot be one, as a sentence about the field.
pub(crate) fn chosen_secret(
    scheme: Scheme,
    text: &SecretString,
) -> Result<SecretString, &'static str> {
    let text = text.expose_secret();
    match scheme {
        Scheme::V1 => {
            let why = "must be whsec_ and the base64 of 24 to 64 bytes";
            let encoded = text.strip_prefix(SHARED).unwrap_or(text);
            let bytes = STANDARD.decode(encoded).map_err(|_| why)?;
            let fits = (24..=64).contains(&bytes.len());
            fits.then(|| SecretString::from(format!("{SHARED}{encoded}"))).ok_or(why)
        }
        Scheme::V1a => {
            let why =
                "must be whsk_ and the base64 of an ed25519 seed and its public key, 64 bytes";
            let encoded = text.strip_prefix(PRIVATE).ok_or(why)?;
            let bytes = STANDARD.decode(encoded).map_err(|_| why)?;
            key_pair(&bytes).ok_or(why)?;
            Ok(SecretString::from(text))
        }
    }
}

/// The pair that a private key's bytes stand for: nothing when its halves do not belong together.
fn key_pair(bytes: &[u8]) -> Option<Ed25519KeyPair> {
    if bytes.len() != PRIVATE_LENGTH {
        return None;
    }
    let (seed, public) = bytes.split_at(SEED_LENGTH);
    Ed25519KeyPair::from_seed_and_public_key(seed, public).ok()
}

impl SigningKey {
    /// The key that a secret's text stands for.
    ///
    /// # Errors
    /// When the text is not a secret.
    pub(crate) fn from_secret(secret: &SecretString) -> Result<Self> {
        let text = secret.expose_secret();
        let decode = |encoded: &str| {
            let bytes = STANDARD.decode(encoded).map(SecretSlice::from);
            bytes.map_err(|_| Error::internal("an endpoint's secret is not base64"))
        };
        if let Some(encoded) = text.strip_prefix(PRIVATE) {
            let pair = key_pair(decode(encoded)?.expose_secret());
            return pair
                .map(Self::Pair)
                .ok_or_else(|| Error::internal("an endpoint's secret is not a key pair"));
        }
        let bytes = decode(text.strip_prefix(SHARED).unwrap_or(text))?;
        Ok(Self::Shared { bytes, text: secret.clone() })
    }

    /// What receivers verify with, when that is not the secret itself: `whpk_` and base64.
    pub(crate) fn public_key(&self) -> Option<String> {
        match self {
            Self::Shared { .. } => None,
            Self::Pair(pair) => {
                Some(format!("{PUBLIC}{}", STANDARD.encode(pair.public_key().as_ref())))
            }
        }
    }

    /// An entry of `webhook-signature`, over `id.timestamp.body`.
    pub(crate) fn signature(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String> {
        let head = format!("{id}.{timestamp}.");
        match self {
            Self::Shared { bytes, .. } => {
                let code = code(bytes.expose_secret(), &[head.as_bytes(), body])?;
                Ok(format!("v1,{code}"))
            }
            Self::Pair(pair) => {
                let signature = pair.try_sign(&[head.as_bytes(), body].concat());
                let signature = signature.map_err(|e| Error::internal(e.to_string()))?;
                Ok(format!("v1a,{}", STANDARD.encode(signature.as_ref())))
            }
        }
    }

    /// The value of `X-Webhook-Signature`, which only a shared secret can make. Receivers that know
    /// this header take the secret's text as the key, as it stands in front of them.
    pub(crate) fn body_signature(&self, body: &[u8]) -> Result<Option<String>> {
        match self {
            Self::Shared { text, .. } => code(text.expose_secret().as_bytes(), &[body]).map(Some),
            Self::Pair(_) => Ok(None),
        }
    }
}

/// The base64 of an HMAC-SHA256 over the parts, one after the other.
fn code(key: &[u8], parts: &[&[u8]]) -> Result<String> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).map_err(|e| Error::internal(e.to_string()))?;
    for part in parts {
        mac.update(part);
    }
    Ok(STANDARD.encode(mac.finalize().into_bytes()))
}

fn rejected(error: aws_lc_rs::error::KeyRejected) -> Error {
    Error::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors that stand in several official libraries' tests.
    #[test]
    fn the_published_vectors_are_met() {
        let second = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        let vectors = [
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                (
                    "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                    1_649_367_553,
                    r#"{"email":"test@example.com","username":"test_user"}"#,
                ),
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                second,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
                second,
                "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
            ),
        ];
        for (secret, (id, timestamp, body), expected) in vectors {
            let key = SigningKey::from_secret(&SecretString::from(secret)).unwrap();
            assert_eq!(key.signature(id, timestamp, body.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn the_published_public_key_belongs_to_the_published_private_one() {
        let text = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
        let key = SigningKey::from_secret(&SecretString::from(text)).unwrap();
        let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
        assert_eq!(key.public_key().as_deref(), Some(public));
        let shared = SigningKey::from_secret(&new_secret(Scheme::V1).unwrap()).unwrap();
        assert_eq!(shared.public_key(), None);
    }

    #[test]
    fn a_new_secret_is_random_and_may_be_chosen_too() {
        for (scheme, prefix, length) in [(Scheme::V1, SHARED, 32), (Scheme::V1a, PRIVATE, 64)] {
            let (one, other) = (new_secret(scheme).unwrap(), new_secret(scheme).unwrap());
            assert_ne!(one.expose_secret(), other.expose_secret());
            let encoded = one.expose_secret().strip_prefix(prefix).unwrap();
            assert_eq!(STANDARD.decode(encoded).unwrap().len(), length);
            let chosen = chosen_secret(scheme, &one).unwrap();
            assert_eq!(chosen.expose_secret(), one.expose_secret());
        }
    }

    #[test]
    fn a_chosen_shared_secret_has_24_to_64_bytes_in_base64() {
        let chosen = |text: &str| chosen_secret(Scheme::V1, &SecretString::from(text));
        for (length, fits) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            let encoded = STANDARD.encode(vec![7; length]);
            assert_eq!(chosen(&encoded).is_ok(), fits, "{length}");
            let full = format!("{SHARED}{encoded}");
            assert_eq!(chosen(&full).is_ok(), fits, "{length}");
            let shown = chosen(&encoded).ok().map(|text| text.expose_secret().to_owned());
            assert_eq!(shown, fits.then_some(full));
        }
        assert!(chosen("whsec_not base64 at all, not at all").is_err());
        assert!(chosen(new_secret(Scheme::V1a).unwrap().expose_secret()).is_err());
    }

    #[test]
    fn a_chosen_key_pair_has_halves_that_belong_together() {
        let chosen = |text: &str| chosen_secret(Scheme::V1a, &SecretString::from(text));
        let pair = || {
            let secret = new_secret(Scheme::V1a).unwrap();
            STANDARD.decode(&secret.expose_secret()[PRIVATE.len()..]).unwrap()
        };
        let text = |bytes: &[u8]| format!("{PRIVATE}{}", STANDARD.encode(bytes));
        assert!(chosen(&text(&pair())).is_ok());
        let mixed = [&pair()[..32], &pair()[32..]].concat();
        assert!(chosen(&text(&mixed)).is_err());
        assert!(chosen(&text(&pair()[..32])).is_err());
        assert!(chosen(new_secret(Scheme::V1).unwrap().expose_secret()).is_err());
    }

    #[test]
    fn a_key_does_not_print_itself() {
        for scheme in [Scheme::V1, Scheme::V1a] {
            let key = SigningKey::from_secret(&new_secret(scheme).unwrap()).unwrap();
            assert_eq!(format!("{key:?}"), "SigningKey");
        }
    }
}
