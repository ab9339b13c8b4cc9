//! Webhooks of the system's own: whether one is genuine, and what it tells of.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use http::{HeaderMap, HeaderName};
use millwright_core::{WallTime, constant_time_eq};
use serde_json::{Map, Value};

use super::{
    Remote,
    auth::{encoded, key_bytes, mac},
};
use crate::{
    error::{SystemError, SystemErrorClass},
    json::{Json, Node, Row, Seen as Kind},
    manifest::{
        Encoding, HookAction, HookEvent, HookSignature, HookTime, HookVerify, Seen, WebhooksIn,
    },
    mapping::Mapper,
    path::NestedKeys,
    template::Template,
};

/// Of more records of an entity than this no webhook tells: it is read no further then, so that whoever
/// keeps so many sees that there are more.
pub const HINTS_MAX: usize = 500;

/// What a webhook of the system tells: to be read again, not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hint {
    /// The entity.
    pub entity: String,
    /// The record's remote id.
    pub remote_id: String,
    /// What has happened to it, as the webhook says.
    pub action: HookAction,
}

impl Remote {
    pub(crate) fn verify_hook(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<Hint>, SystemError> {
        let hooks = self.manifest.webhooks_in.as_ref();
        let hooks = hooks.ok_or_else(|| SystemError::unsupported("webhooks", "receive"))?;
        self.verify(hooks, headers, body)?;
        hints(hooks, headers, body)
    }

    fn verify(
        &self,
        hooks: &WebhooksIn,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), SystemError> {
        match &hooks.verify {
            HookVerify::Hmac(signature) => self.verify_signature(signature, headers, body),
            HookVerify::Token(token) => {
                let expected = self.secret(&token.value)?;
                let given = lines(headers, &token.header.0);
                let fits =
                    |text: &&str| constant_time_eq(text.trim().as_bytes(), expected.as_bytes());
                given.iter().any(fits).then_some(()).ok_or_else(not_genuine)
            }
        }
    }

    fn verify_signature(
        &self,
        rule: &HookSignature,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), SystemError> {
        let key = key_bytes(&self.secret(&rule.key)?, rule.key_form).ok_or_else(no_secret)?;
        if let Some(time) = &rule.timestamp
            && !is_fresh(time, headers, self.clock().wall())
        {
            return Err(not_genuine());
        }
        let signature = match &rule.text {
            None => mac(rule.algorithm, &key, &[body]),
            Some(text) => {
                let text = self.signed_text(rule, text, headers, body)?;
                mac(rule.algorithm, &key, &[text.as_bytes()])
            }
        };
        let expected = encoded(&signature, rule.encoding);
        let given = lines(headers, &rule.header.0);
        let fits = given.iter().any(|line| one_fits(line, &rule.prefix, rule.encoding, &expected));
        fits.then_some(()).ok_or_else(not_genuine)
    }

    fn signed_text(
        &self,
        rule: &HookSignature,
        text: &Template,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<String, SystemError> {
        let body = std::str::from_utf8(body).map_err(|_| not_genuine())?;
        let time = rule.timestamp.as_ref().and_then(|time| headers.get(&time.header.0));
        let time = time.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let named: Map<String, Value> = headers
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), Value::from(value.to_str().ok()?)))
            })
            .collect();
        let scope = self
            .secret_scope(None)?
            .with("body", Value::from(body))
            .with("timestamp", Value::from(time))
            .with("headers", Value::Object(named));
        text.render_text(&scope, |text| Ok(text.to_owned())).map_err(|_| not_genuine())
    }

    /// A secret out of the credentials or settings. Without one anybody could make what is verified.
    fn secret(&self, template: &Template) -> Result<String, SystemError> {
        let scope = self.secret_scope(None)?;
        let text = template.render_text(&scope, |text| Ok(text.to_owned()));
        text.ok().filter(|text| !text.is_empty()).ok_or_else(no_secret)
    }
}

/// What a webhook tells of. Every rule that fits counts, and nothing is told twice.
pub(super) fn hints(
    hooks: &WebhooksIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<Hint>, SystemError> {
    let value =
        Row::parse(body).map_err(|_| SystemError::malformed("the webhook's body is not JSON"))?;
    let seen = Seen { operation: None, status: 0, headers, body: value.json(), raw: body };
    let mut hints = Vec::new();
    let fits = |event: &&HookEvent| {
        event.when.holds(&seen) && event.filter.hold(value.json(), NestedKeys::Plain)
    };
    let mut known = HashSet::new();
    let mut records: HashMap<&str, HashSet<String>> = HashMap::new();
    for event in hooks.events.iter().filter(fits) {
        let records = records.entry(&event.entity).or_default();
        for hint in told(event, value.json())? {
            if records.len() > HINTS_MAX {
                break;
            }
            if known.insert(hint.clone()) {
                records.insert(hint.remote_id.clone());
                hints.push(hint);
            }
        }
    }
    Ok(hints)
}

fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
}

/// Whether one of the signatures in a header is the expected one. They are parted by spaces or commas,
/// but a prefix may have a comma in it, as in `v1,`.
fn one_fits(line: &str, prefix: &str, encoding: Encoding, expected: &str) -> bool {
    let words = line.split_whitespace();
    let parts = words.flat_map(|word| word.split(',').chain([word]));
    parts.filter_map(|part| part.strip_prefix(prefix)).any(|text| match encoding {
        Encoding::Hex => {
            constant_time_eq(text.to_ascii_lowercase().as_bytes(), expected.as_bytes())
        }
        Encoding::Base64 => constant_time_eq(text.as_bytes(), expected.as_bytes()),
    })
}

fn is_fresh(rule: &HookTime, headers: &HeaderMap, now: WallTime) -> bool {
    let text = headers.get(&rule.header.0).and_then(|value| value.to_str().ok());
    let Some(at) = text.and_then(|text| rule.form.read(text, now)) else { return false };
    let tolerance = Duration::from_secs(u64::from(rule.tolerance_seconds));
    now.since(at).max(at.since(now)) <= tolerance
}

fn told(event: &HookEvent, body: Json<'_>) -> Result<Vec<Hint>, SystemError> {
    let items = match &event.each {
        None => vec![body],
        Some(each) => match each.get(body, NestedKeys::Plain) {
            Some(list) if list.see() == Kind::List => list.items().collect(),
            _ => return Err(SystemError::malformed("the webhook has no list of what it tells of")),
        },
    };
    let hint = |item| {
        let remote_id = Mapper::remote_id(&event.id, item)
            .ok_or_else(|| SystemError::malformed("the webhook does not say of which record"))?;
        Ok(Hint { entity: event.entity.clone(), remote_id, action: event.action })
    };
    items.into_iter().map(hint).collect()
}

fn not_genuine() -> SystemError {
    let message = "the webhook is not signed by the system, or is too old";
    SystemError::new(SystemErrorClass::Permission, message)
}

fn no_secret() -> SystemError {
    let message = "the connection has no secret to verify webhooks with";
    SystemError::new(SystemErrorClass::Permission, message)
}
