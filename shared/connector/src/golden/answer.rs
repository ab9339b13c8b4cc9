//! Answers, and what they mean.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use millwright_core::Error;
use millwright_outbound::Response;
use serde_json::{Value, json};

use super::{Checked, Run, diff::diff, named};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{AnswerClass, AnswerTest, Meaning, Operation, RecordedAnswer},
    remote::played,
    table::Table,
};

impl Run<'_> {
    pub(super) fn answers(&self) -> Vec<Checked> {
        let one = |(position, test): (usize, &AnswerTest)| {
            let faults = self.answer(test).unwrap_or_else(|why| vec![why]);
            named(&format!("tests.answers[{position}]"), test.name.clone(), faults)
        };
        self.tests.answers.iter().enumerate().map(one).collect()
    }

    fn answer(&self, test: &AnswerTest) -> Result<Vec<String>, String> {
        let response = response(&test.answer)?;
        let operation = test.during.unwrap_or(Operation::Read);
        let heard = played::judged(self.manifest, operation, &response);
        let class = class(heard.meaning, heard.verdict.as_ref().err());
        let is = &test.is;
        let mut found = json!({"class": class});
        let mut expected = json!({"class": is.class});
        let mut look = |name: &str, wanted: Option<Value>, came: Option<Value>| {
            if let Some(wanted) = wanted {
                expected[name] = wanted;
                found[name] = came.unwrap_or(Value::Null);
            }
        };
        let error = heard.verdict.err();
        let of =
            |get: fn(&SystemError) -> Option<String>| error.as_ref().and_then(get).map(Value::from);
        let text = |wanted: &Option<String>| wanted.clone().map(Value::from);
        look("upstream_code", text(&is.upstream_code), of(|error| error.upstream.code.clone()));
        look("message", text(&is.message), of(|error| error.upstream.message.clone()));
        look("field", text(&is.field), of(|error| error.upstream_field.clone()));
        let wait = error.as_ref().and_then(|error| error.retry_after);
        let wait = wait.map(|wait| Value::from(wait.as_secs()));
        look("wait_seconds", is.wait_seconds.map(Value::from), wait);
        let code = error.map(|error| match operation {
            Operation::Write => error.into_write_error(),
            _ => Error::from(error),
        });
        let code = code.map(|error| Value::from(error.code.as_str()));
        look("code", is.code.map(|code| Value::from(code.as_str())), code);
        Ok(diff(&expected, &found))
    }
}

/// A recorded answer as if it had come.
pub(super) fn response(recorded: &RecordedAnswer) -> Result<Response, String> {
    let status = recorded.status.unwrap_or(200);
    let status = StatusCode::from_u16(status).map_err(|_| format!("{status} is no HTTP status"))?;
    let body = match (&recorded.body, &recorded.text) {
        (Some(body), None) => body.to_string(),
        (None, text) => text.clone().unwrap_or_default(),
        _ => return Err("an answer has a `body` or a `text`".to_owned()),
    };
    let headers = headers(&recorded.headers)?;
    let body = Bytes::from(body);
    Ok(Response { status, headers, body, truncated: false, elapsed: std::time::Duration::ZERO })
}

/// Headers as they are sent.
pub(super) fn headers(table: &Table<String>) -> Result<HeaderMap, String> {
    let one = |(name, value): (&str, &String)| {
        let header = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no header"))?;
        let value = HeaderValue::try_from(value).map_err(|_| format!("`{name}` has no value"))?;
        Ok((header, value))
    };
    table.iter().map(one).collect()
}

fn class(meaning: Option<Meaning>, error: Option<&SystemError>) -> AnswerClass {
    match (meaning, error) {
        (Some(Meaning::Ignore), _) => AnswerClass::Ignore,
        (Some(Meaning::Retry), _) => AnswerClass::Retry,
        (_, None) => AnswerClass::Ok,
        (_, Some(error)) => match error.class {
            SystemErrorClass::Unreachable => AnswerClass::Unreachable,
            SystemErrorClass::RateLimited => AnswerClass::RateLimited,
            SystemErrorClass::Reauthorize => AnswerClass::Reauthorize,
            SystemErrorClass::Permission => AnswerClass::Permission,
            SystemErrorClass::NotFound => AnswerClass::NotFound,
            SystemErrorClass::Validation => AnswerClass::Validation,
            SystemErrorClass::Conflict => AnswerClass::Conflict,
            SystemErrorClass::Unsupported => AnswerClass::Unsupported,
            SystemErrorClass::Malformed => AnswerClass::Fail,
        },
    }
}
