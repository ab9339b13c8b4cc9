//! Attacks on one workspace's things with another's keys: made for every operation of an OpenAPI
//! document, judged by rules that know nothing of any single one.

use std::collections::BTreeMap;

use futures::future::join_all;
use http::Method;
use millwright_entities::Entity;
use millwright_tests::api::{Answer, Api};
use serde_json::Value;

/// What an attacker knows of the other workspace's things.
#[derive(Clone, Debug, Default)]
pub struct Loot {
    /// The value of each path's parameters, by the path as the document has it.
    pub places: BTreeMap<String, Vec<(String, String)>>,
    /// Values of parameters in queries that name things, by the parameter's name.
    pub queries: BTreeMap<String, String>,
    /// Bodies by operation, where the operation takes one and a body matters.
    pub bodies: BTreeMap<String, Value>,
    /// The connection that data calls name.
    pub connection: String,
    /// Texts that are nowhere but in the other workspace.
    pub needles: Vec<String>,
}

/// An operation of the document.
#[derive(Clone, Debug)]
pub struct Target {
    pub id: String,
    method: Method,
    path: String,
    /// Its parameters: where they stand, and their names.
    parameters: Vec<(String, String)>,
    takes_body: bool,
    /// Whether anybody may call it, without a key.
    open: bool,
}

impl Target {
    /// All operations of a document.
    pub fn all(document: &Value) -> Vec<Self> {
        let mut targets = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let parameter = |own: &Value| {
                    let own = resolved(document, own);
                    let text = |name: &str| own[name].as_str().unwrap_or_default().to_owned();
                    (text("in"), text("name"))
                };
                targets.push(Self {
                    id: operation["operationId"].as_str().expect("a name").to_owned(),
                    method: method.to_uppercase().parse().expect("a method"),
                    path: path.clone(),
                    parameters: parameters.iter().map(parameter).collect(),
                    takes_body: operation.get("requestBody").is_some(),
                    open: operation.get("security").is_some(),
                });
            }
        }
        targets
    }

    fn names(&self, place: &str) -> impl Iterator<Item = &str> {
        let own = self.parameters.iter().filter(move |(at, _)| at == place);
        own.map(|(_, name)| name.as_str())
    }

    /// Whether it is about a thing of the other workspace, named in its path or by `Connection-Id`.
    fn is_about_theirs(&self, loot: &Loot) -> bool {
        let named = loot.places.get(&self.path).is_some_and(|values| !values.is_empty());
        let catalogue = ["/v1/connectors", "/v1/entities", "/v1/event-types"]
            .iter()
            .any(|own| self.path.starts_with(own));
        (named && !catalogue) || self.is_data()
    }

    /// What it is whichever entity it is about.
    fn kind(&self) -> String {
        let entity = Entity::ALL.iter().map(|entity| entity.slug).find(|slug| {
            self.path.strip_prefix("/v1/").and_then(|path| path.split('/').next()) == Some(slug)
        });
        let path = entity.map(|slug| self.path.replacen(slug, "{entity}", 1));
        format!("{} {}", self.method, path.as_ref().unwrap_or(&self.path))
    }

    fn is_data(&self) -> bool {
        self.names("header").any(|name| name.eq_ignore_ascii_case("connection-id"))
    }

    /// The ways to ask for it with what is known; why there is none otherwise.
    fn calls(&self, loot: &Loot) -> Result<Vec<Call>, String> {
        let path = self.path_with(loot)?;
        let body = loot.bodies.get(&self.id).cloned();
        if self.takes_body && body.is_none() && !self.is_data() && !self.open {
            return Err("it takes a body, and there is none to attack it with".to_owned());
        }
        let call = |query: String| Call {
            method: self.method.clone(),
            path: format!("{path}{query}"),
            body: body.clone(),
            about: self.is_data().then(|| loot.connection.clone()),
        };
        let mut calls = vec![call(String::new())];
        for name in self.names("query") {
            match loot.queries.get(name) {
                Some(value) => calls.push(call(format!("?{name}={value}"))),
                None if name.ends_with("_id") || name.ends_with("_ids") => {
                    return Err(format!("no value to attack its parameter {name} with"));
                }
                None => {}
            }
        }
        Ok(calls)
    }

    fn path_with(&self, loot: &Loot) -> Result<String, String> {
        let values = loot.places.get(&self.path).cloned().unwrap_or_default();
        let mut path = self.path.clone();
        for (name, value) in values {
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        match path.contains('{') {
            true => Err("no value to attack its path with".to_owned()),
            false => Ok(path),
        }
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let place = value.get("$ref").and_then(Value::as_str).and_then(|own| own.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(value)
}

struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
    about: Option<String>,
}

/// Attacks every operation with every one of the attacker's callers, all of them at once; what crossed,
/// and what was not attacked at all. With how many calls. The operations on records are the same for
/// every entity: after the first entity, each is attacked by one of the callers in turn, unless it is to
/// be `thorough`.
pub async fn attack(
    targets: &[Target],
    loot: &Loot,
    attackers: &[(&str, Api)],
    thorough: bool,
) -> (usize, Vec<String>) {
    let mut faults = Vec::new();
    let mut count = 0;
    let mut kin: BTreeMap<String, usize> = BTreeMap::new();
    for target in targets {
        let calls = match target.calls(loot) {
            Ok(calls) => calls,
            Err(why) => {
                faults.push(format!("{} {} ({}): {why}", target.method, target.path, target.id));
                continue;
            }
        };
        let before = kin.entry(target.kind()).or_default();
        let (place, first) = (*before % attackers.len(), *before == 0 || thorough);
        *before += 1;
        let callers = if first { attackers } else { &attackers[place..=place] };
        for call in &calls {
            count += callers.len();
            let made = callers.iter().map(|(who, api)| attacked(target, loot, call, who, api));
            faults.extend(join_all(made).await.into_iter().flatten());
        }
    }
    (count, faults)
}

/// One call; what is wrong with its answer.
async fn attacked(
    target: &Target,
    loot: &Loot,
    call: &Call,
    who: &str,
    api: &Api,
) -> Option<String> {
    let api = call.about.as_ref().map_or_else(|| api.clone(), |own| api.about(own));
    let answer = api.call(call.method.clone(), &call.path, call.body.as_ref()).await;
    let why = judge(target, loot, &answer)?;
    Some(format!("{} {} with {who}: {why}", call.method, call.path))
}

/// An answer without what its own askers have named: their log tells what they tried it on.
fn told_by_others(target: &Target, body: &Value) -> Value {
    let mut body = body.clone();
    if target.path == "/v1/audit-log" {
        let entries = body["data"].as_array_mut().into_iter().flatten();
        entries.filter_map(Value::as_object_mut).for_each(|entry| {
            entry.retain(|name, _| !["target_id", "connection_id"].contains(&name.as_str()));
        });
    }
    body
}

/// What is wrong with an answer.
fn judge(target: &Target, loot: &Loot, answer: &Answer) -> Option<String> {
    let text = format!("{:?} {}", answer.headers, told_by_others(target, &answer.body));
    if answer.status >= 500 {
        return Some(format!("{} {}", answer.status, answer.body));
    }
    if target.is_about_theirs(loot)
        && !target.open
        && ![400, 401, 403, 404].contains(&answer.status)
    {
        return Some(format!("{} {}", answer.status, answer.body));
    }
    if answer.status < 400
        && let Some(needle) = loot.needles.iter().find(|needle| text.contains(needle.as_str()))
    {
        return Some(format!("{} tells {needle}: {}", answer.status, answer.body));
    }
    None
}
