//! `If-Match`: only if the record is still the one that was read (RFC 9110, 13.1.1).

use millwright_core::{Error, ErrorCode, Result};

/// The condition of a write. Entity tags are compared strongly: a weak one matches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Any record, as long as there is one.
    Any,
    /// A record with one of these tags.
    Tags(Vec<String>),
}

impl IfMatch {
    /// Reads the header's value: `*`, or tags with commas between them. A tag without its quotes, as
    /// `meta.etag` shows it, is taken as well.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for what is neither.
    pub fn parse(header: &str) -> Result<Self> {
        if header.trim() == "*" {
            return Ok(Self::Any);
        }
        let tags: Option<Vec<Option<String>>> = header.split(',').map(tag).collect();
        let tags = tags.filter(|tags| !tags.is_empty()).ok_or_else(|| {
            let message = "If-Match must be * or entity tags such as \"33a64df5\"";
            Error::new(ErrorCode::InvalidRequest, message)
        })?;
        Ok(Self::Tags(tags.into_iter().flatten().collect()))
    }

    /// Whether a record with this tag may be written.
    ///
    /// # Errors
    /// `PRECONDITION_FAILED`.
    pub fn check(&self, etag: &str) -> Result<()> {
        match self {
            Self::Any => Ok(()),
            Self::Tags(tags) if tags.iter().any(|tag| tag == etag) => Ok(()),
            Self::Tags(_) => {
                let message = "the record is not the one that If-Match names: read it again";
                Err(Error::new(ErrorCode::PreconditionFailed, message))
            }
        }
    }
}

/// One tag of a list: its text, nothing of a weak one. `None` when it is no tag.
fn tag(text: &str) -> Option<Option<String>> {
    let text = text.trim();
    let (weak, quoted) = match text.strip_prefix("W/") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let inner = match quoted.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None if weak => return None,
        None => quoted,
    };
    let fine = !inner.is_empty() && inner.bytes().all(|b| b > b' ' && b != b'"' && b != 0x7f);
    fine.then(|| (!weak).then(|| inner.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(header: &str, etag: &str) -> bool {
        let checked = IfMatch::parse(header).unwrap().check(etag);
        checked.map_err(|error| assert_eq!(error.code, ErrorCode::PreconditionFailed)).is_ok()
    }

    #[test]
    fn the_tag_that_was_read_lets_a_write_through_and_another_does_not() {
        for header in ["\"abc\"", "abc", "*", " * ", "\"x\", \"abc\"", "x,abc"] {
            assert!(passes(header, "abc"), "{header}");
        }
        for header in ["\"abd\"", "\"x\", \"y\"", "W/\"abc\"", "\"ABC\""] {
            assert!(!passes(header, "abc"), "{header}");
        }
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for header in ["", "\"", "\"abc", "abc\"", "a b", "\"a\",", "W/abc"] {
            let refused = IfMatch::parse(header).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidRequest, "{header}");
        }
    }
}
