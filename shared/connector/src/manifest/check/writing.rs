//! Writing.

use serde_json::Value;

use super::Check;
use crate::{
    manifest::{
        Action, Docs, EntityDef, Idempotency, LineForm, Protocol, Request, Step, When, WriteDef,
        WriteField,
    },
    mapping::{Field, LineChanges, by_key},
    path::Path,
    table::Table,
    template::Template,
};

/// What the templates of an operation may name beside what any template may.
const CREATE: &[&str] = &["record", "token", "steps"];
const CREATE_STEP: &[&str] = &["record", "token", "steps", "id", "line"];
const EXISTING: &[&str] = &["record", "steps", "id", "current", "line", "line_id"];

/// What a part of a write side belongs to.
#[derive(Clone, Copy)]
struct Of<'a> {
    slug: &'a str,
    def: &'a EntityDef,
    /// The list of lines that it stands in; an empty name is an object.
    list: Option<&'a str>,
}

impl Check<'_> {
    pub(super) fn writing(&mut self, place: &str, slug: &str, def: &EntityDef, properties: &Value) {
        let of = Of { slug, def, list: None };
        let write = &def.write;
        let place = &format!("{place}.write");
        if write.is_empty() {
            if !write.fields.is_empty() || !write.examples.is_empty() {
                self.say(place, "has no operation: `create`, `update`, `delete` or `actions`");
            }
            return;
        }
        for (name, field) in write.fields.iter() {
            let place = format!("{place}.fields.{name}");
            if properties.get(name).is_none() {
                self.say(&place, "is not a field of this entity");
            }
            self.write_field(&place, of, &write.fields, name, field);
        }
        for (name, lookup) in write.lookups.iter() {
            self.request(&format!("{place}.lookups.{name}"), &lookup.request, &["ids"]);
        }
        self.extra(&format!("{place}.extra"), write, &write.extra, &write.fields);
        self.operations(place, of);
        self.idempotency(&format!("{place}.idempotency"), write);
        if let Err(why) = def.examples() {
            self.say(&format!("{place}.examples"), why);
        }
    }

    fn operations(&mut self, place: &str, of: Of<'_>) {
        let write = &of.def.write;
        if let Some(create) = &write.create {
            let place = format!("{place}.create");
            self.course(&place, &create.request, &create.steps, CREATE, &write.fields);
            if let Some(undo) = &create.undo {
                self.request(&format!("{place}.undo"), undo, &["id"]);
            }
            self.docs(&place, create.docs.or(&write.docs));
        }
        if let Some(update) = &write.update {
            let place = format!("{place}.update");
            self.course(&place, &update.request, &update.steps, EXISTING, &write.fields);
            self.when(&format!("{place}.when"), of, &update.when);
            self.docs(&place, update.docs.or(&write.docs));
            self.patched_lines(&place, of);
        }
        if let Some(delete) = &write.delete {
            let place = format!("{place}.delete");
            self.course(&place, &delete.request, &delete.steps, EXISTING, &Table::default());
            self.when(&format!("{place}.when"), of, &delete.when);
            self.docs(&place, delete.docs.or(&write.docs));
        }
        for (name, action) in write.actions.iter() {
            self.action(&format!("{place}.actions.{name}"), of, name, action);
        }
    }

    fn action(&mut self, place: &str, of: Of<'_>, name: &str, action: &Action) {
        let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty()
            || !name.bytes().all(fine)
            || ["create", "update", "delete"].contains(&name)
        {
            self.say(place, "an action has a name of its own: lower-case letters, digits, hyphens");
        }
        self.course(place, &action.request, &action.steps, EXISTING, &action.fields);
        for code in action.from.iter().chain(&action.to) {
            if of.def.statuses.get(code).is_none() {
                self.say(place, format!("there is no status `{code}`"));
            }
        }
        self.when(&format!("{place}.when"), of, &action.when);
        for (name, field) in action.fields.iter() {
            let place = format!("{place}.fields.{name}");
            self.write_field(&place, of, &action.fields, name, field);
        }
        self.docs(place, action.docs.or(&of.def.write.docs));
    }

    /// One request, or steps.
    fn course(
        &mut self,
        place: &str,
        request: &Option<Request>,
        steps: &[Step],
        roots: &[&str],
        fields: &Table<WriteField>,
    ) {
        let http = matches!(self.manifest.protocol, Protocol::Http(_));
        match (request, steps) {
            (Some(_), [_, ..]) => self.say(place, "has either `request` or `steps`"),
            (Some(request), []) => self.request(place, request, roots),
            (None, []) if http => self.say(place, "has no request"),
            (None, []) => {}
            (None, steps) => self.steps(place, steps, roots, fields),
        }
    }

    fn steps(&mut self, place: &str, steps: &[Step], roots: &[&str], fields: &Table<WriteField>) {
        for (position, step) in steps.iter().enumerate() {
            let place = format!("{place}.steps.{}", step.name);
            if steps.iter().filter(|other| other.name == step.name).count() > 1 {
                self.say(&place, "there are two steps of this name");
            }
            let roots = if roots == CREATE && position > 0 { CREATE_STEP } else { roots };
            self.request(&place, &step.request, roots);
            for name in step.fields.iter().flatten() {
                if fields.get(name).is_none() && name != "customFields" {
                    self.say(&place, format!("`{name}` is not among the fields"));
                }
            }
            if step.each.is_some() && !matches!(fields.get(&step.lines), Some(WriteField::Lines(_)))
            {
                self.say(&place, format!("`{}` is no list of lines among the fields", step.lines));
            }
            let later = steps.get(position..).unwrap_or_default();
            for name in step_names(&step.request) {
                if later.iter().any(|later| later.name == name)
                    || !steps.iter().any(|step| step.name == name)
                {
                    self.say(&place, format!("`{{steps.{name}}}` is not an earlier step"));
                }
            }
        }
    }

    fn when(&mut self, place: &str, of: Of<'_>, when: &When) {
        let def = of.def;
        for (name, _) in when.iter().filter(|(name, _)| *name != "status") {
            let known = match name.strip_prefix("line.") {
                Some(field) => of.list.is_some_and(|list| line_field(def, list, field)),
                None => def.fields.get(name).is_some() || name == "state",
            };
            if !known {
                self.say(place, format!("`{name}` is not a field that is read"));
            }
        }
        for code in when.statuses() {
            if def.statuses.get(code).is_none() {
                self.say(place, format!("there is no status `{code}`"));
            }
        }
    }

    fn docs(&mut self, place: &str, docs: &Docs) {
        if docs.is_empty() {
            self.say(place, "needs `docs`: the page that says so, or `live`");
        }
        self.fitting_docs(place, docs);
    }

    /// What is said of the sandbox is not said of a real system, nor the other way round.
    fn fitting_docs(&mut self, place: &str, docs: &Docs) {
        let is_sandbox = matches!(self.manifest.protocol, Protocol::Sandbox);
        let unfit = if is_sandbox { Docs::LIVE } else { Docs::OWN };
        if docs.iter().any(|source| source == unfit) {
            self.say(place, format!("cannot have `docs: {unfit}`"));
        }
    }

    fn write_field(
        &mut self,
        place: &str,
        of: Of<'_>,
        beside: &Table<WriteField>,
        name: &str,
        field: &WriteField,
    ) {
        let (write, (writable, immutable)) = (&of.def.write, field.states());
        self.when(&format!("{place}.writable_when"), of, writable);
        self.when(&format!("{place}.immutable_when"), of, immutable);
        self.fitting_docs(place, field.docs());
        if field.to().keys().next().is_none() {
            self.say(place, "needs a place in the system's record (`to`)");
        }
        match field {
            WriteField::Value(value) => {
                self.written_value(place, of.slug, (of.list, name), value);
                if let Some(lookup) = &value.lookup {
                    let one = [("lookup".to_owned(), lookup.clone())].into_iter().collect();
                    self.extra(place, write, &one, beside);
                }
            }
            // What is in a list of single values the model does not say.
            WriteField::List(list) => {
                self.written_value(place, of.slug, (Some(name), ""), &list.value);
            }
            WriteField::Object(object) => {
                let of = Of { list: of.list.or(Some("")), ..of };
                for (name, field) in object.fields.iter() {
                    let place = format!("{place}.fields.{name}");
                    self.write_field(&place, of, &object.fields, name, field);
                }
            }
            WriteField::Lines(lines) => {
                if of.list.is_some() {
                    self.say(place, "lines cannot stand inside lines or objects");
                }
                self.when(&format!("{place}.add_remove_when"), of, &lines.add_remove_when);
                self.line_form(place, &lines.form);
                let whole = matches!(lines.form, LineForm::Plain | LineForm::Replace(_));
                if !by_key(of.slug, name) && !whole && field.written().on_update() {
                    self.say(place, "has no keys, and cannot be changed one by one");
                }
                let of = Of { list: Some(name), ..of };
                for (name, field) in lines.fields.iter() {
                    let place = format!("{place}.fields.{name}");
                    self.write_field(&place, of, &lines.fields, name, field);
                }
                self.extra(&format!("{place}.extra"), write, &lines.extra, &lines.fields);
            }
        }
    }

    fn line_form(&mut self, place: &str, form: &LineForm) {
        let LineForm::Commands(commands) = form else { return };
        let mut command = |name: &str, template: &Option<Template>, roots: &[&str]| {
            if let Some(template) = template {
                self.template(&format!("{place}.form.commands.{name}"), template, roots);
            }
        };
        command("create", &commands.create, &["lines", "line"]);
        command("change", &commands.change, &["id", "line"]);
        command("remove", &commands.remove, &["ids", "id"]);
    }

    /// Lines are matched by their keys, and those follow from their ids.
    fn patched_lines(&mut self, place: &str, of: Of<'_>) {
        let steps = of.def.write.update.as_ref().map_or(&[][..], |update| &update.steps);
        for (name, field) in of.def.write.fields.iter() {
            let WriteField::Lines(lines) = field else { continue };
            let changes = LineChanges::of(name, &lines.form, steps);
            let read = of.def.fields.get(name);
            let with_ids = matches!(read, Some(Field::Each(each)) if each.id.is_some());
            if by_key(of.slug, name) && (changes.change || changes.remove) && !with_ids {
                self.say(
                    place,
                    format!("changes lines, and `fields.{name}` reads no `id` of them"),
                );
            }
        }
    }

    fn extra(
        &mut self,
        place: &str,
        write: &WriteDef,
        extra: &Table<crate::manifest::Extra>,
        beside: &Table<WriteField>,
    ) {
        for (to, value) in extra.iter() {
            let place = format!("{place}.{to}");
            if let Err(why) = Path::parse(to) {
                self.say(&place, why);
            }
            match write.lookups.get(&value.lookup) {
                None => self.say(&place, format!("there is no lookup `{}`", value.lookup)),
                Some(lookup) => {
                    let last = lookup.from.keys().last();
                    if last != Some(value.by.as_str()) {
                        let why = format!("`by` is the field that `{}` reads by", value.lookup);
                        self.say(&place, why);
                    }
                }
            }
            let reference = matches!(beside.get(&value.by),
                Some(WriteField::Value(field)) if field.references.is_some());
            if !reference {
                self.say(&place, format!("`{}` is no reference beside it", value.by));
            }
        }
    }

    fn idempotency(&mut self, place: &str, write: &WriteDef) {
        let Some(create) = &write.create else { return };
        let http = matches!(self.manifest.protocol, Protocol::Http(_));
        let steps = create.steps.iter().filter(|step| !step.reads).map(|step| &step.request);
        let mut requests = create.request.iter().chain(steps.take(1));
        match &write.idempotency {
            Idempotency::None => {}
            Idempotency::Native => {
                let named = |template: &&Template| {
                    template.placeholders().iter().any(|one| one.root == "token")
                };
                if !requests.any(|request| request.templates().iter().any(named)) {
                    self.say(place, "is native, and the request that creates names no `{token}`");
                }
            }
            Idempotency::ExternalId(external) => {
                if let Some(value) = &external.value {
                    self.template(place, value, &["token"]);
                }
                if external.to.keys().next().is_none() {
                    self.say(place, "needs the field (`to`) that holds the token");
                }
            }
            Idempotency::Natural(natural) => {
                for name in &natural.fields {
                    if write.fields.get(name).is_none() {
                        self.say(place, format!("`{name}` is not among the fields"));
                    }
                }
                if natural.fields.is_empty() {
                    self.say(place, "needs `fields`");
                }
            }
        }
        match write.idempotency.finder() {
            Some(finder) => {
                self.request(
                    &format!("{place}.find"),
                    &finder.request,
                    &["token", "record", "since"],
                );
            }
            None if http && write.idempotency.kind() == "lookup" => {
                self.say(place, "needs `find`");
            }
            None => {}
        }
    }
}

/// Whether a line has a field that is read.
fn line_field(def: &EntityDef, list: &str, field: &str) -> bool {
    match def.fields.get(list) {
        Some(Field::Each(each)) => each.object().is_some_and(|fields| fields.get(field).is_some()),
        _ => false,
    }
}

/// The names of steps that a request names.
fn step_names(request: &Request) -> Vec<&str> {
    let placeholders = request.templates().into_iter().flat_map(Template::placeholders);
    let steps = placeholders.filter(|one| one.root == "steps");
    steps.filter_map(|one| one.path.keys().next()).collect()
}
