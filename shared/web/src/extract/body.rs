//! The body: JSON, within the limit, and what the operation's schema says.

use std::any::type_name;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use millwright_core::{Error, ErrorCode, FieldError};
use serde::de::DeserializeOwned;
use serde_json::{Value, error::Category};
use utoipa::ToSchema;

use super::schema_check;
use crate::{App, error::ApiError};

/// A JSON body that its type's schema was held against: all faulty fields are told at once.
#[derive(Clone, Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON body as it came, for an operation that knows more about it than the schema says.
#[derive(Clone, Debug)]
pub(crate) struct AnyJson(pub(crate) Value);

impl AnyJson {
    /// As [`JsonBody`], with more faults told along with those that the schema finds.
    pub(crate) fn checked<T>(self, more: Vec<FieldError>) -> Result<T, Error>
    where
        T: DeserializeOwned + ToSchema + 'static,
    {
        typed(self.0, more)
    }
}

/// A body as [`JsonBody`], or none at all or `null`, which is the default.
#[derive(Clone, Debug)]
pub(crate) struct OptionalJsonBody<T>(pub(crate) T);

/// A JSON merge patch (RFC 7396), sent as such or as plain JSON.
#[derive(Clone, Debug)]
pub(crate) struct MergePatch<T>(pub(crate) T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest<App> for MergePatch<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (headers, bytes) = received(request, app).await?;
        require_type(&headers, &[MERGE_PATCH, JSON])?;
        Ok(Self(parse(&bytes)?))
    }
}

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (headers, bytes) = received(request, app).await?;
        require_json(&headers)?;
        Ok(Self(parse(&bytes)?))
    }
}

/// A JSON body that its type's schema was held against, and then read from its very bytes: a part of
/// it that is a [`serde_json::value::RawValue`] is as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct ExactJson<T>(pub(crate) T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest<App> for ExactJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (headers, bytes) = received(request, app).await?;
        require_json(&headers)?;
        Ok(Self(exact(&bytes)?))
    }
}

fn exact<T: DeserializeOwned + ToSchema + 'static>(bytes: &[u8]) -> Result<T, Error> {
    let faults = schema_check::faults::<T>(&json(bytes)?)?;
    if let Some(error) = Error::from_fields(faults) {
        return Err(error);
    }
    serde_json::from_slice(bytes).map_err(|error| misfit::<T>("body".to_owned(), &error))
}

impl FromRequest<App> for AnyJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (headers, bytes) = received(request, app).await?;
        require_json(&headers)?;
        Ok(Self(json(&bytes)?))
    }
}

impl<T: DeserializeOwned + Default + ToSchema + 'static> FromRequest<App> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (headers, bytes) = received(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&headers)?;
        Ok(Self(parse_optional(&bytes)?))
    }
}

