//! The fields one by one: what each may be.

use std::collections::BTreeSet;

use millwright_core::{ConnectionId, ErrorCode, FieldError, SecretString};
use millwright_outbound::Url;
use serde_json::{Map, Value};

use crate::{
    body_filter::BodyFilter,
    own_headers::OwnHeaders,
    pattern::EventPattern,
    rotate_secret::NO_SHARED_SECRET,
    schedule::RetrySchedule,
    sign::{Scheme, Signing},
    signing_key::chosen_secret,
};

const URL_MAX: usize = 2048;
const DESCRIPTION_MAX: usize = 1000;
const LIST_MAX: usize = 100;
const CUSTOMER_ID_MAX: usize = 256;
const METADATA_MAX: usize = 4096;
const TIMEOUT_SECONDS: u8 = 10;
const WAITS_MAX: usize = 20;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<FieldError>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, message: &str) {
        self.0.push(FieldError::new(path, ErrorCode::ValidationFailed, message));
    }

    pub(super) fn target(&mut self, url: Option<&str>, polled: bool) -> Option<Url> {
        match (url, polled) {
            (None, true) => None,
            (Some(_), true) => {
                self.add("url", "must not be given: the messages of this endpoint are polled");
                None
            }
            (url, false) => self.url(url.unwrap_or_default()),
        }
    }

    fn url(&mut self, text: &str) -> Option<Url> {
        if text.is_empty() {
            self.0.push(FieldError::new("url", ErrorCode::FieldRequired, "is required"));
            return None;
        }
        if text.len() > URL_MAX {
            self.add("url", "must have at most 2048 characters");
            return None;
        }
        let url = Url::parse(text).ok();
        if url.is_none() {
            self.add("url", "is not a URL");
        }
        url
    }

    pub(super) fn description(&mut self, text: Option<&str>) {
        if text.is_some_and(|text| text.chars().count() > DESCRIPTION_MAX) {
            self.add("description", "must have at most 1000 characters");
        }
    }

    pub(super) fn event_types(&mut self, texts: &[String]) -> Vec<EventPattern> {
        if texts.is_empty() {
            return vec![EventPattern::everything()];
        }
        self.length("event_types", texts.len());
        let patterns = texts.iter().enumerate().filter_map(|(i, text)| {
            let pattern = EventPattern::parse(text);
            if pattern.is_none() {
                let message = "must be an event type such as purchase_orders.inserted, all below a \
                               part of one such as purchase_orders.*, or *";
                self.add(format!("event_types[{i}]"), message);
            }
            pattern
        });
        patterns.collect()
    }

    pub(super) fn connection_ids(
        &mut self,
        texts: &[String],
        known: &BTreeSet<ConnectionId>,
    ) -> Vec<ConnectionId> {
        self.length("connection_ids", texts.len());
        let mut ids = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            let path = format!("connection_ids[{i}]");
            match text.parse() {
                Ok(id) if known.contains(&id) => ids.push(id),
                Ok(_) => {
                    let message = "there is no such connection in this workspace";
                    self.0.push(FieldError::new(path, ErrorCode::ReferenceNotFound, message));
                }
                Err(_) => self.add(path, "is not the id of a connection"),
            }
        }
        ids
    }

    pub(super) fn customer_ids(&mut self, texts: &[String]) {
        self.length("customer_ids", texts.len());
        for (i, text) in texts.iter().enumerate() {
            if text.is_empty() || text.len() > CUSTOMER_ID_MAX {
                self.add(format!("customer_ids[{i}]"), "must have 1 to 256 characters");
            }
        }
    }

    pub(super) fn filter(&mut self, filter: Option<Map<String, Value>>) -> Option<BodyFilter> {
        self.taken(BodyFilter::new(filter?))
    }

    pub(super) fn headers(&mut self, given: Vec<(String, SecretString)>) -> OwnHeaders {
        self.taken(OwnHeaders::new(given)).unwrap_or_default()
    }

    fn taken<T>(&mut self, checked: Result<T, Vec<FieldError>>) -> Option<T> {
        checked.map_err(|faults| self.0.extend(faults)).ok()
    }

    pub(super) fn metadata(&mut self, metadata: &Map<String, Value>) {
        let length = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
        if length > METADATA_MAX {
            self.add("metadata", "must have at most 4096 characters as JSON");
        }
    }

    pub(super) fn timeout_seconds(&mut self, seconds: Option<i64>) -> u8 {
        match seconds.map(u8::try_from) {
            None => TIMEOUT_SECONDS,
            Some(Ok(seconds @ 1..=30)) => seconds,
            Some(_) => {
                self.add("timeout_seconds", "must be from 1 to 30");
                TIMEOUT_SECONDS
            }
        }
    }

    pub(super) fn rate_limit(&mut self, rate: Option<i64>) -> Option<u32> {
        let taken = u32::try_from(rate?).ok().filter(|rate| (1..=1000).contains(rate));
        if taken.is_none() {
            self.add("rate_limit_per_second", "must be from 1 to 1000");
        }
        taken
    }

    pub(super) fn retry_schedule(&mut self, waits: Option<Vec<i64>>) -> RetrySchedule {
        let Some(waits) = waits else { return RetrySchedule::Promised };
        if !(1..=WAITS_MAX).contains(&waits.len()) {
            self.add("retry_schedule", "must have 1 to 20 waits");
        }
        let mut taken = Vec::new();
        for (i, wait) in waits.into_iter().enumerate() {
            match u32::try_from(wait) {
                Ok(wait @ 1..=86_400) => taken.push(wait),
                _ => {
                    let message = "must be from 1 to 86400 seconds, which is a day";
                    self.add(format!("retry_schedule[{i}]"), message);
                }
            }
        }
        RetrySchedule::Own(taken)
    }

    pub(super) fn signing(&mut self, signing: Signing, secret: Option<&SecretString>) {
        if signing.scheme == Scheme::V1a && signing.body_signature {
            self.add("body_signature", NO_SHARED_SECRET);
        }
        if let Some(Err(why)) = secret.map(|secret| chosen_secret(signing.scheme, secret)) {
            self.add("secret", why);
        }
    }

    fn length(&mut self, path: &str, length: usize) {
        if length > LIST_MAX {
            self.add(path, "must have at most 100 entries");
        }
    }
}
