//! The one way in which a connection's facts change: decided on what was read, and written in one
//! transaction with the entry of its history and with the messages that tell of it.

use std::time::Duration;

use millwright_core::{
    ConnectionId, ErrorCode, QueueName, Result, ScheduleTime, WallTime, WorkspaceId,
};
use millwright_event::{Message, announce};
use millwright_store::{Row, StoreError, Write};

use crate::{
    Admin, Connection, ConnectionContext, Health, HealthTiming, IssueChanges, Occasion, Problem,
    Status, count_credits,
    credits::{TRIES, pause_before},
    events::status_events,
    find_connection, forget_reconnect, history, new_reconnect, raise_issue, settle_issue,
    tell::Step,
    watch::{NextTask, REFRESH_AFTER, is_running, next_task},
};

/// Two changes of a connection are at least so far apart: their ids sort by their times.
const APART: Duration = Duration::from_millis(1);

/// What the two clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The time of day.
    pub wall: WallTime,
    /// The time by which waiting goes.
    pub schedule: ScheduleTime,
}

/// Changes a connection: reads it, lets `decide` change its facts and whatever goes with them, and
/// writes the row together with the entry of its history, the messages and `extra`. Begins again when
/// somebody else wrote in between, so `decide` must only decide. Where `decide` answers with nothing,
/// nothing is written. The status, its reason and its time, and when the connection is looked at next
/// follow from the facts: `decide` leaves them alone.
///
/// # Errors
/// `NOT_FOUND` when this workspace has no such connection; what `decide` answers.
pub async fn change<F>(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    extra: &[Write],
    decide: F,
) -> Result<Connection>
where
    F: Fn(&mut Connection, Now) -> Result<Option<Occasion>> + Send + Sync,
{
    for tries in 0..TRIES {
        pause_before(tries).await;
        let row = find_connection(&context.store, workspace, id).await?;
        let mut after = row.doc.clone();
        let Some(occasion) = decide(&mut after, Now::of(context))? else { return Ok(row.doc) };
        if let Some(done) = commit_change(context, &row, after, &occasion, extra.to_vec()).await? {
            return Ok(done);
        }
    }
    Err(StoreError::Conflict(0).into())
}

