//! What is to be sent, in the system's form.

use serde_json::{Map, Value};

use crate::{
    manifest::{Commands, LineForm},
    path::Path,
    table::Table,
    template::{Scope, Template},
};

/// A value and its place in the system's record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    /// The unified field that it comes from, or follows.
    pub field: String,
    pub to: Path,
    pub value: Value,
    /// Whether it is new or changed; what is sent although it is not does not count as a change.
    pub fresh: bool,
}

/// A system's line that is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub id: String,
    pub row: Value,
}

/// What becomes of lines.
#[derive(Clone, Debug)]
pub(crate) struct PlannedLines<'a> {
    pub field: String,
    pub to: &'a Path,
    pub form: &'a LineForm,
    pub created: Vec<Value>,
    pub changed: Vec<Kept>,
    pub removed: Vec<String>,
    /// With [`LineForm::Replace`]: every line that there shall be, in order.
    pub all: Vec<Value>,
    /// Whether another list takes the place of the one that is there, an empty one too.
    pub replaced: bool,
}

impl PlannedLines<'_> {
    /// Whether nothing becomes of them.
    pub(crate) fn is_empty(&self) -> bool {
        !self.replaced
            && self.created.is_empty()
            && self.changed.is_empty()
            && self.removed.is_empty()
    }

    /// Their form in the system's record.
    fn value(&self) -> Result<Value, String> {
        let entries = match self.form {
            LineForm::Plain => self.created.clone(),
            LineForm::Replace(_) => self.all.clone(),
            LineForm::Commands(commands) => return self.commands(commands).map(Value::Array),
            LineForm::ById(by_id) => {
                let with_id = |id: &str, row: &Value| {
                    let mut row = row.as_object().cloned().unwrap_or_default();
                    let id = by_id.codec.encode(&Value::from(id)).map_err(|why| why.to_string())?;
                    put(&mut row, &by_id.id, id);
                    Ok::<_, String>(Value::Object(row))
                };
                let removed = by_id.removed.iter().flat_map(Table::iter);
                let removed = removed.map(|(name, value)| (name.to_owned(), value.clone()));
                let removed = Value::Object(removed.collect());
                let mut entries = self.created.clone();
                for line in &self.changed {
                    entries.push(with_id(&line.id, &line.row)?);
                }
                for id in &self.removed {
                    entries.push(with_id(id, &removed)?);
                }
                entries
            }
        };
        Ok(Value::Array(entries))
    }

    fn commands(&self, commands: &Commands) -> Result<Vec<Value>, String> {
        let mut given = Vec::new();
        if let Some(create) = &commands.create {
            let all = Scope::default().with("lines", Value::Array(self.created.clone()));
            let each = self.created.iter().map(|row| Scope::default().with("line", row.clone()));
            render(create, "lines", all, each, &mut given)?;
        }
        if let Some(change) = &commands.change {
            for line in &self.changed {
                let scope = Scope::default()
                    .with("id", Value::from(line.id.as_str()))
                    .with("line", line.row.clone());
                given.push(change.render(&scope)?);
            }
        }
        if let Some(remove) = &commands.remove {
            let ids = self.removed.iter().map(|id| Value::from(id.as_str()));
            let all = Scope::default().with("ids", ids.clone().collect());
            let each = ids.map(|id| Scope::default().with("id", id));
            render(remove, "ids", all, each, &mut given)?;
        }
        Ok(given)
    }
}

/// A command for all lines at once when it names them all, else one for each.
fn render(
    command: &Template,
    all_named: &str,
    all: Scope,
    each: impl Iterator<Item = Scope>,
    given: &mut Vec<Value>,
) -> Result<(), String> {
    let at_once = command.placeholders().iter().any(|one| one.root == all_named);
    let mut each = each.peekable();
    if each.peek().is_none() {
        return Ok(());
    }
    if at_once {
        given.push(command.render(&all)?);
        return Ok(());
    }
    for scope in each {
        given.push(command.render(&scope)?);
    }
    Ok(())
}

/// What is to be sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan<'a> {
    pub values: Vec<Placed>,
    pub lines: Vec<PlannedLines<'a>>,
}

impl<'a> Plan<'a> {
    /// Whether nothing changes.
    pub(crate) fn is_empty(&self) -> bool {
        !self.values.iter().any(|placed| placed.fresh)
            && self.lines.iter().all(PlannedLines::is_empty)
    }

    /// Adds a value that comes from no field. It goes with the request that makes the record.
    pub(crate) fn place(&mut self, to: Path, value: Value) {
        self.values.push(Placed { field: String::new(), to, value, fresh: true });
    }

    /// The system's form of the fields that `wanted` says.
    pub(crate) fn row(&self, wanted: impl Fn(&str) -> bool) -> Result<Value, String> {
        let mut row = Map::new();
        for placed in self.values.iter().filter(|placed| wanted(&placed.field)) {
            put(&mut row, &placed.to, placed.value.clone());
        }
        let sent = self.lines.iter().filter(|one| !one.is_empty() && wanted(&one.field));
        for one in sent {
            put(&mut row, one.to, one.value()?);
        }
        Ok(Value::Object(row))
    }

    /// What becomes of a list of lines.
    pub(crate) fn list(&self, name: &str) -> Option<&PlannedLines<'a>> {
        self.lines.iter().find(|lines| lines.field == name)
    }
}

/// Puts a value at a path of members. The empty path is the record itself: an object is laid over it.
pub(super) fn put(row: &mut Map<String, Value>, path: &Path, value: Value) {
    let keys: Vec<&str> = path.keys().collect();
    let Some((last, before)) = keys.split_last() else {
        if let Value::Object(members) = value {
            row.extend(members);
        }
        return;
    };
    let mut at = row;
    for key in before {
        let next = at.entry((*key).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        if !next.is_object() {
            *next = Value::Object(Map::new());
        }
        match next {
            Value::Object(members) => at = members,
            _ => return,
        }
    }
    at.insert((*last).to_owned(), value);
}
