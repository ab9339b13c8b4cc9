//! The listings that one reading goes through.

use super::super::Pull;
use crate::manifest::{EntityDef, Events, Incremental, Listing, Log, Reach, Stream, Tombstones};

/// A listing of a reading.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// Deletions.
    Tombstones(&'a Events),
    /// What was put away.
    Archived(&'a Listing),
    /// What happened.
    Log(&'a Log),
    /// The entity's own rows.
    Own,
    /// Rows that belong to records.
    Children(&'a Stream),
}

/// The parts of a reading, in their order. Deletions come first, so that what was made again under the
/// same id stays.
pub(super) fn parts<'a>(def: &'a EntityDef, pull: &Pull) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let known = pull.deletions_from.or(pull.from).is_some();
    if let Some(Tombstones(events)) = def.deletes.tombstones.as_deref().filter(|_| known) {
        parts.push(Part::Tombstones(events));
    }
    parts.extend(def.deletes.archived.as_ref().map(Part::Archived));
    if let Incremental::Log(log) = &def.incremental
        && reaches(log, pull)
    {
        parts.push(Part::Log(log));
        if pull.from.is_some() {
            return parts;
        }
    }
    parts.push(Part::Own);
    if pull.from.is_some() {
        parts.extend(def.streams().iter().map(Part::Children));
    }
    parts
}

/// Whether there is a place in the log from which it can be read on.
fn reaches(log: &Log, pull: &Pull) -> bool {
    match &log.events.reach {
        Reach::Since | Reach::NewestFirst(_) => pull.deletions_from.or(pull.from).is_some(),
        Reach::Checkpoint(_) => pull.checkpoint.is_some(),
    }
}
