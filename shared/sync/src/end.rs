//! How a pass ends: well, or with a failure after which it goes on later.

use std::time::Duration;

use millwright_connection::{Health, Noticed, Observation, Trigger, observe, outage_backoff};
use millwright_connector::{SystemError, SystemErrorClass};
use millwright_core::{ErrorCode, MessageId, QueueName, Result};
use millwright_event::{Message, NewMessage, Scope as MessageScope, announce, event_data};
use millwright_queue::MAX_HOPS;
use millwright_store::{StoreError, Wait, Write};
use serde_json::{Value, json};

use crate::{
    HintTask,
    hints::wake_hints,
    plan::window_after,
    slice::{Slice, StepError},
    state::{NextRun, SyncStatus},
};

/// The wait before a second try that confirms an outage.
const SECOND_TRY_AFTER: Duration = Duration::from_secs(1);
/// The wait after "too many requests" that names none.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(60);
/// A system that asks for a longer wait than this is asked again whether it still means it.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(3600);

/// Ends a pass whose pages are all in. The connection is told first: should this be cut off, the pass
/// ends once more.
pub(crate) async fn completed(slice: &mut Slice<'_>) -> Result<(), StepError> {
    note(slice, Observation::Answered).await?;
    note(slice, Observation::Loaded(slice.row.doc.entity.clone())).await?;
    let now = slice.context.store.clock().wall();
    let rereads = slice.entity()?.rereads();
    let state = &mut slice.row.doc;
    let Some(pass) = state.pass.take() else { return Ok(()) };
    window_after(state, &pass, rereads);
    state.runs_since_sweep = if pass.swept { 0 } else { state.runs_since_sweep + 1 };
    state.end_remap(now, &pass);
    state.unfinished.clear();
    state.failures = 0;
    state.failure_told = false;
    state.last_error = None;
    state.last_success_at = Some(now);
    state.status = match pass.counts.skipped {
        0 => SyncStatus::Completed,
        _ => SyncStatus::CompletedWithErrors,
    };
    let event = json!({
        "entity": state.entity,
        "run_id": pass.run,
        "mode": pass.mode,
        "counts": pass.counts,
    });
    let interval = slice.limits.interval;
    rest(slice, interval, Some(("sync.completed", event))).await?;
    if let Some(seen) = slice.seen.take() {
        seen.discard(&slice.context.blob).await;
    }
    wake(slice).await;
    Ok(())
}

/// Sends the work on hints again that were kept while the connection was paused. A failure is only
/// logged: they wait for the next pass.
async fn wake(slice: &Slice<'_>) {
    let task = HintTask {
        workspace: slice.scope.workspace.clone(),
        connection: slice.scope.connection.clone(),
        entity: slice.row.doc.entity.clone(),
    };
    if let Err(error) = wake_hints(slice.context, &task).await {
        tracing::warn!(connection = %task.connection, ?error, "hints left to rest");
    }
}

/// Takes note of a failure: the pass stays, and goes on after a wait.
pub(crate) async fn failed(slice: &mut Slice<'_>, error: SystemError) -> Result<(), StepError> {
    let (observation, error) = verdict(slice, error).await;
    let passing = observation == Verdict::ProbeIsWell && slice.row.doc.failures == 0;
    let state = &mut slice.row.doc;
    if error.class == SystemErrorClass::RateLimited {
        // It is at work, and asks us to wait: that is no failure, and the pass is still in progress.
        let wait = error.retry_after.unwrap_or(RATE_LIMIT_WAIT).min(ASKED_WAIT_MAX);
        tracing::info!(connection = %slice.connection.id, entity = state.entity, ?wait, "asked to wait");
        return rest(slice, wait, None).await;
    }
    state.failures += 1;
    if let Some(pass) = &mut state.pass {
        pass.phase.refused_at(error.class, state.failures);
    }
    if passing {
        // One call failed and the next went well: go on at once. A second time it counts.
        return rest(slice, Duration::ZERO, None).await;
    }
    tracing::warn!(
        connection = %slice.connection.id,
        entity = state.entity,
        class = ?error.class,
        message = error.message,
        "sync failed"
    );
    state.status = SyncStatus::Failed;
    state.last_error = Some(error.message.clone());
    let wait = wait_after(&error, state.failures, slice.limits.interval);
    // An episode is told once, not at every try of it.
    let told = state.failure_told;
    state.failure_told = true;
    let event = (!told).then(|| failure_event(slice, &error));
    match observation {
        Verdict::Observed(observation) => note(slice, observation).await?,
        // A first load ends even when an entity failed.
        _ if slice.row.doc.is_first_load() => {
            note(slice, Observation::Loaded(slice.row.doc.entity.clone())).await?;
        }
        _ => {}
    }
    rest(slice, wait, event).await
}

