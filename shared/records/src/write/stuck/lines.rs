//! Lines: those that were there by their keys, new ones by what they hold and then by their order.

use millwright_entities::Field;
use serde_json::Value;

use super::{
    super::patch::{are_lines, key_of, removes},
    Place, Warning, compare_fields,
};

/// The lists before and after, when what is given are lines.
pub(super) fn of<'a>(
    given: &Value,
    before: &'a Value,
    after: &'a Value,
) -> Option<(&'a [Value], &'a [Value])> {
    let list = |value: &'a Value| value.as_array().map_or(&[][..], Vec::as_slice);
    let (before, after) = (list(before), list(after));
    let given = given.as_array().filter(|given| !given.is_empty())?;
    let lines = are_lines(before, given) || are_lines(after, given);
    lines.then_some((before, after))
}

/// Compares lines.
pub(super) fn compare(
    at: &Place<'_>,
    field: Option<&Field>,
    given: &[Value],
    before: &[Value],
    after: &[Value],
    warnings: &mut Vec<Warning>,
) {
    let mut new: Vec<&Value> =
        after.iter().filter(|line| !before.iter().any(|old| same_key(old, line))).collect();
    let mut waiting = Vec::new();
    for (position, entry) in given.iter().enumerate() {
        let path = format!("{}[{position}]", at.path);
        let line = Place { path: &path, ..*at };
        let stands = key_of(entry).and_then(|_| after.iter().find(|old| same_key(old, entry)));
        match (key_of(entry), stands) {
            (Some(_), Some(_)) if removes(entry) => {
                warnings.push(warning(&line, "the system still has this line"));
            }
            _ if removes(entry) => {}
            (Some(_), None) => warnings.push(warning(&line, "the system no longer has this line")),
            (Some(_), Some(stands)) => warnings.extend(differences(&line, field, entry, stands)),
            // Those that are there as they were given are no candidates for the others.
            (None, _) => match new
                .iter()
                .position(|stands| differences(&line, field, entry, stands).is_empty())
            {
                Some(place) => drop(new.remove(place)),
                None => waiting.push((path, entry)),
            },
        }
    }
    let mut left = new.into_iter();
    for (path, entry) in waiting {
        let line = Place { path: &path, ..*at };
        match left.next() {
            Some(stands) => warnings.extend(differences(&line, field, entry, stands)),
            None => warnings.push(warning(&line, "the system did not add this line")),
        }
    }
}

fn same_key(left: &Value, right: &Value) -> bool {
    key_of(left).is_some() && key_of(left) == key_of(right)
}

fn warning(at: &Place<'_>, message: &str) -> Warning {
    Warning { path: at.path.to_owned(), message: message.to_owned() }
}

fn differences(
    at: &Place<'_>,
    field: Option<&Field>,
    entry: &Value,
    stands: &Value,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let (Some(entry), Some(stands)) = (entry.as_object(), stands.as_object()) else {
        return warnings;
    };
    let mut entry = entry.clone();
    entry.shift_remove("key");
    entry.shift_remove("deleted");
    compare_fields(at, field, &entry, stands, &mut warnings);
    warnings
}
