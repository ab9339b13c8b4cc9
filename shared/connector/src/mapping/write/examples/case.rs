//! One example, with everything that it takes from the one it is like.

use serde_json::{Map, Value};

use crate::{
    manifest::{EntityDef, Example, Expected, WriteOp},
    path::Path,
};

/// An example with everything that it takes from the one it is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is done.
    pub operation: WriteOp,
    /// The body.
    pub body: Map<String, Value>,
    /// The unified record as it is before, for all but a create; `status` is its status' code.
    pub current: Option<Map<String, Value>>,
    /// Keys that lead nowhere.
    pub unknown: Vec<String>,
    /// Every fault that is found; none when it is accepted.
    pub refused: Vec<Expected>,
}

impl EntityDef {
    /// The examples of what can be written, in the file's order.
    ///
    /// # Errors
    /// When one is like another that is not there, or does not fit it.
    pub fn examples(&self) -> Result<Vec<Case>, String> {
        let all = &self.write.examples;
        all.iter().map(|example| case(all, example, 0)).collect()
    }
}

fn case(all: &[Example], example: &Example, depth: usize) -> Result<Case, String> {
    let base = match &example.like {
        None => None,
        Some(name) => {
            let like = all.iter().find(|one| one.name.as_ref() == Some(name));
            let like = like.filter(|_| depth < 8).ok_or(format!("there is no example `{name}`"))?;
            Some(case(all, like, depth + 1)?)
        }
    };
    let of_base = |base: &Case| (base.operation.clone(), base.body.clone(), base.current.clone());
    let (operation, body, current) =
        base.as_ref().map_or((WriteOp::Create, Map::new(), None), of_base);
    let mut body = Value::Object(example.body.clone().unwrap_or(body));
    for (path, value) in example.with.iter() {
        set(&mut body, &Path::parse(path)?, value.clone())?;
    }
    for path in &example.without {
        unset(&mut body, &Path::parse(path)?)?;
    }
    let mut unknown = base.map(|base| base.unknown).unwrap_or_default();
    unknown.extend(example.unknown.iter().cloned());
    Ok(Case {
        operation: example.on.as_deref().map_or(operation, WriteOp::of_name),
        body: body.as_object().cloned().unwrap_or_default(),
        current: example.current.clone().or(current),
        unknown,
        refused: example.refused.clone(),
    })
}

/// The value at a path that shall be filled or emptied: everything but its last name must be there.
fn parent<'a>(body: &'a mut Value, path: &Path) -> Result<(&'a mut Value, String), String> {
    let keys: Vec<&str> = path.keys().collect();
    let missing = || format!("`{}` leads nowhere", path.as_str());
    let (last, before) = keys.split_last().ok_or_else(missing)?;
    let mut at = body;
    for key in before {
        at = match at {
            Value::Array(items) => {
                key.parse::<usize>().ok().and_then(|position| items.get_mut(position))
            }
            Value::Object(members) => members.get_mut(*key),
            _ => None,
        }
        .ok_or_else(missing)?;
    }
    Ok((at, (*last).to_owned()))
}

fn set(body: &mut Value, path: &Path, value: Value) -> Result<(), String> {
    match parent(body, path)? {
        (Value::Object(members), name) => drop(members.insert(name, value)),
        (Value::Array(items), position) => match position.parse::<usize>() {
            Ok(position) if position < items.len() => items[position] = value,
            _ => items.push(value),
        },
        _ => return Err(format!("`{}` leads nowhere", path.as_str())),
    }
    Ok(())
}

fn unset(body: &mut Value, path: &Path) -> Result<(), String> {
    let missing = || format!("`{}` is not there", path.as_str());
    match parent(body, path)? {
        (Value::Object(members), name) => members.shift_remove(&name).map(drop).ok_or_else(missing),
        (Value::Array(items), position) => match position.parse::<usize>() {
            Ok(position) if position < items.len() => {
                items.remove(position);
                Ok(())
            }
            _ => Err(missing()),
        },
        _ => Err(missing()),
    }
}
