//! What an answer means.

use std::time::Duration;

use super::{
    page,
    rate::{believed, whole_seconds},
    redact::Redaction,
    run::Job,
};
use crate::{
    error::{SystemError, SystemErrorClass},
    json::{Node, Row},
    manifest::{ErrorRule, Meaning, Operation, Seen, texts},
    path::{NestedKeys, Path},
};
use http::{StatusCode, header::DATE};
use jiff::fmt::rfc2822;
use millwright_core::Upstream;
use millwright_outbound::Response;

/// What an answer is.
pub(super) struct Judged {
    /// Its value, or the error that it is.
    pub verdict: Result<Row, SystemError>,
    /// What a rule of the manifest says that it means.
    pub meaning: Option<Meaning>,
}

impl Judged {
    pub(super) fn class(&self) -> Option<SystemErrorClass> {
        self.verdict.as_ref().err().map(|error| error.class)
    }

    /// How long the system asks to wait.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.verdict.as_ref().err()?.retry_after
    }

    /// How long to wait, where the answer has not said it otherwise.
    pub(super) fn wait_if_untold(&mut self, wait: Duration) {
        if let Err(error) = &mut self.verdict {
            error.retry_after.get_or_insert(wait);
        }
    }
}

/// The value of an answer, or the error that it is: the manifest's rules first, then what the HTTP
/// status means, then whether there is a value at all. `wait` is what the headers say.
pub(super) fn judge(
    rules: &[ErrorRule],
    job: &Job<'_>,
    response: &Response,
    wait: Option<Duration>,
    redaction: &Redaction,
) -> Judged {
    let parsed = parse(&response.body);
    let null = Row::default();
    let seen = Seen {
        operation: Some(job.operation),
        status: response.status.as_u16(),
        headers: &response.headers,
        body: parsed.as_ref().unwrap_or(&null).json(),
        raw: &response.body,
    };
    if let Some(rule) = rules.iter().find(|rule| rule.when.holds(&seen)) {
        let verdict = by_rule(rule, &seen, wait, redaction);
        return Judged { verdict, meaning: Some(rule.class) };
    }
    let verdict = if response.status.is_success() {
        let value = if job.call { result(parsed) } else { parsed };
        value.ok_or_else(|| no_value(response, job.operation))
    } else {
        let mut error = by_status(response, redaction);
        error.retry_after = wait;
        error.sent = job.operation == Operation::Write && response.status.is_server_error();
        Err(error)
    };
    Judged { verdict, meaning: None }
}

/// Nothing at all counts as null: some systems answer a write so.
fn parse(body: &[u8]) -> Option<Row> {
    if body.is_empty() { Some(Row::default()) } else { Row::parse(body).ok() }
}

fn by_rule(
    rule: &ErrorRule,
    seen: &Seen<'_>,
    wait: Option<Duration>,
    redaction: &Redaction,
) -> Result<Row, SystemError> {
    let Some(class) = rule.class.class() else { return Ok(Row::default()) };
    let at = |path: &Option<Path>| {
        let found = path.as_ref()?.get(seen.body, NestedKeys::Plain)?;
        Some(redaction.clean(&texts(found).join("; "))).filter(|text| !text.is_empty())
    };
    let sentence = rule.say.clone().unwrap_or_else(|| sentence(class).to_owned());
    let mut error = SystemError::new(class, sentence);
    let (code, message) = (at(&rule.code), at(&rule.message));
    let label = rule.field_label.as_ref().zip(message.as_deref());
    let label = label.and_then(|(label, message)| label.name(message));
    error.upstream_field = at(&rule.field).or(label);
    error.upstream = Upstream { status: Some(seen.status), code, message };
    error.contract = rule.contract;
    let said = at(&rule.wait_seconds).and_then(|text| whole_seconds(&text)).map(believed);
    error.retry_after = wait.max(said);
    Err(error)
}

