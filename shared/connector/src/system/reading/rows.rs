//! Rows by their ids, and rows completed by details and children.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value, json};

use super::{
    listing::{Pages, distinct_ids_at, ids_at, rows_of, with_ids},
    since,
};
use crate::{
    error::{SystemError, SystemErrorClass},
    json::{Node, Row, Seen},
    manifest::{
        Children, Completion, Detail, EntityDef, Get, Limits, Operation, OwnDetail, Request,
    },
    path::{NestedKeys, Path},
    remote::Remote,
};

/// When at least so many rows are asked for one by one and every one fails, it is no matter of rows.
const SYSTEMIC: usize = 10;

/// Rows on their way to become records.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The rows, with their ids.
    pub rows: Vec<(String, Row)>,
    /// Ids of which the system says that they are gone.
    pub gone: Vec<String>,
    /// Rows that the system does not show to this account, or refuses to.
    pub refused: Vec<(String, SystemError)>,
}

impl Rows {
    /// Rows that are trees.
    pub fn of(rows: Vec<(String, Value)>) -> Self {
        let rows = rows.into_iter().map(|(id, row)| (id, Row::from(&row))).collect();
        Self { rows, ..Self::default() }
    }

    /// Without the rows that say themselves that they are deleted.
    pub fn judged(mut self, def: &EntityDef, keys: NestedKeys) -> Self {
        let Some(flag) = &def.deletes.flag else { return self };
        let (gone, there): (Vec<_>, _) =
            self.rows.into_iter().partition(|(_, row)| flag.holds(row.json(), keys));
        self.rows = there;
        self.gone.extend(gone.into_iter().map(|(id, _)| id));
        self
    }
}

/// What became of a call for one row.
enum One {
    Row(String, Row),
    Gone(String),
    Refused(String, SystemError),
}

/// Reads and completes the rows of an entity.
#[derive(Clone, Copy)]
pub(super) struct Completer<'a> {
    pub remote: &'a Remote,
    pub entity: &'a str,
    pub def: &'a EntityDef,
    pub limits: &'a Limits,
    pub keys: NestedKeys,
}

