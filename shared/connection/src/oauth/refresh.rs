//! Renewing the tokens of connections that nobody uses.

use millwright_connector::oauth::Grant;
use millwright_core::{Result, ScheduleTime};

use super::Keeper;
use crate::{Connection, ConnectionContext, credentials::SealedCredentials};

/// Renews the tokens of a connection that have not been renewed for a day, so that they do not die of
/// disuse and a dead one is found early; answers when this is due again. Nothing for a connection
/// without OAuth, or whose tokens are simply asked for anew when they are wanted.
///
/// A renewal in vain is no error: it stands in the row, and the probe decides what it means.
///
/// # Errors
/// When the table or the vault fails, or the connection is gone.
pub async fn refresh_if_due(
    context: &ConnectionContext,
    connection: &Connection,
) -> Result<Option<ScheduleTime>> {
    let manifest = context.engine.catalog().get(connection.connector()?);
    if manifest.is_none_or(|manifest| manifest.auth.oauth().is_none()) {
        return Ok(None);
    }
    let keeper = Keeper::of(context, connection)?;
    let stored = keeper.stored().await?;
    if stored.authority.grant() != Grant::Code || !stored.renewable() {
        return Ok(None);
    }
    let now = context.store.clock().schedule();
    match stored.keeping.due_at(stored.authority.rules()?) {
        Some(due) if due > now => return Ok(Some(due)),
        Some(_) => keeper.renew_unused(stored).await?,
        None => begin(context, &keeper, now).await?,
    }
    let stored = keeper.stored().await?;
    Ok(stored.keeping.due_at(stored.authority.rules()?))
}

/// Tokens that came with a login: their day begins when they are first looked at.
async fn begin(context: &ConnectionContext, keeper: &Keeper, now: ScheduleTime) -> Result<()> {
    let begun = context.store.modify(keeper.key(), |doc: &mut SealedCredentials| {
        doc.oauth.renewed_at.get_or_insert(now);
        Ok(())
    });
    begun.await.map(drop)
}
