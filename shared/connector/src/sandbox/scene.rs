//! What holds during one call: the rows there are, and what becomes of the call.

use std::{
    sync::{PoisonError, atomic::Ordering},
    time::Duration,
};

use millwright_core::{Error, ScheduleTime};
use millwright_outbound::{FailureClass, OutboundError};
use millwright_store::StoreError;
use serde_json::Value;

use super::{
    Sandbox, SandboxRow,
    call::Call,
    data::World,
    faults,
    play::{Course, Faults, Play, counting, outage_of_login, play},
    reply::Reply,
    scenario::{Counted, Named, Scenario, Told, ToldDoc},
};
use crate::{
    error::{SystemError, SystemErrorClass},
    remote::played::{self, Heard},
};

/// What holds during one call.
pub(super) struct Scene {
    /// When it came, by the sandbox' clock.
    pub now: ScheduleTime,
    /// The rows there are.
    pub world: World,
    play: Play,
}

/// Whose turn it is to answer.
pub(super) enum Turn {
    /// A scenario has: the sandbox does nothing.
    Answered(Heard),
    /// The sandbox itself.
    Own(Scene),
}

/// Why the sandbox itself does not do what it is asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// It refuses.
    Refused(Reply),
    /// Its rows cannot be reached.
    Broken(Error),
}

impl Failure {
    pub(super) fn refused(status: u16, code: &str, message: &str) -> Self {
        Self::Refused(Reply::refusal(status, code, message))
    }

    pub(super) fn of_field(code: &str, field: &str, message: &str) -> Self {
        Self::Refused(Reply::of_field(code, field, message))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Broken(error.into())
    }
}

/// What has been told, by whom, and how many calls of it there were.
struct Directions {
    told: Told,
    counted: Counted,
    world: World,
}

impl Sandbox {
    /// Finds out what becomes of a call. Answers at once for a scenario that answers instead.
    pub(super) async fn turn(&self, call: &Call<'_>) -> Result<Turn, SystemError> {
        let now = self.kept.now();
        self.made.fetch_add(1, Ordering::Relaxed);
        let Directions { told, counted, world } =
            self.directions(call, now).await.map_err(|error| broken(&error))?;
        let play = play(&told, call, &counted, now);
        match play.course {
            Course::Unreachable => {
                let error = OutboundError::before_sending(FailureClass::Connect, "a scenario");
                Err(played::unanswered(&error, call.operation.kind()))
            }
            Course::Instead(reply) => {
                self.wait(play.delay, call).await?;
                self.judge(reply, play.delay, call).map(Turn::Answered)
            }
            _ => Ok(Turn::Own(Scene { now, world, play })),
        }
    }

    /// Lets the caller wait and hear, as the scene says. What the sandbox was asked to do has been
    /// done by now: a caller who gives up waiting does not undo it.
    pub(super) async fn finish<T>(
        &self,
        scene: &Scene,
        call: &Call<'_>,
        done: Result<T, Failure>,
    ) -> Result<T, SystemError> {
        self.wait(scene.play.delay, call).await?;
        match done {
            Ok(_) if scene.play.course == Course::Unheard => {
                let error = OutboundError::after_sending(FailureClass::Reset, "a scenario");
                Err(played::unanswered(&error, call.operation.kind()))
            }
            Ok(done) => Ok(done),
            Err(Failure::Broken(error)) => Err(broken(&error)),
            Err(Failure::Refused(reply)) => {
                let judged = self.judge(reply, scene.play.delay, call);
                Err(judged.err().unwrap_or_else(|| SystemError::malformed("a refusal is none")))
            }
        }
    }

    /// Waits, on the wall clock; as long as a caller of a system behind HTTP would at most.
    async fn wait(&self, delay: Duration, call: &Call<'_>) -> Result<(), SystemError> {
        let most = self.manifest.limits.timeout();
        tokio::time::sleep(delay.min(most)).await;
        if delay < most {
            return Ok(());
        }
        let error = OutboundError::after_sending(FailureClass::Timeout, "a scenario");
        Err(played::unanswered(&error, call.operation.kind()))
    }

