//! Answers of rules, read in the form that the sandbox' own have: `{"rows": [{"id", ...}], "next"}`,
//! `{"ids": [...], "next"}`, `{"id"}`, `{"instance", "name"}`.

use serde_json::Value;

use crate::{
    error::SystemError,
    mapping::Mapper,
    path::Path,
    remote::played::Heard,
    system::{Instance, RowPage},
};

pub(super) fn instance(mut answer: Value) -> Result<Instance, SystemError> {
    let text = |value: Value| value.as_str().map(str::to_owned);
    let id = text(answer["instance"].take()).ok_or_else(|| unfit("an `instance`"))?;
    Ok(Instance { id, name: text(answer["name"].take()) })
}

pub(super) fn page(answer: Heard) -> Result<RowPage, SystemError> {
    let Heard { mut value, asked_at } = answer;
    let next = next(&value);
    let Some(Value::Array(rows)) = value.get_mut("rows").map(Value::take) else {
        return Err(unfit("a list of `rows`"));
    };
    let with_id = |row: Value| {
        let id = Mapper::remote_id(&Path::parse("id").unwrap_or_default(), &row);
        id.map(|id| (id, row)).ok_or_else(|| unfit("an `id` in each row"))
    };
    let rows = rows.into_iter().map(with_id).collect::<Result<_, _>>()?;
    Ok(RowPage { rows, next, asked_at })
}

pub(super) fn ids(answer: Value) -> Result<(Vec<String>, Option<String>), SystemError> {
    let list = answer.get("ids").and_then(Value::as_array).ok_or_else(|| unfit("a list of `ids`"));
    let text = |id: &Value| id.as_str().map(str::to_owned).ok_or_else(|| unfit("ids as text"));
    let ids = list?.iter().map(text).collect::<Result<_, _>>()?;
    Ok((ids, next(&answer)))
}

/// The id of what was written. Without one, it is not known what came of it.
pub(super) fn id(answer: Value) -> Result<String, SystemError> {
    let id = answer.get("id").and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| {
        let mut error = unfit("an `id`");
        error.sent = true;
        error
    })
}

fn next(answer: &Value) -> Option<String> {
    answer.get("next").and_then(Value::as_str).map(str::to_owned)
}

fn unfit(what: &str) -> SystemError {
    SystemError::malformed(format!("the answer that a scenario gives does not have {what}"))
}
