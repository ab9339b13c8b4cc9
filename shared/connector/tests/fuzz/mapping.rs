//! Rows that are anything: each becomes a record that its entity's schema allows, or a fault.

use std::{collections::BTreeMap, sync::OnceLock};

use jsonschema::Validator;
use millwright_connector::{Catalog, Codec, MappedField, Overlay, System};
use millwright_entities::{Entity, Kind};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{
    hold, support,
    values::{Parts, any_json, parts, row},
};

const WORKS: &str = include_str!("../fixtures/works.yaml");
const TRYTON: &str = include_str!("../../systems/tryton.yaml");
const SANDBOX: &str = include_str!("../../systems/sandbox.yaml");

/// Expressions that customers write, and some that fail on most rows.
const PROGRAMS: &[&str] = &[
    ".",
    ".id",
    ".name",
    ".a.b.c",
    "[.[]?]",
    "[.. | numbers]",
    "to_entries",
    "map(.)",
    "tostring",
    "tonumber",
    "length",
    "keys",
    ".name | test(\"(a|b)+$\")",
    "[.lines[]? | .quantity | tonumber] | add",
    "with_entries(.value |= tostring)",
    ".name | split(\",\")",
    ".name | ascii_downcase",
    "sort",
    "group_by(.a)",
    "if .id then 1 else \"x\" end",
    ". + .",
    ".id * 3",
    ".id / 0",
    ".id % 7",
    ".id - 0.1",
    "todate",
    ".id | todate",
    "(.name // \"\") + \"!\"",
    "[.] | flatten",
    ".name | gsub(\"a\"; \"b\")",
    "min_by(.id)",
    "{a: .id, b: [.name]}",
    "first(.[]?)",
    ".name | ltrimstr(\"a\") | .[0:3]",
    "null",
    "[]",
    "-0.0",
    "1e400",
];

const CODECS: &[&str] = &[
    "text",
    "json",
    "id",
    "integer",
    "boolean",
    "bit",
    "bit_text",
    "boolean_text",
    "t_or_f",
    "x_or_blank",
    "decimal",
    "decimal_text",
    "date",
    "time",
    "naive_utc",
    "site_time",
    "unix_seconds",
    "unix_millis",
    "odata_time",
    "odata_date",
    "comma_list",
    "html",
    "tryton_decimal",
    "tryton_date",
    "tryton_day_start",
    "tryton_time",
];

/// A table of fields, and what its rows may be made of.
struct Table {
    system: System,
    entity: &'static str,
    names: Vec<String>,
    words: Vec<String>,
}

/// The tables of the built-in connectors and of one that has every form.
fn tables() -> &'static [Table] {
    static TABLES: OnceLock<Vec<Table>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let engine = support::engine_with(Catalog::of([TRYTON, SANDBOX, WORKS]).unwrap());
        let url = json!({"url": "http://127.0.0.1:1"});
        let there = json!({"url": "http://127.0.0.1:1", "database": "d"});
        let credentials = [("username", "u"), ("password", "p")];
        let systems = [
            (TRYTON, engine.open(support::target("tryton", there, &credentials)).unwrap()),
            (SANDBOX, engine.open(support::target("sandbox", json!({}), &[])).unwrap()),
            (WORKS, engine.open(support::target("works", url, &[])).unwrap()),
        ];
        systems.into_iter().flat_map(|(yaml, system)| tables_of(yaml, &system)).collect()
    })
}

fn tables_of(yaml: &str, system: &System) -> Vec<Table> {
    let mut words: Vec<String> = yaml
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '-')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.sort();
    words.dedup();
    let entities = system.manifest().entities.iter();
    let table = |(slug, def): (&str, &millwright_connector::manifest::EntityDef)| Table {
        system: system.clone(),
        entity: Entity::find(slug).unwrap().slug,
        names: def.field_names(),
        words: words.clone(),
    };
    entities.map(table).collect()
}

fn schema(entity: &str) -> &'static Validator {
    static SCHEMAS: OnceLock<BTreeMap<&'static str, Validator>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        let of = |entity: &Entity| jsonschema::draft202012::new(entity.schema()).unwrap();
        Entity::ALL.iter().map(|entity| (entity.slug, of(entity))).collect()
    });
    &schemas[entity]
}

/// Maps a row: what comes of it is a fault, or fits the entity's schema.
fn map(table: &Table, row: &Value, overlay: &Overlay) -> Result<bool, TestCaseError> {
    let Ok(record) = table.system.preview(table.entity, row, overlay) else { return Ok(false) };
    let record = Value::Object(record);
    let faults: Vec<String> = schema(table.entity)
        .iter_errors(&record)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    prop_assert!(faults.is_empty(), "{} {:?}\n{record:#}", table.entity, faults);
    Ok(true)
}

