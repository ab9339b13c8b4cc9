//! What is put here is what dynoxide would have put, and is answered as it would have answered.

use std::collections::BTreeMap;

use dynoxide::types::MAX_ITEM_SIZE;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{insert::STATEMENTS_MAX, plan::KEY_MAX, *};
use crate::dynamo::{
    create_tables, names,
    tables::{Tables, act},
};

struct Fresh {
    _folder: TempDir,
    tables: Tables,
    plans: Plans,
}

fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let tables = Tables::open(&folder.path().join("dynamo.sqlite")).unwrap();
    create_tables(&tables).unwrap();
    let plans = tables.plans(names()).unwrap();
    assert_eq!(plans.len(), names().len());
    Fresh { _folder: folder, tables, plans }
}

impl Fresh {
    fn quick(&self, operation: &str, body: &Value) -> Option<Value> {
        let body = serde_json::to_vec(body).unwrap();
        let answer = Ready::of(&self.plans, operation, &body)?.run(self.tables.storage.conn())?;
        Some(serde_json::from_slice(&answer).unwrap())
    }

    fn batch(&self, body: &Value) -> Option<Value> {
        self.quick("BatchExecuteStatement", body)
    }

    fn dynoxide(&self, operation: &str, body: &Value) -> dynoxide::Result<Value> {
        let answer = act(&self.tables.storage, operation, &serde_json::to_vec(body).unwrap())?;
        Ok(serde_json::from_slice(&answer).unwrap())
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
fn some_row(chance: &mut StdRng) -> Vec<(&'static str, Value)> {
    let mut values = vec![
        ("pk", text(["a", "ws#conn#größer", "b\"\\"][chance.random_range(0..3)])),
        ("sk", text(&chance.random_range(0..40).to_string())),
        ("version", json!({"N": chance.random_range(1..4).to_string()})),
        ("doc", text("{\"a\": \"\u{1F600}\", \"b\": [1.50]}")),
    ];
    let number = chance.random_range(-3_i64..2_000_000_000_000).to_string();
    let ends = chance.random_range(99..102).to_string();
    let places = [
        ("created_at", text("2026-01-01#k")),
        ("updated_at", text(["2026-02-02#k", "2026-02-03#k"][chance.random_range(0..2)])),
        ("due", text("retry#7")),
        ("due_at", json!({"N": number})),
        ("attempt_at", json!({"N": "0"})),
        ("due_work", text(["{}", "[]"][chance.random_range(0..2)])),
        ("failed", text("ws#ep")),
        ("failed_at", json!({"N": "1800000000000"})),
        ("expires_at", json!({"N": ends})),
        ("body", text("")),
    ];
    values.extend(places.into_iter().filter(|_| chance.random_bool(0.5)));
    values
}

fn some_table(chance: &mut StdRng) -> String {
    names()[chance.random_range(0..2)].clone()
}

fn some_insert(chance: &mut StdRng) -> Value {
    let table = some_table(chance);
    insert(&table, &some_row(chance))
}

/// A put, a deletion or a check, with one of the conditions that the store writes.
fn some_write(chance: &mut StdRng) -> (&'static str, Value) {
    let row = some_row(chance);
    let object = |values: &[(&str, Value)]| -> Value {
        Value::Object(
            values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        )
    };
    let mut asked = json!({"TableName": some_table(chance)});
    let (condition, name, value) = [
        ("attribute_not_exists(pk) OR expires_at <= :now", ":now", "100"),
        ("attribute_exists(pk) AND version > :zero", ":zero", "0"),
        ("version = :version", ":version", "2"),
    ][chance.random_range(0..3)];
    let kind = ["Put", "Put", "Delete", "ConditionCheck"][chance.random_range(0..4)];
    if kind == "ConditionCheck" || chance.random_bool(0.7) {
        asked["ConditionExpression"] = json!(condition);
        asked["ExpressionAttributeValues"] = json!({name: {"N": value}});
    }
    match kind {
        "Put" => asked["Item"] = object(&row),
        _ => asked["Key"] = object(&row[..2]),
    }
    (kind, asked)
}

#[test]
fn rows_indexes_and_answers_are_those_of_dynoxide() {
    let (here, there) = (fresh(), fresh());
    let (mut chance, mut quick) = (StdRng::seed_from_u64(38), 0);
    for _ in 0..120 {
        let count = chance.random_range(1..=STATEMENTS_MAX);
        let statements: Vec<Value> = (0..count).map(|_| some_insert(&mut chance)).collect();
        let body = batch(&statements);
        match (here.batch(&body), there.dynoxide("BatchExecuteStatement", &body)) {
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

/// Puts and deletions without conditions; now and then of one row twice, which is refused.
fn some_batch(chance: &mut StdRng) -> Value {
    let mut tables: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for _ in 0..chance.random_range(1..6) {
        let row = some_row(chance);
        let request = match chance.random_bool(0.5) {
            true => json!({"PutRequest": {"Item": row.into_iter().collect::<BTreeMap<_, _>>()}}),
            false => json!({"DeleteRequest": {"Key": {"pk": row[0].1, "sk": row[1].1}}}),
        };
        tables.entry(some_table(chance)).or_default().push(request);
    }
    json!({"RequestItems": tables})
}

/// An operation of the kinds that are done here.
fn some_operation(chance: &mut StdRng) -> (&'static str, Value) {
    match some_write(chance) {
        ("Put", put) if chance.random_bool(0.5) => ("PutItem", put),
        ("Delete", delete) if chance.random_bool(0.5) => ("DeleteItem", delete),
        ("Put" | "Delete", _) if chance.random_bool(0.3) => ("BatchWriteItem", some_batch(chance)),
        (kind, first) => {
            let mut writes = vec![json!({kind: first})];
            for _ in 0..chance.random_range(0..3) {
                let (kind, write) = some_write(chance);
                writes.push(json!({kind: write}));
            }
            ("TransactWriteItems", json!({"TransactItems": writes}))
        }
    }
}

#[test]
fn writes_under_conditions_come_out_as_with_dynoxide() {
    let (here, there) = (fresh(), fresh());
    let (mut chance, mut quick, mut refused) = (StdRng::seed_from_u64(380), 0, 0);
    for _ in 0..1_500 {
        let (operation, body) = some_operation(&mut chance);
        match (here.quick(operation, &body), there.dynoxide(operation, &body)) {
            (Some(own), answer) => {
                quick += 1;
                assert_eq!(own, answer.unwrap(), "{operation} {body}");
            }
            // What succeeds is done here.
            (None, answer) => {
                refused += 1;
                assert!(answer.is_err(), "{operation} {body}");
            }
        }
        assert!(here.tables.storage.conn().is_autocommit());
    }
    assert_eq!(here.held(), there.held());
    assert!(quick > 400 && refused > 400, "{quick} {refused}");
}

#[test]
fn a_row_is_answered_as_dynoxide_answers_it() {
    let fresh = fresh();
    let mut chance = StdRng::seed_from_u64(3_800);
    for _ in 0..200 {
        let (table, row) = (some_table(&mut chance), some_row(&mut chance));
        let item: Value =
            row.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        fresh.dynoxide("PutItem", &json!({"TableName": table, "Item": item})).unwrap();
        for sk in [row[1].1.clone(), text("none")] {
            let key = json!({"pk": row[0].1, "sk": sk});
            let asked = json!({"TableName": table, "Key": key, "ConsistentRead": true});
            let own = fresh.quick("GetItem", &asked).unwrap();
            assert_eq!(own, fresh.dynoxide("GetItem", &asked).unwrap());
        }
    }
    let sets = json!({"pk": text("a"), "sk": text("sets"), "x": {"NS": ["3", "1", "2"]}});
    let table = &names()[0];
    fresh.dynoxide("PutItem", &json!({"TableName": table, "Item": sets})).unwrap();
    let key = json!({"pk": text("a"), "sk": text("sets")});
    assert!(fresh.quick("GetItem", &json!({"TableName": table, "Key": key})).is_none());
    let part = json!({"TableName": table, "Key": key, "ProjectionExpression": "sk"});
    assert!(fresh.quick("GetItem", &part).is_none());
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
        assert!(fresh.batch(&batch(&[plain(), other.clone()])).is_none(), "{other}");
    }
    let counted = json!({"Statements": [plain()], "ReturnConsumedCapacity": "TOTAL"});
    assert!(fresh.batch(&counted).is_none());
    let many = |count: usize| {
        let row = |n: usize| insert(state, &[("pk", text("m")), ("sk", text(&n.to_string()))]);
        batch(&(0..count).map(row).collect::<Vec<_>>())
    };
    assert!(fresh.batch(&many(0)).is_none() && fresh.batch(&many(26)).is_none());
    assert!(fresh.held().values().all(Vec::is_empty));
    assert!(fresh.batch(&many(25)).is_some());
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
    assert!(fresh.batch(&body).is_none());
    assert!(connection.is_autocommit() && rows(connection, records).is_empty());
    connection.execute_batch(&format!("ALTER TABLE away RENAME TO \"{index}\"")).unwrap();
    assert!(fresh.batch(&body).is_some());
    assert_eq!((rows(connection, records).len(), rows(connection, &index).len()), (2, 1));
}
