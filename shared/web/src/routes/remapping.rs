//! How far the reading has come that a change of field mappings or custom fields asked for.

use millwright_core::WallTime;
use millwright_sync::{Remap, RemapStage};
use serde::Serialize;
use utoipa::ToSchema;

use super::syncs::SyncCounts;

/// How far the reading has come that a change asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct Remapping {
    /// When the change was made.
    #[schema(format = DateTime)]
    asked_at: String,
    /// How far it has come.
    stage: RemappingStage,
    /// When everything had been read.
    #[schema(required, format = DateTime)]
    ended_at: Option<String>,
    /// What it did, once it has ended: records that are different are `updated`.
    counts: SyncCounts,
}

/// How far it has come.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RemappingStage {
    /// It has not begun.
    Asked,
    /// It reads.
    Running,
    /// Everything has been read.
    Done,
}

impl From<Remap> for Remapping {
    fn from(own: Remap) -> Self {
        Self {
            asked_at: own.asked_at.iso(),
            stage: match own.stage {
                RemapStage::Asked => RemappingStage::Asked,
                RemapStage::Running => RemappingStage::Running,
                RemapStage::Done => RemappingStage::Done,
            },
            ended_at: own.ended_at.map(WallTime::iso),
            counts: own.counts.into(),
        }
    }
}