/// Takes note that the system answers, where it was thought not to.
pub(crate) async fn answered(slice: &mut Slice<'_>) -> Result<(), StepError> {
    if slice.connection.facts.health != Health::Ok {
        note(slice, Observation::Answered).await?;
        slice.connection.facts.health = Health::Ok;
    }
    Ok(())
}

/// How long a pass waits after a failure: never less than the system asks for (`Retry-After` with 503).
fn wait_after(error: &SystemError, failures: u32, interval: Duration) -> Duration {
    let asked = error.retry_after.unwrap_or_default().min(ASKED_WAIT_MAX);
    let own = match error.class {
        SystemErrorClass::Unreachable | SystemErrorClass::Reauthorize => Duration::ZERO,
        _ => interval,
    };
    asked.max(own).max(outage_backoff(failures, rand::random()))
}

/// What a second question says of a failure.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The probe agrees: the connection's health is what it says.
    Observed(Observation),
    /// The system answers the probe.
    ProbeIsWell,
    /// The failure is not one of reaching the system or of its credentials.
    NotOfHealth,
}

/// Asks a second time before a verdict: an outage and a refusal count only when the probe agrees.
async fn verdict(slice: &Slice<'_>, error: SystemError) -> (Verdict, SystemError) {
    if !matches!(error.class, SystemErrorClass::Unreachable | SystemErrorClass::Reauthorize) {
        return (Verdict::NotOfHealth, error);
    }
    tokio::time::sleep(SECOND_TRY_AFTER).await;
    let second = match slice.ask(slice.system.probe()).await {
        Ok(_) => return (Verdict::ProbeIsWell, error),
        Err(StepError::System(second)) => second,
        // No time to ask: what was seen stands.
        Err(_) => error,
    };
    let observation = match second.class {
        SystemErrorClass::Unreachable => Observation::Unreachable(second.message.clone()),
        SystemErrorClass::Reauthorize => Observation::Refused(second.message.clone()),
        _ => return (Verdict::NotOfHealth, second),
    };
    (Verdict::Observed(observation), second)
}

fn failure_event(slice: &Slice<'_>, error: &SystemError) -> (&'static str, Value) {
    let code = millwright_core::Error::from(error.clone()).code;
    let code = if code == ErrorCode::InternalError { ErrorCode::UpstreamError } else { code };
    let data = json!({
        "entity": slice.row.doc.entity,
        "run_id": slice.row.doc.pass.as_ref().map(|pass| &pass.run),
        "error": { "code": code, "message": error.message },
    });
    ("sync.failed", data)
}

/// Lays the pass or the entity to rest for `wait`: state and event in one transaction.
async fn rest(
    slice: &mut Slice<'_>,
    wait: Duration,
    event: Option<(&str, Value)>,
) -> Result<(), StepError> {
    let context = slice.context;
    let now = context.store.clock().schedule();
    slice.row.doc.lease.release();
    let by_sweep = slice.hop >= MAX_HOPS;
    slice.row.doc.run =
        Some(if by_sweep { NextRun::by_sweep(now + wait) } else { NextRun::at(now, now + wait) });
    let mut writes = vec![Write::replace(&slice.row)?];
    let mut events = Vec::new();
    if let Some((event_type, data)) = event {
        let message = render(slice, event_type, data).await?;
        writes.push(message.as_write()?);
        events.push(message);
    }
    match context.store.transact(writes).await {
        Ok(()) => {}
        Err(StoreError::Conflict(_)) => return Err(StepError::Fenced),
        Err(error) => return Err(error.into()),
    }
    announce(&context.queue, &events).await;
    if let Wait::Carried(delay) = Wait::until(now, now + wait)
        && !by_sweep
    {
        // Should this send be lost, the sweep finds the run in the due index.
        let work = slice.row.doc.work()?;
        let hop = slice.hop + 1;
        if let Err(error) = context.queue.send_after(QueueName::Sync, &work, delay, hop).await {
            tracing::warn!(%error, "next run left to the sweep");
        }
    }
    Ok(())
}

async fn render(slice: &Slice<'_>, event_type: &str, data: Value) -> Result<Message> {
    let context = slice.context;
    let customer = slice.connection.customer_json();
    let new = NewMessage {
        workspace: &slice.connection.workspace,
        id: MessageId::new_at(context.store.clock().schedule().millis()),
        event_type,
        data: &event_data(&slice.connection.id, customer.as_ref(), data),
        scope: MessageScope {
            connection_id: Some(slice.connection.id.clone()),
            customer_id: slice.connection.customer.as_ref().map(|customer| customer.id.clone()),
            initial_load: false,
        },
    };
    Message::render(&context.blob, context.store.clock(), new).await
}

async fn note(slice: &Slice<'_>, observation: Observation) -> Result<(), StepError> {
    let connection = &slice.connection;
    let noticed = Noticed { by: Trigger::Sync, hop: slice.hop };
    observe(slice.context, &connection.workspace, &connection.id, &observation, noticed).await?;
    Ok(())
}
