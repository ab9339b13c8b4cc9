//! What an application's fields may hold.

use millwright_core::{ErrorCode, FieldError};
use url::{Host, Url};

use crate::{Scope, workspace::checked_name};

/// The most addresses that an application may return to.
pub(crate) const REDIRECTS_MAX: usize = 20;
/// The most characters of an address.
const URL_MAX: usize = 2_000;

fn fault(path: impl Into<String>, message: &str) -> FieldError {
    FieldError::new(path, ErrorCode::ValidationFailed, message)
}

/// The name as it is kept, or what is wrong with it.
pub(crate) fn name(text: &str, faults: &mut Vec<FieldError>) -> String {
    checked_name(text).unwrap_or_else(|error| {
        faults.extend(error.fields);
        String::new()
    })
}

/// What is wrong with a logo's address: browsers of others load it, so it is `https`.
pub(crate) fn logo_fault(text: &str) -> Option<FieldError> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_MAX);
    let fine = url.is_some_and(|url| url.scheme() == "https" && url.has_host() && !has_login(&url));
    (!fine).then(|| fault("logo_url", "must be an https:// address of at most 2000 characters"))
}

/// What is wrong with the addresses to return to.
pub(crate) fn redirect_faults(uris: &[String]) -> Vec<FieldError> {
    if uris.len() > REDIRECTS_MAX {
        return vec![fault("redirect_uris", "must be at most 20")];
    }
    let faulty = |(at, text): (usize, &String)| {
        let path = format!("redirect_uris[{at}]");
        let message = "must be an https:// address, or http:// on loopback, without a fragment";
        (!is_redirect(text)).then(|| fault(path, message))
    };
    uris.iter().enumerate().filter_map(faulty).collect()
}

/// An absolute address without a fragment (RFC 6749, 3.1.2), which nobody on the way can read: by TLS,
/// or on the user's own machine (RFC 8252, 7.3).
fn is_redirect(text: &str) -> bool {
    let Some(url) = Url::parse(text).ok().filter(|_| text.len() <= URL_MAX) else { return false };
    let safe = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(&url),
        _ => false,
    };
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    safe && plain && !text.contains('#') && !has_login(&url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn has_login(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Scopes in order, each once.
pub(crate) fn scopes(mut given: Vec<Scope>) -> Vec<Scope> {
    given.sort_unstable();
    given.dedup();
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_returns_by_tls_or_on_the_users_own_machine() {
        for fine in [
            "https://a.example/back?x=1",
            "http://127.0.0.1:8000/back",
            "http://localhost/",
            "http://[::1]:9/back",
        ] {
            assert!(is_redirect(fine), "{fine}");
        }
        for wrong in [
            "",
            "/back",
            "http://a.example/back",
            "https://a.example/back#x",
            "https://a.example/back#",
            "https://user:pass@a.example/",
            "javascript:alert(1)",
            "http://127.0.0.1.example/",
            "https://a.example/ö",
            "https://a.example/ x",
        ] {
            assert!(!is_redirect(wrong), "{wrong}");
        }
        let many = vec!["https://a.example/".to_owned(); REDIRECTS_MAX + 1];
        assert_eq!(redirect_faults(&many).len(), 1);
        assert_eq!(redirect_faults(&["x".to_owned()])[0].path, "redirect_uris[0]");
    }

    #[test]
    fn a_logo_comes_by_tls() {
        assert!(logo_fault("https://a.example/logo.png").is_none());
        for wrong in ["", "http://a.example/x", "data:image/png;base64,x", "https://u@a.example/"] {
            assert!(logo_fault(wrong).is_some(), "{wrong}");
        }
    }
}
