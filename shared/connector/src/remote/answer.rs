//! What an answer means.

use std::time::Duration;

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, DATE, RETRY_AFTER},
};
use jiff::fmt::rfc2822;
use millwright_core::Upstream;
use millwright_outbound::Response;
use serde_json::Value;
use url::Url;

use super::{Answer, redact::Redaction};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{ErrorRule, Operation},
};

/// The value of an answer, or the error that it is: the manifest's rules first, then what the HTTP
/// status means, then whether there is a value at all.
pub(super) fn read(
    rules: &[ErrorRule],
    operation: Operation,
    call: bool,
    response: Response,
    url: Url,
    redaction: Redaction,
) -> Result<Answer, SystemError> {
    let parsed = parse(&response.body);
    let body = parsed.as_ref().unwrap_or(&Value::Null);
    let status = response.status;
    let wait = retry_after(&response.headers);
    if let Some(rule) = rule_for(rules, operation, &response, body) {
        let mut error = by_rule(rule, status, body, &redaction);
        error.retry_after = wait;
        return Err(error);
    }
    if !status.is_success() {
        let mut error = by_status(status);
        error.retry_after = wait;
        error.sent = operation == Operation::Write && status.is_server_error();
        return Err(error);
    }
    let value = if call { result(parsed) } else { parsed };
    let value = value.ok_or_else(|| no_value(&response, operation))?;
    let asked_at = asked_at(&response);
    Ok(Answer { value, asked_at, headers: response.headers, url, redaction })
}

/// Nothing at all counts as null: some systems answer a write so.
fn parse(body: &[u8]) -> Option<Value> {
    if body.is_empty() { Some(Value::Null) } else { serde_json::from_slice(body).ok() }
}

fn rule_for<'a>(
    rules: &'a [ErrorRule],
    operation: Operation,
    response: &Response,
    body: &Value,
) -> Option<&'a ErrorRule> {
    let text = String::from_utf8_lossy(&response.body);
    let status = response.status.as_u16();
    rules.iter().find(|rule| rule.when.holds(operation, status, body, &text))
}

fn by_rule(
    rule: &ErrorRule,
    status: StatusCode,
    body: &Value,
    redaction: &Redaction,
) -> SystemError {
    let at = |path: &Option<crate::path::Path>| {
        path.as_ref().and_then(|path| path.text(body)).map(|text| redaction.clean(&text))
    };
    let sentence = rule.say.clone().unwrap_or_else(|| sentence(rule.class).to_owned());
    let mut error = SystemError::new(rule.class, sentence);
    let (code, message) = (at(&rule.code), at(&rule.message));
    error.upstream = Upstream { status: Some(status.as_u16()), code, message };
    error
}

fn by_status(status: StatusCode) -> SystemError {
    use SystemErrorClass as Class;
    let class = match status.as_u16() {
        401 => Class::Reauthorize,
        403 => Class::Permission,
        404 | 410 => Class::NotFound,
        409 | 412 | 423 => Class::Conflict,
        400 | 422 => Class::Validation,
        405 | 501 => Class::Unsupported,
        429 => Class::RateLimited,
        408 | 500.. => Class::Unreachable,
        _ => Class::Malformed,
    };
    let mut error = if status.is_redirection() {
        SystemError::new(class, "the system redirects elsewhere: check the address")
    } else {
        SystemError::new(class, sentence(class))
    };
    error.upstream.status = Some(status.as_u16());
    error
}

fn sentence(class: SystemErrorClass) -> &'static str {
    match class {
        SystemErrorClass::Unreachable => "the system says that it is not working",
        SystemErrorClass::RateLimited => "the system says that it is asked too often",
        SystemErrorClass::Reauthorize => "the system refuses the credentials",
        SystemErrorClass::Permission => "the system does not allow this to the connected account",
        SystemErrorClass::NotFound => "the system does not have this",
        SystemErrorClass::Validation => "the system refuses this",
        SystemErrorClass::Conflict => "the system cannot do this in the record's present state",
        SystemErrorClass::Unsupported => "the system does not know this operation",
        SystemErrorClass::Malformed => "the system answered with something that cannot be used",
    }
}

