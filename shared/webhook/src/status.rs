//! A delivery's status in one word.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A delivery's status as the API shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// The first attempt has not ended yet.
    Pending,
    /// An attempt has failed; the next one is planned or running.
    Waiting,
    /// Its endpoint is paused or disabled.
    Held,
    /// It has arrived.
    Delivered,
    /// All automatic attempts have failed.
    Failed,
    /// It will not be tried any more.
    Aborted,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Waiting, Self::Held, Self::Delivered, Self::Failed, Self::Aborted];

    /// The status as it stands in answers and filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }
}

impl FromStr for DeliveryStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(())
    }
}
