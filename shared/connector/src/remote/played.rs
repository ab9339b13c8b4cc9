//! The judgement of answers that no wire has carried: the sandbox' own, by the same rules.

use std::collections::BTreeMap;

use millwright_core::WallTime;
use millwright_outbound::{OutboundError, Response};
use serde_json::Value;

use super::{
    answer, rate,
    redact::Redaction,
    run::{self, Job},
};
use crate::{
    error::SystemError,
    manifest::{Manifest, Operation},
};

/// An answer that is no error.
#[derive(Debug)]
pub(crate) struct Heard {
    /// What it says.
    pub value: Value,
    /// A time from before it was given, by its own date, in milliseconds since the epoch.
    pub asked_at: Option<i64>,
}

/// What an answer means.
pub(crate) fn read(
    manifest: &Manifest,
    operation: Operation,
    response: &Response,
    now: WallTime,
) -> Result<Heard, SystemError> {
    let nobody = |_| Err("nobody is asked".to_owned());
    let job = Job { operation, call: false, build: &nobody };
    let wait = rate::told(&manifest.limits, &response.headers, now).wait;
    let nothing = Redaction::of(&BTreeMap::new());
    let judged = answer::judge(&manifest.errors, &job, response, wait, &nothing);
    Ok(Heard { value: judged.verdict?, asked_at: answer::asked_at(response) })
}

/// What the lack of one means.
pub(crate) fn unanswered(error: &OutboundError, operation: Operation) -> SystemError {
    run::unanswered(error, operation)
}
