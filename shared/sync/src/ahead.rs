//! The next page is fetched while the last one is kept.

use millwright_connector::{Position, Pull, Pulled, SystemError, SystemErrorClass};
use millwright_core::WallTime;
use tokio::task::JoinHandle;

use crate::slice::{Slice, StepError};

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
/// one page is under way, so that memory holds two: the one that is kept, and this. A cursor that the
/// system may forget is not asked for before it is needed: the page may have to be fetched again.
pub(crate) fn begin(slice: &mut Slice<'_>, entity: &str, pull: Pull) {
    let fetch_started = slice.context.store.clock().wall();
    if pull.position.perishes() || fetch_started + slice.limits.margin >= slice.deadline {
        return;
    }
    let (system, entity) = (slice.system.clone(), entity.to_owned());
    let position = pull.position.clone();
    let page = tokio::spawn(Box::pin(async move { system.pull(&entity, &pull).await }));
    slice.ahead = Some(Ahead { position, fetch_started, page });
}

/// The page of a reading, and when its fetching began: what is newer than that wins over it.
pub(crate) async fn fetch(
    slice: &mut Slice<'_>,
    entity: &str,
    pull: Pull,
) -> Result<(Pulled, WallTime), StepError> {
    if let Some(mut ahead) = slice.ahead.take().filter(|own| own.position == pull.position) {
        let page = slice.ask(async { joined((&mut ahead.page).await) }).await?;
        return Ok((page, ahead.fetch_started));
    }
    let fetch_started = slice.context.store.clock().wall();
    // On the heap: what a page takes is much for the stack of a thread.
    Ok((slice.ask(Box::pin(slice.system.pull(entity, &pull))).await?, fetch_started))
}

fn joined(
    ended: Result<Result<Pulled, SystemError>, tokio::task::JoinError>,
) -> Result<Pulled, SystemError> {
    ended.unwrap_or_else(|error| {
        let message = format!("the page was not fetched: {error}");
        Err(SystemError::new(SystemErrorClass::Malformed, message))
    })
}