fn by_status(response: &Response, redaction: &Redaction) -> SystemError {
    use SystemErrorClass as Class;
    let status: StatusCode = response.status;
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
    error.upstream.message = page::words(response).map(|text| redaction.clean(&text));
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
fn result(body: Option<Row>) -> Option<Row> {
    body?.pick(|body| body.member("result"))
}

fn no_value(response: &Response, operation: Operation) -> SystemError {
    let mut error = SystemError::malformed(if page::is_html(&response.headers) {
        "the system answered with a page for people: check the address"
    } else {
        "the system's answer is not of the form that it documents"
    });
    error.upstream.status = Some(response.status.as_u16());
    error.sent = operation == Operation::Write;
    error
}

/// A time by the system's clock at which the request had not yet been looked at, in milliseconds since
/// the epoch: its `Date`, less what the exchange took.
pub(super) fn asked_at(response: &Response) -> Option<i64> {
    let answered = date(response.headers.get(DATE)?.to_str().ok()?)?;
    Some(answered - i64::try_from(response.elapsed.as_millis()).unwrap_or(0))
}

/// Milliseconds since the epoch of a date in a header.
pub(super) fn date(text: &str) -> Option<i64> {
    rfc2822::parse(text).ok().map(|at| at.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use serde_json::Value;

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

    fn read_call(operation: Operation, response: &Response) -> Result<Value, SystemError> {
        with_rules("[]", operation, response)
    }

    fn with_rules(
        rules: &str,
        operation: Operation,
        response: &Response,
    ) -> Result<Value, SystemError> {
        let rules: Vec<ErrorRule> = serde_saphyr::from_str(rules).unwrap();
        let job = Job { operation, call: true, build: &|_| Err(String::new()) };
        let redaction = Redaction::of(&BTreeMap::new());
        judge(&rules, &job, response, None, &redaction).verdict.map(|row| row.to_value())
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
        assert_eq!(read(r#"{"result": null}"#).unwrap(), Value::Null);
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
        let asked = asked_at(&response(200, &[date], ""));
        assert_eq!(asked, millwright_core::from_iso("2026-11-21T22:18:53.500Z"));
    }

    #[test]
    fn a_rule_says_what_is_wrong_with_which_field_and_how_long_to_wait() {
        let rules = "[{when: {status: [200], path: errors}, class: validation, code: type, \
                     message: errors, field: at.0.field, wait_seconds: extras.wait_seconds}]";
        let body = r#"{"errors": ["too short", "too plain"], "type": 7,
                       "at": [{"field": "raw"}], "extras": {"wait_seconds": 2.5}}"#;
        let error = with_rules(rules, Operation::Write, &response(200, &[], body)).unwrap_err();
        assert_eq!(error.class, SystemErrorClass::Validation);
        assert_eq!(error.upstream.code.as_deref(), Some("7"));
        assert_eq!(error.upstream.message.as_deref(), Some("too short; too plain"));
        assert_eq!(error.upstream_field.as_deref(), Some("raw"));
        assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_field_can_be_named_by_its_label_in_the_message() {
        let rules = r#"[
            {when: {path: error, contains: of a line}, class: validation, message: error,
             field_label: {matches: 'field "([^"]+)"', under: lines}},
            {when: {path: error}, class: validation, message: error,
             field_label: {matches: 'field "([^"]+)"'}}]"#;
        for (message, name) in [
            (r#"No value for field \"Unit Price\" of a line"#, Some("lines.unit_price")),
            (r#"No value for field \"Party\""#, Some("party")),
            ("No.", None),
        ] {
            let body = format!(r#"{{"error": "{message}"}}"#);
            let error = with_rules(rules, Operation::Write, &response(200, &[], &body));
            assert_eq!(error.unwrap_err().upstream_field.as_deref(), name, "{message}");
        }
    }

    #[test]
    fn every_meaning_has_its_class_and_what_is_ignored_is_empty() {
        use SystemErrorClass::*;
        for (meaning, class) in [
            ("retry", Some(Unreachable)),
            ("unreachable", Some(Unreachable)),
            ("rate_limited", Some(RateLimited)),
            ("reauthorize", Some(Reauthorize)),
            ("permission", Some(Permission)),
            ("not_found", Some(NotFound)),
            ("validation", Some(Validation)),
            ("conflict", Some(Conflict)),
            ("unsupported", Some(Unsupported)),
            ("fail", Some(Malformed)),
            ("ignore", None),
        ] {
            let rules = format!("[{{when: {{status: [404]}}, class: {meaning}}}]");
            let found = with_rules(&rules, Operation::Write, &response(404, &[], ""));
            match class {
                None => assert_eq!(found.unwrap(), Value::Null),
                Some(class) => {
                    let error = found.unwrap_err();
                    assert_eq!((error.class, error.sent), (class, false), "{meaning}");
                }
            }
        }
    }

    #[test]
    fn a_page_for_people_is_told_by_its_title() {
        let html = [("content-type", "text/html; charset=utf-8")];
        let body = "<html><head><TITLE>\n 502 Bad\n Gateway </title></head>";
        let error = read_call(Operation::Read, &response(502, &html, body)).unwrap_err();
        assert_eq!(error.class, SystemErrorClass::Unreachable);
        assert_eq!(error.upstream.message.as_deref(), Some("502 Bad Gateway"));
        let text = [("content-type", "text/plain")];
        let error = read_call(Operation::Read, &response(401, &text, "bad key\n")).unwrap_err();
        assert_eq!(error.upstream.message.as_deref(), Some("bad key"));
    }
}
