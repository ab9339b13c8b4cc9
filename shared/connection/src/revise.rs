//! Changing a connection because somebody wishes it: with what follows from how it was read.

use millwright_core::{ConnectionId, Result, WorkspaceId};
use millwright_store::{StoreError, Write};

use crate::{
    Connection, ConnectionContext, Now, Occasion, commit_change,
    credits::{TRIES, pause_before},
    find_connection,
};

/// What is written along with a change of a connection.
pub trait Along: Sync {
    /// What it came to.
    type Told: Send;

    /// The writes, for a connection that was `before` and is `after`.
    ///
    /// # Errors
    /// What forbids the change.
    fn writes(
        &self,
        before: &Connection,
        after: &Connection,
    ) -> impl Future<Output = Result<(Vec<Write>, Self::Told)>> + Send;
}

/// What a change came to.
#[derive(Clone, Debug)]
pub struct Revised<T> {
    /// The connection after it.
    pub connection: Connection,
    /// What went along; nothing when nothing has changed.
    pub along: Option<T>,
}

/// As [`crate::change`], where other writes follow from what was read. `decide` answers with why the
/// connection changes and what is written with it; with nothing when it does not.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection; `CREDITS_EXHAUSTED` when it would hold more
/// than are left; what `decide` and `along` answer.
pub async fn revise<A: Along>(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    decide: impl Fn(&mut Connection, Now) -> Result<Option<(Occasion, Vec<Write>)>> + Send + Sync,
    along: &A,
) -> Result<Revised<A::Told>> {
    for tries in 0..TRIES {
        pause_before(tries).await;
        let row = find_connection(&context.store, workspace, id).await?;
        let mut after = row.doc.clone();
        let Some((occasion, mut writes)) = decide(&mut after, Now::of(context))? else {
            return Ok(Revised { connection: row.doc, along: None });
        };
        let (own, told) = along.writes(&row.doc, &after).await?;
        writes.extend(own);
        if let Some(done) = commit_change(context, &row, after, &occasion, writes).await? {
            return Ok(Revised { connection: done, along: Some(told) });
        }
    }
    Err(StoreError::Conflict(0).into())
}
