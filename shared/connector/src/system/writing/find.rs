//! Finding out whether a create whose answer was lost has happened.

use millwright_core::WallTime;
use serde_json::{Map, Value};

use super::{Source, System, unfit};
use crate::{
    error::{SystemError, SystemErrorClass},
    json::{Node, Seen},
    manifest::{Finder, Idempotency, Operation, WriteOp},
    mapping::{Mapper, Plan, References, Writer},
    path::NestedKeys,
    template::Scope,
};

/// Whether a record that was to be made is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// It is, with this remote id.
    Found(String),
    /// It is not: the create can be tried again.
    NotThere,
    /// This connector, or this record, has nothing to find it by.
    CannotTell,
}

impl System {
    /// Looks for the record that a create with this token was to make. Where the system itself knows a
    /// create that comes again, it is sent again, and the record is there afterwards in any case.
    ///
    /// # Errors
    /// When the system cannot be read, or refuses the create that was sent again.
    pub async fn find_created(
        &self,
        entity: &str,
        record: &Map<String, Value>,
        token: &str,
        references: &References,
    ) -> Result<LookUp, SystemError> {
        let write = &self.def(entity, "create")?.write;
        let since = match &write.idempotency {
            Idempotency::None => return Ok(LookUp::CannotTell),
            Idempotency::Native => {
                return self.create(entity, record, references, token).await.map(LookUp::Found);
            }
            Idempotency::ExternalId(_) => Value::Null,
            Idempotency::Natural(natural) => {
                let given = |name: &String| record.get(name).is_some_and(|value| !value.is_null());
                if !natural.fields.iter().all(given) {
                    return Ok(LookUp::CannotTell);
                }
                let ago = i64::from(natural.within_seconds) * 1000;
                let since = self.inner.clock.wall().millis() - ago;
                Value::from(WallTime::from_millis(since).iso())
            }
        };
        match (&self.inner.source, write.idempotency.finder()) {
            (Source::Sandbox(sandbox), _) => {
                let found = sandbox.find(entity, token).await?;
                Ok(found.map_or(LookUp::NotThere, LookUp::Found))
            }
            (Source::Remote(_), None) => Ok(LookUp::CannotTell),
            (Source::Remote(_), Some(finder)) => {
                let scope = self.search(entity, record, token, references)?.with("since", since);
                self.found(finder, scope).await
            }
        }
    }

    /// What a search may name.
    fn search(
        &self,
        entity: &str,
        record: &Map<String, Value>,
        token: &str,
        references: &References,
    ) -> Result<Scope, SystemError> {
        let writer = self.writer(entity, &WriteOp::Create)?;
        let writer = Writer { references: Some(references), ..writer };
        let (plan, _) = writer.plan(&WriteOp::Create, record, None);
        let row = plan.row(|_| true).map_err(unfit)?;
        Ok(Scope::default().with("token", Value::from(token)).with("record", row))
    }

    async fn found(&self, finder: &Finder, own: Scope) -> Result<LookUp, SystemError> {
        let Source::Remote(remote) = &self.inner.source else { return Ok(LookUp::CannotTell) };
        let (request, read) = (&finder.request, Operation::Read);
        let add = |scope: Scope| scope.joined(&own);
        let asked = match finder.id_in_location {
            Some(_) => remote.call_redirected(request, read, add).await,
            None => remote.call(request, read, add).await,
        };
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) if error.class == SystemErrorClass::NotFound => return Ok(LookUp::NotThere),
            Err(error) => return Err(error),
        };
        if let Some(pattern) = &finder.id_in_location {
            let missing = || SystemError::malformed("the system redirects to no record");
            return pattern.find(&answer.headers).map(LookUp::Found).ok_or_else(missing);
        }
        let found = finder.rows.get(answer.value.json(), NestedKeys::Plain);
        let rows: Vec<_> = match found.map(|found| (found, found.see())) {
            None | Some((_, Seen::Null)) => Vec::new(),
            Some((list, Seen::List)) => list.items().take(2).collect(),
            Some((one, _)) => vec![one],
        };
        match rows.as_slice() {
            [] => Ok(LookUp::NotThere),
            [row] => {
                let id = Mapper::remote_id(&finder.id, *row);
                let id = id.ok_or_else(|| SystemError::malformed("a row has no id"))?;
                Ok(LookUp::Found(id))
            }
            // Which of them it is cannot be said.
            _ => Ok(LookUp::CannotTell),
        }
    }

    /// The plan with the token in the field that holds it.
    pub(super) fn with_token<'a>(
        &self,
        entity: &str,
        mut plan: Plan<'a>,
        token: &str,
    ) -> Result<Plan<'a>, SystemError> {
        if let Idempotency::ExternalId(external) = &self.def(entity, "create")?.write.idempotency {
            let value = match &external.value {
                None => Value::from(token),
                Some(template) => {
                    let scope = Scope::default().with("token", Value::from(token));
                    template.render(&scope).map_err(unfit)?
                }
            };
            plan.place(external.to.clone(), value);
        }
        Ok(plan)
    }
}
