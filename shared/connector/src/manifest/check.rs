//! Whether the parts of a manifest fit together.

use millwright_entities::Entity;

use super::{
    Auth, EntityDef, FieldKind, Incremental, Login, LookupValue, Manifest, Paging, Protocol,
    Request, WriteField,
};
use crate::{table::Table, template::Template};

/// Everything that is wrong, each with its place in the file.
pub(super) fn problems(manifest: &Manifest) -> Vec<String> {
    let mut check = Check { manifest, found: Vec::new() };
    check.identity();
    check.protocol();
    check.auth();
    for (name, snippet) in manifest.snippets.iter() {
        check.template(&format!("snippets.{name}"), snippet, &[]);
    }
    check.probe();
    for (slug, def) in manifest.entities.iter() {
        check.entity(slug, def);
    }
    check.found
}

struct Check<'a> {
    manifest: &'a Manifest,
    found: Vec<String>,
}

impl Check<'_> {
    fn say(&mut self, place: &str, what: impl AsRef<str>) {
        self.found.push(format!("{place}: {}", what.as_ref()));
    }

    fn identity(&mut self) {
        let manifest = self.manifest;
        if !is_slug(&manifest.id) {
            self.say("id", "has lower-case letters, digits and hyphens");
        }
        if ![1, 2, 4].contains(&manifest.tier) {
            self.say("tier", "is 1, 2 or 4");
        }
        let limits = &manifest.limits;
        if limits.page_size == 0
            || limits.page_size > limits.page_size_max
            || limits.concurrency == 0
            || limits.ids_per_request == 0
        {
            self.say("limits", "are at least 1, and page_size is at most page_size_max");
        }
        if manifest.settings.fields().iter().any(|field| field.kind == FieldKind::Secret) {
            self.say("settings", "hold no secret: it belongs into the credentials");
        }
        for form in [&manifest.settings, &manifest.credentials] {
            for field in form.fields() {
                if let Some(Err(why)) = field.default.as_ref().map(|value| field.normalised(value))
                {
                    self.say(&field.name, format!("its default {why}"));
                }
            }
        }
    }

    fn protocol(&mut self) {
        let Protocol::Http(http) = &self.manifest.protocol else { return };
        for placeholder in http.base_url.placeholders() {
            if placeholder.root != "settings" {
                self.say("protocol.http.base_url", "may only name settings");
            }
        }
        self.template("protocol.http.base_url", &http.base_url, &[]);
        for (name, header) in http.headers.iter() {
            self.template(&format!("protocol.http.headers.{name}"), header, &[]);
        }
        if let Some(path) = &http.json_rpc {
            self.template("protocol.http.json_rpc", path, &[]);
        }
        if self.manifest.probe.is_none() {
            self.say("probe", "is missing");
        }
    }

    fn auth(&mut self) {
        match &self.manifest.auth {
            Auth::None => {}
            Auth::Basic(basic) => {
                for template in [&basic.username, &basic.password] {
                    self.template("auth.basic", template, &["credentials"]);
                }
            }
            Auth::Headers(headers) => self.headers("auth.headers", headers),
            Auth::Login(login) => self.login(login),
        }
    }

    fn login(&mut self, login: &Login) {
        for (position, step) in login.steps.iter().enumerate() {
            let place = format!("auth.login.steps[{position}]");
            self.request(&place, &step.request, &["credentials"]);
            for (name, template) in step.keep.iter() {
                let place = format!("{place}.keep.{name}");
                self.template(&place, template, &["credentials", "answer"]);
            }
        }
        self.headers("auth.login.headers", &login.headers);
    }

    fn headers(&mut self, place: &str, headers: &Table<Template>) {
        for (name, template) in headers.iter() {
            self.template(&format!("{place}.{name}"), template, &["credentials"]);
        }
    }

    fn probe(&mut self) {
        let Some(probe) = &self.manifest.probe else { return };
        self.request("probe.request", &probe.request, &[]);
        if probe.instance.id.is_empty() {
            self.say("probe.instance.id", "names nothing");
        }
    }

    fn entity(&mut self, slug: &str, def: &EntityDef) {
        let place = format!("entities.{slug}");
        let Some(entity) = Entity::find(slug) else {
            return self.say(&place, "is not an entity of the unified model");
        };
        let properties = &entity.schema()["properties"];
        for (name, field) in def.fields.iter() {
            if properties.get(name).is_none() {
                self.say(&format!("{place}.fields.{name}"), "is not a field of this entity");
            }
            for target in field.references() {
                if !is_slug(target) {
                    self.say(&format!("{place}.fields.{name}"), "references no entity");
                }
            }
        }
        self.reading(&place, def);
        self.statuses(&place, def, properties);
        self.writing(&place, def, properties);
    }

    fn reading(&mut self, place: &str, def: &EntityDef) {
        let http = matches!(self.manifest.protocol, Protocol::Http(_));
        let sweep = def.sweep().map(|sweep| (&sweep.request, &sweep.paging));
        let parts = [
            (
                "read",
                Some((&def.read.request, &def.read.paging)),
                &["page", "window", "fields"][..],
            ),
            ("get", Some((&def.get.request, &def.read.paging)), &["ids", "fields"]),
            ("deletes.sweep", sweep, &["page"]),
        ];
        for (part, found, roots) in parts {
            let place = format!("{place}.{part}");
            match found {
                Some((Some(request), paging)) => {
                    self.request(&place, request, roots);
                    self.paging(&place, request, paging, roots.contains(&"page"));
                }
                Some((None, _)) if http => self.say(&place, "has no request"),
                _ => {}
            }
        }
        if def.sweep().is_some_and(|sweep| sweep.page_size == 0 || sweep.every_runs == 0) {
            self.say(&format!("{place}.deletes.sweep"), "page_size and every_runs are at least 1");
        }
        self.incremental(&format!("{place}.incremental"), def, http);
    }

    fn incremental(&mut self, place: &str, def: &EntityDef, http: bool) {
        let Incremental::Filter(filter) = &def.incremental else { return };
        if http && filter.window.is_none() {
            self.say(place, "needs a `window`");
        }
        for template in filter.window.iter().chain(&filter.everything) {
            self.template(place, template, &["since"]);
        }
        for stream in &filter.streams {
            let place = format!("{place}.streams.{}", stream.name);
            self.request(&place, &stream.request, &["page", "window", "since"]);
            self.paging(&place, &stream.request, &stream.paging, true);
        }
    }

    /// Without `{page.after}` in it a request would read its first page for ever.
    fn paging(&mut self, place: &str, request: &Request, paging: &Paging, paged: bool) {
        let Paging::IdAfter(_) = paging;
        let after =
            request.templates().into_iter().flat_map(Template::placeholders).any(|placeholder| {
                placeholder.root == "page" && placeholder.path.as_str() == "after"
            });
        if paged && !after {
            self.say(place, "pages by id and does not name {page.after}");
        }
    }

    fn statuses(&mut self, place: &str, def: &EntityDef, properties: &serde_json::Value) {
        let states = properties["state"]["enum"].as_array();
        for (code, status) in def.statuses.iter() {
            let known = states.is_some_and(|states| {
                states.iter().any(|state| state.as_str() == Some(&status.state))
            });
            if !known {
                let place = format!("{place}.statuses.{code}");
                self.say(&place, format!("`{}` is not a state of this entity", status.state));
            }
        }
        if def.status.is_some() == def.statuses.is_empty() {
            self.say(place, "has both `status` and `statuses`, or neither");
        }
    }

    fn writing(&mut self, place: &str, def: &EntityDef, properties: &serde_json::Value) {
        let Some(create) = &def.write.create else { return };
        let place = format!("{place}.write.create");
        match &create.request {
            Some(request) => self.request(&place, request, &["record"]),
            None if matches!(self.manifest.protocol, Protocol::Http(_)) => {
                self.say(&place, "has no request");
            }
            None => {}
        }
        for (name, lookup) in create.lookups.iter() {
            self.request(&format!("{place}.lookups.{name}"), &lookup.request, &["ids"]);
        }
        for (name, field) in create.fields.iter() {
            let place = format!("{place}.fields.{name}");
            if properties.get(name).is_none() {
                self.say(&place, "is not a field of this entity");
            }
            self.write_field(&place, field, &create.lookups);
        }
        for (name, value) in create.extra.iter() {
            self.lookup(&format!("{place}.extra.{name}"), value, &create.lookups);
        }
    }

    fn write_field<T>(&mut self, place: &str, field: &WriteField, lookups: &Table<T>) {
        match field {
            WriteField::Value(field) => {
                if let Some(value) = &field.lookup {
                    self.lookup(place, value, lookups);
                }
            }
            WriteField::Lines(lines) => {
                if let Some(wrap) = &lines.wrap {
                    self.template(&format!("{place}.wrap"), wrap, &["lines"]);
                }
                for (name, field) in lines.fields.iter() {
                    self.write_field(&format!("{place}.fields.{name}"), field, lookups);
                }
                for (name, value) in lines.extra.iter() {
                    self.lookup(&format!("{place}.extra.{name}"), value, lookups);
                }
            }
        }
    }

    fn lookup<T>(&mut self, place: &str, value: &LookupValue, lookups: &Table<T>) {
        if lookups.get(&value.lookup).is_none() {
            self.say(place, format!("there is no lookup `{}`", value.lookup));
        }
    }

    fn request(&mut self, place: &str, request: &Request, roots: &[&str]) {
        if let Request::Call(_) = request {
            let rpc = match &self.manifest.protocol {
                Protocol::Http(http) => http.json_rpc.is_some(),
                Protocol::Sandbox => false,
            };
            if !rpc {
                self.say(place, "is a call, and the protocol has no `json_rpc`");
            }
        }
        for template in request.templates() {
            self.template(place, template, roots);
        }
    }

    /// `roots` may be named beside what may be named anywhere: settings, session and snippets.
    fn template(&mut self, place: &str, template: &Template, roots: &[&str]) {
        for placeholder in template.placeholders() {
            let root = placeholder.root.as_str();
            let name = placeholder.path.keys().next().unwrap_or_default();
            let known = match root {
                "settings" => self.manifest.settings.has(name),
                "credentials" => {
                    roots.contains(&"credentials") && self.manifest.credentials.has(name)
                }
                "session" => self.keeps(name),
                "snippets" => {
                    !place.starts_with("snippets.") && self.manifest.snippets.get(name).is_some()
                }
                other => roots.contains(&other),
            };
            if !known {
                let dot = if name.is_empty() { "" } else { "." };
                self.say(place, format!("`{{{root}{dot}{name}}}` cannot be named here"));
            }
        }
    }

    fn keeps(&self, name: &str) -> bool {
        match &self.manifest.auth {
            Auth::Login(login) => login.steps.iter().any(|step| step.keep.get(name).is_some()),
            _ => false,
        }
    }
}

fn is_slug(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(fine)
}
