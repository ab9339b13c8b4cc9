//! What an authorization server gave, and how it lies among a connection's credentials.

use std::{fmt, pin::Pin, time::Duration};

use millwright_core::{ExposeSecret, SecretString, WallTime, constant_time_eq};
use serde_json::{Map, Value};

use crate::{engine::Credentials, error::SystemError, manifest::TokenRules};

/// What names of tokens among credentials begin with. No form has such a field: names of fields have no
/// dot.
const PREFIX: &str = "oauth.";
const ACCESS_TOKEN: &str = "oauth.access_token";
const REFRESH_TOKEN: &str = "oauth.refresh_token";
const EXPIRES_AT: &str = "oauth.expires_at";
const OBTAINED_AT: &str = "oauth.obtained_at";
const KEPT: &str = "oauth.kept";
const GRANT: &str = "oauth.grant";

/// Whether this name among credentials is one of tokens, and no field of a form.
#[must_use]
pub fn is_token_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Tokens. They are printed by nobody.
#[derive(Clone)]
pub struct Tokens {
    /// What requests carry.
    pub access_token: SecretString,
    /// What it is renewed with, where it is.
    pub refresh_token: Option<SecretString>,
    /// When the access token ends, where that is known.
    pub expires_at: Option<WallTime>,
    /// When the access token was given.
    pub obtained_at: WallTime,
    /// What else the manifest keeps of the answer, as `{session.name}`.
    pub kept: Map<String, Value>,
    /// Names the consent that they come from: the same after each renewal, another after another login.
    pub grant: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// The tokens among credentials; nothing when there is no access token.
    #[must_use]
    pub fn among(credentials: &Credentials) -> Option<Self> {
        let text = |name: &str| credentials.get(name).map(ExposeSecret::expose_secret);
        let time = |name| text(name)?.parse().ok().map(WallTime::from_millis);
        let kept = text(KEPT).and_then(|kept| serde_json::from_str(kept).ok());
        Some(Self {
            access_token: credentials.get(ACCESS_TOKEN)?.clone(),
            refresh_token: credentials.get(REFRESH_TOKEN).cloned(),
            expires_at: time(EXPIRES_AT),
            obtained_at: time(OBTAINED_AT).unwrap_or_default(),
            kept: kept.unwrap_or_default(),
            grant: text(GRANT).unwrap_or_default().to_owned(),
        })
    }

    /// Puts the tokens among credentials, in place of those that are there.
    pub fn put_into(&self, credentials: &mut Credentials) {
        credentials.retain(|name, _| !is_token_name(name));
        let mut set = |name: &str, text: SecretString| drop(credentials.insert(name.into(), text));
        set(ACCESS_TOKEN, self.access_token.clone());
        if let Some(token) = &self.refresh_token {
            set(REFRESH_TOKEN, token.clone());
        }
        if let Some(at) = self.expires_at {
            set(EXPIRES_AT, at.millis().to_string().into());
        }
        set(OBTAINED_AT, self.obtained_at.millis().to_string().into());
        set(KEPT, Value::Object(self.kept.clone()).to_string().into());
        set(GRANT, self.grant.clone().into());
    }

    /// These, given when `old` was renewed: what the answer left out is what it was (RFC 6749, 6).
    #[must_use]
    pub(super) fn renewed_from(mut self, old: &Self) -> Self {
        self.refresh_token = self.refresh_token.or_else(|| old.refresh_token.clone());
        let kept = std::mem::replace(&mut self.kept, old.kept.clone());
        self.kept.extend(kept.into_iter().filter(|(_, value)| !value.is_null()));
        self.grant.clone_from(&old.grant);
        self
    }

    /// When the access token is renewed: as long before its end as the manifest says, but not before
    /// three quarters of its life. Nothing when no end is known.
    #[must_use]
    pub fn renew_at(&self, rules: &TokenRules) -> Option<WallTime> {
        let expires_at = self.expires_at?;
        let life = expires_at.since(self.obtained_at);
        let before = Duration::from_secs(u64::from(rules.refresh_before_seconds));
        Some(expires_at - before.min(life / 4))
    }

