//! `If-Match`.

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use millwright_core::{Error, ErrorCode};
use millwright_records::IfMatch;

use crate::{App, error::ApiError};

/// The request's condition, if it has one. Several headers count as one list (RFC 9110, 5.3).
#[derive(Clone, Debug)]
pub(crate) struct Condition(pub(crate) Option<IfMatch>);

impl FromRequestParts<App> for Condition {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Ok(Self(condition(parts)?))
    }
}

fn condition(parts: &Parts) -> Result<Option<IfMatch>, Error> {
    let values = parts.headers.get_all(header::IF_MATCH).iter();
    let values: Result<Vec<&str>, _> = values.map(http::HeaderValue::to_str).collect();
    let message = "If-Match must be * or entity tags";
    let values = values.map_err(|_| Error::new(ErrorCode::InvalidRequest, message))?;
    if values.is_empty() {
        return Ok(None);
    }
    IfMatch::parse(&values.join(",")).map(Some)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(values: &[&str]) -> Parts {
        let mut request = Request::builder();
        for value in values {
            request = request.header(header::IF_MATCH, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn no_header_is_no_condition_and_several_are_one_list() {
        assert_eq!(condition(&parts(&[])).unwrap(), None);
        let both = condition(&parts(&["\"a\"", "\"b\""])).unwrap().unwrap();
        assert!(both.check("a").is_ok() && both.check("b").is_ok() && both.check("c").is_err());
        assert!(condition(&parts(&[""])).is_err());
    }
}