impl Completer<'_> {
    /// The complete rows of these ids.
    pub async fn by_ids(&self, ids: &[String]) -> Result<Rows, SystemError> {
        let rows = self.got(ids).await?;
        let rows = match &self.def.detail {
            Some(Detail::Own(detail)) => self.detailed(detail, rows).await?,
            Some(Detail::ByGet) | None => rows,
        };
        if rows.rows.is_empty() && rows.refused.len() >= SYSTEMIC {
            return Err(all_failed(rows));
        }
        self.with_children(rows).await.map(|rows| rows.judged(self.def, self.keys))
    }

    /// Listed rows, completed. Those that are marked as deleted need no more calls.
    pub async fn complete(&self, listed: Vec<(String, Row)>) -> Result<Rows, SystemError> {
        let listed = Rows { rows: listed, ..Rows::default() };
        let Rows { rows, gone, .. } = listed.judged(self.def, self.keys);
        let asked = rows.len();
        let mut completed = match &self.def.detail {
            None => Rows { rows, ..Rows::default() },
            Some(Detail::Own(detail)) => {
                self.detailed(detail, Rows { rows, ..Rows::default() }).await?
            }
            Some(Detail::ByGet) => {
                let ids: Vec<String> = rows.into_iter().map(|(id, _)| id).collect();
                self.got(&ids).await?
            }
        };
        if asked >= SYSTEMIC && completed.rows.is_empty() {
            return Err(all_failed(completed));
        }
        completed.gone.extend(gone);
        self.with_children(completed).await.map(|rows| rows.judged(self.def, self.keys))
    }

    /// The rows of these ids as `get` gives them.
    async fn got(&self, ids: &[String]) -> Result<Rows, SystemError> {
        let fields = json!(self.def.field_names());
        match &self.def.get {
            Get::None => Err(SystemError::unsupported(self.entity, "get")),
            Get::Many { request, rows: at } => {
                let mut rows = Vec::with_capacity(ids.len());
                for chunk in ids.chunks(self.limits.ids_per_request) {
                    let answer = self
                        .remote
                        .call(request, Operation::Read, |scope| {
                            scope.with("ids", json!(chunk)).with("fields", fields.clone())
                        })
                        .await?;
                    rows.extend(with_ids(rows_of(at, &answer)?, &self.def.read.id)?);
                }
                Ok(Rows { rows, ..Rows::default() })
            }
            Get::One { request, row } => {
                let ids = ids.iter().cloned();
                let asked = ids.map(|id| self.got_one(request, row, id, &fields));
                self.at_once(asked).await
            }
            Get::Listing => self.picked(ids, &fields).await,
        }
    }

    /// The rows of these ids out of the entity's own listing, each once.
    async fn picked(&self, ids: &[String], fields: &Value) -> Result<Rows, SystemError> {
        let everything = since::window(self.def, &Value::Null)?;
        let add = |scope: crate::template::Scope| {
            scope
                .with("since", Value::Null)
                .with("window", everything.clone())
                .with("fields", fields.clone())
        };
        let pages = Pages::own(self.entity, self.def)?;
        let listed = pages.all(self.remote, self.limits.page(0), self.keys, add).await?;
        let mut wanted: HashSet<&String> = ids.iter().collect();
        let rows = listed.into_iter().filter(|(id, _)| wanted.remove(id)).collect();
        Ok(Rows { rows, ..Rows::default() })
    }

    async fn got_one(
        &self,
        request: &Request,
        at: &Path,
        id: String,
        fields: &Value,
    ) -> Result<One, SystemError> {
        let answer = self
            .remote
            .call(request, Operation::Read, |scope| {
                scope.with("id", json!(id)).with("fields", fields.clone())
            })
            .await;
        match answer {
            Ok(answer) if answer.ignored => Ok(One::Gone(id)),
            answer => one(&id, answer.and_then(|answer| row_at(at, &answer.value))),
        }
    }

    async fn detailed(&self, detail: &OwnDetail, rows: Rows) -> Result<Rows, SystemError> {
        let Rows { rows, gone, refused } = rows;
        let asked = rows.into_iter().map(|(id, row)| self.detailed_one(detail, id, row));
        let mut detailed = self.at_once(asked).await?;
        detailed.gone.extend(gone);
        detailed.refused.extend(refused);
        Ok(detailed)
    }

    async fn detailed_one(
        &self,
        detail: &OwnDetail,
        id: String,
        row: Row,
    ) -> Result<One, SystemError> {
        if !detail.when.hold(row.json(), self.keys) {
            return Ok(One::Row(id, row));
        }
        let answer = self
            .remote
            .call(&detail.request, Operation::Read, |scope| {
                scope.with("id", json!(id)).with("row", row.to_value())
            })
            .await;
        match answer {
            Ok(answer) if answer.ignored => Ok(One::Row(id, row)),
            answer => {
                let found = answer.and_then(|answer| row_at(&detail.row, &answer.value));
                one(&id, found.map(|found| completed(&row, found, detail.takes)))
            }
        }
    }

    async fn at_once(
        &self,
        asked: impl Iterator<Item = impl Future<Output = Result<One, SystemError>>>,
    ) -> Result<Rows, SystemError> {
        let answers: Vec<One> =
            stream::iter(asked).buffered(self.limits.concurrency).try_collect().await?;
        let mut rows = Rows::default();
        for answer in answers {
            match answer {
                One::Row(id, row) => rows.rows.push((id, row)),
                One::Gone(id) => rows.gone.push(id),
                One::Refused(id, error) => rows.refused.push((id, error)),
            }
        }
        Ok(rows)
    }

    async fn with_children(&self, mut rows: Rows) -> Result<Rows, SystemError> {
        for children in &self.def.children {
            match &children.parent {
                Some(parent) => self.add_children_of_all(children, parent, &mut rows.rows).await?,
                None => rows = self.with_children_of_each(children, rows).await?,
            }
        }
        Ok(rows)
    }

    async fn with_children_of_each(
        &self,
        children: &Children,
        rows: Rows,
    ) -> Result<Rows, SystemError> {
        let Rows { rows, gone, refused } = rows;
        let asked = rows.into_iter().map(|(id, row)| self.with_children_of(children, id, row));
        let mut completed = self.at_once(asked).await?;
        completed.gone.extend(gone);
        completed.refused.extend(refused);
        Ok(completed)
    }

    async fn with_children_of(
        &self,
        children: &Children,
        id: String,
        row: Row,
    ) -> Result<One, SystemError> {
        if !children.when.hold(row.json(), self.keys) {
            return Ok(One::Row(id, row));
        }
        let pages = Pages::of_children(children);
        let size = self.limits.page(0);
        let add =
            |scope: crate::template::Scope| scope.with("id", json!(id)).with("row", row.to_value());
        let listed = pages.all(self.remote, size, self.keys, add).await;
        let found = listed.map(|listed| {
            let listed = listed.iter().map(|(_, child)| child.to_value());
            with(&row, &children.into, listed.collect())
        });
        one(&id, found)
    }

    /// One listing for many rows at once.
    async fn add_children_of_all(
        &self,
        children: &Children,
        parent: &Path,
        rows: &mut [(String, Row)],
    ) -> Result<(), SystemError> {
        let wanted = rows.iter().filter(|(_, row)| children.when.hold(row.json(), self.keys));
        let ids: Vec<String> = wanted.map(|(id, _)| id.clone()).collect();
        let mut by_parent: HashMap<String, Vec<Value>> =
            ids.iter().map(|id| (id.clone(), Vec::new())).collect();
        let pages = Pages::of_children(children);
        for chunk in ids.chunks(self.limits.ids_per_request) {
            let add = |scope: crate::template::Scope| scope.with("ids", json!(chunk));
            let listed = pages.all(self.remote, self.limits.page(0), self.keys, add).await?;
            for (_, child) in listed {
                for id in ids_at(parent, &child) {
                    if let Some(siblings) = by_parent.get_mut(&id) {
                        siblings.push(child.to_value());
                    }
                }
            }
        }
        for (id, row) in rows {
            if let Some(listed) = by_parent.remove(id) {
                *row = with(row, &children.into, listed);
            }
        }
        Ok(())
    }

    /// The ids of the records that children belong to.
    pub fn parents(&self, parent: &Path, children: &[(String, Row)]) -> Vec<String> {
        distinct_ids_at(parent, children.iter().map(|(_, child)| child))
    }
}

