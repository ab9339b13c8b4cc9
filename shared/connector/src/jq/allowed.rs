//! What expressions may call. Each looks at its input and its arguments alone, and ends.

/// By the number of arguments.
const ALLOWED: [&[&str]; 4] = [
    &[
        // values and conditions
        "true",
        "false",
        "null",
        "empty",
        "not",
        "type",
        "values",
        "nulls",
        "booleans",
        "numbers",
        "strings",
        "arrays",
        "objects",
        "scalars",
        "iterables",
        // lists and objects
        "length",
        "keys",
        "keys_unsorted",
        "add",
        "any",
        "all",
        "flatten",
        "reverse",
        "sort",
        "unique",
        "min",
        "max",
        "first",
        "last",
        "to_entries",
        "from_entries",
        // text
        "tostring",
        "tojson",
        "fromjson",
        "ascii_downcase",
        "ascii_upcase",
        "trim",
        "ltrim",
        "rtrim",
        // numbers and times
        "tonumber",
        "floor",
        "ceil",
        "round",
        "abs",
        "todate",
        "todateiso8601",
        "fromdate",
        "fromdateiso8601",
    ],
    &[
        "select",
        "isempty",
        "any",
        "all",
        "first",
        "last",
        "nth",
        "map",
        "map_values",
        "with_entries",
        "del",
        "has",
        "contains",
        "inside",
        "add",
        "flatten",
        "sort_by",
        "group_by",
        "unique_by",
        "min_by",
        "max_by",
        "index",
        "rindex",
        "join",
        "split",
        "ltrimstr",
        "rtrimstr",
        "startswith",
        "endswith",
        "test",
        "capture",
    ],
    &["test", "capture", "sub", "gsub"],
    &["sub", "gsub"],
];

/// Those of them that give numbers and nothing else.
pub(super) const NUMERIC: &[&str] = &["tonumber", "length", "floor", "ceil", "round", "abs"];

/// Whether a filter of this name and number of arguments may be called.
pub(super) fn is(name: &str, arguments: usize) -> bool {
    ALLOWED.get(arguments).is_some_and(|names| names.contains(&name))
}

/// How many arguments a filter has whose first is a regular expression, when the last is its flags.
pub(super) fn with_flags(name: &str) -> Option<usize> {
    match name {
        "test" | "capture" => Some(2),
        "sub" | "gsub" => Some(3),
        _ => None,
    }
}
