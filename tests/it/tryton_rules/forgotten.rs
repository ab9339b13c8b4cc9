//! What the live server refuses, beside what `/v1/meta` says: a rule that the manifest forgot, or one
//! that it made up, is found.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    past::{MANIFEST, open},
    world::World,
};

const ENTITIES: [&str; 3] = ["purchase-orders", "receivings", "vendors"];

/// Differences that are meant: entity, record, what is tried, field or action, and why.
const MEANT: [(&str, &str, &str, &str, &str); 11] = [
    (ORDERS, "new", "create_without", "lineItems", "without lines it cannot be quoted"),
    (
        ORDERS,
        "new",
        "create_without",
        "lineItems.materialKey",
        "without it, it cannot be processed",
    ),
    (ORDERS, "new", "create_without", "lineItems.price", "without it, it cannot be confirmed"),
    (ORDERS, "new", "create_without", "lineItems.uomKey", "we take that of the product"),
    (ORDERS, "draft", "empty", "lineItems.materialKey", "without it, it cannot be processed"),
    (ORDERS, "draft", "empty", "lineItems.price", "without it, it cannot be confirmed"),
    (ORDERS, "draft", "empty", "locationKey", "without a warehouse it cannot be quoted"),
    (ORDERS, "cancelled", "remove_line", "lineItems", "where none can be added, none is removed"),
    (ORDERS, "confirmed", "action", "process", "an account is missing: it got no further for that"),
    ("vendors", "true", "change", "addresses", "an address has no key to name it by"),
    ("vendors", "false", "change", "addresses", "an address has no key to name it by"),
];
const ORDERS: &str = "purchase-orders";

#[tokio::test]
async fn what_the_live_server_refuses_is_what_meta_says() {
    let world = World::new().await;
    let tries = world.tryton.refusals();
    let tries = tries.as_array().unwrap();
    let mut found = BTreeSet::new();
    for entity in ENTITIES {
        let meta = world.api.get(&format!("/v1/meta/{entity}")).await;
        let of = of(tries, entity);
        everything_is_tried(&world, &meta, &of).await;
        found.extend(differences(&meta, &of));
    }
    let meant: BTreeSet<String> = MEANT
        .iter()
        .map(|(entity, record, what, name, _)| words(entity, record, what, name))
        .collect();
    let new: Vec<_> = found.difference(&meant).collect();
    let gone: Vec<_> = meant.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not listed: {new:#?}\nno longer so: {gone:#?}");
    a_rule_that_is_taken_out_is_found(&world, tries, &found);
}

/// Each of these lines of the manifest, without its rule, makes a difference that was not there.
fn a_rule_that_is_taken_out_is_found(world: &World, tries: &[Value], before: &BTreeSet<String>) {
    for (line, without, missed) in [
        (
            "description: { to: description, writable_when: { status: [draft] } }\n        orderDate",
            "description: { to: description }\n        orderDate",
            "purchase-orders quotation: change description",
        ),
        (
            "name: { to: name, writable_when: { isActive: [true] } }",
            "name: { to: name }",
            "vendors false: change name",
        ),
        (
            "add_remove_when: { status: [draft] }",
            "add_remove_when: { status: [draft, processing] }",
            "purchase-orders processing: add_line lineItems",
        ),
        (
            "title: Quote\n          from: [draft]",
            "title: Quote\n          from: [draft, cancelled]",
            "purchase-orders cancelled: action quote",
        ),
        (
            "mode: hard\n        when: { status: [draft, cancelled] }",
            "mode: hard",
            "purchase-orders quotation: delete ",
        ),
        (
            "references: currencies, required: kept,",
            "references: currencies,",
            "purchase-orders draft: empty currencyKey",
        ),
    ] {
        assert!(MANIFEST.contains(line), "{line}");
        let system = open(&MANIFEST.replace(line, without), &world.tryton, &world.connection);
        let entity = missed.split(' ').next().unwrap();
        let meta = serde_json::to_value(system.meta(entity).unwrap()).unwrap();
        let found = differences(&meta, &of(tries, entity));
        assert!(found.contains(missed) && !before.contains(missed), "{missed}: {found:#?}");
    }
}

fn of<'a>(tries: &'a [Value], entity: &str) -> Vec<&'a Value> {
    tries.iter().filter(|one| one["entity"] == entity).collect()
}

fn words(entity: &str, record: &str, what: &str, name: &str) -> String {
    format!("{entity} {record}: {what} {name}")
}

/// The value that tells the record: its status, or whether it is active.
fn told(record: &Value) -> String {
    match record.as_object().unwrap().values().next() {
        None => "new".to_owned(),
        Some(Value::String(status)) => status.clone(),
        Some(other) => other.to_string(),
    }
}