/// The `result` of a call, which may well be null but must be there.
fn result(body: Option<Value>) -> Option<Value> {
    match body {
        Some(Value::Object(mut body)) => body.remove("result"),
        _ => None,
    }
}

fn no_value(response: &Response, operation: Operation) -> SystemError {
    let html = response
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/html"));
    let mut error = SystemError::malformed(if html {
        "the system answered with a page for people: check the address"
    } else {
        "the system's answer is not of the form that it documents"
    });
    error.upstream.status = Some(response.status.as_u16());
    error.sent = operation == Operation::Write;
    error
}

/// `Retry-After` in seconds, or as a date compared with the answer's own (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = date(text)? - date(headers.get(DATE)?.to_str().ok()?)?;
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
}

fn asked_at(response: &Response) -> Option<i64> {
    let answered = date(response.headers.get(DATE)?.to_str().ok()?)?;
    Some(answered - i64::try_from(response.elapsed.as_millis()).unwrap_or(0))
}

fn date(text: &str) -> Option<i64> {
    rfc2822::parse(text).ok().map(|at| at.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
        });
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: Bytes::from(body.to_owned()),
            truncated: false,
            elapsed: Duration::from_millis(1500),
        }
    }

    fn read_call(operation: Operation, response: &Response) -> Result<Answer, SystemError> {
        read(
            &[],
            operation,
            true,
            response.clone(),
            Url::parse("https://erp.example/").unwrap(),
            Redaction::new(&BTreeMap::new(), None, &HeaderMap::new()),
        )
    }

    #[test]
    fn a_status_has_its_class_without_any_rule() {
        use SystemErrorClass::*;
        for (status, class) in [
            (401, Reauthorize),
            (403, Permission),
            (404, NotFound),
            (409, Conflict),
            (422, Validation),
            (429, RateLimited),
            (500, Unreachable),
            (503, Unreachable),
            (302, Malformed),
            (418, Malformed),
        ] {
            let error = read_call(Operation::Read, &response(status, &[], "")).unwrap_err();
            assert_eq!(error.class, class, "{status}");
            assert_eq!(error.upstream.status, Some(status));
        }
    }

    #[test]
    fn a_result_may_be_null_but_must_be_there() {
        let read = |body| read_call(Operation::Read, &response(200, &[], body));
        assert_eq!(read(r#"{"result": null}"#).unwrap().value, Value::Null);
        for body in ["{}", "[]", "", "<html>"] {
            assert_eq!(read(body).unwrap_err().class, SystemErrorClass::Malformed, "{body}");
        }
    }

    #[test]
    fn only_an_unclear_answer_to_a_write_leaves_its_outcome_open() {
        for (operation, status, body, open) in [
            (Operation::Write, 500, "", true),
            (Operation::Write, 200, "<html>", true),
            (Operation::Write, 422, "", false),
            (Operation::Read, 500, "", false),
        ] {
            let error = read_call(operation, &response(status, &[], body)).unwrap_err();
            assert_eq!(error.sent, open, "{status}");
        }
    }

    #[test]
    fn the_systems_clock_is_read_and_the_time_the_exchange_took_is_taken_off() {
        let date = ("date", "Sat, 21 Nov 2026 22:18:55 GMT");
        let answer =
            read_call(Operation::Read, &response(200, &[date], r#"{"result": 1}"#)).unwrap();
        assert_eq!(answer.asked_at, millwright_core::from_iso("2026-11-21T22:18:53.500Z"));
        let later = ("retry-after", "Sat, 21 Nov 2026 22:19:55 GMT");
        for (headers, seconds) in [(vec![("retry-after", "7")], 7), (vec![date, later], 60)] {
            let error = read_call(Operation::Read, &response(429, &headers, "")).unwrap_err();
            assert_eq!(error.retry_after, Some(Duration::from_secs(seconds)));
        }
    }
}
