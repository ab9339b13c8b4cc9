//! Waking the syncs of a connection that is worked on again: after a pause, a refusal, an outage.

use millwright_connection::{
    Admin, Along, Connection, ConnectionContext, Now, Occasion, connection_pk, revise,
};
use millwright_core::{ConnectionId, QueueName, Result, ScheduleTime, WorkspaceId};
use millwright_queue::MAX_HOPS;
use millwright_records::Scope;
use millwright_store::{Range, Table, Write};

use crate::{NextRun, SyncState, connect::send, order, sync_states};

/// Which of a connection's syncs are woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleepers {
    /// None.
    None,
    /// Those that wait because the system failed.
    Failed,
    /// Those too that were laid to rest because the connection was not worked on. A slice that is just
    /// ending for that reason is fenced, so that it cannot lay itself to rest behind this.
    All,
}

impl Sleepers {
    pub fn has(self, state: &SyncState, now: ScheduleTime) -> bool {
        match state.run {
            None => self == Self::All && state.settings.is_on(),
            Some(run) => self != Self::None && state.failures > 0 && run.at > now,
        }
    }
}

impl SyncState {
    /// It is a new beginning: what fails from now on is told anew.
    pub(crate) fn wake(&mut self, run: NextRun) {
        self.run = Some(run);
        (self.failures, self.failure_told) = (0, false);
    }
}

/// The first loads that wait for another of their connection's.
pub(crate) struct Followers<'a> {
    pub context: &'a ConnectionContext,
    /// Whose they are.
    pub of: &'a Scope,
    /// How often the work that wakes them has been sent on.
    pub hop: u8,
}

impl Followers<'_> {
    /// Begins those that wait for nothing any more. Should this be cut off, they begin by themselves
    /// some minutes later.
    pub async fn wake(&self) -> Result<()> {
        let Scope { workspace, connection, .. } = self.of;
        let store = &self.context.store;
        let states = sync_states(store, workspace, connection).await?;
        let by_sweep = self.hop >= MAX_HOPS;
        for state in order::free(&states).into_iter().filter(|state| order::waits(state)) {
            let now = store.clock().schedule();
            let key = state.key();
            let woken = store.modify(&key, |state: &mut SyncState| {
                let early = order::waits(state) && state.run.is_some_and(|run| run.at > now);
                if early {
                    let at = if by_sweep { NextRun::by_sweep(now) } else { NextRun::at(now, now) };
                    state.run = Some(at);
                }
                Ok(early)
            });
            let Some((row, true)) = woken.await? else { continue };
            if !by_sweep {
                let (work, wait) = (row.doc.work()?, std::time::Duration::ZERO);
                let sent =
                    self.context.queue.send_after(QueueName::Sync, &work, wait, self.hop + 1);
                if let Err(error) = sent.await {
                    tracing::warn!(%connection, %error, "first load left to the sweep");
                }
            }
        }
        Ok(())
    }
}

/// Wakes a connection's sleeping syncs along with a change of it: they are due from then on.
pub(crate) struct Waking<'a> {
    pub context: &'a ConnectionContext,
    /// Which of them, when it was worked on before as well.
    pub sleepers: Sleepers,
}

impl Along for Waking<'_> {
    /// The states, to be sent once they are written.
    type Told = Vec<SyncState>;

    async fn writes(
        &self,
        before: &Connection,
        after: &Connection,
    ) -> Result<(Vec<Write>, Vec<SyncState>)> {
        let rested = before.facts.admin != Admin::Enabled && after.facts.admin == Admin::Enabled;
        let sleepers = if rested { Sleepers::All } else { self.sleepers };
        if sleepers == Sleepers::None {
            return Ok(Default::default());
        }
        let now = self.context.store.clock().schedule();
        let pk = connection_pk(&after.workspace, &after.id);
        let range = Range::Prefix("sync#".to_owned());
        let rows = self.context.store.query_all::<SyncState>(Table::State, &pk, &range).await?;
        let (mut writes, mut states) = (Vec::new(), Vec::new());
        for mut row in rows.into_iter().filter(|row| sleepers.has(&row.doc, now)) {
            row.doc.wake(NextRun::at(now, now));
            writes.push(Write::replace(&row)?);
            states.push(row.doc);
        }
        Ok((writes, states))
    }
}

/// Changes a connection and wakes its syncs: all of them where it was not worked on before.
pub(crate) async fn revise_and_wake(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    decide: impl Fn(&mut Connection, Now) -> Result<Option<(Occasion, Vec<Write>)>> + Send + Sync,
    sleepers: Sleepers,
) -> Result<Connection> {
    let waking = Waking { context, sleepers };
    let revised = revise(context, workspace, id, decide, &waking).await?;
    for state in revised.along.unwrap_or_default() {
        send(context, &state).await;
    }
    Ok(revised.connection)
}
