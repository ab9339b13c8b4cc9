//! What hints tell of, read piece by piece: an error takes away no more than its own piece.

use std::{collections::BTreeSet, time::Duration};

use millwright_connector::{
    Manifest, RowFault, SourceRecord, System, SystemError, SystemErrorClass,
    manifest::{Get, Incremental},
};
use millwright_core::Clock;

use crate::Mode;

/// Records that are read for one commit.
pub(super) const AT_ONCE: usize = 100;

/// What has been read of a batch.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The records that the system has answered for.
    pub ids: BTreeSet<String>,
    /// Those that are there.
    pub records: Vec<SourceRecord>,
    /// Those that are there, and cannot be mapped or are not shown.
    pub faults: Vec<RowFault>,
    /// Why there is not more.
    pub stopped: Option<SystemError>,
}

impl Reading {
    /// Reads for as long as the system answers and there is time. Records that it refuses to show are
    /// passed over; they are what stopped it when it shows none.
    pub async fn of(
        system: &System,
        entity: &str,
        ids: &[String],
        clock: &Clock,
        time: Duration,
    ) -> Self {
        let end = clock.wall() + time;
        let mut reading = Self::default();
        let mut refused = None;
        for piece in ids.chunks(piece_size(system.manifest(), entity)) {
            let left = end.since(clock.wall());
            if left.is_zero() {
                break;
            }
            let Ok(answer) = tokio::time::timeout(left, system.find(entity, piece)).await else {
                refused = refused.or_else(|| Some(late()));
                break;
            };
            match answer {
                Ok(found) => {
                    reading.ids.extend(piece.iter().cloned());
                    reading.records.extend(found.records);
                    reading.faults.extend(found.faults);
                }
                Err(error) if is_refusal(&error) => refused = refused.or(Some(error)),
                Err(error) => {
                    reading.stopped = Some(error);
                    break;
                }
            }
        }
        if reading.ids.is_empty() && reading.stopped.is_none() {
            reading.stopped = refused;
        }
        reading
    }

    /// Leaves out records that are to be read again later.
    pub fn without(&mut self, ids: &BTreeSet<String>) {
        self.ids.retain(|id| !ids.contains(id));
        self.records.retain(|record| !ids.contains(&record.remote_id));
        self.faults.retain(|fault| !ids.contains(&fault.remote_id));
    }

    /// Those of which the system has answered that they are not there.
    pub fn gone(&self) -> Vec<String> {
        let records = self.records.iter().map(|record| &record.remote_id);
        let there: BTreeSet<&String> =
            records.chain(self.faults.iter().map(|fault| &fault.remote_id)).collect();
        self.ids.iter().filter(|id| !there.contains(id)).cloned().collect()
    }

    /// Whether a commit of this tells of every record that waits.
    pub fn tells_all<'a>(&self, mut waiting: impl Iterator<Item = &'a String>) -> bool {
        self.faults.is_empty() && waiting.all(|id| self.ids.contains(id))
    }
}

/// Whether the system answers, and refuses to show what it is asked for.
pub(super) fn is_refusal(error: &SystemError) -> bool {
    matches!(error.class, SystemErrorClass::Permission | SystemErrorClass::Validation)
}

/// Whether an entity's records are asked for one by one.
pub(super) fn one_by_one(manifest: &Manifest, entity: &str) -> bool {
    matches!(manifest.entity(entity).map(|def| &def.get), Some(Get::One { .. }))
}

/// So many records of an entity are asked for together that fewer would take longer.
fn piece_size(manifest: &Manifest, entity: &str) -> usize {
    let size = match manifest.entity(entity).map(|def| &def.get) {
        Some(Get::One { .. }) => manifest.limits.concurrency,
        Some(Get::Many { .. }) => manifest.limits.ids_per_request,
        _ => AT_ONCE,
    };
    size.clamp(1, AT_ONCE)
}

/// The sync that finds what hints told of. A feed or a log may not show what has happened to a record
/// that it has passed: there everything is read.
pub(super) fn sync_instead(incremental: &Incremental) -> Mode {
    match incremental {
        Incremental::Feed(_) | Incremental::Log(_) => Mode::Full,
        Incremental::Full | Incremental::Filter(_) => Mode::Incremental,
    }
}

fn late() -> SystemError {
    SystemError::new(SystemErrorClass::Unreachable, "no answer in time")
}

#[cfg(test)]
mod tests {
    use millwright_connector::manifest::Filter;

    use super::*;

    fn answered(ids: &[&str]) -> Reading {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Reading { ids, ..Reading::default() }
    }

    #[test]
    fn what_was_answered_for_and_not_found_is_gone_and_the_rest_waits() {
        let mut reading = answered(&["7", "8", "9"]);
        let fault = |id: &str| RowFault {
            remote_id: id.to_owned(),
            field: String::new(),
            message: "no".to_owned(),
        };
        reading.faults = vec![fault("8")];
        assert_eq!(reading.gone(), ["7", "9"]);
        reading.without(&BTreeSet::from(["7".to_owned()]));
        assert_eq!(reading.gone(), ["9"]);
    }

    #[test]
    fn commits_that_never_came_to_be_are_forgotten_only_when_all_that_waits_is_told() {
        let waiting = ["7".to_owned(), "8".to_owned()];
        assert!(answered(&["7", "8", "9"]).tells_all(waiting.iter()));
        assert!(!answered(&["7"]).tells_all(waiting.iter()));
    }

    #[test]
    fn a_system_that_lists_by_time_of_change_needs_no_full_sync() {
        assert_eq!(sync_instead(&Incremental::Full), Mode::Incremental);
        assert_eq!(sync_instead(&Incremental::Filter(Filter::default())), Mode::Incremental);
    }
}