/// A table and values for its rows.
fn filled() -> impl Strategy<Value = (usize, Parts)> {
    (0..tables().len()).prop_flat_map(|table| (Just(table), parts(tables()[table].words.clone())))
}

fn with_id(mut row: Value) -> Value {
    if let Value::Object(members) = &mut row {
        members.entry("id").or_insert_with(|| json!(7));
    }
    row
}

#[test]
fn any_json_becomes_a_record_or_a_fault_in_every_table() {
    hold(200, &any_json(), |row| {
        for table in tables() {
            map(table, &row, &Overlay::default())?;
        }
        Ok(())
    });
}

#[test]
fn rows_of_any_values_become_records_or_faults() {
    let records = std::cell::Cell::new(0_u32);
    hold(600, &filled(), |(table, parts)| {
        let table = &tables()[table];
        let mapped = map(table, &with_id(row(&table.names, &parts)), &Overlay::default())?;
        records.set(records.get() + u32::from(mapped));
        Ok(())
    });
    assert!(records.get() > 50, "only {} rows were records", records.get());
}

/// A field that a connection maps otherwise.
fn mapped_field() -> impl Strategy<Value = (prop::sample::Index, MappedField)> {
    let origin = prop_oneof![
        select(PROGRAMS).prop_map(|jq| (None, Some(jq.to_owned()))),
        select(vec!["id", "name", "a.b", "lines.0.id", ""])
            .prop_map(|path| (Some(path.to_owned()), None)),
        "[a-z.\\[\\]|() 0-9\"]{0,20}".prop_map(|jq| (None, Some(jq))),
    ];
    let codec = prop::option::weighted(
        0.3,
        select(CODECS).prop_map(|name| serde_json::from_value(Value::from(name)).unwrap()),
    );
    // Most are such as are taken: one that is refused says nothing about records.
    let words = prop::option::weighted(0.2, vec(("[a-z0-9]{0,3}", "[a-z]{1,5}"), 0..3));
    let default = prop::option::weighted(0.1, super::values::leaf());
    let word = prop::option::weighted(0.1, "[a-z]{1,8}");
    (any::<prop::sample::Index>(), origin, codec, words, word, default).prop_map(
        |(which, (path, jq), codec, words, otherwise, default)| {
            let words = words.map(|words| words.into_iter().collect());
            let field =
                MappedField { path, jq, codec, words, otherwise, default, ..Default::default() };
            (which, field)
        },
    )
}

/// The names of an entity's fields, and of those of its lines.
fn fields(entity: &str) -> Vec<String> {
    let fields = Entity::find(entity).unwrap().fields().iter();
    let names = fields.flat_map(|field| {
        let inner = field.inner.iter().map(|inner| format!("{}.{}", field.name, inner.name));
        std::iter::once(field.name.to_owned()).chain(inner)
    });
    names.collect()
}

/// The codec that gives what a field holds.
fn codec_of(entity: &str, name: &str) -> Option<Codec> {
    let entity = Entity::find(entity)?;
    let field = match name.split_once('.') {
        None => entity.field(name)?,
        Some((list, inner)) => entity.field(list)?.field(inner)?,
    };
    match field.kind {
        Kind::Decimal => Some(Codec::Decimal),
        Kind::Integer => Some(Codec::Integer),
        Kind::Flag => Some(Codec::Boolean),
        Kind::Date => Some(Codec::Date),
        Kind::Time => Some(Codec::Time),
        _ => None,
    }
}

#[test]
fn fields_that_a_customer_maps_make_records_or_faults() {
    let used = std::cell::Cell::new(0_u32);
    let cases = (filled(), any::<bool>(), any_json(), vec(mapped_field(), 1..3));
    hold(1_000, &cases, |((table, parts), bare, other, mapped)| {
        let table = &tables()[table];
        let names = fields(table.entity);
        let named = |(which, field): (prop::sample::Index, MappedField)| {
            let name = which.get(&names).clone();
            let codec = field.codec.or_else(|| codec_of(table.entity, &name));
            MappedField { field: name, codec, ..field }
        };
        let fields = mapped.into_iter().map(named).collect();
        let overlay = Overlay { custom_fields: Vec::new(), fields };
        if !overlay.check(table.entity, table.system.manifest()).is_empty() {
            return Ok(());
        }
        // Most rows of any values are faults by themselves, whatever is mapped.
        let bare = bare.then(|| json!({"name": "Pump"}));
        let mut row = with_id(bare.unwrap_or_else(|| row(&table.names, &parts)));
        row["a"] = other;
        let mapped = map(table, &row, &overlay)?;
        used.set(used.get() + u32::from(mapped));
        Ok(())
    });
    assert!(used.get() > 20, "only {} mappings were of use", used.get());
}
