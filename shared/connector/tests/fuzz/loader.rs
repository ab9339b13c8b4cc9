//! Files that are nearly manifests: they are read or refused, in words, in time.

use millwright_connector::{EntityMeta, Manifest, check_examples};
use proptest::{collection::vec, prelude::*, sample::Index, sample::select};

use super::hold;

const TRYTON: &str = include_str!("../../systems/tryton.yaml");
const SANDBOX: &str = include_str!("../../systems/sandbox.yaml");
const WORKS: &str = include_str!("../fixtures/works.yaml");

/// What may stand where something else stood: other kinds, references of YAML, paths, templates and
/// expressions that are wrong or never end.
const TOKENS: &[&str] = &[
    "null",
    "~",
    "true",
    "no",
    "-1",
    "0",
    "1.5",
    "1e999",
    ".inf",
    ".nan",
    "99999999999999999999",
    "0x7fffffffffffffff",
    "[]",
    "{}",
    "\"\"",
    "&a x",
    "*a",
    "&a [*a]",
    "!!binary aGk=",
    "!!float 1",
    "<<: { a: 1 }",
    "'{a}'",
    "{x",
    "]",
    "|",
    ">-",
    "? a",
    "- a",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "%YAML 1.1",
    "\"{settings.url}\"",
    "\"{\"",
    "\"{{\"",
    "\"{a|iso|nope}\"",
    "\"{page.after}\"",
    "a.b..c",
    "a.0.b",
    "'\"a'",
    ".a | .b",
    "def f: f; f",
    "env",
    "[range(1e9)]",
    "'\"x\" * 400000000'",
    "..",
    "repeat(.)",
    "[limit(9;repeat(1))]",
    "'(a+)+$'",
    "'(?:a{1000}){1000}'",
    "Europe/Nowhere",
    "https://user:x@[::1]:99999",
    "lineItems",
    "purchase-orders",
    "vendors",
    "decimal",
    "minor_units: 99",
    "{ minor_units: 300 }",
    "json",
    "id",
    "{ path: a, jq: .b }",
    "{ first_of: [] }",
    "{ each: a, value: { each: b, value: c } }",
    "\u{feff}",
    "\u{2028}",
];

/// A change of a text.
#[derive(Clone, Debug)]
enum Edit {
    Drop(Index),
    Double(Index),
    Move(Index, Index),
    Indent(Index, usize),
    Value(Index, &'static str),
    Key(Index, &'static str),
    Insert(Index, &'static str),
    Long(Index, usize),
    Cut(Index),
    Junk(Index, String),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let token = || select(TOKENS);
    prop_oneof![
        3 => at().prop_map(Edit::Drop),
        2 => at().prop_map(Edit::Double),
        3 => (at(), at()).prop_map(|(from, to)| Edit::Move(from, to)),
        2 => (at(), 0_usize..9).prop_map(|(line, indent)| Edit::Indent(line, indent)),
        8 => (at(), token()).prop_map(|(line, token)| Edit::Value(line, token)),
        3 => (at(), token()).prop_map(|(line, token)| Edit::Key(line, token)),
        2 => (at(), token()).prop_map(|(at, token)| Edit::Insert(at, token)),
        1 => (at(), 1_usize..20_000).prop_map(|(line, length)| Edit::Long(line, length)),
        1 => at().prop_map(Edit::Cut),
        2 => (at(), "\\PC{0,30}").prop_map(|(at, text)| Edit::Junk(at, text)),
    ]
}

fn apply(text: &str, edit: &Edit) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return text.to_owned();
    }
    let count = lines.len();
    match edit {
        Edit::Drop(at) => drop(lines.remove(at.index(count))),
        Edit::Double(at) => lines.insert(at.index(count), lines[at.index(count)].clone()),
        Edit::Move(from, to) => {
            let line = lines.remove(from.index(count));
            lines.insert(to.index(count), line);
        }
        Edit::Indent(at, indent) => {
            let line = &mut lines[at.index(count)];
            *line = format!("{}{}", " ".repeat(*indent), line.trim_start());
        }
        Edit::Value(at, token) => {
            let line = &mut lines[at.index(count)];
            let end = line.find(": ").map_or(line.len(), |end| end + 2);
            *line = format!("{}{token}", &line[..end]);
        }
        Edit::Key(at, token) => {
            let line = &mut lines[at.index(count)];
            let start = line.len() - line.trim_start().len();
            let end = line.find(": ").unwrap_or(line.len()).max(start);
            *line = format!("{}{token}{}", &line[..start], &line[end..]);
        }
        Edit::Insert(at, token) => return inserted(text, at, token),
        Edit::Long(at, length) => {
            let line = &mut lines[at.index(count)];
            line.push_str(&"x".repeat(*length));
        }
        Edit::Cut(at) => return text.chars().take(at.index(text.chars().count())).collect(),
        Edit::Junk(at, junk) => return inserted(text, at, junk),
    }
    lines.join("\n")
}

fn inserted(text: &str, at: &Index, what: &str) -> String {
    let place = at.index(text.chars().count() + 1);
    let before: String = text.chars().take(place).collect();
    format!("{before}{what}{}", &text[before.len()..])
}

/// What is read can be used: its examples are judged and its rules are told without a panic.
fn read(yaml: &str) {
    match Manifest::read(yaml) {
        Err(why) => assert!(!why.to_string().is_empty()),
        Ok(manifest) => {
            drop(check_examples(&manifest));
            drop(EntityMeta::of_statuses(&manifest));
        }
    }
}

#[test]
fn a_manifest_with_anything_changed_is_read_or_refused() {
    let base = prop_oneof![1 => Just(TRYTON), 1 => Just(SANDBOX), 4 => Just(WORKS)];
    hold(300, &(base, vec(edit(), 1..6)), |(base, edits)| {
        let text = edits.iter().fold(base.to_owned(), |text, edit| apply(&text, edit));
        read(&text);
        Ok(())
    });
}

#[test]
fn any_text_is_read_or_refused() {
    let cases = prop_oneof![
        "[ \\n\\t:{}\\[\\],&*!|>'\"#%@`a-z0-9.-]{0,400}",
        "(format|id|entities|auth|read|fields|path)?(: |\\n  |- |: \\{ |\\[)[a-z0-9{}\\[\\]:, \\n\"']{0,80}",
        "\\PC{0,300}",
        any::<String>(),
    ];
    hold(1_000, &cases, |text| {
        read(&text);
        Ok(())
    });
}

#[test]
fn what_is_made_to_swell_or_to_nest_is_refused_soon() {
    let large = 1_000_000;
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        laughs +=
            &format!("a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]\n");
    }
    let cases = vec![
        laughs,
        "[".repeat(large),
        "{a: ".repeat(large / 4),
        "- ".repeat(large / 2),
        "? ".repeat(large / 2),
        "a:\n".repeat(large / 3),
        "\n".repeat(large),
        " ".repeat(large),
        "!".repeat(large),
        "&a ".repeat(large / 3),
        "\"".repeat(large),
        "%".repeat(large),
        (0..100_000).map(|number| format!("k{number}: 1\n")).collect(),
        (0..20_000).map(|depth| format!("{}a:\n", " ".repeat(depth % 60))).collect(),
        format!("{WORKS}\n# {}", "x".repeat(2 * large)),
        format!("id: {}", "x".repeat(large)),
    ];
    hold(32, &select(cases), |text| {
        assert!(Manifest::read(&text).is_err());
        Ok(())
    });
}
