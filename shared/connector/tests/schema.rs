//! The published schema of the format: it is up to date, it takes what the loader takes, and both
//! refuse a key that is misspelt.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use jsonschema::Validator;
use millwright_connector::{Manifest, Tests};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use serde_saphyr::Spanned;

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connector.schema.json");

fn systems() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systems");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn is_of_tests(path: &Path) -> bool {
    path.to_str().unwrap().ends_with(".tests.yaml")
}

fn validator(path: &Path) -> Validator {
    let mut schema = Manifest::json_schema();
    if is_of_tests(path) {
        // A file of tests alone is what stands under `tests`.
        schema = serde_json::json!({"$ref": "#/$defs/Tests", "$defs": schema["$defs"]});
    }
    jsonschema::draft202012::new(&schema).unwrap()
}

fn json(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn the_published_schema_is_up_to_date() {
    let text = serde_json::to_string_pretty(&Manifest::json_schema()).unwrap() + "\n";
    if std::env::var("BLESS").is_ok() {
        std::fs::write(PUBLISHED, &text).unwrap();
    }
    let published = std::fs::read_to_string(PUBLISHED).unwrap();
    assert!(published == text, "`BLESS=1 cargo test --test schema` writes it anew");
}

#[test]
fn the_schema_is_one_and_describes_every_key() {
    let schema = Manifest::json_schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let mut bare = Vec::new();
    undescribed("", &schema, &mut bare);
    assert_eq!(bare, [""; 0]);
}

/// Properties without a word on what they are.
fn undescribed(place: &str, value: &Value, bare: &mut Vec<String>) {
    let Some(members) = value.as_object() else {
        value.as_array().into_iter().flatten().for_each(|item| undescribed(place, item, bare));
        return;
    };
    for (name, member) in members {
        let inside = format!("{place}/{name}");
        // Of one of several the description stands beside it.
        let is_property = place.ends_with("/properties") && !place.ends_with("/oneOf/properties");
        if is_property && member["description"].as_str().is_none_or(str::is_empty) {
            bare.push(inside.clone());
        }
        undescribed(&inside, member, bare);
    }
}

#[test]
fn every_built_in_manifest_names_the_schema_and_fits_it() {
    for (path, text) in systems() {
        let faults: Vec<String> =
            validator(&path).iter_errors(&json(&text)).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:#?}", path.display());
        if !is_of_tests(&path) {
            let line = "# yaml-language-server: $schema=../../../docs/connector.schema.json";
            assert_eq!(text.lines().next(), Some(line), "{}", path.display());
        }
    }
}

#[test]
fn what_a_manifest_must_have_is_required_by_loader_and_schema() {
    for (path, text) in systems().into_iter().filter(|(path, _)| !is_of_tests(path)) {
        let validator = validator(&path);
        for name in [
            "format",
            "id",
            "name",
            "vendor",
            "categories",
            "tier",
            "maturity",
            "protocol",
            "entities",
        ] {
            let mut without = json(&text);
            without.as_object_mut().unwrap().remove(name).unwrap();
            assert!(!validator.is_valid(&without), "{name}");
            let yaml = serde_json::to_string(&without).unwrap();
            let why = Manifest::read(&yaml).expect_err(name).to_string();
            assert!(why.contains(name), "{why}");
            let mut wrong = json(&text);
            wrong[name] = serde_json::json!({"wrong": ["type"]});
            assert!(!validator.is_valid(&wrong), "{name}");
            assert!(Manifest::read(&serde_json::to_string(&wrong).unwrap()).is_err(), "{name}");
        }
    }
}

/// A key of a file: the keys and positions that lead to it, and where it stands.
struct Key {
    path: Vec<String>,
    line: usize,
    column: usize,
}

impl Key {
    /// What one key has in common with others: the key that leads to it, and itself.
    fn kind(&self) -> Vec<String> {
        let is_name = |name: &&String| !name.bytes().all(|byte| byte.is_ascii_digit());
        self.path.iter().filter(is_name).rev().take(2).cloned().collect()
    }
}

/// What a file has, with the places of its keys.
enum Tree {
    Map(Vec<(Spanned<String>, Tree)>),
    List(Vec<Tree>),
    Other,
}

impl Tree {
    fn keys(&self, above: &[String], found: &mut Vec<Key>) {
        let at = |name: &str| above.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
        match self {
            Self::Map(members) => {
                for (key, inner) in members {
                    let path = at(&key.value);
                    let place = key.referenced;
                    let (line, column) = (place.line(), place.column());
                    inner.keys(&path, found);
                    found.push(Key {
                        path,
                        line: usize::try_from(line).unwrap(),
                        column: usize::try_from(column).unwrap(),
                    });
                }
            }
            Self::List(items) => {
                for (position, inner) in items.iter().enumerate() {
                    inner.keys(&at(&position.to_string()), found);
                }
            }
            Self::Other => {}
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Node;

        impl<'de> Visitor<'de> for Node {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Map(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
        }

        deserializer.deserialize_any(Node)
    }
}

/// The file with a letter too many in one key.
fn misspelt(text: &str, key: &Key) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = &mut lines[key.line - 1];
    let mut at = line.char_indices().nth(key.column - 1).unwrap().0;
    at += usize::from(line[at..].starts_with(['"', '\'']));
    line.insert(at, 'x');
    lines.join("\n") + "\n"
}

/// The same in JSON.
fn misspelt_json(value: &Value, key: &Key) -> Value {
    let mut whole = value.clone();
    let (last, above) = key.path.split_last().unwrap();
    let mut at = &mut whole;
    for name in above {
        at = match at {
            Value::Array(items) => &mut items[name.parse::<usize>().unwrap()],
            other => &mut other[name],
        };
    }
    let members = at.as_object_mut().unwrap();
    let member = members.remove(last).unwrap();
    members.insert(format!("x{last}"), member);
    whole
}

/// What the loader says, in one word and a place: read, unknown (and where), or otherwise wrong.
fn loaded(path: &Path, text: &str) -> Result<(), millwright_connector::ManifestError> {
    if is_of_tests(path) { Tests::read(text).map(drop) } else { Manifest::read(text).map(drop) }
}

/// Each kind of key, and with `MILLWRIGHT_EVERY_KEY=1` each key (a few minutes).
///
/// Names that a file chooses itself, such as those of fields and of members in requests, are none of the
/// format's: what tells them apart is that the loader does not call them unknown. The loader and the
/// schema must agree on which are which.
#[test]
fn each_key_of_each_built_in_manifest_that_is_misspelt_is_refused_with_line_and_column() {
    for (path, text) in systems() {
        let (validator, value) = (validator(&path), json(&text));
        let tree: Tree = serde_saphyr::from_str(&text).unwrap();
        let mut keys = Vec::new();
        tree.keys(&[], &mut keys);
        if !every_key() {
            let mut seen = BTreeSet::new();
            keys.retain(|key| seen.insert(key.kind()));
        }
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let chunks = keys.chunks(keys.len().div_ceil(threads));
        let refused: usize = std::thread::scope(|scope| {
            let work = |chunk| {
                let (validator, value, path, text) = (&validator, &value, &path, &text);
                scope.spawn(move || refusals(path, text, validator, value, chunk))
            };
            let running: Vec<_> = chunks.map(work).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let enough = if is_of_tests(&path) { 15 } else { 100 };
        assert!(refused > enough, "{}: only {refused} of {}", path.display(), keys.len());
    }
}

fn every_key() -> bool {
    std::env::var("MILLWRIGHT_EVERY_KEY").is_ok()
}

fn refusals(path: &Path, text: &str, validator: &Validator, value: &Value, keys: &[Key]) -> usize {
    let (mut refused, mut free) = (BTreeSet::new(), BTreeSet::new());
    for key in keys {
        let place = format!("{}:{}: {}", path.display(), key.line, key.path.join("."));
        let by_schema = !validator.is_valid(&misspelt_json(value, key));
        // One look at each name that seems to be the file's own.
        if !by_schema && !free.insert(key.path.last()) && !every_key() {
            continue;
        }
        let by_loader = loaded(path, &misspelt(text, key)).err();
        let unknown = by_loader.as_ref().is_some_and(|why| {
            let why = why.to_string();
            why.contains("unknown") && why.contains(key.path.last().unwrap().as_str())
        });
        assert!(by_schema || !unknown, "the schema takes what the loader does not: {place}");
        if by_schema {
            let why = by_loader.unwrap_or_else(|| panic!("the loader takes it: {place}"));
            let problem = &why.problems[0];
            assert!(problem.line.is_some() && problem.column.is_some(), "{place}: {why}");
            refused.insert(key.path.clone());
        }
    }
    refused.len()
}