/// What an answer for one row means for it. What is no matter of the row is the page's failure.
fn one(id: &str, found: Result<Row, SystemError>) -> Result<One, SystemError> {
    use SystemErrorClass::{NotFound, Permission, Validation};
    match found {
        Ok(row) => Ok(One::Row(id.to_owned(), row)),
        Err(error) if error.class == NotFound => Ok(One::Gone(id.to_owned())),
        Err(error) if matches!(error.class, Permission | Validation) => {
            Ok(One::Refused(id.to_owned(), error))
        }
        Err(error) => Err(error),
    }
}

fn row_at(path: &Path, value: &Row) -> Result<Row, SystemError> {
    let row = value.pick(|value| {
        path.get(value, NestedKeys::Plain).filter(|found| found.see() == Seen::Object)
    });
    row.ok_or_else(|| SystemError::malformed("the system's answer has no row"))
}

fn completed(row: &Row, found: Row, takes: Completion) -> Row {
    if takes != Completion::Merge {
        return found;
    }
    match (row.to_value(), found.to_value()) {
        (Value::Object(mut row), Value::Object(more)) => {
            row.extend(more);
            Row::from(&Value::Object(row))
        }
        _ => found,
    }
}

/// The row with a list in it; a row that is no object becomes one.
fn with(row: &Row, into: &str, listed: Vec<Value>) -> Row {
    let mut members = match row.to_value() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.insert(into.to_owned(), Value::Array(listed));
    Row::from(&Value::Object(members))
}

fn all_failed(rows: Rows) -> SystemError {
    match rows.refused.into_iter().next() {
        Some((_, error)) => error,
        None => SystemError::malformed("the system finds none of the rows that it has listed"),
    }
}
