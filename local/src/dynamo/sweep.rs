//! Removing rows that are past their end, which AWS does in the background.

use std::{sync::Arc, time::Duration};

use dynoxide::DynoxideError;
use millwright_store::TableDef;
use rusqlite::params;

use super::{
    Shared,
    quick::{Plans, remove},
    tables::Tables,
};

/// How often all rows are looked through. AWS promises less: within two days.
const EVERY: Duration = Duration::from_secs(600);
/// Rows that are looked at before others have their turn.
const PAGE: usize = 200;

/// Removes expired rows, now and then, for ever.
pub(super) async fn sweep(tables: Shared, plans: Arc<Plans>) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        for name in plans.keys() {
            match sweep_table(&tables, &plans, name).await {
                Ok(0) => {}
                Ok(removed) => tracing::debug!(removed, "expired rows removed"),
                Err(error) => tracing::warn!(%error, "the sweep of expired rows failed"),
            }
        }
    }
}

async fn sweep_table(tables: &Shared, plans: &Plans, name: &str) -> dynoxide::Result<usize> {
    let (mut after, mut removed) = (Some((String::new(), String::new())), 0);
    while let Some(place) = after {
        let page = page(&*tables.lock().await, plans, name, &place)?;
        (after, removed) = (page.0, removed + page.1);
        tokio::task::yield_now().await;
    }
    Ok(removed)
}

type Place = (String, String);

/// Looks at the rows after a place, and removes the expired ones: how many, and where the next page
/// begins.
fn page(
    tables: &Tables,
    plans: &Plans,
    name: &str,
    after: &Place,
) -> dynoxide::Result<(Option<Place>, usize)> {
    let (pk, sk) = (after.0.as_str(), after.1.as_str());
    // Most rows never end: a look for the attribute's name spares reading them as JSON.
    let mut rows = tables.storage.conn().prepare_cached(&format!(
        "SELECT pk, sk, instr(item_json, '\"{ttl}\"') > 0 AND coalesce(CAST(json_extract(\
         item_json, '$.{ttl}.N') AS INTEGER) BETWEEN 0 AND unixepoch() - 1, 0) \
         FROM \"{name}\" WHERE (pk, sk) > (?1, ?2) ORDER BY pk, sk LIMIT {PAGE}",
        ttl = TableDef::TTL,
    ))?;
    let rows: Vec<(Place, bool)> = rows
        .query_map(params![pk, sk], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let expired: Vec<Place> =
        rows.iter().filter(|(_, expired)| *expired).map(|(place, _)| place.clone()).collect();
    let removed = expired.len();
    if removed > 0 && !remove(tables.storage.conn(), plans, name, expired.into_iter()) {
        return Err(DynoxideError::InternalServerError("expired rows were left".to_owned()));
    }
    let full = rows.len() == PAGE;
    Ok((rows.into_iter().next_back().map(|(place, _)| place).filter(|_| full), removed))
}
