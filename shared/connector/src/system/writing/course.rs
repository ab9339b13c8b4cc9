//! The requests of one write, in their order.

use serde_json::{Map, Value, json};

use super::{System, unfit};
use crate::{
    error::SystemError,
    manifest::{Create, Each, Operation, Request, Step, WriteOp},
    mapping::{Mapper, Plan},
    path::{NestedKeys, Path},
    remote::{Answer, Remote},
    system::SourceRecord,
    template::Scope,
};

/// One write under way.
pub(super) struct Course<'a> {
    remote: &'a Remote,
    plan: &'a Plan<'a>,
    /// What the templates may name.
    scope: Scope,
    answers: Map<String, Value>,
    /// The remote id, once a step has made or changed the record.
    touched: Option<String>,
}

/// Which steps are left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// Those that have nothing to send.
    Empty,
    /// Those that name fields of which none is given.
    Optional,
}

impl<'a> Course<'a> {
    pub(super) fn new(remote: &'a Remote, plan: &'a Plan<'a>) -> Self {
        Self { remote, plan, scope: Scope::default(), answers: Map::new(), touched: None }
    }

    /// Makes a record and answers with its remote id.
    pub(super) async fn create(
        mut self,
        system: &System,
        entity: &str,
        token: &str,
    ) -> Result<String, SystemError> {
        let create = system.def(entity, "create")?.write.create.as_ref();
        let create = create.ok_or_else(|| SystemError::unsupported(entity, "create"))?;
        self.scope = self.scope.with("token", Value::from(token));
        if let Some(request) = &create.request {
            let row = self.plan.row(|_| true).map_err(unfit)?;
            let answer = self.ask(request, false, &[("record", row)]).await?;
            return made(create, &answer);
        }
        match self.steps_of_create(entity, create).await {
            Ok(id) => Ok(id),
            Err(error) => Err(self.taken_back(create, error).await),
        }
    }

    async fn steps_of_create(
        &mut self,
        entity: &str,
        create: &Create,
    ) -> Result<String, SystemError> {
        for step in &create.steps {
            if step.reads || self.touched.is_some() {
                self.step(step, &create.steps, Leaving::Optional).await?;
                continue;
            }
            let own = |field: &str| field.is_empty() || sends(step, &create.steps, field);
            let row = self.plan.row(own).map_err(unfit)?;
            let answer = self.ask(&step.request, false, &[("record", row)]).await?;
            let id = made(create, &answer)?;
            self.answers.insert(step.name.clone(), answer.value.to_value());
            self.scope = self.scope.clone().with("id", Value::from(id.as_str()));
            self.touched = Some(id);
        }
        self.touched.clone().ok_or_else(|| SystemError::unsupported(entity, "create"))
    }

    /// A record that a later step could not complete is taken back where the manifest says how.
    async fn taken_back(mut self, create: &Create, mut error: SystemError) -> SystemError {
        let (Some(undo), false) = (&create.undo, error.sent) else { return error };
        let Some(id) = self.touched.take() else { return error };
        match self.send(undo, false, &[]).await {
            Ok(_) => error.partial = None,
            Err(second) => {
                tracing::warn!(%id, error = %second, "a record that is not complete stays");
                error.partial = Some(id);
            }
        }
        error
    }

    /// Changes or deletes a record that is there, or does an action to it.
    pub(super) async fn of_record(
        mut self,
        system: &System,
        entity: &str,
        operation: &WriteOp,
        current: &SourceRecord,
    ) -> Result<(), SystemError> {
        let write = &system.def(entity, operation.name())?.write;
        let (request, steps) = match operation {
            WriteOp::Create => return Err(SystemError::unsupported(entity, "create")),
            WriteOp::Update => write.update.as_ref().map(|one| (&one.request, &one.steps)),
            WriteOp::Delete => write.delete.as_ref().map(|one| (&one.request, &one.steps)),
            WriteOp::Action(name) => write.actions.get(name).map(|one| (&one.request, &one.steps)),
        }
        .ok_or_else(|| SystemError::unsupported_write(entity, operation))?;
        self.scope = self
            .scope
            .with("id", Value::from(current.remote_id.as_str()))
            .with("current", Value::Object(current.record.clone()));
        if let Some(request) = request {
            let row = self.plan.row(|_| true).map_err(unfit)?;
            self.send(request, false, &[("record", row)]).await?;
            return Ok(());
        }
        let leaving = match operation {
            WriteOp::Update => Leaving::Empty,
            _ => Leaving::Optional,
        };
        for step in steps {
            self.step(step, steps, leaving).await?;
            if !step.reads {
                self.touched.get_or_insert_with(|| current.remote_id.clone());
            }
        }
        Ok(())
    }

