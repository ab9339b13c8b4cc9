use std::time::Instant;

use super::*;

/// These are taken, and would fill the memory or take for ever with some rows.
fn bombs() -> Vec<(String, Value)> {
    let many = Value::from((0..10_000).collect::<Vec<i32>>());
    let text = Value::from("ab".repeat(20_000));
    let times = |part: &str, between: &str, times: usize| vec![part; times].join(between);
    let of = |text: &str, row: &Value| (text.to_owned(), row.clone());
    vec![
        // Doubling: of text, of lists, of what is shared, of outputs that are never made.
        (times("(. + .)", " | ", 38), text.clone()),
        (times("(. + .)", " | ", 38), many.clone()),
        (times("[., .]", " | ", 38), many.clone()),
        (times("{a: ., b: .}", " | ", 38), many.clone()),
        (times("\"\\(.)\\(.)\"", " | ", 38), text.clone()),
        (times("tojson", " | ", 38), Value::from("\"")),
        (times("[., .]", " | ", 30) + " | tojson", Value::Null),
        (times("[., .]", " | ", 30) + " | flatten", Value::Null),
        (times("[., .]", " | ", 30) + " | . == .", Value::Null),
        (times("[., .]", " | ", 30) + " | sort", Value::Null),
        (times("[., .]", " | ", 30) + " | contains([1])", Value::Null),
        (times("[., .]", " | ", 30) + " | tostring | length", Value::Null),
        (times("(., .)", " | ", 38) + " | empty", Value::Null),
        (times("(., .)", " | ", 30) + " | select(false)", Value::Null),
        (format!("reduce ({}) as $x (0; .)", times("(., .)", " | ", 30)), Value::Null),
        (format!("reduce ({}) as $x (0; . + 1)", times("(., .)", " | ", 30)), Value::Null),
        (format!("first({} | empty)", times("(., .)", " | ", 30)), Value::Null),
        (format!("isempty({} | empty)", times("(., .)", " | ", 30)), Value::Null),
        (format!("[{}]", times("(., .)", " | ", 30)), Value::Null),
        (format!("{{{}}}", times("(\"a\", \"b\"): (1, 2)", ", ", 25)) + " | empty", Value::Null),
        (format!(".{}", times("[0, 0]", "", 36)) + " | empty", Value::Null),
        (format!("try ({}) catch 1", times("(., .)", " | ", 30) + " | empty"), Value::Null),
        (times("[.[]?, .[]?]", " | ", 36), serde_json::json!([1])),
        (times("add(., .)", " | ", 38), text.clone()),
        (times("(., .)", " | ", 30) + " | tojson | empty", Value::Null),
        // The square or the cube of what is there.
        of("[.[] as $a | .[] as $b | $a + $b] | length", &many),
        of("map(. as $a | [1, 2, 3] | map(. + $a)) | flatten | group_by(.) | map(length)", &many),
        of(". as $all | map($all) | length", &many),
        of(". as $all | map($all) | sort | length", &many),
        of(". as $all | map($all) | unique | length", &many),
        of(". as $all | map($all | add) | length", &many),
        of(". as $all | map($all | tojson) | length", &many),
        of(". - .", &many),
        of("contains(.)", &many),
        of("reduce .[] as $x (\"\"; . + \"0123456789012345678901234567890123456789\")", &many),
        of("reduce .[] as $x ([]; [., .])", &many),
        of("reduce .[] as $x ({}; . + {\"\\($x)\": .})", &many),
        of("reduce .[] as $x (.; [.])", &many),
        of("reduce .[] as $x (0; . as $y | [$y, $y])", &many),
        of("map(tostring) | join(\"0123456789\") | split(\"\") | map(split(\"\")) | length", &many),
        of("split(\"\") | map(. + .) | join(\"\") | split(\"\") | length", &text),
        of("[., .] | map(split(\"a\")) | flatten | map(split(\"\")) | flatten | length", &text),
        of("gsub(\"a\"; \"0123456789\")", &text),
        of("gsub(\"(?<x>a)\"; .x + .x + .x + .x)", &text),
        of("test(\"(a*)*(b*)*(a*)*(b*)*(a*)*(b*)*c\")", &text),
        of("test(\"(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)x\")", &text),
        of("test(\"[ab]*a[ab]{700}c\")", &text),
        of("[gsub(\".*c|a\"; \"\")] | length", &text),
        of("[gsub(\"(a|b|ab)*(c)\"; \"\")] | length", &text),
        of(".[1e9] = 1", &many),
        of(".[-1e9] = 1", &many),
        of(".[20001] = 1", &many),
        of(".[1e999999999] = 1", &many),
        of(".[0:1e9] |= . + .", &many),
        of("1e999999999 + 1", &many),
        of("1e99 - 1e-99", &many),
        of("[.[] | 1 / (. + 3)] | add", &many),
        of("sort_by(tojson) | length", &many),
        of("with_entries(.value = 1)", &serde_json::json!({"a": {}})),
    ]
}

/// A stack as small as threads of the runtime have: the process would end otherwise.
fn on_a_small_stack(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap();
    });
}

#[test]
fn what_would_fill_the_memory_or_never_end_is_ended() {
    // A few steps, because this is a debug build; the count is the same in any.
    let limits = Limits { steps: 60_000, ..EVALUATION };
    on_a_small_stack(|| {
        for (text, row) in bombs() {
            let jq = Jq::parse(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
            let began = Instant::now();
            let outcome = jq.run_within(limits, &row);
            let took = began.elapsed();
            let short: String = text.chars().take(60).collect();
            println!("{:>6} ms  {short:<60}  {:.60}", took.as_millis(), format!("{outcome:?}"));
            // Without the limits it would be hours.
            assert!(took.as_secs() < 20, "{short} took {took:?}");
            if let Ok(Some(value)) = outcome {
                assert!(value.to_string().len() < 1 << 20, "{short}");
            }
        }
    });
}

#[test]
fn an_expression_cannot_catch_its_end() {
    let doubled = vec!["(., .)"; 25].join(" | ");
    for text in [
        format!("try ([{doubled}] | length) catch 1"),
        format!("([{doubled}] | length)? // 1"),
        format!("first(try ([{doubled}] | length) catch 1)"),
    ] {
        let why = run(&text, "null").unwrap_err();
        assert_eq!(why.to_string(), "has a jq expression that takes too long");
    }
}

#[test]
fn the_end_of_one_evaluation_harms_no_other() {
    let doubled = Jq::parse(&vec!["(., .)"; 25].join(" | ")).unwrap();
    let fine = Jq::parse(".a + 1").unwrap();
    for _ in 0..3 {
        assert!(doubled.run(&Value::Null).is_err());
        assert_eq!(fine.run(&serde_json::json!({"a": 1})), Ok(Some(Value::from(2))));
    }
}

#[test]
fn a_list_is_added_to_without_being_copied_each_time() {
    let row = format!("[{}]", vec!["{\"k\": 1}"; 5000].join(","));
    let counted = given("reduce .[] as $x ([]; . + [$x.k]) | length", &row);
    assert_eq!(counted.as_deref(), Some("5000"));
}

#[test]
fn the_largest_row_that_is_worked_on_has_some_hundred_thousand_values() {
    let row = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert_eq!(given("length", &row(50_000)).as_deref(), Some("50000"));
    let why = run("length", &row(400_000)).unwrap_err();
    assert!(why.to_string().starts_with("has a jq expression that"), "{why}");
}
