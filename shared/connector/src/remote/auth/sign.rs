//! Signing requests.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use hmac::{Hmac, KeyInit, Mac};
use millwright_core::WallTime;
use millwright_outbound::{Request as Outgoing, Url};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{Proof, Session, proof::text};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{Algorithm, Encoding, HmacAuth, KeyForm},
    remote::Remote,
};

impl Remote {
    /// Signs a request that is otherwise complete, and puts the signature into it.
    pub(in crate::remote) fn sign(
        &self,
        hmac: &HmacAuth,
        session: Option<&Session>,
        outgoing: &mut Outgoing,
    ) -> Result<Proof, SystemError> {
        let now = self.clock().wall();
        let times = facts_of_time(now);
        let before = self.carried(
            &hmac.before.headers,
            &hmac.before.query,
            session,
            Some(("request", times)),
        )?;
        before.put_into(outgoing);
        let scope = self.secret_scope(session)?.with("request", facts(outgoing, now));
        let key = text(&hmac.key, &scope)?;
        let key = key_bytes(&key, hmac.key_form).ok_or_else(no_key)?;
        let signed = text(&hmac.text, &scope)?;
        let signature = mac(hmac.algorithm, &key, &[signed.as_bytes()]);
        let signature = encoded(&signature, hmac.encoding);
        let after = self.carried(
            &hmac.headers,
            &hmac.query,
            session,
            Some(("signature", Value::String(signature))),
        )?;
        after.put_into(outgoing);
        Ok(before.and(after))
    }
}

fn no_key() -> SystemError {
    let message = "the secret for signing is missing or not of its form";
    SystemError::new(SystemErrorClass::Reauthorize, message)
}

fn facts_of_time(now: WallTime) -> Value {
    json!({
        "timestamp": now.seconds(),
        "timestamp_millis": now.millis(),
        "timestamp_iso": now.iso(),
    })
}

/// What can be named of a request that is signed.
fn facts(outgoing: &Outgoing, now: WallTime) -> Value {
    let mut facts = facts_of_time(now);
    let url = &outgoing.url;
    facts["method"] = json!(outgoing.method.as_str());
    facts["url"] = json!(without_scheme(url));
    facts["host"] = json!(url[url::Position::BeforeHost..url::Position::AfterPort]);
    facts["path"] = json!(url.path());
    facts["query"] = json!(url.query().unwrap_or_default());
    facts["body"] = json!(String::from_utf8_lossy(&outgoing.body));
    facts
}

/// The URL as it is sent, without its scheme and the `://` after it.
fn without_scheme(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterQuery]
}

/// The key's bytes; nothing when it is empty or of another form.
pub(in crate::remote) fn key_bytes(key: &str, form: KeyForm) -> Option<Vec<u8>> {
    let bytes = match form {
        KeyForm::Text => key.as_bytes().to_vec(),
        KeyForm::Base64 => lenient().decode(key.trim()).ok()?,
    };
    (!bytes.is_empty()).then_some(bytes)
}

/// Systems show secrets with and without padding.
fn lenient() -> GeneralPurpose {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet::STANDARD, config)
}

/// The message authentication code over the parts, one after the other (RFC 2104).
pub(in crate::remote) fn mac(algorithm: Algorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    match algorithm {
        Algorithm::Sha1 => mac_with::<Hmac<Sha1>>(key, parts),
        Algorithm::Sha256 => mac_with::<Hmac<Sha256>>(key, parts),
        Algorithm::Sha512 => mac_with::<Hmac<Sha512>>(key, parts),
    }
}

fn mac_with<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes a key of any length; an empty code fits nothing.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Bytes as text.
pub(in crate::remote) fn encoded(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Encoding::Base64 => STANDARD.encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_published_vectors() {
        // RFC 2202, test case 2; RFC 4231, test case 2.
        let (key, text) = (b"Jefe".as_slice(), [b"what do ya want ".as_slice(), b"for nothing?"]);
        for (algorithm, expected) in [
            (Algorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Algorithm::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                Algorithm::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            assert_eq!(encoded(&mac(algorithm, key, &text), Encoding::Hex), expected);
        }
    }

    #[test]
    fn a_key_without_bytes_is_no_key() {
        assert_eq!(key_bytes("", KeyForm::Text), None);
        assert_eq!(key_bytes("", KeyForm::Base64), None);
        assert_eq!(key_bytes("a b", KeyForm::Base64), None);
        assert_eq!(key_bytes("YWI", KeyForm::Base64), Some(b"ab".to_vec()));
        assert_eq!(key_bytes("YWI=", KeyForm::Base64), Some(b"ab".to_vec()));
    }

    #[test]
    fn the_url_that_is_signed_is_the_one_that_is_sent() {
        let url = Url::parse("https://x.example:8443/api/a%20b?q=1+2&r=%2F").unwrap();
        assert_eq!(without_scheme(&url), "x.example:8443/api/a%20b?q=1+2&r=%2F");
    }
}