async fn received(request: Request, app: &App) -> Result<(HeaderMap, Bytes), Error> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(body, app.settings.body_limit).await?;
    Ok((parts.headers, bytes))
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE` when there are more; `INVALID_REQUEST` when it ends early.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Bytes, Error> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("the body has more than {limit} bytes");
            Err(Error::new(ErrorCode::PayloadTooLarge, message))
        }
        Err(_) => Err(Error::new(ErrorCode::InvalidRequest, "the body could not be read whole")),
    }
}

/// The type of JSON (RFC 8259, 11).
const JSON: &str = "application/json";
/// The type of a merge patch (RFC 7396, 4).
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

fn require_json(headers: &HeaderMap) -> Result<(), Error> {
    require_type(headers, &[JSON])
}

fn require_type(headers: &HeaderMap, taken: &[&str]) -> Result<(), Error> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    if taken.iter().any(|one| essence.trim().eq_ignore_ascii_case(one)) {
        return Ok(());
    }
    let message = format!("send the body as Content-Type: {}", taken.join(" or "));
    Err(Error::new(ErrorCode::UnsupportedMediaType, message))
}

fn parse<T: DeserializeOwned + ToSchema + 'static>(bytes: &[u8]) -> Result<T, Error> {
    typed(json(bytes)?, Vec::new())
}

fn json(bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(bytes).map_err(|error| malformed(&error))
}

/// The value as its type, unless its schema or `more` finds a fault: what both say of one field is
/// told in the schema's words.
fn typed<T>(value: Value, more: Vec<FieldError>) -> Result<T, Error>
where
    T: DeserializeOwned + ToSchema + 'static,
{
    let mut faults = schema_check::faults::<T>(&value)?;
    for fault in more {
        if faults.iter().all(|known| known.path != fault.path) {
            faults.push(fault);
        }
    }
    if let Some(error) = Error::from_fields(faults) {
        return Err(error);
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        misfit::<T>(path, &error.into_inner())
    })
}

fn parse_optional<T>(bytes: &[u8]) -> Result<T, Error>
where
    T: DeserializeOwned + Default + ToSchema + 'static,
{
    match json(bytes)? {
        Value::Null => Ok(T::default()),
        value => typed(value, Vec::new()),
    }
}

fn malformed(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        Category::Eof => "it ends early",
        _ => "it is not well-formed",
    };
    let message = format!("the body is not JSON: {what} at line {line}, column {column}");
    Error::new(ErrorCode::InvalidRequest, message)
}

/// What the schema lets through and the type does not, such as an id of another kind.
fn misfit<T>(path: String, error: &serde_json::Error) -> Error {
    tracing::debug!(body = type_name::<T>(), path, "refused by the type, not by the schema");
    let sentence = error.to_string();
    let sentence = sentence.split(" at line ").next().unwrap_or_default();
    // Serde's own words quote the value, which may be a secret.
    let message = match sentence.split_once(", expected ") {
        Some((_, expected)) => format!("must be {expected}"),
        None => sentence.to_owned(),
    };
    let field = FieldError::new(path, ErrorCode::ValidationFailed, message);
    Error::from_fields(vec![field]).unwrap_or_else(|| Error::internal("one fault is an error"))
}

#[cfg(test)]
mod tests {
    use millwright_core::EndpointId;
    use serde::Deserialize;

    use super::*;

    /// A sample.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        /// Text.
        #[schema(min_length = 1)]
        name: String,
        /// A number.
        #[schema(minimum = 1, maximum = 30)]
        seconds: Option<u32>,
        /// Nested.
        #[serde(default)]
        lines: Vec<Line>,
        /// An id.
        #[schema(value_type = Option<String>)]
        endpoint: Option<EndpointId>,
        /// A nested thing that may be missing.
        first: Option<Line>,
    }

    /// A line.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Line {
        /// Decimal text.
        quantity: String,
    }

    fn faults(body: &str) -> (ErrorCode, Vec<(String, ErrorCode)>) {
        let error = parse::<Sample>(body.as_bytes()).unwrap_err();
        let fields = error.fields.into_iter().map(|field| (field.path, field.code)).collect();
        (error.code, fields)
    }

    fn sole(path: &str, code: ErrorCode) -> (ErrorCode, Vec<(String, ErrorCode)>) {
        (code, vec![(path.to_owned(), code)])
    }

    #[test]
    fn a_body_as_the_schema_says_is_taken() {
        let body = r#"{"name": "a", "seconds": 30, "lines": [{"quantity": "1"}], "first": null}"#;
        let sample: Sample = parse(body.as_bytes()).unwrap();
        assert_eq!((sample.name.as_str(), sample.seconds, sample.lines.len()), ("a", Some(30), 1));
        assert_eq!(sample.lines[0].quantity, "1");
        assert!(sample.first.is_none() && sample.endpoint.is_none());
    }

    #[test]
    fn an_exact_body_keeps_what_is_raw_in_it_and_is_held_against_its_schema() {
        /// A sample.
        #[derive(Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            /// Anything.
            #[schema(required, value_type = Value)]
            data: Box<serde_json::value::RawValue>,
        }
        let raw = exact::<Raw>(br#"{"data" : { "n":  1.50e1, "s": "\u0041" } }"#).unwrap();
        assert_eq!(raw.data.get(), r#"{ "n":  1.50e1, "s": "\u0041" }"#);
        assert_eq!(exact::<Raw>(br#"{"data": null}"#).unwrap().data.get(), "null");
        let code = |body: &str| exact::<Raw>(body.as_bytes()).map(drop).unwrap_err().code;
        assert_eq!(code("{}"), ErrorCode::FieldRequired);
        assert_eq!(code(r#"{"data": 1, "more": 1}"#), ErrorCode::ValidationFailed);
        assert_eq!(code(r#"{"data": 1, "data": 2}"#), ErrorCode::ValidationFailed);
        assert_eq!(code(r#"{"data": "\ud800"}"#), ErrorCode::InvalidRequest);
        let deep = format!(r#"{{"data": {}1{}}}"#, "[".repeat(200), "]".repeat(200));
        assert_eq!(code(&deep), ErrorCode::InvalidRequest);
    }

    #[test]
    fn malformed_json_is_told_with_line_and_column() {
        for (body, place) in
            [("{\n  \"name\": x}", "line 2, column 11"), ("{", "ends early"), ("", "ends early")]
        {
            let error = parse::<Sample>(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequest, "{body}");
            assert!(error.message.contains(place), "{body}: {}", error.message);
        }
    }

    #[test]
    fn a_missing_an_unknown_and_a_mistyped_field_are_named_by_their_path() {
        let required = ErrorCode::FieldRequired;
        assert_eq!(faults("{}"), sole("name", required));
        assert_eq!(faults(r#"{"name": "a", "lines": [{}]}"#), sole("lines[0].quantity", required));
        let failed = ErrorCode::ValidationFailed;
        assert_eq!(faults(r#"{"name": "a", "nmae": 1}"#), sole("nmae", failed));
        assert_eq!(faults(r#"{"name": 1}"#), sole("name", failed));
        assert_eq!(faults(r#"{"name": "a", "seconds": 31}"#), sole("seconds", failed));
        let nested = r#"{"name": "a", "lines": [{"quantity": "1"}, {"quantity": 1}]}"#;
        assert_eq!(faults(nested), sole("lines[1].quantity", failed));
        assert_eq!(faults(r#"{"name": "a", "first": {}}"#), sole("first.quantity", required));
        assert_eq!(faults(r#"{"name": "a", "endpoint": "msg_1"}"#), sole("endpoint", failed));
        assert_eq!(faults("[]").0, failed);
    }

    #[test]
    fn several_faulty_fields_are_told_at_once() {
        let (code, fields) = faults(r#"{"seconds": 0, "extra": true, "other": 1}"#);
        assert_eq!(code, ErrorCode::ValidationFailed);
        let mut paths: Vec<&str> = fields.iter().map(|(path, _)| path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["extra", "name", "other", "seconds"]);
    }

    #[test]
    fn what_an_operation_finds_is_told_with_what_the_schema_finds() {
        let fault = |path| FieldError::new(path, ErrorCode::FieldRequired, "is required");
        let body = AnyJson(serde_json::json!({ "name": 1 }));
        let error = body.checked::<Sample>(vec![fault("name"), fault("more")]).unwrap_err();
        let paths: Vec<&str> = error.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["name", "more"]);
        assert_eq!(error.fields[0].message, "must be text");
    }

    #[test]
    fn a_body_that_may_be_missing_may_be_null_or_empty() {
        /// Nothing is required.
        #[derive(Default, Deserialize, ToSchema)]
        #[serde(default, deny_unknown_fields)]
        struct Free {
            /// A number.
            count: u32,
        }
        for body in ["null", "{}"] {
            assert_eq!(parse_optional::<Free>(body.as_bytes()).unwrap().count, 0, "{body}");
        }
        assert!(parse_optional::<Free>(b"[]").is_err());
    }

    #[test]
    fn an_object_that_may_be_null_is_asked_for_as_such() {
        let error = parse::<Sample>(br#"{"name": "a", "first": "x"}"#).unwrap_err();
        assert_eq!(error.fields[0].message, "must be an object or null");
    }

    #[test]
    fn a_charset_is_allowed_and_another_type_is_not() {
        for (text, fine) in [
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("text/plain"), false),
            (Some("application/jsonp"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(text) = text {
                headers.insert(header::CONTENT_TYPE, text.parse().unwrap());
            }
            assert_eq!(require_json(&headers).is_ok(), fine, "{text:?}");
        }
    }

    #[test]
    fn a_merge_patch_may_be_sent_as_such_or_as_json() {
        for (text, fine) in
            [(MERGE_PATCH, true), (JSON, true), ("application/json-patch+json", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, text.parse().unwrap());
            assert_eq!(require_type(&headers, &[MERGE_PATCH, JSON]).is_ok(), fine, "{text}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_not_beyond() {
        assert_eq!(read_body(Body::from("12345"), 5).await.unwrap().len(), 5);
        let refused = read_body(Body::from("123456"), 5).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::PayloadTooLarge);
    }
}
