//! The next page's address, where an answer gives one.

use url::{Url, form_urlencoded};

use super::redact::Redaction;

/// The address that an answer to a request at `current` gives for the next page: on the same host, and
/// without secrets, so that it can be kept. What the connection logs in with is added when it is asked:
/// `carried` are the names of it. The rest of the query stays as the system wrote it.
pub(super) fn address(
    current: &Url,
    text: &str,
    redaction: &Redaction,
    carried: &[String],
) -> Result<Url, String> {
    let mut url =
        current.join(text.trim()).map_err(|_| "the next page's address is not one".to_owned())?;
    by_https(&mut url, current);
    let another = url.origin() != current.origin();
    if another || !url.username().is_empty() || url.password().is_some() {
        return Err("the next page's address leads to another host".to_owned());
    }
    url.set_fragment(None);
    let is_open = |part: &&str| {
        let pair = form_urlencoded::parse(part.as_bytes()).next();
        pair.is_none_or(|(name, value)| {
            !redaction.hides(&value) && !carried.iter().any(|carried| *carried == name)
        })
    };
    if let Some(query) = url.query() {
        let open: Vec<&str> = query.split('&').filter(is_open).collect();
        let open = Some(open.join("&")).filter(|query| !query.is_empty());
        url.set_query(open.as_deref());
    }
    Ok(url)
}

/// A system behind a proxy that ends TLS may think of itself as `http`: it is asked by `https` all the
/// same.
fn by_https(url: &mut Url, current: &Url) {
    let plain = current.scheme() == "https" && url.scheme() == "http" && url.port().is_none();
    if plain && url.host() == current.host() && url.set_scheme("https").is_ok() {
        // The host has a port of its own, or none, as the address that was asked.
        let _ = url.set_port(current.port());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use millwright_core::SecretString;

    use super::*;

    fn next(text: &str) -> Result<String, String> {
        let current = Url::parse("https://erp.example/api/items?page=1").unwrap();
        let secret = SecretString::from("hunter2secret".to_owned());
        let credentials = BTreeMap::from([("key".to_owned(), secret)]);
        let carried = ["stamp".to_owned()];
        address(&current, text, &Redaction::of(&credentials), &carried).map(String::from)
    }

    #[test]
    fn an_address_may_be_whole_or_a_part_and_stays_on_its_host() {
        for (text, url) in [
            ("https://erp.example/api/items?page=2", "https://erp.example/api/items?page=2"),
            ("/api/items?page=2#top", "https://erp.example/api/items?page=2"),
            ("?page=2", "https://erp.example/api/items?page=2"),
            ("http://erp.example/api/items?page=2", "https://erp.example/api/items?page=2"),
            ("?$skiptoken='a+b%20c'&x", "https://erp.example/api/items?$skiptoken=%27a+b%20c%27&x"),
            ("more?t=a%2Bb", "https://erp.example/api/more?t=a%2Bb"),
        ] {
            assert_eq!(next(text).as_deref(), Ok(url));
        }
        for text in [
            "https://evil.example/api/items?page=2",
            "//evil.example/items",
            "http://evil.example/api/items?page=2",
            "http://erp.example:8080/api/items?page=2",
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
        let url = next("?page=2&api_key=hunter2secret&stamp=17&sort=id").unwrap();
        assert_eq!(url, "https://erp.example/api/items?page=2&sort=id");
    }
}
