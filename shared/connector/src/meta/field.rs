//! What is said about each field.

use millwright_entities::{Entity, Field as Known, Kind};

use super::{FieldMeta, LineChangesMeta, RequiredMeta, Writable, build::writable};
use crate::{
    manifest::{
        Action, EntityDef, LineForm, ListField, Required, Step, TextPattern, When, WriteDef,
        WriteField, WriteValue,
    },
    mapping::{Element, Field, LineChanges, by_key},
    table::Table,
};

/// The fields of an entity, as one connection has them.
pub(super) struct Fields<'a> {
    entity: &'a Entity,
    def: &'a EntityDef,
    found: Vec<FieldMeta>,
}

/// Fields that no table of a manifest names.
const OF_EVERY_RECORD: [&str; 3] = ["key", "remoteId", "deletedAt"];

impl<'a> Fields<'a> {
    pub(super) fn of(entity: &'a Entity, def: &'a EntityDef) -> Self {
        Self { entity, def, found: Vec::new() }
    }

    /// Those that are read or can be given, in the model's order.
    pub(super) fn all(mut self) -> Vec<FieldMeta> {
        let (def, write) = (self.def, &self.def.write);
        for known in self.entity.fields() {
            if known.name == "customFields" || known.name == "meta" {
                continue;
            }
            let written = write.fields.get(known.name).filter(|_| gives(write));
            let read = def.fields.get(known.name);
            let follows = OF_EVERY_RECORD.contains(&known.name)
                || (def.status.is_some() && ["statusKey", "state"].contains(&known.name));
            if read.is_none() && written.is_none() && !follows {
                continue;
            }
            let mut meta = self.one(known.name, Some(known), written);
            meta.readable = read.is_some() || follows;
            meta.remote_path = meta.remote_path.or_else(|| remote(read));
            if known.name == "state" && meta.options.is_empty() {
                meta.options = states(def);
            }
            self.found.push(meta);
            self.inside(known.name, known, read, written);
        }
        self.found
    }

    /// The fields of a list's objects, or of an object.
    fn inside(
        &mut self,
        outer: &str,
        known: &Known,
        read: Option<&Field>,
        written: Option<&WriteField>,
    ) {
        let read = match read {
            Some(Field::Each(each)) => match &each.element {
                Element::Object(fields) => Some((fields, each.id.is_some())),
                Element::Value(_) => None,
            },
            _ => None,
        };
        let written = written.and_then(WriteField::inner);
        for known in &known.inner {
            let given = written.and_then(|fields| fields.get(known.name));
            let found = read.and_then(|(fields, _)| fields.get(known.name));
            let follows = read.is_some_and(|(_, with_ids)| with_ids)
                && ["key", "remoteId"].contains(&known.name);
            if given.is_none() && found.is_none() && !follows {
                continue;
            }
            let mut meta = self.one(&format!("{outer}.{}", known.name), Some(known), given);
            meta.readable = found.is_some() || follows;
            meta.remote_path = meta.remote_path.or_else(|| remote(found));
            self.found.push(meta);
        }
    }

    fn one(&self, path: &str, known: Option<&Known>, written: Option<&WriteField>) -> FieldMeta {
        let write = &self.def.write;
        let mut meta = empty(path, known);
        let Some(field) = written else { return meta };
        rules(&mut meta, field, self.def);
        meta.writable = writable(write, field.written());
        meta.required.create &= write.create.is_some();
        meta.required.update &= write.update.is_some();
        if let WriteField::Lines(lines) = field
            && by_key(self.entity.slug, path)
            && let Some(update) = write.update.as_ref().filter(|_| lines.written.on_update())
        {
            meta.line_changes = Some(changes(path, lines, &update.steps));
        }
        meta
    }
}

fn changes(path: &str, lines: &crate::manifest::LinesField, steps: &[Step]) -> LineChangesMeta {
    let LineChanges { add, change, remove } = LineChanges::of(path, &lines.form, steps);
    LineChangesMeta { add, change, remove, add_remove_when: lines.add_remove_when.clone() }
}

/// The fields that go with an action.
pub(super) fn of_action(entity: &Entity, def: &EntityDef, action: &Action) -> Vec<FieldMeta> {
    let mut found = Vec::new();
    for (name, field) in action.fields.iter() {
        let known = entity.field(name);
        found.push(one_of_action(name, known, field, def, action));
        if let WriteField::Lines(lines) = field
            && matches!(lines.form, LineForm::ById(_))
        {
            found.push(key_of_line(name, known, def, action));
        }
        for (inner, field) in field.inner().into_iter().flat_map(Table::iter) {
            let known = known.and_then(|known| known.field(inner));
            found.push(one_of_action(&format!("{name}.{inner}"), known, field, def, action));
        }
    }
    found
}

/// What says which line is meant.
fn key_of_line(list: &str, known: Option<&Known>, def: &EntityDef, action: &Action) -> FieldMeta {
    let path = format!("{list}.key");
    let mut meta = empty(&path, known.and_then(|known| known.field("key")));
    meta.kind = Kind::Key.as_str();
    meta.writable = Writable::Create;
    meta.required = RequiredMeta { create: true, ..RequiredMeta::default() };
    meta.source_note = action.docs.or(&def.write.docs).text();
    meta
}

