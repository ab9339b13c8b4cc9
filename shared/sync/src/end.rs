//! How a pass ends: well, or with a failure after which it goes on later.

use std::time::Duration;

use millwright_connection::{
    Agreed, Connection, ConnectionContext, Health, IssueChanges, Noticed, Observation, Problem,
    Trigger, agree, may_be_health, observe_known, outage_backoff, raise_issue, settle_issue,
};
use millwright_connector::{SystemError, SystemErrorClass};
use millwright_core::{ErrorCode, MessageId, QueueName, Result};
use millwright_event::{Message, NewMessage, Scope as MessageScope, announce, event_data};
use millwright_queue::MAX_HOPS;
use millwright_store::{Row, StoreError, Wait, Write};
use serde_json::{Value, json};

use crate::{
    HintTask, Skipped, Vanished,
    hints::wake_hints,
    plan::window_after,
    poison::{isolate, may_be_of_a_row},
    run::SyncRun,
    schedule::Spread,
    slice::{Slice, StepError},
    state::{NextRun, SyncState, SyncStatus},
    wake::Followers,
};

/// The wait before a second try that confirms an outage.
const SECOND_TRY_AFTER: Duration = Duration::from_secs(1);
/// The wait after "too many requests" that names none.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(60);
/// How often a pass' end is begun again when its issues are written by others.
const TRIES: usize = 5;
/// A system that refuses the credentials is left alone for so long: some lock an account that is refused
/// again and again. Whatever makes it well before wakes the syncs.
const REFUSED_WAIT: Duration = Duration::from_secs(24 * 3600);
/// How long after the connection's own check the syncs look again that wait for it.
const AFTER_CHECK: Duration = Duration::from_secs(60);
/// A system that asks for a longer wait than this is asked again whether it still means it.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(3600);

