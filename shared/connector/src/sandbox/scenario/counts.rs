//! How many calls there have been, counted in a row: every instance counts on.

use millwright_core::ScheduleTime;
use millwright_store::Document;
use serde::{Deserialize, Serialize};

use crate::sandbox::kept::Kept;

/// What has been counted for one thing that a sandbox was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct CountsDoc {
    /// What was told: for anything else it is counted anew.
    of: String,
    /// When the first call came.
    began: ScheduleTime,
    /// By rule: the calls that it counts.
    calls: Vec<u64>,
}

impl Document for CountsDoc {}

const SORT_KEY: &str = "scenario-counts";

/// What had been counted before a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// When the first call came.
    pub began: ScheduleTime,
    /// By rule: the calls before this one.
    pub before: Vec<u64>,
}

impl Counted {
    /// Nothing.
    pub(crate) fn none(now: ScheduleTime) -> Self {
        Self { began: now, before: Vec::new() }
    }

    /// Whether a call has been counted.
    ///
    /// # Errors
    /// When the table fails.
    pub(crate) async fn has_begun(kept: &Kept, of: &str) -> millwright_core::Result<bool> {
        let doc = kept.doc::<CountsDoc>(SORT_KEY).await?;
        Ok(doc.is_some_and(|doc| doc.of == of))
    }

    /// Counts a call that came now, for the rules that are `true`.
    ///
    /// # Errors
    /// When the table fails.
    pub(crate) async fn count(
        kept: &Kept,
        of: &str,
        counts: &[bool],
        now: ScheduleTime,
    ) -> millwright_core::Result<Self> {
        let fresh = || CountsDoc { of: of.to_owned(), began: now, calls: vec![0; counts.len()] };
        let key = kept.key(SORT_KEY);
        let decide = |doc: &mut CountsDoc| {
            if doc.of != of || doc.calls.len() != counts.len() {
                *doc = fresh();
            }
            let counted = Self { began: doc.began, before: doc.calls.clone() };
            for (calls, counts) in doc.calls.iter_mut().zip(counts) {
                *calls += u64::from(*counts);
            }
            Ok(counted)
        };
        loop {
            if let Some((_, counted)) = kept.store().modify(&key, decide).await? {
                return Ok(counted);
            }
            // Whoever comes first makes the row; everybody counts in it.
            kept.store().create(&key, &fresh()).await?;
        }
    }
}