    fn judge(&self, reply: Reply, took: Duration, call: &Call<'_>) -> Result<Heard, SystemError> {
        let now = self.kept.store().clock().wall();
        played::read(&self.manifest, call.operation.kind(), &reply.into_response(took), now)
    }

    /// What the request asked for counts first, then what the connection was told, then the login. A
    /// request does not make its connection look ill: its scenario leaves the probe alone.
    async fn directions(&self, call: &Call<'_>, now: ScheduleTime) -> Result<Directions, Error> {
        let doc = self.kept.doc::<ToldDoc>(ToldDoc::SORT_KEY).await?;
        let asked = self.asked.filter(|_| !call.is_probe());
        let sets = [asked, doc.as_ref().and_then(|doc| doc.told.name()), Some(self.login.0)];
        let set = sets.into_iter().flatten().find_map(Scenario::data_set).unwrap_or(self.set);
        let mut changes = doc.as_ref().map(|doc| doc.changes.clone()).unwrap_or_default();
        let (told, counted) = match (asked, doc) {
            (Some(asked), _) => {
                let told = Told::from(asked);
                let counted = self.counted_here(&told, call, now);
                (told, counted)
            }
            (None, Some(doc)) => {
                let counted = self.counted(&doc.id, &doc.told, call, now).await?;
                (doc.told, counted)
            }
            (None, None) => {
                let (told, counted) = self.by_login(call, now).await?;
                if let Scenario::Changes(every) = self.login.0 {
                    changes = changes.started(counted.began, every);
                }
                (told, counted)
            }
        };
        Ok(Directions { told, counted, world: World::new(set, self.records, changes, now) })
    }

    async fn by_login(&self, call: &Call<'_>, now: ScheduleTime) -> Result<(Told, Counted), Error> {
        let told = Told::from(self.login.0);
        let of = format!("login {}", self.login.0);
        let timed = matches!(self.login.0, Scenario::Outage(Some(_)) | Scenario::Changes(_));
        if !timed {
            let counted = self.counted(&of, &told, call, now).await?;
            return Ok((told, counted));
        }
        if call.is_probe() && !Counted::has_begun(&self.kept, &of).await? {
            return Ok((Told::default(), Counted::none(now)));
        }
        let counted = Counted::count(&self.kept, &of, &[], now).await?;
        match self.login.0 {
            Scenario::Outage(Some(lasts)) => Ok((outage_of_login(lasts, counted.began), counted)),
            _ => Ok((told, counted)),
        }
    }

    /// The calls before this one, counted for all instances; nothing is written where that does not
    /// matter.
    async fn counted(
        &self,
        of: &str,
        told: &Told,
        call: &Call<'_>,
        now: ScheduleTime,
    ) -> Result<Counted, Error> {
        let counts = counting(told, call);
        if counts.contains(&true) {
            return Counted::count(&self.kept, of, &counts, now).await;
        }
        Ok(Counted { began: now, before: vec![0; counts.len()] })
    }

    /// The same for a scenario of this request alone.
    fn counted_here(&self, told: &Told, call: &Call<'_>, now: ScheduleTime) -> Counted {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *calls;
        *calls += u64::from(counting(told, call).contains(&true));
        Counted { began: now, before: vec![before] }
    }
}

impl Scene {
    /// Puts faults into rows that are read, if that is the scenario.
    pub(super) fn spoil(&self, rows: &mut Vec<(String, Value)>) {
        if let Course::Faulty(which) = self.play.course {
            faults::spoil(rows, which);
        }
    }

    /// Forgets a part of what is written, if that is the scenario.
    pub(super) fn forget(&self, row: &mut SandboxRow) {
        if self.play.course == Course::Faulty(Faults::Some) {
            faults::forget(row);
        }
    }
}

impl Told {
    fn name(&self) -> Option<Scenario> {
        match self {
            Self::Named(Named { name, .. }) => Some(*name),
            Self::Rules(_) => None,
        }
    }
}

/// The sandbox' own rows cannot be read: to the caller its system is out of reach.
fn broken(error: &Error) -> SystemError {
    tracing::warn!(%error, "the sandbox cannot reach its rows");
    SystemError::new(SystemErrorClass::Unreachable, "the sandbox cannot reach its rows")
}
