//! Answers that are not JSON: what people would read in them.

use http::{HeaderMap, header::CONTENT_TYPE};
use millwright_outbound::Response;

/// So much of a page is looked at, in bytes.
const LOOK_AT: usize = 8 << 10;
/// So much of it is told, in characters.
const TELL: usize = 200;

/// Whether an answer is a page.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    kind(headers).starts_with("text/html")
}

/// The title of a page, or the beginning of a plain text.
pub(super) fn words(response: &Response) -> Option<String> {
    let start = &response.body[..response.body.len().min(LOOK_AT)];
    let text = String::from_utf8_lossy(start);
    let told = match kind(&response.headers) {
        kind if kind.starts_with("text/html") => title(&text)?,
        kind if kind.starts_with("text/plain") => &text,
        _ => return None,
    };
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(told.chars().take(TELL).collect()).filter(|text: &String| !text.is_empty())
}

fn title(page: &str) -> Option<&str> {
    // ASCII case alone: the positions stay those of the page.
    let small = page.to_ascii_lowercase();
    let tag = small.find("<title")?;
    let start = tag + small[tag..].find('>')? + 1;
    let end = start + small[start..].find("</title")?;
    page.get(start..end)
}

fn kind(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