/// What [`change`] does once it has been decided, for callers whose other writes follow from what they
/// read: answers with nothing when the row, or one of the `extra` rows, is no longer as it was read, or
/// others are at them.
///
/// # Errors
/// `CREDITS_EXHAUSTED` when the connection would hold more than the workspace has left; when the table
/// or the vault fails.
pub async fn commit_change(
    context: &ConnectionContext,
    row: &Row<Connection>,
    mut after: Connection,
    occasion: &Occasion,
    extra: Vec<Write>,
) -> Result<Option<Connection>> {
    let now = Now::of(context);
    let told_from = settle(&row.doc, &mut after, occasion, now, context.timing);
    let episode = episode(context, &row.doc, &mut after).await?;
    if after == row.doc && extra.is_empty() {
        return Ok(Some(after));
    }
    let changed = row.doc.status() != after.status();
    let mut messages = match told_from {
        Some(from) => {
            let failing = row.doc.watch.told.failing;
            status_events(context, &after, from, failing).await?
        }
        None => Vec::new(),
    };
    let written = Row { doc: after, ..row.clone() };
    let mut writes = vec![Write::replace(&written)?];
    if changed {
        writes.push(history::entry(&written.doc, Some(row.doc.status()), occasion)?);
    }
    for message in &messages {
        writes.push(message.as_write()?);
    }
    writes.extend(episode);
    let issues = issues_of(context, &row.doc, &written.doc).await?;
    writes.extend(issues.writes);
    messages.extend(issues.messages);
    writes.extend(extra);
    let (held, holds) = (row.doc.credits_held(), written.doc.credits_held());
    writes.extend(count_credits(&context.store, &row.doc.workspace, held, holds).await?);
    match write(context, writes).await {
        Ok(()) => {}
        Err(StoreError::Conflict(_) | StoreError::Busy) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    follow(context, &row.doc, &written.doc, &messages, occasion).await;
    Ok(Some(written.doc))
}

/// What the row holds is sent on at once. Whatever is lost here is found by the sweep.
async fn follow(
    context: &ConnectionContext,
    before: &Connection,
    after: &Connection,
    messages: &[Message],
    occasion: &Occasion,
) {
    if before.status() != after.status() {
        tracing::info!(
            connection = %after.id,
            from = %before.status(),
            to = %after.status(),
            trigger = ?occasion.trigger,
            reason = occasion.reason,
            "connection status changed"
        );
    }
    announce(&context.queue, messages).await;
    let now = context.store.clock().schedule();
    let next = after.watch.next.filter(|next| before.watch.next != Some(*next));
    if let Some(delay) = next.and_then(|next: NextTask| next.carried(now)) {
        let sent = match after.work() {
            Ok(work) => {
                let hop = occasion.hop + 1;
                context.queue.send_after(QueueName::Sync, &work, delay, hop).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::warn!(connection = %after.id, %error, "check left to the sweep");
        }
    }
}

async fn write(context: &ConnectionContext, mut writes: Vec<Write>) -> Result<(), StoreError> {
    match writes.pop() {
        Some(sole) if writes.is_empty() => context.store.write(sole).await.map(drop),
        last => {
            writes.extend(last);
            context.store.transact(writes).await
        }
    }
}

/// The address for logging in again: there while that is needed, dead once the system answers again or
/// the connection has been disconnected. One that the workspace asked for stays meanwhile.
async fn episode(
    context: &ConnectionContext,
    before: &Connection,
    after: &mut Connection,
) -> Result<Option<Write>> {
    let of_episode = after.reconnect.as_ref().is_some_and(|secret| !secret.asked_for);
    match after.status() {
        Status::ReauthorizationRequired => new_reconnect(context, after).await,
        // It was refused, unreachable or paused, and answers.
        _ if !is_running(before) && is_running(after) && of_episode => Ok(forget_reconnect(after)),
        Status::Disconnected if before.status() != Status::Disconnected => {
            Ok(forget_reconnect(after))
        }
        _ => Ok(None),
    }
}

impl Now {
    /// What they show now.
    pub(crate) fn of(context: &ConnectionContext) -> Self {
        let clock = context.store.clock();
        Self { wall: clock.wall(), schedule: clock.schedule() }
    }
}

/// The issues that follow the connection's health. A connection that is not wanted opens none, and
/// keeps those it has.
async fn issues_of(
    context: &ConnectionContext,
    before: &Connection,
    after: &Connection,
) -> Result<IssueChanges> {
    let mut changes = IssueChanges::default();
    let (health, wanted) = (after.facts.health, after.facts.admin == Admin::Enabled);
    for (own, problem, code) in [
        (Health::Unreachable, Problem::Unavailable, ErrorCode::ConnectionUnavailable),
        (Health::Refused, Problem::ReauthorizationRequired, ErrorCode::ReauthorizationRequired),
    ] {
        if health == own && wanted && before.last_checked_at != after.last_checked_at {
            let reason = after.watch.health_reason.as_deref().unwrap_or_default();
            changes.extend(raise_issue(context, after, &problem, code, reason).await?);
        } else if before.facts.health == own && health != own {
            changes.extend(settle_issue(context, after, &problem).await?);
        }
    }
    Ok(changes)
}

/// Everything in the row that follows from the facts. Answers from which status on the present one is
/// to be told now, if it is.
pub(crate) fn settle(
    before: &Connection,
    after: &mut Connection,
    occasion: &Occasion,
    now: Now,
    timing: HealthTiming,
) -> Option<Status> {
    let (old, new) = (before.status(), after.status());
    give_reasons(before, after, occasion);
    if old != new {
        after.watch.changes = before.watch.changes + 1;
        after.status_since = now.wall.max(before.status_since + APART);
    }
    after.status_reason = reason_of(after);
    if !is_running(before) && is_running(after) {
        after.watch.wake = Some(after.watch.changes);
        after.watch.refresh_at = Some(now.schedule + REFRESH_AFTER);
    }
    if before.facts.admin != Admin::Removed && after.facts.admin == Admin::Removed {
        after.watch.over = Some(after.watch.changes);
        after.disconnected_at = Some(after.status_since);
    }
    plan_check(after, now.schedule, timing);
    let by_health = occasion.trigger.is_of_health()
        && before.facts.load == after.facts.load
        && before.facts.health != after.facts.health;
    let step = Step { before: old, after: new, by_health };
    let told_from = after.watch.told.step(step, now.schedule, timing.quiet);
    let next = next_task(after, now.schedule, occasion.hop);
    // A message for that time is on its way already.
    if next.map(|next| next.at) != before.watch.next.map(|next| next.at) {
        after.watch.next = next;
    }
    told_from
}

fn give_reasons(before: &Connection, after: &mut Connection, occasion: &Occasion) {
    let watch = &mut after.watch;
    if after.facts.admin == Admin::Enabled {
        watch.admin_reason = None;
    } else if before.facts.admin != after.facts.admin {
        watch.admin_reason = Some(occasion.reason.clone());
    }
    if after.facts.health == Health::Ok {
        watch.health_reason = None;
        watch.failures = 0;
    } else if before.facts.health != after.facts.health
        && watch.health_reason == before.watch.health_reason
    {
        watch.health_reason = Some(occasion.reason.clone());
    }
}

/// Why the status is as it is: the reason of the fact that decides it.
fn reason_of(connection: &Connection) -> Option<String> {
    match connection.status() {
        Status::Disconnected | Status::Pending | Status::Inactive => {
            connection.watch.admin_reason.clone()
        }
        Status::ReauthorizationRequired | Status::Unavailable => {
            connection.watch.health_reason.clone()
        }
        Status::Synchronizing | Status::Active => None,
    }
}

/// Only a connection that is wanted is asked how it is.
fn plan_check(after: &mut Connection, now: ScheduleTime, timing: HealthTiming) {
    after.next_check_at = match (after.facts.admin, after.next_check_at) {
        (Admin::Enabled, None) if after.facts.health == Health::Ok => {
            Some(now + timing.check_interval)
        }
        (Admin::Enabled, None) => Some(now),
        (Admin::Enabled, at) => at,
        _ => None,
    };
}
