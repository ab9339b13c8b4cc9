//! The next page's address, where an answer gives one.

use url::Url;

use super::redact::Redaction;

/// The address that an answer to a request at `current` gives for the next page: on the same host, and
/// without secrets, so that it can be kept. What the connection logs in with is added when it is asked.
pub(super) fn address(current: &Url, text: &str, redaction: &Redaction) -> Result<Url, String> {
    let mut url =
        current.join(text).map_err(|_| "the next page's address is not one".to_owned())?;
    let another = url.origin() != current.origin();
    if another || !url.username().is_empty() || url.password().is_some() {
        return Err("the next page's address leads to another host".to_owned());
    }
    url.set_fragment(None);
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let open: Vec<&(String, String)> =
        pairs.iter().filter(|(_, value)| !redaction.hides(value)).collect();
    if open.len() < pairs.len() {
        url.query_pairs_mut().clear().extend_pairs(open);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::HeaderMap;
    use millwright_core::SecretString;

    use super::*;

    fn next(text: &str) -> Result<String, String> {
        let current = Url::parse("https://erp.example/api/items?page=1").unwrap();
        let secret = SecretString::from("hunter2secret".to_owned());
        let credentials = BTreeMap::from([("key".to_owned(), secret)]);
        let redaction = Redaction::new(&credentials, None, &HeaderMap::new());
        address(&current, text, &redaction).map(String::from)
    }

    #[test]
    fn an_address_may_be_whole_or_a_part_and_stays_on_its_host() {
        for (text, url) in [
            ("https://erp.example/api/items?page=2", "https://erp.example/api/items?page=2"),
            ("/api/items?page=2#top", "https://erp.example/api/items?page=2"),
            ("?page=2", "https://erp.example/api/items?page=2"),
            ("more?t=a%2Bb", "https://erp.example/api/more?t=a%2Bb"),
        ] {
            assert_eq!(next(text).as_deref(), Ok(url));
        }
        for text in [
            "https://evil.example/api/items?page=2",
            "//evil.example/items",
            "http://erp.example/api/items?page=2",
            "https://erp.example:444/api/items",
            "https://me:pass@erp.example/api/items",
            "https://erp.example@evil.example/",
            "\\\\evil.example/x",
        ] {
            assert!(next(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_in_an_address_is_not_kept() {
        let url = next("?page=2&api_key=hunter2secret&sort=id").unwrap();
        assert_eq!(url, "https://erp.example/api/items?page=2&sort=id");
    }
}