fn one_of_action(
    path: &str,
    known: Option<&Known>,
    field: &WriteField,
    def: &EntityDef,
    action: &Action,
) -> FieldMeta {
    let mut meta = empty(path, known);
    rules(&mut meta, field, def);
    meta.writable = Writable::Create;
    meta.required.update = false;
    meta.source_note = field.docs().or(action.docs.or(&def.write.docs)).text();
    meta
}

/// A field without any rule.
pub(super) fn empty(path: &str, known: Option<&Known>) -> FieldMeta {
    FieldMeta {
        path: path.to_owned(),
        kind: known.map_or(Kind::Text, |known| known.kind).as_str(),
        readable: false,
        required: RequiredMeta { nullable: true, ..RequiredMeta::default() },
        writable: Writable::Never,
        writable_when: When::default(),
        immutable_when: When::default(),
        immutable_after: None,
        options: known.map(options).unwrap_or_default(),
        min_length: None,
        max_length: None,
        pattern: None,
        min: None,
        above: None,
        max: None,
        below: None,
        max_items: None,
        line_changes: None,
        reference_to: known.and_then(|known| known.references).map(str::to_owned),
        default: None,
        remote_path: None,
        filterable: false,
        sortable: false,
        description: known.and_then(|known| known.description).map(str::to_owned),
        source_note: None,
    }
}

fn options(known: &Known) -> Vec<String> {
    known.options.iter().map(|option| (*option).to_owned()).collect()
}

/// The states that a connector's statuses stand for.
fn states(def: &EntityDef) -> Vec<String> {
    let mut states: Vec<String> = Vec::new();
    for (_, status) in def.statuses.iter() {
        if !states.contains(&status.state) {
            states.push(status.state.clone());
        }
    }
    states
}

/// What a manifest says about a field that can be given.
fn rules(meta: &mut FieldMeta, field: &WriteField, def: &EntityDef) {
    let (writable_when, immutable_when) = field.states();
    meta.writable_when = writable_when.clone();
    meta.immutable_when = immutable_when.clone();
    meta.immutable_after = immutable_after(writable_when, immutable_when, def);
    meta.required = required(field.required());
    meta.remote_path = Some(field.to().as_str().to_owned());
    meta.source_note = field.docs().or(&def.write.docs).text();
    match field {
        WriteField::Value(value) => of_value(meta, value),
        WriteField::List(ListField { max_items, value }) => {
            of_value(meta, value);
            meta.kind = Kind::List.as_str();
            meta.max_items = *max_items;
        }
        WriteField::Object(_) => meta.kind = Kind::Object.as_str(),
        WriteField::Lines(lines) => {
            meta.kind = Kind::List.as_str();
            meta.max_items = lines.max_items;
        }
    }
}

fn of_value(meta: &mut FieldMeta, value: &WriteValue) {
    meta.kind = kind(value, meta.kind);
    if let Some(words) = &value.words {
        meta.options = words.names().map(str::to_owned).collect();
    }
    meta.reference_to = value.references.clone().or(meta.reference_to.take());
    meta.default.clone_from(&value.default);
    let (text, bounds) = (&value.text, &value.bounds);
    meta.min_length = text.min_length;
    meta.max_length = text.max_length;
    meta.pattern = text.pattern.as_ref().map(TextPattern::as_str).map(str::to_owned);
    meta.min.clone_from(&bounds.min);
    meta.above.clone_from(&bounds.above);
    meta.max.clone_from(&bounds.max);
    meta.below.clone_from(&bounds.below);
}

/// What a value is that the unified model does not know.
fn kind(value: &WriteValue, known: &'static str) -> &'static str {
    if known != Kind::Text.as_str() {
        return known;
    }
    let kind = if value.references.is_some() {
        Kind::Key
    } else if value.words.is_some() {
        Kind::Choice
    } else {
        value.codec.kind()
    };
    kind.as_str()
}

fn required(required: Required) -> RequiredMeta {
    RequiredMeta {
        create: required.on_create(),
        update: required.on_update(),
        nullable: !required.is_kept(),
    }
}

/// Where the statuses in which a field can be changed are the first of all, the last of these.
fn immutable_after(writable: &When, immutable: &When, def: &EntityDef) -> Option<String> {
    let allowed: Vec<&str> = writable.statuses().collect();
    let locked: Vec<&str> = immutable.statuses().collect();
    if allowed.is_empty() && locked.is_empty() {
        return None;
    }
    let open =
        |code: &&str| (allowed.is_empty() || allowed.contains(code)) && !locked.contains(code);
    let codes: Vec<&str> = def.statuses.names().collect();
    let first = codes.iter().take_while(|code| open(code)).count();
    let in_order = !codes.iter().skip(first).any(open);
    let last = first.checked_sub(1).filter(|_| in_order)?;
    codes.get(last).map(|code| (*code).to_owned())
}

/// Where a field that is only read stands in the system's row.
fn remote(field: Option<&Field>) -> Option<String> {
    field?.names().into_iter().next()
}

/// Whether there is an operation that takes fields.
fn gives(write: &WriteDef) -> bool {
    write.create.is_some() || write.update.is_some()
}
