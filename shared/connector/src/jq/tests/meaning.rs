use super::*;

#[test]
fn an_expression_means_what_it_does_in_jq() {
    let row = r#"{
        "id": 7, "name": " Bolt ", "tags": ["b", "a", "b"], "none": null, "flag": false,
        "vendor": {"id": 4, "name": "Acme"},
        "lines": [{"n": 2, "price": 1.50, "kind": "part"}, {"n": 1, "price": 0.1, "kind": "text"}],
        "at": "2026-01-31T10:00:00+02:00", "json": "{\"a\":[1.10]}",
        "pairs": [{"name": "colour", "value": "red"}, {"k": "size", "v": 3}]
    }"#;
    for (text, expected) in [
        (".vendor.name", r#""Acme""#),
        (".vendor | .id, empty", "4"),
        (".name | trim | ascii_upcase", r#""BOLT""#),
        (".name | ascii_downcase | length", "6"),
        ("\"\\(.id)-\\(.vendor.name)\"", r#""7-Acme""#),
        ("[.lines[] | .n]", "[2,1]"),
        (".lines | map(.n) | sort", "[1,2]"),
        (".lines | map(select(.kind == \"part\") | .price)", "[1.50]"),
        (".lines | map(.price) | add", "1.6"),
        ("[.lines[].price] | add", "1.6"),
        (".lines | sort_by(.n) | .[0].price", "0.1"),
        (".lines | min_by(.n).kind", r#""text""#),
        (".lines | max_by(.n).kind", r#""part""#),
        (".lines | group_by(.kind) | map(length)", "[1,1]"),
        (".lines | any(.n > 1)", "true"),
        (".lines | all(.n > 1)", "false"),
        ("(.lines[0].n | tonumber) * (.lines[0].price | tonumber)", "3"),
        (".tags | unique", r#"["a","b"]"#),
        (".tags | unique_by(.) | length", "2"),
        (".tags | join(\", \")", r#""b, a, b""#),
        (".tags | index(\"a\")", "1"),
        (".tags | rindex(\"b\")", "2"),
        ("\"a,b,c\" | rindex(\",\")", "3"),
        ("\"abc\" | index(\"x\")", "null"),
        (".tags - [\"b\"]", r#"["a"]"#),
        (".tags + [\"c\"] | last", r#""c""#),
        (".tags | first", r#""b""#),
        ("first(.tags[])", r#""b""#),
        (".tags[1:]", r#"["a","b"]"#),
        (".tags[-1:]", r#"["b"]"#),
        (".tags | reverse | nth(1)", r#""a""#),
        (".tags | contains([\"a\"])", "true"),
        ("[\"a\"] | inside([\"a\", \"b\"])", "true"),
        (".none // \"x\"", r#""x""#),
        (".flag // true", "true"),
        (".nothing.at.all", "null"),
        (".id.x? // \"no object\"", r#""no object""#),
        ("try .id.x catch \"no object\"", r#""no object""#),
        ("if .id > 5 then \"many\" elif .id > 1 then \"some\" else \"few\" end", r#""many""#),
        (".id == 7.0 and (.none | not)", "true"),
        (".vendor | keys", r#"["id","name"]"#),
        (".vendor | to_entries | map(.key) | join(\"/\")", r#""id/name""#),
        (".vendor | with_entries(.value |= tostring)", r#"{"id":"4","name":"Acme"}"#),
        (".pairs | from_entries", r#"{"colour":"red","size":3}"#),
        (".vendor | map_values(tostring)", r#"{"id":"4","name":"Acme"}"#),
        (".vendor | del(.id)", r#"{"name":"Acme"}"#),
        (".vendor | has(\"id\")", "true"),
        ("{id, who: .vendor.name}", r#"{"id":7,"who":"Acme"}"#),
        ("{(.tags[0]): 1}", r#"{"b":1}"#),
        (".vendor + {id: 5}", r#"{"id":5,"name":"Acme"}"#),
        (".vendor.id = 9 | .vendor.id", "9"),
        (".vendor.id |= . + 1 | .vendor.id", "5"),
        (".lines[0].n += 1 | .lines[0].n", "3"),
        (".lines[].n |= tostring | .lines[1].n", r#""1""#),
        (".none //= 3 | .none", "3"),
        (".tags[0:2] |= [\"x\"] | .tags", r#"["x","b"]"#),
        (". as {vendor: {id: $id}, lines: [$first]} | $id + $first.n", "6"),
        ("reduce .lines[] as $line (0; . + $line.n)", "3"),
        ("[foreach .lines[] as $line (0; . + $line.n)]", "[2,3]"),
        ("[.lines[] | .n] | flatten | add / length", "1.5"),
        ("[[1, [2]], 3] | flatten", "[1,2,3]"),
        ("[[1, [2]], 3] | flatten(1)", "[1,[2],3]"),
        ("7 % 3", "1"),
        ("10 / 4", "2.5"),
        ("\"a,b\" / \",\"", r#"["a","b"]"#),
        ("\"a,b\" | split(\",\") | .[1]", r#""b""#),
        ("[2.5, -2.5] | map(round)", "[3,-3]"),
        ("[2.5, -2.5] | map(floor)", "[2,-3]"),
        ("[2.5, -2.5] | map(ceil)", "[3,-2]"),
        ("-2.50 | abs", "2.50"),
        ("\"12.50\" | tonumber", "12.50"),
        (".at | fromdateiso8601 | todate", r#""2026-01-31T08:00:00Z""#),
        (".json | fromjson.a[0]", "1.10"),
        (".vendor | tojson", r#""{\"id\":4,\"name\":\"Acme\"}""#),
        ("\"PO-17\" | test(\"^po-[0-9]+$\"; \"i\")", "true"),
        ("\"PO-17\" | capture(\"(?<a>[A-Z]+)-(?<n>\\\\d+)\").n", r#""17""#),
        ("\"a-b-c\" | gsub(\"-\"; \"+\")", r#""a+b+c""#),
        ("\"a-b-c\" | sub(\"-(?<x>.)\"; \"<\\(.x)>\")", r#""a<b>-c""#),
        ("\"abc\" | ltrimstr(\"a\") | rtrimstr(\"c\")", r#""b""#),
        ("\"abc\" | startswith(\"a\") and endswith(\"c\")", "true"),
        (
            "[1, null, \"a\", [], {}, true] | map(type) | join(\" \")",
            r#""number null string array object boolean""#,
        ),
        ("[1, null, \"a\", []] | map(scalars) | length", "3"),
        ("[.[]?] | length", "10"),
        (".tags | isempty(.[])", "false"),
        ("\"é\" | length", "1"),
        ("\"naïve\"[2:4]", r#""ïv""#),
    ] {
        assert_eq!(given(text, row).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn an_expression_gives_one_value_or_none() {
    assert_eq!(run("empty", "{}"), Ok(None));
    assert_eq!(run(".a[]", r#"{"a": [1]}"#).unwrap(), Some(Value::from(1)));
    let several = run(".a[]", r#"{"a": [1, 2]}"#).unwrap_err();
    assert_eq!(several.to_string(), "has a jq expression that gives several values");
}

#[test]
fn what_fails_on_a_row_says_why_without_the_rows_values() {
    for (text, row) in [
        (".a + 1", r#"{"a": "secret"}"#),
        (".a.b", r#"{"a": "secret"}"#),
        (".a.b | not", r#"{"a": "secret"}"#),
        (".a[0] | not", r#"{"a": {"secret": 1}}"#),
        (".a | tonumber", r#"{"a": "secret"}"#),
        (".a | fromjson", r#"{"a": "secret"}"#),
        (".a | fromdate", r#"{"a": "secret"}"#),
        (".a | keys", r#"{"a": "secret"}"#),
        (".a | sort", r#"{"a": "secret"}"#),
        (".a[]", r#"{"a": "secret"}"#),
        (".a | map(.)", r#"{"a": "secret"}"#),
        ("{(.a): 1}", r#"{"a": ["secret"]}"#),
        (".a / 0", r#"{"a": 1}"#),
        ("(.a | tonumber) % 0", r#"{"a": 1}"#),
        (".a | -.", r#"{"a": "secret"}"#),
        (".a | join(\",\")", r#"{"a": [["secret"]]}"#),
    ] {
        let why = run(text, row).expect_err(text).to_string();
        assert!(why.starts_with("has "), "{text}: {why}");
        assert!(!why.contains("secret"), "{text}: {why}");
    }
}
