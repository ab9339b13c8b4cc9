//! The query: every parameter known, every value readable, or the request is refused.

use axum::extract::FromRequestParts;
use http::request::Parts;
use millwright_core::Error;
use serde::de::DeserializeOwned;

use crate::{
    App,
    error::{ApiError, refused_one},
};

/// A handler's query parameters. `T` denies unknown fields.
#[derive(Clone, Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Ok(Self(parse_query(parts.uri.query().unwrap_or_default())?))
    }
}

/// Reads a query.
///
/// # Errors
/// `INVALID_REQUEST` that names the faulty parameter.
pub(crate) fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Error> {
    let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        refusal(&path, &error.into_inner().to_string())
    })
}

/// Serde's sentence as the API's: `INVALID_REQUEST` that names the parameter.
fn refusal(path: &str, sentence: &str) -> Error {
    let quoted = sentence.split('`').nth(1).unwrap_or_default();
    let starts = |start| sentence.starts_with(start);
    let (name, message) = match sentence.split_once(", expected ") {
        _ if starts("unknown field") => (quoted, "is not a known parameter".to_owned()),
        _ if starts("duplicate field") => (quoted, "is given twice".to_owned()),
        _ if starts("missing field") => (quoted, "is required".to_owned()),
        Some((_, expected)) => (path, format!("must be {}", expected.replace('`', ""))),
        None => (path, sentence.to_owned()),
    };
    refused_one(name, &message)
}

#[cfg(test)]
mod tests {
    use millwright_core::ErrorCode;
    use serde::Deserialize;

    use super::*;
    use crate::page::Limit;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        limit: Limit<500>,
        cursor: Option<String>,
        allow_stale: Option<bool>,
        status: Option<Status>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Active,
        Pending,
    }

    fn refused(query: &str) -> (String, String) {
        let error = parse_query::<Sample>(query).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{query}");
        (error.fields[0].path.clone(), error.message)
    }

    #[test]
    fn known_parameters_are_read_and_the_limit_is_50_unless_told() {
        let sample: Sample = parse_query("cursor=a%20b&allow_stale=true&status=active").unwrap();
        assert_eq!((sample.limit.get(), sample.cursor.as_deref()), (50, Some("a b")));
        assert_eq!(sample.allow_stale, Some(true));
        assert!(matches!(sample.status, Some(Status::Active)));
    }

    #[test]
    fn an_unknown_or_repeated_parameter_is_named() {
        assert_eq!(refused("modified_afer=1").0, "modified_afer");
        assert_eq!(refused("cursor=a&cursor=b").0, "cursor");
    }

    #[test]
    fn a_limit_is_taken_from_1_to_its_most() {
        for (limit, fine) in [("1", true), ("500", true), ("0", false), ("501", false)] {
            assert_eq!(parse_query::<Sample>(&format!("limit={limit}")).is_ok(), fine, "{limit}");
        }
        for limit in ["", "-1", "x", "99999999999", "1.5"] {
            let (name, message) = refused(&format!("limit={limit}"));
            assert_eq!(name, "limit");
            assert!(message.contains("whole number from 1 to 500"), "{message}");
        }
    }

    #[test]
    fn a_value_that_is_none_of_the_possible_ones_is_told_which_are() {
        assert_eq!(refused("allow_stale=yes").0, "allow_stale");
        let (name, message) = refused("status=x");
        assert_eq!(name, "status");
        assert_eq!(message, "the query parameter status must be active or pending");
    }
}
