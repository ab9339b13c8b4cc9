//! What is put here is what dynoxide would have put, and is answered as it would have answered.

use std::collections::BTreeMap;

use dynoxide::actions::batch_execute_statement;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::dynamo::{
    create_tables, names,
    tables::{Tables, done},
};

struct Fresh {
    _folder: TempDir,
    tables: Tables,
    plans: HashMap<String, Plan>,
}

fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let mut tables = Tables::open(&folder.path().join("dynamo.sqlite")).unwrap();
    create_tables(&mut tables).unwrap();
    let plan = |name: String| {
        let plan = Plan::of(&tables.describe(&name).unwrap()).unwrap();
        (name, plan)
    };
    let plans = names().into_iter().map(plan).collect();
    Fresh { _folder: folder, tables, plans }
}

impl Fresh {
    fn quick(&self, body: &Value) -> Option<Value> {
        let body = serde_json::to_vec(body).unwrap();
        let answer = together(self.tables.storage.conn(), &self.plans, &body)?;
        Some(serde_json::to_value(answer).unwrap())
    }

    fn dynoxide(&self, body: &Value) -> dynoxide::Result<Value> {
        let request = serde_json::from_value(body.clone()).unwrap();
        let answer = done(batch_execute_statement::execute(&self.tables.storage, request))?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// Everything that stands in the file, but the tables' own descriptions.
    fn held(&self) -> BTreeMap<String, Vec<Vec<Value>>> {
        let connection = self.tables.storage.conn();
        let listed =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'millwright%'";
        let mut names = connection.prepare(listed).unwrap();
        let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
        names
            .map(|name| name.unwrap())
            .map(|name| (name.clone(), rows(connection, &name)))
            .collect()
    }
}

fn rows(connection: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut asked =
        connection.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1, 2, 3")).unwrap();
    let columns: Vec<String> = asked.column_names().into_iter().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let value = |column: &String| {
            let value: rusqlite::types::Value = row.get_unwrap(column.as_str());
            match value {
                // The order of its members is by chance.
                rusqlite::types::Value::Text(text) if column == "item_json" => {
                    let item: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
                    json!(item)
                }
                other => json!(format!("{other:?}")),
            }
        };
        Ok(columns.iter().map(value).collect())
    };
    asked.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
}

fn insert(table: &str, values: &[(&str, Value)]) -> Value {
    let names: Vec<String> = values.iter().map(|(name, _)| format!("'{name}': ?")).collect();
    let values: Vec<&Value> = values.iter().map(|(_, value)| value).collect();
    json!({
        "Statement": format!("INSERT INTO \"{table}\" VALUE {{{}}}", names.join(", ")),
        "Parameters": values,
    })
}

fn batch(statements: &[Value]) -> Value {
    json!({"Statements": statements})
}

fn text(value: &str) -> Value {
    json!({"S": value})
}

/// A row as Millwright writes them, with some of what a row can have.
fn some_row(chance: &mut StdRng) -> Value {
    let mut values = vec![
        ("pk", text(["a", "ws#conn#größer", "b\"\\"][chance.random_range(0..3)])),
        ("sk", text(&chance.random_range(0..40).to_string())),
        ("version", json!({"N": "1"})),
        ("doc", text("{\"a\": \"\u{1F600}\", \"b\": [1.50]}")),
    ];
    let number = chance.random_range(-3_i64..2_000_000_000_000).to_string();
    let places = [
        ("created_at", text("2026-01-01#k")),
        ("updated_at", text("2026-02-02#k")),
        ("due", text("retry#7")),
        ("due_at", json!({"N": number})),
        ("attempt_at", json!({"N": "0"})),
        ("due_work", text("{}")),
        ("failed", text("ws#ep")),
        ("failed_at", json!({"N": "1800000000000"})),
        ("expires_at", json!({"N": "4102444800"})),
        ("body", text("")),
    ];
    values.extend(places.into_iter().filter(|_| chance.random_bool(0.5)));
    insert(&names()[chance.random_range(0..2)], &values)
}

