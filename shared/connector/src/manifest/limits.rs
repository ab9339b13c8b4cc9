//! How much at once, and how often.

use std::time::Duration;

use millwright_store::Quota;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Header, TimeForm};

/// Limits of the engine's calls to one connection's system. All instances share them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Rows a page, when the caller asks for no number of its own.
    pub page_size: u32,
    /// Rows a page, at most.
    pub page_size_max: u32,
    /// Ids in one request, at most.
    pub ids_per_request: usize,
    /// Requests at the same time.
    pub concurrency: usize,
    /// How often the system may be asked.
    pub budgets: Vec<Budget>,
    /// The headers by which the system tells what is left of its limit.
    pub rate_headers: RateHeaders,
    /// How long a call waits for its turn, at most: for the budget, for a place among `concurrency`,
    /// for what `Retry-After` says. Longer waits end the call, with the time to come again.
    pub wait_seconds_max: u32,
    /// The longest answer, in bytes after decompression.
    pub body_cap_bytes: usize,
    /// The longest wait for a complete answer.
    pub timeout_seconds: u64,
}

/// So many requests in any stretch of time of that length.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// How many the system allows.
    pub requests: u32,
    /// In how many seconds.
    pub per_seconds: u32,
    /// The part of it that we take: above 0, at most 1. The rest is left to others with the same key.
    #[serde(default)]
    pub share: Share,
    /// Whose budget it is.
    #[serde(default)]
    pub scope: BudgetScope,
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// Each connection's own: the system counts by key or user.
    #[default]
    Connection,
    /// All of the workspace's connections to the same host together: the system counts by address or
    /// by organisation.
    Host,
}

/// A part of a whole: above 0, at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(f64);

impl Share {
    /// This part of a number, rounded down.
    #[must_use]
    pub fn of(self, whole: u32) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to whole")]
        let part = (f64::from(whole) * self.0).floor() as u32;
        part
    }
}

impl Default for Share {
    fn default() -> Self {
        Self(1.0)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer)?;
        let fits = share > 0.0 && share <= 1.0;
        fits.then_some(Self(share)).ok_or_else(|| D::Error::custom("a share is above 0, at most 1"))
    }
}

/// The headers by which a system tells what is left of its limit. `Retry-After` is always read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateHeaders {
    /// How many requests there are in all.
    pub limit: Option<Header>,
    /// How many are left.
    pub remaining: Option<Header>,
    /// When there are more.
    pub reset: Option<ResetHeader>,
    /// A header of the system's own with the seconds to wait, read like `Retry-After`.
    pub retry_after: Option<Header>,
}

/// A header that says when there are more.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetHeader {
    /// Its name.
    pub header: Header,
    /// What it says.
    pub form: TimeForm,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page_size: 100,
            page_size_max: 500,
            ids_per_request: 100,
            concurrency: 2,
            budgets: Vec::new(),
            rate_headers: RateHeaders::default(),
            wait_seconds_max: 5,
            body_cap_bytes: 16 << 20,
            timeout_seconds: 30,
        }
    }
}

impl Limits {
    /// The page size for a wish; 0 is no wish.
    #[must_use]
    pub fn page(&self, wish: u32) -> u32 {
        let wish = if wish == 0 { self.page_size } else { wish };
        wish.clamp(1, self.page_size_max)
    }

    /// The longest wait for a complete answer.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// How long a call waits for its turn, at most.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.wait_seconds_max))
    }

    /// What we take of the budgets of a scope.
    pub(crate) fn quotas(&self, scope: BudgetScope) -> Vec<Quota> {
        let ours = self.budgets.iter().filter(|budget| budget.scope == scope);
        ours.map(Budget::quota).collect()
    }

    /// The smallest part that we take of any budget.
    pub(crate) fn share(&self) -> Share {
        let smaller = |one: Share, other: Share| if other.0 < one.0 { other } else { one };
        self.budgets.iter().map(|budget| budget.share).fold(Share::default(), smaller)
    }
}

impl Budget {
    /// What we take of it: never nothing.
    fn quota(&self) -> Quota {
        Quota {
            tokens: self.share.of(self.requests).max(1),
            window: Duration::from_secs(u64::from(self.per_seconds)),
        }
    }
}