/// Ends a pass whose pages are all in. The connection is told first: should this be cut off, the pass
/// ends once more.
pub(crate) async fn completed(slice: &mut Slice<'_>) -> Result<(), StepError> {
    note(slice, Observation::Answered).await?;
    note(slice, Observation::Loaded(slice.row.doc.entity.clone())).await?;
    let now = slice.context.store.clock().wall();
    let rereads = slice.entity()?.rereads();
    slice.count_calls();
    let was_first = slice.row.doc.is_first_load();
    let state = &mut slice.row.doc;
    let Some(pass) = state.pass.take() else { return Ok(()) };
    if pass.swept {
        (state.held, state.confirmed) = (pass.held, None);
    }
    let about = About::Ended {
        had_issues: state.has_issues,
        skipped: pass.counts.skipped,
        held: state.held,
    };
    state.has_issues = pass.counts.skipped > 0 || state.held.is_some();
    window_after(state, &pass, rereads);
    state.runs_since_sweep = if pass.swept { 0 } else { state.runs_since_sweep + 1 };
    state.end_remap(now, &pass);
    state.raw_whole |= pass.keeps_raw && pass.mode == crate::Mode::Full;
    state.unfinished.clear();
    state.failures = 0;
    state.failure_told = false;
    state.last_error = None;
    state.last_success_at = Some(now);
    let status = match pass.counts.skipped {
        _ if state.held.is_some() => SyncStatus::Held,
        0 => SyncStatus::Completed,
        _ => SyncStatus::CompletedWithErrors,
    };
    // Whoever asked half way is told that it has ended when what they asked for has.
    state.status = if pass.again.is_some() { SyncStatus::InProgress } else { status };
    state.requested = state.requested.or(pass.again);
    let event = json!({
        "entity": state.entity,
        "run_id": pass.run,
        "mode": pass.mode,
        "counts": pass.counts,
    });
    slice.ended = Some(SyncRun::of(&state.entity, &pass, status, &state.skips).ended(now, None));
    let next = pass.again.map_or_else(|| next_run(slice), |_| Some(Duration::ZERO));
    rest(&mut slice.ending(), next, Some(("sync.completed", event)), about).await?;
    if was_first {
        wake_followers(slice).await;
    }
    slice.keep_prints().await;
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

/// Begins the first loads that waited for this one. A failure is only logged: they begin by themselves,
/// some minutes later.
async fn wake_followers(slice: &Slice<'_>) {
    let followers = Followers { context: slice.context, of: &slice.scope, hop: slice.hop };
    if let Err(error) = followers.wake().await {
        tracing::warn!(connection = %slice.connection.id, ?error, "first loads left to their time");
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
        return rest(&mut slice.ending(), Some(wait), None, About::Nothing).await;
    }
    let narrowed = state.pass.as_ref().is_some_and(|pass| pass.narrow.is_some());
    // Whoever could not be reached is asked for the same once more; a refusal stays one.
    let again = state.failures > 0 || narrowed || observation == Verdict::NotOfHealth;
    let well = !matches!(observation, Verdict::Observed(_)) && may_be_of_a_row(error.class);
    if again && well && isolate(slice, &error.message).await? {
        return rest(&mut slice.ending(), Some(Duration::ZERO), None, About::Nothing).await;
    }
    let state = &mut slice.row.doc;
    state.failures += 1;
    if let Some(pass) = &mut state.pass {
        pass.phase.refused_at(error.class, state.failures);
    }
    if passing {
        // One call failed and the next went well: go on at once. A second time it counts.
        return rest(&mut slice.ending(), Some(Duration::ZERO), None, About::Nothing).await;
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
    let about = match &observation {
        // The connection's own issue tells of it.
        Verdict::Observed(_) => About::Nothing,
        _ => about_failure(&slice.row.doc, &error),
    };
    let state = &mut slice.row.doc;
    state.has_issues |= about != About::Nothing;
    // An episode is told once, not at every try of it.
    let told = state.failure_told;
    state.failure_told = true;
    let event = (!told).then(|| failure_event(&slice.row.doc, &error));
    match observation {
        Verdict::Observed(observation) => note(slice, observation).await?,
        // A first load ends even when an entity failed.
        _ if slice.row.doc.is_first_load() => {
            note(slice, Observation::Loaded(slice.row.doc.entity.clone())).await?;
        }
        _ => {}
    }
    let was_first = slice.row.doc.is_first_load() && slice.row.doc.failures == 1;
    let wait = Some(wait).filter(|_| slice.row.doc.settings.is_on());
    rest(&mut slice.ending(), wait, event, about).await?;
    if was_first {
        wake_followers(slice).await;
    }
    Ok(())
}

/// How long after its end an entity's next pass begins; nothing where none does by itself.
fn next_run(slice: &Slice<'_>) -> Option<Duration> {
    let (limits, state) = (slice.limits, &slice.row.doc);
    let now = slice.context.store.clock().schedule();
    let spread = Spread::of(&slice.connection.id, &state.entity, limits.spread, rand::random());
    Some(state.settings.next_run(limits.interval, now, spread)?.since(now))
}

/// A pass whose time has come while the system is known to fail: it fails without asking. The
/// connection's own checks ask, and wake it once the system answers.
pub(crate) async fn stood_off(ending: &mut Ending<'_>) -> Result<(), StepError> {
    let class = match ending.connection.facts.health {
        Health::Refused => SystemErrorClass::Reauthorize,
        _ => SystemErrorClass::Unreachable,
    };
    let reason = ending.connection.status_reason.clone().unwrap_or_default();
    let error = SystemError::new(class, reason);
    let state = &mut ending.row.doc;
    state.failures = state.failures.saturating_add(1);
    state.status = SyncStatus::Failed;
    state.last_error = Some(error.message.clone());
    let told = state.failure_told;
    state.failure_told = true;
    let now = ending.context.store.clock().schedule();
    let checked = ending.connection.next_check_at.map(|at| at.since(now) + AFTER_CHECK);
    let own = outage_backoff(state.failures, rand::random());
    let event = (!told).then(|| failure_event(state, &error));
    let wait = own.max(checked.unwrap_or_default());
    let wait = Some(wait).filter(|_| ending.row.doc.settings.is_on());
    rest(ending, wait, event, About::Nothing).await
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
        SystemErrorClass::Unreachable => Duration::ZERO,
        SystemErrorClass::Reauthorize => REFUSED_WAIT,
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
    if !may_be_health(&error) {
        return (Verdict::NotOfHealth, error);
    }
    let mut first = error;
    loop {
        tokio::time::sleep(SECOND_TRY_AFTER).await;
        let second = match tokio::time::timeout(probe_within(slice), slice.system.probe()).await {
            Ok(Ok(_)) => return (Verdict::ProbeIsWell, first),
            Ok(Err(second)) => second,
            // It has not answered for as long as there was time: that is an outage.
            Err(_) => SystemError { class: SystemErrorClass::Unreachable, ..first.clone() },
        };
        match agree(&first, &second) {
            Agreed::On(observation) => return (Verdict::Observed(observation), second),
            Agreed::OnNothing => return (Verdict::NotOfHealth, second),
            // The second is a refusal, so that the third agrees with it or does not.
            Agreed::AskAgain => first = second,
        }
    }
}

/// How long the probe may take: half of what the invocation still has. A page that took all the time
/// of the slice has left its reserve.
fn probe_within(slice: &Slice<'_>) -> Duration {
    slice.deadline.since(slice.context.store.clock().wall()) / 2
}

/// What the end of a slice has to do with issues.
#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    /// Nothing.
    Nothing,
    /// The pass came to its end: what was wrong with the entity is over, unless it left records out, or
    /// deletions are held.
    Ended { had_issues: bool, skipped: u64, held: Option<Vanished> },
    /// It failed, though the system answers.
    Failed { problem: Problem, code: ErrorCode, message: String },
}

fn about_failure(state: &SyncState, error: &SystemError) -> About {
    let entity = state.entity.clone();
    let problem = match state.is_first_load() {
        true => Problem::FirstLoadIncomplete(entity),
        false => Problem::SyncFailed(entity),
    };
    About::Failed { problem, code: code_of(error), message: error.message.clone() }
}

async fn issues(ending: &Ending<'_>, about: &About) -> Result<IssueChanges, StepError> {
    let (context, connection) = (ending.context, ending.connection);
    match about {
        About::Nothing | About::Ended { had_issues: false, skipped: 0, held: None } => {
            Ok(IssueChanges::default())
        }
        About::Failed { problem, code, message } => {
            Ok(raise_issue(context, connection, problem, *code, message).await?)
        }
        About::Ended { skipped, held, .. } => {
            let entity = || ending.row.doc.entity.clone();
            let left_out = (*skipped > 0).then(|| left_out(&ending.row.doc, *skipped));
            let held = held.map(|held| (ErrorCode::StateConflict, held_message(&entity(), held)));
            let mut changes = IssueChanges::default();
            for (problem, lasts) in [
                (Problem::SyncFailed(entity()), None),
                (Problem::FirstLoadIncomplete(entity()), None),
                (Problem::RecordsSkipped(entity()), left_out),
                (Problem::DeletionsHeld(entity()), held),
            ] {
                changes.extend(match lasts {
                    None => settle_issue(context, connection, &problem).await?,
                    Some((code, message)) => {
                        raise_issue(context, connection, &problem, code, &message).await?
                    }
                });
            }
            Ok(changes)
        }
    }
}

/// What is said of records that were left out: how many, and what is wrong with the first.
fn left_out(state: &SyncState, skipped: u64) -> (ErrorCode, String) {
    let Some(first) = state.skips.first() else {
        return (ErrorCode::ValidationFailed, format!("{skipped} records were left out"));
    };
    let field = first.field.as_ref().map(|field| format!("{field} ")).unwrap_or_default();
    let Skipped { remote_id, message, .. } = first;
    let message =
        format!("{skipped} records were left out, the first of them {remote_id}: {field}{message}");
    (ErrorCode::ValidationFailed, message)
}

fn held_message(entity: &str, held: Vanished) -> String {
    let Vanished { missing, of } = held;
    format!(
        "{missing} of {of} {entity} are no longer listed by the system; they stay until somebody confirms \
         that they are gone, or they are listed again"
    )
}

fn code_of(error: &SystemError) -> ErrorCode {
    let code = millwright_core::Error::from(error.clone()).code;
    if code == ErrorCode::InternalError { ErrorCode::UpstreamError } else { code }
}

fn failure_event(state: &SyncState, error: &SystemError) -> (&'static str, Value) {
    let data = json!({
        "entity": state.entity,
        "run_id": state.pass.as_ref().map(|pass| &pass.run),
        "error": { "code": code_of(error), "message": error.message },
    });
    ("sync.failed", data)
}

/// What is needed to end a slice.
pub(crate) struct Ending<'a> {
    pub context: &'a ConnectionContext,
    pub connection: &'a Connection,
    pub row: &'a mut Row<SyncState>,
    /// The pass that has ended, for its history.
    pub ended: Option<SyncRun>,
    /// How often the work has been sent on without going through the due index.
    pub hop: u8,
}

