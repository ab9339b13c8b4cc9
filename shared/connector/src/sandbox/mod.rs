//! The sandbox: a system without a system behind it, to develop and test against.
//!
//! Its data sets follow from positions alone, so every sandbox has the same records. A *stateful* one
//! keeps what is written as rows laid over the data set; any other answers success and changes
//! nothing. Scenarios make it fail on purpose: by the name one logs in with, for a connection, or for
//! a single request. It answers as a system behind HTTP would, and its answers are judged by the same
//! rules: a status, an error in a body, an answer that never comes.

mod answer;
mod call;
mod change;
mod control;
mod data;
mod faults;
mod kept;
mod open;
mod order;
mod perform;
mod play;
mod played;
mod reply;
mod scenario;
mod scene;
mod workflow;
mod write;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Map, Value};

pub(crate) use self::open::Place;
use self::{
    call::{Call, Operation},
    data::World,
    kept::{Kept, Taken, merge},
    open::Login,
    played::Played,
    scene::{Failure, Scene, Turn},
};
pub use self::{
    control::SandboxControl,
    data::DataSet,
    scenario::{Match, Named, Respond, Rule, Scenario, ScenarioRequest, Told, Window},
};
use crate::{
    error::SystemError,
    manifest::Manifest,
    system::{Instance, RowPage},
};

/// A row as the sandbox' manifest reads it.
pub type SandboxRow = Map<String, Value>;

/// One connection's sandbox.
pub(crate) struct Sandbox {
    kept: Kept,
    manifest: Arc<Manifest>,
    /// What there is unless a scenario says otherwise.
    set: DataSet,
    /// How many orders the huge data set has.
    records: u32,
    stateful: bool,
    login: Login,
    /// What the present request asked for.
    asked: Option<Scenario>,
    /// The calls of this request that were counted.
    calls: Mutex<u64>,
    /// All calls since somebody last asked for their number.
    made: AtomicU64,
    /// What a sandbox that is not stateful was told to write: whoever wrote it can read it back.
    played: Mutex<Played>,
}

impl Sandbox {
    /// Calls made since this was asked last.
    pub(crate) fn take_calls(&self) -> u64 {
        self.made.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn is_stateful(&self) -> bool {
        self.stateful
    }

    pub(crate) async fn probe(&self) -> Result<Instance, SystemError> {
        let call = Call::probe();
        let scene = match self.turn(&call).await? {
            Turn::Answered(answer) => return answer::instance(answer.value),
            Turn::Own(scene) => scene,
        };
        let own = Instance { id: "sandbox".to_owned(), name: Some("Sandbox".to_owned()) };
        self.finish(&scene, &call, Ok(own)).await
    }

    /// A page of rows. Without `since` (milliseconds since the epoch) of all, else of those changed
    /// then or later.
    pub(crate) async fn page(
        &self,
        entity: &str,
        after: Option<&str>,
        size: u32,
        since: Option<i64>,
    ) -> Result<RowPage, SystemError> {
        let call = Call::of(entity, Operation::List);
        let scene = match self.turn(&call).await? {
            Turn::Answered(answer) => return answer::page(answer),
            Turn::Own(scene) => scene,
        };
        let page = self.own_page(&scene, entity, after, size, since).await;
        self.finish(&scene, &call, page).await
    }

    /// A page of ids.
    pub(crate) async fn ids(
        &self,
        entity: &str,
        after: Option<&str>,
        size: u32,
    ) -> Result<(Vec<String>, Option<String>), SystemError> {
        let call = Call::of(entity, Operation::List);
        let scene = match self.turn(&call).await? {
            Turn::Answered(answer) => return answer::ids(answer.value),
            Turn::Own(scene) => scene,
        };
        let ids = self.merged(&scene.world, entity, after, size, None).await;
        let ids = ids.map(|(rows, next)| {
            // What was put away is no longer there for who lists what is.
            let there = rows.into_iter().filter(|(_, taken)| !taken.is_put_away());
            (there.map(|(id, _)| id).collect(), next)
        });
        self.finish(&scene, &call, ids).await
    }

    pub(crate) async fn rows(
        &self,
        entity: &str,
        ids: &[String],
    ) -> Result<Vec<(String, Value)>, SystemError> {
        let call = Call::of(entity, Operation::Get);
        let scene = match self.turn(&call).await? {
            Turn::Answered(answer) => return Ok(answer::page(answer)?.rows),
            Turn::Own(scene) => scene,
        };
        let found = self.found(&scene.world, entity, ids).await.map(|found| {
            let mut rows = found.into_iter().map(|(id, row)| (id, Value::Object(row))).collect();
            scene.spoil(&mut rows);
            rows
        });
        self.finish(&scene, &call, found).await
    }

    async fn own_page(
        &self,
        scene: &Scene,
        entity: &str,
        after: Option<&str>,
        size: u32,
        since: Option<i64>,
    ) -> Result<RowPage, Failure> {
        let (taken, next) = self.merged(&scene.world, entity, after, size, since).await?;
        let own = scene.world.entity(entity);
        let row = |taken| match (taken, &own) {
            (Taken::Laid(row), _) => Some(row),
            (Taken::Own(number), Some(own)) => Some(own.numbered(number)),
            (Taken::Own(_), None) => None,
        };
        let rows = taken.into_iter().filter_map(|(id, taken)| Some((id, row(taken)?)));
        let mut rows = rows.map(|(id, row)| (id, Value::Object(row))).collect();
        scene.spoil(&mut rows);
        Ok(RowPage { rows, next, asked_at: Some(scene.now.millis()) })
    }

    async fn merged(
        &self,
        world: &World,
        entity: &str,
        after: Option<&str>,
        size: u32,
        since: Option<i64>,
    ) -> Result<kept::Merged, Failure> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut laid = self.kept.page(entity, after, size).await?;
        if let Some(since) = since {
            // A row that was not changed since is not wanted, nor is the one below it.
            let recent = |row: &SandboxRow| data::changed_since(row, since);
            laid.rows.values_mut().for_each(|row| *row = row.take().filter(recent));
        }
        let own = world.entity(entity);
        let own = own.iter().flat_map(|own| own.after(after, since));
        Ok(merge(own, laid, size))
    }

    async fn found(
        &self,
        world: &World,
        entity: &str,
        ids: &[String],
    ) -> Result<Vec<(String, SandboxRow)>, Failure> {
        let mut laid = self.kept.rows(entity, ids).await?;
        laid.extend(self.played().rows(entity));
        let row = |id: &String| match laid.get(id) {
            Some(row) => row.clone(),
            None => world.row(entity, id),
        };
        Ok(ids.iter().filter_map(|id| Some((id.clone(), row(id)?))).collect())
    }

    fn played(&self) -> std::sync::MutexGuard<'_, Played> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("stateful", &self.stateful).finish_non_exhaustive()
    }
}