    async fn step(
        &mut self,
        step: &Step,
        steps: &[Step],
        leaving: Leaving,
    ) -> Result<(), SystemError> {
        if let Some(each) = step.each {
            return self.lines(step, each).await;
        }
        let own = |field: &str| sends(step, steps, field);
        let row = self.plan.row(own).map_err(unfit)?;
        let empty = row.as_object().is_some_and(Map::is_empty);
        let may_be_left = leaving == Leaving::Empty || step.fields.is_some();
        if empty && may_be_left && !step.reads && !step.always {
            return Ok(());
        }
        let answer = self.send(&step.request, step.reads, &[("record", row)]).await?;
        self.answers.insert(step.name.clone(), answer);
        Ok(())
    }

    /// The step once for each line that it is for.
    async fn lines(&mut self, step: &Step, each: Each) -> Result<(), SystemError> {
        let Some(lines) = self.plan.list(&step.lines) else { return Ok(()) };
        let turns: Vec<(Value, Value)> = match each {
            Each::CreatedLine => {
                lines.created.iter().map(|row| (Value::Null, row.clone())).collect()
            }
            Each::ChangedLine => lines
                .changed
                .iter()
                .map(|line| (Value::from(line.id.as_str()), line.row.clone()))
                .collect(),
            Each::RemovedLine => {
                lines.removed.iter().map(|id| (Value::from(id.as_str()), Value::Null)).collect()
            }
        };
        for (id, line) in turns {
            self.send(&step.request, step.reads, &[("line_id", id), ("line", line)]).await?;
            if self.touched.is_none() {
                self.touched = self.scope.text("id");
            }
        }
        Ok(())
    }

    async fn send(
        &self,
        request: &Request,
        reads: bool,
        more: &[(&'static str, Value)],
    ) -> Result<Value, SystemError> {
        self.ask(request, reads, more).await.map(|answer| answer.value.to_value())
    }

    async fn ask(
        &self,
        request: &Request,
        reads: bool,
        more: &[(&'static str, Value)],
    ) -> Result<Answer, SystemError> {
        let operation = if reads { Operation::Read } else { Operation::Write };
        let mut own = self.scope.clone().with("steps", json!(self.answers));
        for (name, value) in more {
            own = own.with(name, value.clone());
        }
        let sent = self.remote.call(request, operation, |scope| scope.joined(&own)).await;
        sent.map_err(|mut error| {
            error.partial.clone_from(&self.touched);
            error
        })
    }
}

/// Whether a step sends a field: one that it names, or one that no step names. Lines that have steps
/// of their own go with no other.
fn sends(step: &Step, steps: &[Step], field: &str) -> bool {
    if steps.iter().any(|step| step.each.is_some() && step.lines == field) {
        return false;
    }
    match &step.fields {
        Some(named) => named.iter().any(|name| name == field),
        None => {
            let named = |step: &Step| step.fields.iter().flatten().any(|name| name == field);
            !steps.iter().any(named)
        }
    }
}

/// The new record's id in the answer of the request that makes it.
fn made(create: &Create, answer: &Answer) -> Result<String, SystemError> {
    let id = match &create.id_in_location {
        Some(pattern) => pattern.find(&answer.headers),
        None => {
            let id = create.id.get(answer.value.json(), NestedKeys::Plain);
            id.and_then(|id| Mapper::remote_id(&Path::default(), id))
        }
    };
    id.ok_or_else(|| {
        let mut error = SystemError::malformed("the system does not name the new record");
        error.sent = true;
        error
    })
}
