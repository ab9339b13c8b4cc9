//! What an answer says of its page beside the rows.

use http::{
    HeaderMap,
    header::{CONTENT_RANGE, LINK},
};
use url::Url;

use crate::{
    error::SystemError,
    json::Node,
    manifest::{Ending, Paging, is_set},
    path::{NestedKeys, Path},
};

/// What an answer says of its page beside the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signals {
    /// Where the next page is: a value or an address.
    pub next: Option<String>,
    /// Whether there is more, where it says so.
    pub more: bool,
    /// How many rows there are.
    pub total: Option<u64>,
    /// How many pages there are.
    pub pages: Option<u64>,
}

impl Signals {
    /// Reads them. `address` makes an address of the answer one that can be asked.
    pub fn read<'a>(
        paging: &Paging,
        body: impl Node<'a>,
        headers: &HeaderMap,
        address: impl Fn(&str) -> Result<String, SystemError>,
    ) -> Result<Self, SystemError> {
        let next = match paging {
            Paging::Cursor(cursor) => text(&cursor.at, body),
            Paging::NextUrl(next) => text(&next.at, body).map(|text| address(&text)).transpose()?,
            Paging::LinkHeader(_) => next_link(headers).map(|text| address(&text)).transpose()?,
            Paging::Skiptoken(skip) => match text(&skip.at, body) {
                None => None,
                Some(url) => Some(parameter(&address(&url)?, &skip.parameter)?),
            },
            _ => None,
        };
        let mut signals = Self { next, ..Self::default() };
        match paging.ends_with() {
            Some(Ending::More(path)) => signals.more = is_set(path, body),
            Some(Ending::Total(path)) => signals.total = number(path, body),
            Some(Ending::Pages(path)) => signals.pages = number(path, body),
            _ => {}
        }
        if matches!(paging, Paging::Range) {
            signals.total = total_of_range(headers);
        }
        Ok(signals)
    }
}

fn text<'a>(path: &Path, body: impl Node<'a>) -> Option<String> {
    path.text(body).filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned)
}

fn number<'a>(path: &Path, body: impl Node<'a>) -> Option<u64> {
    path.get(body, NestedKeys::Plain)?;
    path.text(body)?.parse().ok()
}

/// The value of a query parameter.
fn parameter(address: &str, name: &str) -> Result<String, SystemError> {
    let url =
        Url::parse(address).map_err(|_| SystemError::malformed("the next page has no address"))?;
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned()).ok_or_else(|| {
        SystemError::malformed(format!("the next page's address has no parameter `{name}`"))
    })
}

/// The target of `rel="next"` among the headers `Link` (RFC 8288, 3). Several relations may stand in
/// one parameter; commas and semicolons may stand in an address or between quotes.
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(next_of)
}

fn next_of(value: &str) -> Option<String> {
    let mut rest = value;
    loop {
        let (_, from) = rest.split_once('<')?;
        let (target, parameters) = from.split_once('>')?;
        let end = unquoted(parameters, ',').unwrap_or(parameters.len());
        if is_next(&parameters[..end]) {
            return Some(target.trim().to_owned());
        }
        rest = &parameters[end..];
    }
}

fn is_next(parameters: &str) -> bool {
    let mut rest = parameters;
    while let Some(at) = unquoted(rest, ';') {
        rest = &rest[at + 1..];
        let one = &rest[..unquoted(rest, ';').unwrap_or(rest.len())];
        let Some((name, value)) = one.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("rel") {
            let value = value.trim().trim_matches('"');
            return value.split_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"));
        }
    }
    false
}

/// Where a character stands outside of quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, found) in text.char_indices() {
        match found {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if found == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// How many rows there are by `Content-Range: unit first-last/total` (RFC 9110, 14.4). Where the total
/// is not told (`*`), the end shows only by a page without new rows.
fn total_of_range(headers: &HeaderMap) -> Option<u64> {
    let (_, total) = headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?;
    match total.trim() {
        "*" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn paging(yaml: &str) -> Paging {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn read(yaml: &str, body: &Value, headers: &[(&'static str, &str)]) -> Signals {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let address = |text: &str| Ok(format!("https://erp.example{text}"));
        Signals::read(&paging(yaml), body, &headers.collect(), address).unwrap()
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        for (link, next) in [
            ("</a?p=2>; rel=\"next\"", Some("/a?p=2")),
            ("</a?p=1>; rel=prev, </a?p=3>; rel=next", Some("/a?p=3")),
            ("</a,b;c?p=3>; title=\"x, y; rel=next\"; rel=\"last Next\"", Some("/a,b;c?p=3")),
            ("</a>; title=\"a \\\" , <b>; rel=next\"; rel=first", None),
            ("</a>; rel=nextone, </b>", None),
            ("nonsense", None),
        ] {
            let signals = read("link_header: {}", &json!({}), &[("link", link)]);
            let expected = next.map(|path| format!("https://erp.example{path}"));
            assert_eq!(signals.next, expected, "{link}");
        }
        let two = [("link", "</a>; rel=first"), ("link", "</b>; rel=next")];
        assert!(read("link_header: {}", &json!({}), &two).next.is_some());
    }

    #[test]
    fn a_cursor_may_be_a_number_and_ends_when_there_is_none() {
        for (body, next) in [
            (json!({"meta": {"next": "abc"}}), Some("abc")),
            (json!({"meta": {"next": 17}}), Some("17")),
            (json!({"meta": {"next": ""}}), None),
            (json!({"meta": {"next": null}}), None),
            (json!({}), None),
        ] {
            assert_eq!(read("cursor: { at: meta.next }", &body, &[]).next.as_deref(), next);
        }
    }

    #[test]
    fn a_skiptoken_is_taken_out_of_its_address() {
        let yaml = "skiptoken: { at: d.__next }";
        let body = json!({"d": {"__next": "/orders?$top=2&$skiptoken=a%20b%27c"}});
        assert_eq!(read(yaml, &body, &[]).next.as_deref(), Some("a b'c"));
        assert_eq!(read(yaml, &json!({"d": {}}), &[]).next, None);
    }

    #[test]
    fn totals_are_numbers_or_text_and_a_range_may_not_know_its_own() {
        let total = |body| read("page: { ends_with: { total: count } }", &body, &[]).total;
        assert_eq!(total(json!({"count": 12})), Some(12));
        assert_eq!(total(json!({"count": "12"})), Some(12));
        assert_eq!(total(json!({"count": null})), None);
        let range = |value| read("range", &json!([]), &[("content-range", value)]).total;
        assert_eq!(range("records 0-99/1234"), Some(1234));
        assert_eq!(range("records 0-99/*"), Some(u64::MAX));
        assert_eq!(range("records"), None);
    }
}
