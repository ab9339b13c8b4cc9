//! How an endpoint has been doing: whether attempts are let through to it, and since when nothing has
//! arrived. A part of its row, written on transitions only.

use millwright_core::ScheduleTime;
use serde::{Deserialize, Serialize};

/// How an endpoint has been doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Since when nothing has arrived; nothing while the latest attempts did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<ScheduleTime>,
    /// Until when it asked to be left alone (429 or 503, `Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_until: Option<ScheduleTime>,
}