/// The tries that went otherwise than a meta says.
fn differences(meta: &Value, tries: &[&Value]) -> BTreeSet<String> {
    let meta = Meta(meta);
    let differs = |one: &&&Value| {
        let allowed = meta.allows(&one["record"], one["what"].as_str().unwrap(), &one["name"]);
        allowed != one["refused"].is_null()
    };
    let tell = |one: &&Value| {
        let name = one["name"].as_str().unwrap_or_default();
        let what = one["what"].as_str().unwrap();
        words(one["entity"].as_str().unwrap(), &told(&one["record"]), what, name)
    };
    tries.iter().filter(differs).map(tell).collect()
}

/// What `/v1/meta/<entity>` says, read as a caller would.
struct Meta<'a>(&'a Value);

impl<'a> Meta<'a> {
    fn field(&self, path: &str) -> &'a Value {
        let fields = self.0["fields"].as_array().unwrap();
        fields.iter().find(|field| field["path"] == path).unwrap_or(&Value::Null)
    }

    fn allows(&self, record: &Value, what: &str, name: &Value) -> bool {
        let operations = &self.0["operations"];
        let name = name.as_str().unwrap_or_default();
        let field = self.field(name);
        match what {
            "create_with" => is_one(&field["writable"], &["create", "both"]),
            "create_without" => field["required"]["create"] != json!(true),
            "change" => self.changes(record, name),
            "empty" => self.changes(record, name) && field["required"]["nullable"] == json!(true),
            "add_line" | "remove_line" => {
                let changes = &field["line_changes"];
                let verb = what.trim_end_matches("_line");
                self.changes(record, name)
                    && changes[verb] == json!(true)
                    && holds(&changes["add_remove_when"], record)
            }
            "delete" => {
                let delete = &operations["delete"];
                delete["supported"] == json!(true) && holds(&delete["when"], record)
            }
            "action" => {
                let actions = self.0["actions"].as_array().unwrap();
                let action = actions.iter().find(|action| action["name"] == name);
                action.is_some_and(|action| {
                    let from = action["from_statuses"].as_array().unwrap();
                    let fits = from.is_empty() || from.contains(&record["status"]);
                    fits && holds(&action["when"], record)
                })
            }
            other => panic!("what is {other}"),
        }
    }

    fn changes(&self, record: &Value, path: &str) -> bool {
        let update = &self.0["operations"]["update"];
        let field = self.field(path);
        let outer = path.split_once('.').is_none_or(|(outer, _)| self.changes(record, outer));
        let locked = &field["immutable_when"];
        outer
            && update["supported"] == json!(true)
            && holds(&update["when"], record)
            && is_one(&field["writable"], &["update", "both"])
            && holds(&field["writable_when"], record)
            && (locked.is_null() || !holds(locked, record))
    }
}

fn is_one(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|word| words.contains(&word))
}

fn holds(when: &Value, record: &Value) -> bool {
    let Some(when) = when.as_object() else { return true };
    when.iter().all(|(name, values)| values.as_array().unwrap().contains(&record[name]))
}

/// Every field that can be given, every action and deleting are tried, in every status.
async fn everything_is_tried(world: &World, meta: &Value, tries: &[&Value]) {
    let entity = meta["entity"].as_str().unwrap();
    let statuses = world.api.all("/v1/statuses?limit=500").await;
    let statuses = statuses.iter().filter(|status| status["entity"] == entity);
    let mut records: Vec<Value> =
        statuses.map(|status| json!({ "status": status["code"] })).collect();
    if records.is_empty() {
        records = vec![json!({ "isActive": true }), json!({ "isActive": false })];
    }
    let has = |record: &Value, what: &str, name: &Value| {
        let is_it = |one: &&&Value| {
            (&one["record"], &one["what"], &one["name"]) == (record, &json!(what), name)
        };
        assert!(
            tries.iter().any(|one| is_it(&one)),
            "{entity} {record} {what} {name} is not tried"
        );
    };
    for field in meta["fields"].as_array().unwrap() {
        let (path, lines) = (&field["path"], !field["line_changes"].is_null());
        let outer = path.as_str().unwrap().split('.').next().unwrap();
        // The parts of an address have no rules.
        if outer == "addresses" && outer != path {
            continue;
        }
        if is_one(&field["writable"], &["create", "both"]) {
            has(&json!({}), "create_without", path);
        }
        if !is_one(&field["writable"], &["update", "both"]) {
            continue;
        }
        for record in &records {
            for what in if lines { ["add_line", "remove_line"] } else { ["change", "change"] } {
                has(record, what, path);
            }
        }
    }
    for record in &records {
        for action in meta["actions"].as_array().unwrap() {
            has(record, "action", &action["name"]);
        }
        if meta["operations"]["delete"]["supported"] == json!(true) {
            has(record, "delete", &Value::Null);
        }
    }
}
