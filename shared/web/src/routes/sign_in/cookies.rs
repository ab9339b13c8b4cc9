//! The cookies of signing in: one while it is under way, one once it is done. Scripts cannot read them,
//! other sites' forms and frames do not send them, and over TLS no other host can set them (`__Host-`).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use millwright_access::oauth::s256;
use millwright_core::{ExposeSecret, SecretString, random_token};

use crate::App;

/// How long somebody may take to sign in.
const ATTEMPT_LIFE: Duration = Duration::from_secs(600);
/// Where to go when nothing else was asked for.
const HOME: &str = "/dashboard";

/// Somebody is about to sign in. It is kept in their browser alone, which so proves that it began there.
#[derive(Clone)]
pub(super) struct Attempt {
    /// Comes back with the answer.
    pub(super) state: String,
    /// Comes back inside the ID token.
    pub(super) nonce: String,
    /// What the challenge is made of.
    pub(super) verifier: String,
    /// The path to go to in the end.
    pub(super) return_to: String,
}

impl Attempt {
    pub(super) fn begin(return_to: Option<&str>) -> Self {
        let own = return_to.filter(|path| is_own_path(path)).unwrap_or(HOME);
        Self {
            state: random_token(32),
            nonce: random_token(32),
            verifier: random_token(64),
            return_to: own.to_owned(),
        }
    }

    pub(super) fn challenge(&self) -> String {
        s256(&self.verifier)
    }

    fn text(&self) -> String {
        let back = URL_SAFE_NO_PAD.encode(&self.return_to);
        [self.state.as_str(), &self.nonce, &self.verifier, &back].join(".")
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::to_owned);
        let (state, nonce, verifier) = (parts.next()?, parts.next()?, parts.next()?);
        let back = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let return_to = String::from_utf8(back).ok().filter(|path| is_own_path(path))?;
        (parts.next().is_none() && state.len() == 32).then_some(Self {
            state,
            nonce,
            verifier,
            return_to,
        })
    }
}

/// A path of this service, which no browser takes for another host.
fn is_own_path(path: &str) -> bool {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    path.starts_with('/') && !path.starts_with("//") && plain && path.len() <= 1_000
}

/// Makes and finds the cookies.
pub(super) struct Jar {
    https: bool,
}

impl Jar {
    pub(super) fn of(app: &App) -> Self {
        Self { https: app.settings.public_url.is_https() }
    }

    /// The cookie of an attempt, or its end.
    pub(super) fn attempt(&self, attempt: Option<&Attempt>) -> String {
        let text = attempt.map(Attempt::text).unwrap_or_default();
        let life = if attempt.is_some() { ATTEMPT_LIFE } else { Duration::ZERO };
        self.cookie("mw_sign_in", &text, life)
    }

    pub(super) fn find_attempt(&self, headers: &HeaderMap) -> Option<Attempt> {
        Attempt::read(self.find("mw_sign_in", headers)?)
    }

    /// The cookie of a session, or its end.
    pub(super) fn session(&self, session: Option<(&SecretString, Duration)>) -> String {
        match session {
            Some((text, life)) => self.cookie("mw_session", text.expose_secret(), life),
            None => self.cookie("mw_session", "", Duration::ZERO),
        }
    }

    pub(super) fn find_session(&self, headers: &HeaderMap) -> Option<SecretString> {
        self.find("mw_session", headers).map(SecretString::from)
    }

    fn name(&self, name: &str) -> String {
        if self.https { format!("__Host-{name}") } else { name.to_owned() }
    }

    fn cookie(&self, name: &str, text: &str, life: Duration) -> String {
        let secure = if self.https { "; Secure" } else { "" };
        let (name, life) = (self.name(name), life.as_secs());
        format!("{name}={text}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}")
    }

    fn find<'a>(&self, name: &str, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.name(name);
        let headers =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = headers.flat_map(|header| header.split(';'));
        pairs
            .find_map(|pair| pair.trim().split_once('=').filter(|(own, _)| *own == name))
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn sent(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        let value = HeaderValue::from_str(&format!("other=1; {pair}")).unwrap();
        HeaderMap::from_iter([(header::COOKIE, value)])
    }

    #[test]
    fn an_attempt_comes_back_in_its_cookie() {
        for https in [true, false] {
            let jar = Jar { https };
            let attempt = Attempt::begin(Some("/dashboard/x?y=1"));
            let cookie = jar.attempt(Some(&attempt));
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"));
            assert_eq!(cookie.contains("; Secure") && cookie.starts_with("__Host-"), https);
            let found = jar.find_attempt(&sent(&cookie)).unwrap();
            assert_eq!((found.state, found.nonce), (attempt.state, attempt.nonce));
            assert_eq!(found.return_to, "/dashboard/x?y=1");
            assert!(jar.find_session(&sent(&cookie)).is_none());
        }
    }

    #[test]
    fn nobody_is_sent_to_another_host() {
        for path in ["//evil.example", "https://evil.example", "/\\evil.example", "x", "", "/ x"] {
            assert_eq!(Attempt::begin(Some(path)).return_to, HOME, "{path}");
        }
        let mut forged = Attempt::begin(None);
        forged.return_to = "//evil.example".to_owned();
        assert!(Attempt::read(&forged.text()).is_none());
    }
}