#[test]
fn rows_indexes_and_answers_are_those_of_dynoxide() {
    let (here, there) = (fresh(), fresh());
    let (mut chance, mut quick) = (StdRng::seed_from_u64(38), 0);
    for _ in 0..120 {
        let count = chance.random_range(1..=STATEMENTS_MAX);
        let statements: Vec<Value> = (0..count).map(|_| some_row(&mut chance)).collect();
        let body = batch(&statements);
        match (here.quick(&body), there.dynoxide(&body)) {
            (Some(own), answer) => {
                quick += 1;
                assert_eq!(own, answer.unwrap());
            }
            // Some row comes twice.
            (None, answer) => assert!(answer.is_err()),
        }
    }
    assert_eq!(here.held(), there.held());
    assert!(quick > 20 && here.held().values().all(|rows| rows.len() > 20), "{quick}");
}

#[test]
fn what_is_not_plain_is_left_alone() {
    let fresh = fresh();
    let state = &names()[0];
    let key = [("pk", text("a")), ("sk", text("b"))];
    let with = |name: &'static str, value: Value| {
        let values: Vec<_> = key.iter().cloned().chain([(name, value)]).collect();
        insert(state, &values)
    };
    let plain = || insert(state, &[("pk", text("plain")), ("sk", text("b"))]);
    for other in [
        with("x", json!({"N": "1.0"})),
        with("x", json!({"N": "007"})),
        with("x", json!({"N": "-0"})),
        with("x", json!({"N": "1e3"})),
        with("x", json!({"N": "1".repeat(39)})),
        with("x", json!({"BOOL": true})),
        with("x", json!({"L": []})),
        with("x", text(&"x".repeat(MAX_ITEM_SIZE))),
        with("due", text("")),
        with("due", json!({"N": "1"})),
        with("due_at", text("1")),
        with("a b", text("1")),
        with("pk", text("twice")),
        plain(),
        insert("another", &key),
        insert(state, &[("pk", text("a"))]),
        insert(state, &[("pk", text("")), ("sk", text("b"))]),
        insert(state, &[("pk", json!({"N": "1"})), ("sk", text("b"))]),
        insert(state, &[("pk", text("a")), ("sk", text(&"b".repeat(KEY_MAX + 1)))]),
        json!({"Statement": format!("DELETE FROM \"{state}\" WHERE pk = ? AND sk = ?"),
               "Parameters": [text("a"), text("b")]}),
        json!({"Statement": format!("INSERT INTO \"{state}\" VALUE {{'pk': ?, 'sk': 'b'}}"),
               "Parameters": [text("a")]}),
        json!({"Statement": plain()["Statement"], "Parameters": [text("a"), text("b")],
               "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
    ] {
        assert!(fresh.quick(&batch(&[plain(), other.clone()])).is_none(), "{other}");
    }
    let counted = json!({"Statements": [plain()], "ReturnConsumedCapacity": "TOTAL"});
    assert!(fresh.quick(&counted).is_none());
    let many = |count: usize| {
        let row = |n: usize| insert(state, &[("pk", text("m")), ("sk", text(&n.to_string()))]);
        batch(&(0..count).map(row).collect::<Vec<_>>())
    };
    assert!(fresh.quick(&many(0)).is_none() && fresh.quick(&many(26)).is_none());
    assert!(fresh.held().values().all(Vec::is_empty));
    assert!(fresh.quick(&many(25)).is_some());
}

#[test]
fn a_batch_that_fails_leaves_nothing_and_no_transaction() {
    let fresh = fresh();
    let records = &names()[1];
    let row = |sk: &str, more: Option<(&'static str, Value)>| {
        let key = [("pk", text("a")), ("sk", text(sk))];
        insert(records, &key.into_iter().chain(more).collect::<Vec<_>>())
    };
    let connection = fresh.tables.storage.conn();
    let index = format!("{records}::gsi::created");
    connection.execute_batch(&format!("ALTER TABLE \"{index}\" RENAME TO away")).unwrap();
    let body = batch(&[row("1", None), row("2", Some(("created_at", text("t"))))]);
    assert!(fresh.quick(&body).is_none());
    assert!(connection.is_autocommit() && rows(connection, records).is_empty());
    connection.execute_batch(&format!("ALTER TABLE away RENAME TO \"{index}\"")).unwrap();
    assert!(fresh.quick(&body).is_some());
    assert_eq!((rows(connection, records).len(), rows(connection, &index).len()), (2, 1));
}