/// Lays the pass or the entity to rest for `wait`, or until somebody asks: state, history, event and
/// issues in one transaction.
async fn rest(
    ending: &mut Ending<'_>,
    wait: Option<Duration>,
    event: Option<(&str, Value)>,
    about: About,
) -> Result<(), StepError> {
    let context = ending.context;
    let now = context.store.clock().schedule();
    ending.row.doc.lease.release();
    let by_sweep = ending.hop >= MAX_HOPS;
    let at = wait.map(|wait| now + wait);
    ending.row.doc.run =
        at.map(|at| if by_sweep { NextRun::by_sweep(at) } else { NextRun::at(now, at) });
    let message = match event {
        Some((event_type, data)) => Some(render(ending, event_type, data).await?),
        None => None,
    };
    write_end(ending, message, &about).await?;
    if let Some(Wait::Carried(delay)) = at.map(|at| Wait::until(now, at))
        && !by_sweep
    {
        // Should this send be lost, the sweep finds the run in the due index.
        let work = ending.row.doc.work()?;
        let hop = ending.hop + 1;
        if let Err(error) = context.queue.send_after(QueueName::Sync, &work, delay, hop).await {
            tracing::warn!(%error, "next run left to the sweep");
        }
    }
    Ok(())
}

/// Writes the state, the event and what becomes of the issues.
async fn write_end(
    ending: &Ending<'_>,
    message: Option<Message>,
    about: &About,
) -> Result<(), StepError> {
    let context = ending.context;
    for _ in 0..TRIES {
        let changes = issues(ending, about).await?;
        let mut writes = vec![Write::replace(ending.row)?];
        if let Some(run) = history(ending) {
            let Connection { workspace, id, .. } = ending.connection;
            writes.push(run.as_write(workspace, id)?);
        }
        if let Some(message) = &message {
            writes.push(message.as_write()?);
        }
        writes.extend(changes.writes);
        match context.store.transact(writes).await {
            Ok(()) => {
                let events: Vec<Message> = message.into_iter().chain(changes.messages).collect();
                announce(&context.queue, &events).await;
                return Ok(());
            }
            Err(StoreError::Conflict(0)) => return Err(StepError::Fenced),
            // Somebody has muted or closed an issue.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StepError::Fenced)
}

/// What the history has to say: a pass that has ended, or has failed and waits.
fn history(ending: &Ending<'_>) -> Option<SyncRun> {
    let state = &ending.row.doc;
    let failed = || {
        let run = SyncRun::live(state).filter(|_| state.status == SyncStatus::Failed)?;
        Some(run.ended(ending.context.store.clock().wall(), state.last_error.clone()))
    };
    ending.ended.clone().or_else(failed)
}

async fn render(ending: &Ending<'_>, event_type: &str, data: Value) -> Result<Message> {
    let (context, connection) = (ending.context, ending.connection);
    let customer = connection.customer_json();
    let new = NewMessage {
        workspace: &connection.workspace,
        id: MessageId::new_at(context.store.clock().schedule().millis()),
        event_type,
        data: &event_data(&connection.id, customer.as_ref(), data),
        scope: MessageScope {
            connection_id: Some(connection.id.clone()),
            customer_id: connection.customer.as_ref().map(|customer| customer.id.clone()),
            initial_load: false,
            only: None,
        },
    };
    Message::render(&context.blob, context.store.clock(), new).await
}

async fn note(slice: &Slice<'_>, observation: Observation) -> Result<(), StepError> {
    let noticed = Noticed { by: Trigger::Sync, hop: slice.hop };
    observe_known(slice.context, &slice.connection, &observation, noticed).await?;
    Ok(())
}
