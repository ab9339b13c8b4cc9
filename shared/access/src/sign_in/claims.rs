//! The claims of an ID token (OpenID Connect Core 1.0, 2 and 3.1.3.7).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use millwright_core::{Error, ErrorCode, Result, WallTime, constant_time_eq};
use serde_json::Value;

/// How far the provider's clock may be off.
const SKEW: Duration = Duration::from_secs(60);
/// The most characters of a subject (OpenID Connect Core 1.0, 2).
const SUBJECT_MAX: usize = 255;

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider's own id of the person.
    pub subject: String,
    /// Their e-mail address, if the provider has verified it.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
}

/// What an ID token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who issued it.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// In answer to which request.
    pub nonce: &'a str,
    /// The time.
    pub now: WallTime,
}

/// The claims of an ID token that came straight from the token endpoint, over TLS and to us: then the
/// certificate stands in for the signature (OpenID Connect Core 1.0, 3.1.3.7, point 6). A token that came
/// any other way must not be read by this.
///
/// # Errors
/// `AUTHENTICATION_FAILED` when it is no such token.
pub fn claims_of(id_token: &str) -> Result<Value> {
    let mut parts = id_token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refused("the provider's ID token cannot be read"));
    };
    let bytes = URL_SAFE_NO_PAD.decode(claims).ok();
    let claims = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    claims.ok_or_else(|| refused("the provider's ID token cannot be read"))
}

/// Who signed in, if the claims are for us, from the right issuer, in time, and the answer to our
/// request.
///
/// # Errors
/// `AUTHENTICATION_FAILED` when they are not.
pub fn check_claims(claims: &Value, expected: Expected<'_>) -> Result<Identity> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    let now = expected.now.millis() as f64 / 1000.0;
    let skew = SKEW.as_secs_f64();
    let in_time = time("exp").is_some_and(|exp| exp + skew > now)
        && time("iat").is_some_and(|iat| iat < now + skew);
    let nonce = text("nonce").unwrap_or_default();
    let subject = text("sub").filter(|sub| !sub.is_empty() && sub.len() <= SUBJECT_MAX);
    let fine = text("iss") == Some(expected.issuer)
        && is_for(claims, expected.client_id)
        && in_time
        && constant_time_eq(nonce.as_bytes(), expected.nonce.as_bytes());
    let subject = subject.filter(|_| fine);
    let subject =
        subject.ok_or_else(|| refused("the provider's ID token is not for this sign-in"))?;
    let verified = claims.get("email_verified") == Some(&Value::Bool(true));
    Ok(Identity {
        subject: subject.to_owned(),
        email: text("email").filter(|_| verified).map(str::to_owned),
        name: text("name").map(str::to_owned),
    })
}

/// For one client, and by it.
fn is_for(claims: &Value, client_id: &str) -> bool {
    let audience = match claims.get("aud") {
        Some(Value::String(one)) => one == client_id,
        Some(Value::Array(all)) => all.len() == 1 && all[0] == client_id,
        _ => false,
    };
    let party = claims.get("azp").is_none_or(|party| party == client_id);
    audience && party
}

fn refused(why: &str) -> Error {
    Error::new(ErrorCode::AuthenticationFailed, why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn expected() -> Expected<'static> {
        Expected {
            issuer: "https://id.example",
            client_id: "us",
            nonce: "n",
            now: WallTime::from_millis(NOW * 1000),
        }
    }

    fn claims(changes: &[(&str, Value)]) -> Value {
        let mut claims = json!({
            "iss": "https://id.example", "aud": "us", "sub": "7", "nonce": "n",
            "exp": NOW + 300, "iat": NOW, "email": "ann@acme.example", "email_verified": true,
        });
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        claims
    }

    #[test]
    fn right_claims_say_who_it_is() {
        let identity = check_claims(&claims(&[("aud", json!(["us"]))]), expected()).unwrap();
        assert_eq!(
            (identity.subject.as_str(), identity.email.as_deref()),
            ("7", Some("ann@acme.example"))
        );
    }

    #[test]
    fn an_address_that_was_not_verified_is_nobodys() {
        for value in [json!(false), json!("true"), json!(null)] {
            let claims = claims(&[("email_verified", value)]);
            assert_eq!(check_claims(&claims, expected()).unwrap().email, None);
        }
    }

    #[test]
    fn claims_for_others_of_others_or_of_another_time_are_refused() {
        for change in [
            ("iss", json!("https://id.example/")),
            ("aud", json!("them")),
            ("aud", json!(["us", "them"])),
            ("aud", json!(null)),
            ("azp", json!("them")),
            ("nonce", json!("m")),
            ("nonce", json!(null)),
            ("exp", json!(NOW - 61)),
            ("exp", json!(null)),
            ("iat", json!(NOW + 61)),
            ("sub", json!("")),
            ("sub", json!("x".repeat(256))),
        ] {
            let refused =
                check_claims(&claims(std::slice::from_ref(&change)), expected()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::AuthenticationFailed, "{change:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        let encoded = URL_SAFE_NO_PAD.encode(br#"{"sub":"7"}"#);
        assert_eq!(claims_of(&format!("h.{encoded}.s")).unwrap()["sub"], "7");
        for wrong in ["", "a.b", &format!("h.{encoded}"), &format!("h.{encoded}.s.x"), "h.?.s"] {
            assert!(claims_of(wrong).is_err(), "{wrong}");
        }
    }
}
