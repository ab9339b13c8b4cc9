//! The model against what it was drawn up from: the core that we set, and the names of the service to
//! equal. The tables stand in `reference/`.

use std::collections::{BTreeMap, BTreeSet};

use millwright_entities::{Entity, Field, Kind};

const CORE: &str = include_str!("reference/core.txt");
const NAMES: &str = include_str!("reference/names.txt");
const DIFFERENCES: &str = include_str!("reference/differences.txt");

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// The fields of an entity, or of an object inside: `work-orders`, `work-orders.tasks`.
fn fields(place: &str) -> &'static [Field] {
    let (slug, field) = place.split_once('.').unwrap_or((place, ""));
    let entity = Entity::find(slug).unwrap_or_else(|| panic!("no entity {slug}"));
    if field.is_empty() {
        return entity.fields();
    }
    &entity.field(field).unwrap_or_else(|| panic!("no field {place}")).inner
}

fn field(place: &str, name: &str) -> Option<&'static Field> {
    fields(place).iter().find(|field| field.name == name)
}

/// What a field is, in the words of `core.txt`.
fn described(field: &Field) -> String {
    let kind = match field.kind {
        Kind::Text => "text",
        Kind::Choice => "choice",
        Kind::Decimal => "decimal",
        Kind::Integer => "count",
        Kind::Flag => "flag",
        Kind::Date => "date",
        Kind::Time => "time",
        Kind::Key => "key",
        Kind::List if field.inner.is_empty() => "list",
        Kind::List => "objects",
        Kind::Object => "object",
    };
    let rest = field.references.iter().chain(&field.options).copied();
    [kind].into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_field_of_the_core_exists_with_its_type() {
    let mut place = "";
    let mut count = 0;
    for line in lines(CORE) {
        match line.strip_prefix("  ").and_then(|line| line.split_once(' ')) {
            None => place = line,
            Some((name, expected)) => {
                let field = field(place, name).unwrap_or_else(|| panic!("no {place} {name}"));
                assert_eq!(described(field), expected, "{place} {name}");
                count += 1;
            }
        }
    }
    assert!(count > 250, "{count}");
}

#[test]
fn every_name_of_the_service_to_equal_exists_or_is_told_of_as_a_difference() {
    let mut unused: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for line in lines(DIFFERENCES) {
        let parts: Vec<&str> = line.split(": ").collect();
        let [place, rename, why] = parts[..] else { panic!("{line}") };
        let (theirs, ours) = rename.split_once(" -> ").unwrap();
        assert!(!why.is_empty() && unused.insert((place, theirs), ours).is_none(), "{line}");
    }
    let differences = unused.clone();
    for line in lines(NAMES) {
        let (place, names) = line.split_once(": ").unwrap();
        for name in names.split(", ") {
            if field(place, name).is_some() {
                continue;
            }
            let at = [(place, name), ("*", name)];
            let at = at.into_iter().find(|at| differences.contains_key(at));
            let at = at.unwrap_or_else(|| panic!("{place} has no {name}"));
            let ours = differences[&at];
            assert!(ours == "-" || field(place, ours).is_some(), "{place} has no {ours}");
            unused.remove(&at);
        }
    }
    assert!(unused.is_empty(), "no longer different: {unused:?}");
}

#[test]
fn no_entity_is_there_without_a_source_for_it() {
    let core = lines(CORE).filter(|line| !line.starts_with(' '));
    let names = lines(NAMES).filter_map(|line| line.split_once(": ")).map(|(place, _)| place);
    let mut known: BTreeSet<&str> = core.chain(names).collect();
    // Communities need them beside topics, posts and categories.
    known.insert("groups");
    for entity in Entity::ALL {
        assert!(known.contains(entity.slug), "{entity:?}");
    }
}
