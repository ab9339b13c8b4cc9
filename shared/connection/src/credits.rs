//! Credits: what a workspace's connections cost together, and how much they may.
//!
//! One row counts what is used. It is written in the very transaction that connects, revives or
//! disconnects, so that it is the sum over the connections at every moment, however many change at once.

use std::time::Duration;

use millwright_connector::Manifest;
use millwright_core::{Error, ErrorCode, Result, WorkspaceId};
use millwright_store::{Document, Expect, Key, Row, Store, StoreError, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Admin, Connection};

/// How often a change is begun again when others write the same rows: all connections of a workspace
/// write the one row.
pub(crate) const TRIES: u32 = 60;
/// The longest wait between two of these tries, in milliseconds: with a hundred at it, whoever tries
/// again at once only meets the others.
const PAUSE_MAX: u64 = 2_000;

/// A workspace's credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    /// How many its connections may cost together; nothing for as many as they like.
    pub limit: Option<u64>,
    /// Whether they may cost more than that.
    pub overage: bool,
    /// How many they cost.
    pub used: u64,
}

impl Document for Credits {}

impl Credits {
    /// How many are left; nothing where there is no limit.
    #[must_use]
    pub fn available(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }

    /// Counts a connection that has held `before` and holds `after` from now on. What costs no more than
    /// it did is never refused, also where less is allowed than is used.
    ///
    /// # Errors
    /// `CREDITS_EXHAUSTED` when there are not enough left.
    fn change(&mut self, before: u32, after: u32) -> Result<()> {
        let more = u64::from(after.saturating_sub(before));
        if let Some(left) = self.available().filter(|left| more > *left && !self.overage) {
            return Err(exhausted(more, left));
        }
        self.used = (self.used + u64::from(after)).saturating_sub(u64::from(before));
        Ok(())
    }
}

fn exhausted(needed: u64, left: u64) -> Error {
    let message = format!(
        "the connection needs {needed} more of the workspace's credits and {left} are left: raise the \
         limit, allow overage, or disconnect another connection"
    );
    Error::new(ErrorCode::CreditsExhausted, message)
}

/// Where a workspace's credits are counted.
#[must_use]
pub fn credits_key(workspace: &WorkspaceId) -> Key {
    Key::state(workspace.as_str(), "credits")
}

impl Connection {
    /// The credits that it holds just now: none before it is connected, while the workspace is short of
    /// them, and after it was disconnected.
    #[must_use]
    pub fn credits_held(&self) -> u32 {
        match self.facts.admin {
            Admin::Enabled | Admin::Paused => self.credits,
            Admin::Pending | Admin::NoCredits | Admin::Removed => 0,
        }
    }
}

/// What a connection to such a system costs: by the connector's tier 1, 2 or 4, and the double where
/// the system runs at the customer's own place.
#[must_use]
pub fn credits_of(manifest: &Manifest, settings: &Map<String, Value>) -> u32 {
    let tier = match manifest.tier {
        0 | 1 => 1,
        2 => 2,
        _ => 4,
    };
    if manifest.is_on_premises(settings) { tier * 2 } else { tier }
}

/// A workspace's credits; no limit and nothing used when nothing was ever counted.
///
/// # Errors
/// When the table fails.
pub async fn get_credits(store: &Store, workspace: &WorkspaceId) -> Result<Credits> {
    let row = store.get::<Credits>(&credits_key(workspace)).await?;
    Ok(row.map(|row| row.doc).unwrap_or_default())
}

/// Sets how many credits a workspace's connections may cost together, and whether they may cost more.
/// Nothing is disconnected by it: a limit below what is used only refuses what would cost more.
///
/// # Errors
/// When the table fails.
pub async fn set_credits(
    store: &Store,
    workspace: &WorkspaceId,
    limit: Option<u64>,
    overage: bool,
) -> Result<Credits> {
    for tries in 0..TRIES {
        pause_before(tries).await;
        let (row, expect) = read(store, workspace).await?;
        let doc = Credits { limit, overage, ..row };
        match store.write(Write::put(&credits_key(workspace), &doc, expect)?).await {
            Ok(_) => return Ok(doc),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict(0).into())
}

/// The write that counts a change of what a connection holds; none when it holds as much as before.
/// It belongs into the transaction of that change, which is begun again when the row has been written
/// meanwhile.
///
/// # Errors
/// `CREDITS_EXHAUSTED` when there are not enough left; when the table fails.
pub async fn count_credits(
    store: &Store,
    workspace: &WorkspaceId,
    before: u32,
    after: u32,
) -> Result<Option<Write>> {
    if before == after {
        return Ok(None);
    }
    let (mut credits, expect) = read(store, workspace).await?;
    credits.change(before, after)?;
    Ok(Some(Write::put(&credits_key(workspace), &credits, expect)?))
}

async fn read(store: &Store, workspace: &WorkspaceId) -> Result<(Credits, Expect)> {
    let row: Option<Row<Credits>> = store.get(&credits_key(workspace)).await?;
    let expect = row.as_ref().map_or(Expect::Absent, |row| Expect::Version(row.version));
    Ok((row.map(|row| row.doc).unwrap_or_default(), expect))
}

/// Waits before the second and later tries, longer with each, the half of it by chance.
pub(crate) async fn pause_before(tries: u32) {
    if tries > 0 {
        let ceiling = (10_u64 << tries.min(8)).min(PAUSE_MAX);
        let wait = ceiling / 2 + rand::random_range(0..=ceiling / 2);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credits(limit: Option<u64>, used: u64) -> Credits {
        Credits { limit, overage: false, used }
    }

    #[test]
    fn the_last_credit_is_given_once() {
        let mut own = credits(Some(3), 2);
        assert_eq!(own.change(0, 2).unwrap_err().code, ErrorCode::CreditsExhausted);
        own.change(0, 1).unwrap();
        assert_eq!((own.used, own.available()), (3, Some(0)));
        assert_eq!(own.change(0, 1).unwrap_err().code, ErrorCode::CreditsExhausted);
        own.change(1, 0).unwrap();
        own.change(0, 1).unwrap();
    }

    #[test]
    fn without_a_limit_or_with_overage_nothing_is_refused() {
        let mut own = credits(None, 1_000_000);
        own.change(0, 8).unwrap();
        assert_eq!(own.available(), None);
        let mut own = Credits { overage: true, ..credits(Some(1), 1) };
        own.change(0, 8).unwrap();
        assert_eq!((own.used, own.available()), (9, Some(0)));
    }

    #[test]
    fn a_limit_below_what_is_used_refuses_only_what_costs_more() {
        let mut own = credits(Some(1), 8);
        assert!(own.change(2, 4).is_err());
        own.change(4, 2).unwrap();
        own.change(2, 2).unwrap();
        own.change(2, 0).unwrap();
        assert_eq!(own.used, 4);
    }
}
