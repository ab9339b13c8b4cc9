//! Decimal numbers of any length, compared exactly: `f64` takes 0.1 + 0.2 for something else than 0.3,
//! and a long number for its neighbour.

use std::cmp::Ordering;

use serde_json::Number;

/// A decimal number: its sign, and its digits as `0.DIGITS` times ten to the power of `exponent`. The
/// digits neither begin nor end with a zero, so that one number has one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    exponent: i64,
    digits: Vec<u8>,
}

impl Decimal {
    /// A number of a JSON document, by its own spelling.
    pub(super) fn of_number(number: &Number) -> Self {
        Self::of_text(number.as_str()).unwrap_or_else(Self::zero)
    }

    /// Reads a number as JSON writes them (RFC 8259, 6); nothing when the text is none.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power_of(power)?),
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let point = i64::try_from(whole.len()).ok()?.checked_add(power)?;
        Some(Self::trimmed(negative, point, [whole.as_bytes(), fraction.as_bytes()].concat()))
    }

    fn zero() -> Self {
        Self { negative: false, exponent: 0, digits: Vec::new() }
    }

    fn trimmed(negative: bool, point: i64, mut digits: Vec<u8>) -> Self {
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Self::zero();
        }
        let exponent = point.saturating_sub(i64::try_from(zeros).unwrap_or(i64::MAX));
        Self { negative, exponent, digits }
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

/// The power of ten after an `e`. One beyond 18 digits makes a number that is only compared, so its
/// nearest neighbour will do.
fn power_of(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let most = 1_000_000_000_000_000_000;
    let size = digits.parse::<i64>().unwrap_or(most).min(most);
    Some(if negative { -size } else { size })
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = self.sign().cmp(&other.sign());
        if by_sign.is_ne() || self.sign() == 0 {
            return by_sign;
        }
        // Digits without leading zeros: the longer exponent is the larger size, then the digits decide
        // from the left.
        let by_size =
            self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        if self.negative { by_size.reverse() } else { by_size }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Decimal {
        Decimal::of_text(text).unwrap()
    }

    #[test]
    fn one_number_has_one_form_however_it_is_spelt() {
        for same in [
            &["0", "-0", "0.000", "0e9", "-0.0e-5"][..],
            &["100", "1e2", "1.00E+2", "0100.0", "0.1e3"],
            &["-0.05", "-5e-2", "-0.0500"],
        ] {
            for text in same {
                assert_eq!(of(text), of(same[0]), "{text}");
            }
        }
    }

    #[test]
    fn numbers_are_in_their_order_beyond_what_f64_can_tell() {
        let rising = [
            "-1e400",
            "-100000000000000000000000000001",
            "-100000000000000000000000000000",
            "-2",
            "-1.5",
            "-1e-400",
            "0",
            "1e-400",
            "0.1",
            "0.30000000000000000001",
            "0.300000000000000000011",
            "9007199254740993",
            "9007199254740993.1",
            "1e400",
        ];
        for pair in rising.windows(2) {
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".5", "5.", "1e", "1e+", "+1", "1,5", "0x10", "NaN", "1 ", "--1"] {
            assert_eq!(Decimal::of_text(text), None, "{text}");
        }
        assert!(of("1e99999999999999999999999") > of("1e400"));
    }

    proptest! {
        #[test]
        fn whole_numbers_are_in_the_order_of_whole_numbers(a: i64, b: i64) {
            prop_assert_eq!(of(&a.to_string()).cmp(&of(&b.to_string())), a.cmp(&b));
        }

        #[test]
        fn hundredths_are_in_the_order_of_their_cents(a in -99_999_i64..99_999, b in -99_999_i64..99_999) {
            let text = |n: i64| {
                let sign = if n < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", n.abs() / 100, n.abs() % 100)
            };
            prop_assert_eq!(of(&text(a)).cmp(&of(&text(b))), a.cmp(&b));
        }
    }
}
