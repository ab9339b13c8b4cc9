use proptest::prelude::*;

use super::*;

/// A decimal of up to 40 digits, as systems write them: with zeros at both ends of what counts, with an
/// exponent, negative, zero, negative zero.
pub(super) fn decimal() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,19})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_number_that_is_not_reckoned_with_keeps_its_digits(digits in decimal()) {
        let row: Value =
            serde_json::from_str(&format!(r#"{{"a": {{"b": [{digits}]}}}}"#)).unwrap();
        let expected = row["a"]["b"][0].to_string();
        for text in [
            ".a.b[0]", ".a | .b | first", ".a.b[]", "[.a.b[]] | .[0]", ".a.b | map(.) | last",
            ".a as {b: [$x]} | $x", "{x: .a.b} | .x[-1]", ".a | to_entries | .[0].value[0]",
            "if .a then .a.b[0] else 1 end", ".a.b[0] // 1", ".a.b | sort | .[0]", ".a.b | max",
            ".a.b | tojson | fromjson | .[0]", ".a.b[0] | tostring | tonumber",
            ".a.b | unique | .[0]", "reduce .a.b[] as $x (null; $x)", ".a.b | add",
        ] {
            // What is no decimal of ours is of no use as a default.
            let found = Jq::parse(text).unwrap().run(&row).unwrap().unwrap();
            prop_assert_eq!(found.to_string(), expected.as_str(), "{}", text);
        }
    }
}

#[test]
fn a_decimal_of_thirty_digits_passes_unharmed() {
    let row = r#"{"total": 123456789012345678901234567890.10}"#;
    assert_eq!(given(".total", row).as_deref(), Some("123456789012345678901234567890.10"));
    assert_eq!(
        given("{t: .total} | .t", row).as_deref(),
        Some("123456789012345678901234567890.10")
    );
    assert_eq!(given(".total + 0.05", row).as_deref(), Some("123456789012345678901234567890.15"));
    assert!(run("(.total | tonumber) * 1000000000000", row).is_err());
}
