//! Indexes that trail their tables, as global secondary indexes do.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::proxy::{Call, Reply};

/// What is needed to answer as of a moment ago.
pub(crate) struct Indexes {
    lag: Duration,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// When each row (table, pk, sk) was last written.
    written: HashMap<(String, String, String), Instant>,
    /// The last true answer to each query, by what the query asks apart from the present time.
    answers: HashMap<String, (Instant, Reply)>,
}

impl Indexes {
    pub(crate) fn new(lag: Duration) -> Self {
        Self { lag, seen: Mutex::default() }
    }

    /// Remembers when rows were written.
    pub(crate) fn note_writes(&self, call: &Call) {
        let now = Instant::now();
        self.with(|seen| {
            // What is older than the lag decides nothing any more.
            if seen.written.len() > 10_000 {
                seen.written.retain(|_, at| now - *at <= self.lag);
            }
            seen.written.extend(written_rows(call).into_iter().map(|row| (row, now)));
        });
    }

    /// Takes rows that were written within the lag out of an answer, each if `is_late` says so. Answers
    /// with how many those were.
    pub(crate) fn leave_out_recent(
        &self,
        call: &Call,
        body: &mut Value,
        is_late: impl Fn() -> bool,
    ) -> usize {
        let now = Instant::now();
        let table = text(&call.body["TableName"]);
        let Some(items) = body["Items"].as_array_mut() else { return 0 };
        let before = items.len();
        self.with(|seen| {
            items.retain(|item| {
                let at = row_of(&table, item).and_then(|row| seen.written.get(&row).copied());
                !(at.is_some_and(|at| now - at <= self.lag) && is_late())
            });
        });
        let (left_out, count) = (before - items.len(), items.len());
        body["Count"] = Value::from(count);
        left_out
    }

    /// What the same query was answered within the lag.
    pub(crate) fn older_answer(&self, call: &Call) -> Option<Reply> {
        let now = Instant::now();
        self.with(|seen| {
            let (at, reply) = seen.answers.get(&question(call))?;
            (now - *at <= self.lag).then(|| reply.clone())
        })
    }

    /// Keeps a true answer, unless a newer one than the lag is kept: that one must be let grow older.
    pub(crate) fn keep_answer(&self, call: &Call, reply: &Reply) {
        let now = Instant::now();
        self.with(|seen| {
            let kept = seen.answers.get(&question(call));
            if reply.is_success() && kept.is_none_or(|(at, _)| now - *at > self.lag / 2) {
                seen.answers.insert(question(call), (now, reply.clone()));
            }
        });
    }

    fn with<R>(&self, f: impl FnOnce(&mut Seen) -> R) -> R {
        f(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The query without the present time, which no two sweeps share. An older answer to it holds only
/// rows that were due earlier still.
fn question(call: &Call) -> String {
    let mut body = call.body.clone();
    if let Some(values) = body["ExpressionAttributeValues"].as_object_mut() {
        values.remove(":now");
    }
    body.to_string()
}

type RowName = (String, String, String);

fn row_of(table: &str, attributes: &Value) -> Option<RowName> {
    let pk = attributes.get("pk")?.get("S")?.as_str()?;
    let sk = attributes.get("sk")?.get("S")?.as_str()?;
    Some((table.to_owned(), pk.to_owned(), sk.to_owned()))
}

/// The rows that a call writes.
fn written_rows(call: &Call) -> Vec<RowName> {
    let body = &call.body;
    match call.operation.as_str() {
        "PutItem" => written(body, "Item"),
        "UpdateItem" | "DeleteItem" => written(body, "Key"),
        "TransactWriteItems" => array(&body["TransactItems"])
            .flat_map(|item| {
                let actions = [("Put", "Item"), ("Update", "Key"), ("Delete", "Key")];
                actions.into_iter().flat_map(|(action, part)| written(&item[action], part))
            })
            .collect(),
        "BatchWriteItem" => body["RequestItems"]
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(table, requests)| {
                array(requests).filter_map(|request| {
                    row_of(table, &request["PutRequest"]["Item"])
                        .or_else(|| row_of(table, &request["DeleteRequest"]["Key"]))
                })
            })
            .collect(),
        "BatchExecuteStatement" => array(&body["Statements"]).filter_map(inserted).collect(),
        _ => Vec::new(),
    }
}

/// The row of a statement `INSERT INTO "table" VALUE {'name': ?, ...}`.
fn inserted(statement: &Value) -> Option<RowName> {
    let words = statement["Statement"].as_str()?;
    let table = words.split('"').nth(1)?;
    let names = words.split('\'').skip(1).step_by(2).map(str::to_owned);
    let values = array(&statement["Parameters"]).cloned();
    row_of(table, &Value::Object(names.zip(values).collect()))
}

fn written(action: &Value, part: &str) -> Vec<RowName> {
    row_of(&text(&action["TableName"]), &action[part]).into_iter().collect()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