    /// Whether the access token has ended.
    #[must_use]
    pub fn have_ended(&self, now: WallTime) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether the access token is that one.
    #[must_use]
    pub fn carries(&self, access_token: &SecretString) -> bool {
        constant_time_eq(
            self.access_token.expose_secret().as_bytes(),
            access_token.expose_secret().as_bytes(),
        )
    }
}

/// What a [`TokenSource`] answers.
pub type TokenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Tokens>, SystemError>> + Send + 'a>>;

/// Where a system gets the tokens from that its requests carry.
pub trait TokenSource: Send + Sync {
    /// Tokens that are good as far as is known, renewed first where it is time. `dead` is an access
    /// token that the system has just refused; the answer is nothing when no other is to be had, so
    /// that what the system says must stand.
    fn tokens<'a>(&'a self, dead: Option<&'a SecretString>) -> TokenFuture<'a>;
}

/// Tokens that nobody renews: while a connection is being made.
pub(crate) struct Fixed(pub(crate) Tokens);

impl TokenSource for Fixed {
    fn tokens<'a>(&'a self, dead: Option<&'a SecretString>) -> TokenFuture<'a> {
        let tokens = dead.is_none().then(|| self.0.clone());
        Box::pin(async move { Ok(tokens) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokens(refresh: Option<&str>, kept: Value) -> Tokens {
        Tokens {
            access_token: "a1".into(),
            refresh_token: refresh.map(SecretString::from),
            expires_at: Some(WallTime::from_millis(3_600_000)),
            obtained_at: WallTime::from_millis(0),
            kept: kept.as_object().cloned().unwrap(),
            grant: "g".to_owned(),
        }
    }

    fn rules(before: u32) -> TokenRules {
        let yaml = format!("{{url: 'https://x.example', refresh_before_seconds: {before}}}");
        serde_saphyr::from_str(&yaml).unwrap()
    }

    #[test]
    fn tokens_lie_among_credentials_and_come_back_whole() {
        let mut credentials = Credentials::from([
            ("tenant".to_owned(), "acme".into()),
            ("oauth.refresh_token".to_owned(), "old".into()),
        ]);
        tokens(None, json!({"instance": "i1"})).put_into(&mut credentials);
        let found = Tokens::among(&credentials).unwrap();
        assert!(found.refresh_token.is_none(), "what was there before is gone");
        assert_eq!(found.kept["instance"], "i1");
        assert_eq!(found.expires_at, Some(WallTime::from_millis(3_600_000)));
        assert_eq!((found.grant.as_str(), credentials.len()), ("g", 6));
        assert!(Tokens::among(&Credentials::new()).is_none());
    }

    #[test]
    fn what_a_renewal_leaves_out_stays_as_it_was() {
        let old = tokens(Some("r1"), json!({"instance": "i1", "user": 7}));
        let new = tokens(None, json!({"instance": null, "user": 8})).renewed_from(&old);
        assert_eq!(new.refresh_token.unwrap().expose_secret(), "r1");
        assert_eq!(Value::Object(new.kept), json!({"instance": "i1", "user": 8}));
        let new = tokens(Some("r2"), json!({})).renewed_from(&old);
        assert_eq!(new.refresh_token.unwrap().expose_secret(), "r2");
    }

    #[test]
    fn a_token_is_renewed_before_its_end_and_a_short_one_not_all_the_time() {
        let at = |before| tokens(None, json!({})).renew_at(&rules(before)).unwrap().seconds();
        assert_eq!((at(300), at(900), at(3600)), (3300, 2700, 2700));
        let endless = Tokens { expires_at: None, ..tokens(None, json!({})) };
        assert_eq!(endless.renew_at(&rules(300)), None);
        assert!(!endless.have_ended(WallTime::from_millis(i64::MAX)));
    }

    #[test]
    fn nobody_prints_tokens() {
        assert_eq!(format!("{:?}", tokens(Some("r1"), json!({}))), "Tokens");
    }
}
