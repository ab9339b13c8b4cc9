//! The next page is fetched while the last one is kept.

use millwright_connector::{Position, Pull, Pulled, SystemError, SystemErrorClass};
use millwright_core::WallTime;
use tokio::task::JoinHandle;

use crate::{
    pull,
    slice::{Slice, StepError},
};

/// A page on its way. Whoever lets go of it ends its fetching.
pub(crate) struct Ahead {
    position: Position,
    fetch_started: WallTime,
    page: JoinHandle<Result<Pulled, SystemError>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.page.abort();
    }
}

/// Begins to fetch a page of the same reading. Its calls wait for their turn like any others. At most
/// one page is under way, so that memory holds two, beside the few records of pages that wait. It is taken before the
/// pass is handed on where the system may forget the cursor that it was asked for by.
pub(crate) fn begin(slice: &mut Slice<'_>, entity: &str, pull: Pull) {
    let fetch_started = slice.context.store.clock().wall();
    if fetch_started + slice.limits.margin >= slice.deadline {
        return;
    }
    let (system, entity) = (slice.system.clone(), entity.to_owned());
    let position = pull.position.clone();
    // Where nothing is known yet, each row becomes a record: beside the work on the page before.
    let maps = slice.row.doc.is_first_load();
    let page = tokio::spawn(Box::pin(async move {
        let mut page = system.pull(&entity, &pull).await?;
        if maps {
            let found = system.records(&entity, std::mem::take(&mut page.rows), pull.raw)?;
            page.records.extend(found.records);
            page.faults.extend(found.faults);
        }
        Ok(page)
    }));
    slice.ahead = Some(Ahead { position, fetch_started, page });
}

impl Ahead {
    /// Whether the page can be had by its cursor this once, perhaps.
    pub fn perishes(&self) -> bool {
        self.position.perishes()
    }
}

/// The page of a reading, and when its fetching began: what is newer than that wins over it. Pages that
/// wait for it are committed when it takes its time.
pub(crate) async fn fetch(
    slice: &mut Slice<'_>,
    entity: &str,
    wanted: Pull,
) -> Result<(Pulled, WallTime), StepError> {
    if let Some(mut ahead) = slice.ahead.take().filter(|own| own.position == wanted.position) {
        if let Some(held) = &slice.held {
            let patience = held.patience(slice.context.store.clock().wall());
            match tokio::time::timeout(patience, &mut ahead.page).await {
                Ok(page) => {
                    return Ok((joined(page).map_err(StepError::System)?, ahead.fetch_started));
                }
                Err(_) => pull::settle(slice).await?,
            }
        }
        let page = slice.ask(async { joined((&mut ahead.page).await) }).await?;
        return Ok((page, ahead.fetch_started));
    }
    pull::settle(slice).await?;
    let fetch_started = slice.context.store.clock().wall();
    // On the heap: what a page takes is much for the stack of a thread.
    Ok((slice.ask(Box::pin(slice.system.pull(entity, &wanted))).await?, fetch_started))
}

fn joined(
    ended: Result<Result<Pulled, SystemError>, tokio::task::JoinError>,
) -> Result<Pulled, SystemError> {
    ended.unwrap_or_else(|error| {
        let message = format!("the page was not fetched: {error}");
        Err(SystemError::new(SystemErrorClass::Malformed, message))
    })
}
