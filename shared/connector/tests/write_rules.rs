//! Write rules as data, on a made-up system that needs every kind of them.

mod support;

use std::{collections::BTreeMap, sync::Arc};

use millwright_connector::{Catalog, EntityMeta, Manifest, check_examples, manifest::WriteOp};
use serde_json::Value;

const WORKS: &str = include_str!("fixtures/works.yaml");

fn works() -> Manifest {
    Manifest::read(WORKS).unwrap()
}

#[test]
fn every_rule_has_an_example_that_it_accepts_and_one_that_it_refuses() {
    assert_eq!(check_examples(&works()), [""; 0]);
}

#[test]
fn catalog() {
    Catalog::of([WORKS]).unwrap();
}

#[test]
fn a_codec_that_cannot_write_what_the_field_holds_is_refused() {
    for (what, instead, said) in [
        ("notes: { to: notes,", "notes: { to: notes, codec: html,", "fields.notes.codec: cannot"),
        ("dueAt: { to: due, codec: unix_seconds,", "dueAt: { to: due,", "takes text, and the"),
        ("quantity: { to: n, codec: decimal }, n", "quantity: { to: n, codec: id }, n", "decimal"),
    ] {
        assert!(WORKS.contains(what), "{what}");
        let why = Manifest::read(&WORKS.replacen(what, instead, 1)).expect_err(instead);
        assert!(why.to_string().contains(said), "{instead}: {why}");
    }
}

#[test]
fn a_status_says_which_ones_actions_lead_to_where_all_of_them_are_known() {
    let catalog = Catalog::builtin();
    let next = |connector: &str, entity: &str| {
        let statuses =
            catalog.get(connector).unwrap().statuses(&support::connection(), entity).into_iter();
        let statuses: Vec<_> = statuses.collect();
        let code = |key: &Value| {
            let status = statuses.iter().find(|status| status["key"] == *key).unwrap();
            status["code"].as_str().unwrap().to_owned()
        };
        let codes =
            |next: &Value| -> Vec<String> { next.as_array().unwrap().iter().map(code).collect() };
        let known = statuses.iter().map(|status| {
            (status["code"].as_str().unwrap().to_owned(), status.get("allowedNext").map(codes))
        });
        known.collect::<BTreeMap<_, _>>()
    };
    let purchases = next("tryton", "purchase-orders");
    assert_eq!(purchases["draft"].as_deref().unwrap(), ["quotation", "cancelled"]);
    assert_eq!(purchases["quotation"], None, "where `confirm` ends is not fixed");
    assert_eq!(purchases["cancelled"].as_deref().unwrap(), ["draft"]);
    let orders = next("sandbox", "purchase-orders");
    assert!(orders["pending_approval"].as_ref().unwrap().contains(&"approved".to_owned()));
}

#[test]
fn the_published_schema_accepts_what_is_accepted() {
    let mut seen = 0;
    for manifest in Catalog::builtin().iter().map(Arc::as_ref).chain([&works()]) {
        for (slug, def) in manifest.entities.iter() {
            let meta = EntityMeta::of_manifest(manifest, slug).unwrap();
            for case in def.examples().unwrap() {
                let schema = match &case.operation {
                    WriteOp::Create => meta.json_schema.as_ref(),
                    WriteOp::Action(name) => {
                        let mut actions = meta.actions.iter();
                        actions.find(|one| one.name == *name).map(|one| &one.json_schema)
                    }
                    WriteOp::Update | WriteOp::Delete => None,
                };
                let Some(schema) = schema else { continue };
                let schema = jsonschema::draft202012::new(schema).unwrap();
                let body = Value::Object(case.body.clone());
                // What a schema cannot say is refused by the rules: `check_examples` has seen to that.
                if case.refused.is_empty() {
                    let found: Vec<String> =
                        schema.iter_errors(&body).map(|error| error.to_string()).collect();
                    assert_eq!(found, [""; 0], "{} {slug}: {body}", manifest.id);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 20, "{seen} examples");
}

#[test]
fn an_action_on_lines_lists_the_key_that_says_which_one_is_meant() {
    let catalog = Catalog::builtin();
    let sandbox = catalog.get("sandbox").unwrap();
    let meta = EntityMeta::of_manifest(sandbox, "purchase-orders").unwrap();
    let receive = meta.actions.iter().find(|action| action.name == "receive").unwrap();
    let key = receive.fields.iter().find(|field| field.path == "lineItems.key").unwrap();
    assert_eq!((key.kind, key.required.create), ("key", true));
}
