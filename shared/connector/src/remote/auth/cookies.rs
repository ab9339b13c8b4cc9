//! The cookies of a session.

use std::sync::{Mutex, PoisonError};

use cookie_store::CookieStore;
use http::{HeaderMap, header::SET_COOKIE};
use millwright_outbound::Url;

/// A session takes no more cookies than this from one answer: a system has a handful.
const COOKIES_MAX: usize = 50;

/// The cookies of one session. They go back only where they belong by RFC 6265, and no request of a
/// connection goes to another host than its own.
#[derive(Default)]
pub(in crate::remote) struct Jar(Mutex<CookieStore>);

impl Jar {
    /// Keeps the cookies that an answer sets.
    pub(in crate::remote) fn keep(&self, headers: &HeaderMap, url: &Url) {
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in headers.get_all(SET_COOKIE).iter().take(COOKIES_MAX) {
            // What is no cookie, or not for this host, is left out.
            if let Ok(text) = line.to_str() {
                let _ = store.parse(text, url);
            }
        }
    }

    /// The line that goes to a URL, and the cookies' values alone.
    pub(super) fn for_url(&self, url: &Url) -> (String, Vec<String>) {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<(String, String)> = store
            .get_request_values(url)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let line: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (line.join("; "), pairs.into_iter().map(|(_, value)| value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(lines: &[&'static str], to: &str) -> String {
        let jar = Jar::default();
        let headers = lines.iter().map(|line| (SET_COOKIE, line.parse().unwrap()));
        let from = Url::parse("https://erp.example/api/login").unwrap();
        jar.keep(&headers.collect(), &from);
        jar.for_url(&Url::parse(to).unwrap()).0
    }

    #[test]
    fn cookies_go_back_to_their_own_host_and_path_alone() {
        let lines = ["a=1; Path=/; HttpOnly", "b=2; Path=/api", "c=3; Path=/; Secure"];
        assert_eq!(sent(&lines[..1], "https://erp.example/x"), "a=1");
        assert_eq!(sent(&lines[1..2], "https://erp.example/x"), "");
        assert_eq!(sent(&lines[1..2], "https://erp.example/api/x"), "b=2");
        assert_eq!(sent(&lines[2..], "http://erp.example/"), "");
        assert_eq!(sent(&lines, "https://evil.example/api"), "");
        assert_eq!(sent(&["d=4; Domain=evil.example"], "https://evil.example/"), "");
    }

    #[test]
    fn a_cookie_that_has_ended_is_not_sent() {
        assert_eq!(sent(&["a=1; Path=/; Max-Age=0"], "https://erp.example/"), "");
        assert_eq!(sent(&["a=1; Path=/; Max-Age=60"], "https://erp.example/"), "a=1");
    }
}
