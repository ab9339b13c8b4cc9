//! Exact decimals: from a number's own digits to text, never through a float.

use std::cmp::Ordering;

/// More digits than this before or after the point are refused: an exponent of a million must not
/// become a megabyte of zeros.
const DIGITS_MAX: usize = 38;

/// The one text of a decimal number: no exponent, no plus sign, no zeros before or after that mean
/// nothing (`5.0`, `5` and `0.5e1` are all `5`), and no negative zero. Nothing when `text` is not a
/// decimal number or has more than 38 digits before or after the point.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    if is_canonical(text) { Some(text.to_owned()) } else { reckoned(text) }
}

/// Whether `text` is already the one text of its number, as most are.
fn is_canonical(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    is_plain(text)
        && whole.len() <= DIGITS_MAX
        && fraction.len() <= DIGITS_MAX
        && !fraction.ends_with('0')
        && text != "-0"
}

fn reckoned(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let leading_zeros = digits.len() - significant.len();
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading_zeros).ok()?;
    let text = place_point(significant.trim_end_matches('0'), point + i64::from(exponent))?;
    Some(if negative { format!("-{text}") } else { text })
}

/// `digits` neither begins nor ends with a zero; the point stands after `point` of them, which may be
/// before the first or behind the last.
fn place_point(digits: &str, point: i64) -> Option<String> {
    let length = i64::try_from(digits.len()).ok()?;
    let most = i64::try_from(DIGITS_MAX).ok()?;
    if point > most || length - point > most {
        return None;
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    Some(if point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else if point >= length {
        format!("{digits}{}", zeros(point - length))
    } else {
        let (whole, fraction) = digits.split_at(usize::try_from(point).ok()?);
        format!("{whole}.{fraction}")
    })
}

/// Which of two decimals is the larger; nothing when one of them is no decimal.
#[must_use]
pub fn compare(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (canonical(left)?, canonical(right)?);
    Some(match (left.strip_prefix('-'), right.strip_prefix('-')) {
        (None, None) => compare_unsigned(&left, &right),
        (Some(left), Some(right)) => compare_unsigned(right, left),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    })
}

fn compare_unsigned(left: &str, right: &str) -> Ordering {
    parts(left).cmp(&parts(right))
}

/// How many digits stand before the point, they, and those behind it: in the order of size.
fn parts(text: &str) -> (usize, &str, &str) {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    (whole.len(), whole, fraction)
}

/// Whether `text` is a decimal as the API takes it: digits with at most one point, no exponent.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_numbers_have_one_text() {
        for (text, expected) in [
            ("5.0", "5"),
            ("0.5e1", "5"),
            ("1E+3", "1000"),
            ("-0.00", "0"),
            ("-12.340", "-12.34"),
            ("1.5e-7", "0.00000015"),
            ("0007", "7"),
            ("0.30000000000000004", "0.30000000000000004"),
            (".5", "0.5"),
            ("100", "100"),
            ("0e999999", "0"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn decimals_are_compared_by_value() {
        let rising = ["-12", "-5.05", "-5", "-0.1", "0", "0.05", "0.4", "0.45", "9", "10", "10.01"];
        for (place, left) in rising.iter().enumerate() {
            for (other, right) in rising.iter().enumerate() {
                assert_eq!(compare(left, right), Some(place.cmp(&other)), "{left} {right}");
            }
        }
        assert_eq!(compare("-0.00", "0"), Some(Ordering::Equal));
        assert_eq!(compare("x", "0"), None);
    }

    #[test]
    fn what_is_no_number_or_too_long_is_refused() {
        for text in ["", "-", ".", "1,5", "0x10", "NaN", "1e", "1e99", "1e-60", "1e9999999999", "١"]
        {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_keeps_every_digit_through_json_and_back(
            whole in 0_u64.., fraction in "[0-9]{0,18}", negative: bool, exponent in -9_i32..9,
        ) {
            let sign = if negative { "-" } else { "" };
            let point = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
            let text = format!("{sign}{whole}{point}e{exponent}");
            let number: serde_json::Number = serde_json::from_str(&text).unwrap();
            let exact = canonical(&number.to_string()).unwrap();
            prop_assert!(is_plain(&exact));
            prop_assert_eq!(canonical(&exact), Some(exact.clone()));
            // An independent reckoning: the digits as an integer, and the power of ten beside it.
            prop_assert_eq!(scaled(&text), scaled(&exact));
        }

        #[test]
        fn what_is_canonical_already_is_what_would_be_reckoned(
            text in "-?(0|[0-9]{1,3}|[0-9]{36,40})(\\.[0-9]{0,3}|\\.[0-9]{36,40})?(e[0-9])?",
        ) {
            prop_assert_eq!(canonical(&text), reckoned(&text));
        }

        #[test]
        fn no_text_makes_it_fail_otherwise_than_by_refusing(text in "\\PC{0,40}") {
            if let Some(exact) = canonical(&text) {
                prop_assert!(is_plain(&exact), "{} from {}", exact, text);
            }
        }
    }

    /// Integer and power of ten, with the power brought to -60 so that equal numbers are equal.
    fn scaled(text: &str) -> String {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let power = exponent.parse::<i32>().unwrap() - i32::try_from(fraction.len()).unwrap();
        let zeros = "0".repeat(usize::try_from(60 + power).unwrap());
        let all = format!("{whole}{fraction}{zeros}");
        let sign = if all.starts_with('-') { "-" } else { "" };
        let digits = all.trim_start_matches(['-', '0']);
        if digits.is_empty() { String::new() } else { format!("{sign}{digits}") }
    }
}
