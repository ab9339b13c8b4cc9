//! A page that cannot be had though the system is well: smaller and smaller pages find the row that is to
//! blame, and it is left out where the row behind it can be read.

use millwright_connector::{Position, SystemErrorClass};
use millwright_entities::record_key;

use crate::{
    Skipped,
    prints::PrintKey,
    pull::pull_of,
    slice::{Slice, StepError},
    state::{Narrow, Phase},
};

/// So many pages of one size make pages twice as large again.
const READ_ENOUGH: u8 = 2;

/// Whether a failure may be that of a single row, the system being well.
pub(crate) const fn may_be_of_a_row(class: SystemErrorClass) -> bool {
    use SystemErrorClass::{Conflict, Malformed, NotFound, Unreachable, Validation};
    matches!(class, Conflict | Malformed | NotFound | Unreachable | Validation)
}

/// A smaller page than one that failed; nothing below a single row.
fn smaller(failed: u32) -> Option<Narrow> {
    (failed > 1).then_some(Narrow { size: failed / 2, read: 0 })
}

/// What pages are like after one was read, `full` being their usual size.
pub(crate) fn widened(narrow: Narrow, full: u32) -> Option<Narrow> {
    if narrow.read + 1 < READ_ENOUGH {
        return Some(Narrow { read: narrow.read + 1, ..narrow });
    }
    let size = narrow.size.saturating_mul(2);
    (size < full).then_some(Narrow { size, read: 0 })
}

/// A page has failed again: whether there is another way to go on at once, with a smaller page or behind a
/// row that is left out. `said` is what was wrong.
pub(crate) async fn isolate(slice: &mut Slice<'_>, said: &str) -> Result<bool, StepError> {
    let Some(pass) = &slice.row.doc.pass else { return Ok(false) };
    let Phase::Pulling(position) = pass.phase.clone() else { return Ok(false) };
    let entity = slice.row.doc.entity.clone();
    let pull = pull_of(slice, position.clone())?;
    if !slice.system.narrows(&entity, &pull) {
        return Ok(false);
    }
    if let Some(narrow) = smaller(slice.system.manifest().limits.page(pull.page_size)) {
        tracing::info!(entity, size = narrow.size, "a page failed: smaller ones are read");
        if let Some(pass) = &mut slice.row.doc.pass {
            pass.narrow = Some(narrow);
        }
        return Ok(true);
    }
    leave_out(slice, &entity, position, said).await
}

/// Leaves the row out at which the page of one row begins, where the one behind it can be read: else it is
/// no matter of a row.
async fn leave_out(
    slice: &mut Slice<'_>,
    entity: &str,
    position: Position,
    said: &str,
) -> Result<bool, StepError> {
    let found = slice.ask(slice.system.next_id(entity, &position)).await;
    let Ok(Some(id)) = found else { return Ok(false) };
    let behind = position.behind(id.clone());
    let next = pull_of(slice, behind.clone())?;
    if slice.ask(slice.system.pull(entity, &next)).await.is_err() {
        return Ok(false);
    }
    tracing::warn!(entity, id, "a row that cannot be read is left out");
    if let (Some(prints), Some(key)) =
        (&mut slice.prints, PrintKey::of(&record_key(&slice.scope.connection, entity, &id)))
    {
        prints.set.see(key);
    }
    let state = &mut slice.row.doc;
    state.skip([Skipped::new(&id, "", said)]);
    state.counts.skipped += 1;
    if let Some(pass) = &mut state.pass {
        pass.counts.skipped += 1;
        pass.phase = Phase::Pulling(behind);
        pass.narrow = None;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_halved_down_to_a_row_and_grow_again_once_they_are_read() {
        let mut sizes = Vec::new();
        let mut size = 100;
        while let Some(narrow) = smaller(size) {
            size = narrow.size;
            sizes.push(size);
        }
        assert_eq!(sizes, [50, 25, 12, 6, 3, 1]);
        let (mut narrow, mut sizes) = (Some(Narrow { size: 12, read: 0 }), Vec::new());
        while let Some(now) = narrow {
            sizes.push(now.size);
            narrow = widened(now, 100);
        }
        assert_eq!(sizes, [12, 12, 24, 24, 48, 48, 96, 96]);
    }

    #[test]
    fn what_is_no_matter_of_a_row_leaves_pages_as_they_are() {
        use SystemErrorClass::{Malformed, Permission, RateLimited, Reauthorize, Unsupported};
        assert!(may_be_of_a_row(Malformed));
        for class in [Permission, RateLimited, Reauthorize, Unsupported] {
            assert!(!may_be_of_a_row(class));
        }
    }
}
