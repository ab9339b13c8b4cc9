//! Exact numbers by their digits: what is no longer exact is an error, but for division.

mod order;

use std::cmp::Ordering;

use rust_decimal::Decimal;

use self::order::Parts;
pub(super) use self::order::compare;
use crate::codec::canonical_decimal;

/// Why a number could not be reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Inexact {
    /// It takes more digits than are kept.
    #[error("a number has more digits than can be reckoned with exactly")]
    TooLong,
    /// There is no such number.
    #[error("a number is divided by zero")]
    ByZero,
}

/// `mantissa` times ten to the power of `exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exact {
    mantissa: i128,
    exponent: i32,
}

/// Beyond this no sum or product is exact anyway.
const EXPONENT_MAX: i32 = 100;

impl Exact {
    /// From digits as JSON writes them.
    fn read(digits: &str) -> Option<Self> {
        let parts = Parts::of(digits);
        let mut mantissa: i128 = 0;
        // Zeros at the end only count when something follows them.
        let mut zeros: i32 = 0;
        for digit in parts.significant() {
            if digit == 0 {
                zeros += 1;
                continue;
            }
            let shifted = mantissa.checked_mul(power(zeros + 1)?)?;
            mantissa = shifted.checked_add(i128::from(digit))?;
            zeros = 0;
        }
        if mantissa == 0 {
            return Some(Self { mantissa: 0, exponent: 0 });
        }
        let behind = i32::try_from(parts.fraction.len()).ok()?;
        let exponent =
            i32::try_from(parts.exponent).ok()?.checked_add(zeros)?.checked_sub(behind)?;
        let mantissa = if parts.negative { -mantissa } else { mantissa };
        (exponent.abs() <= EXPONENT_MAX).then_some(Self { mantissa, exponent })
    }

    fn write(self) -> Result<String, Inexact> {
        let text = format!("{}e{}", self.mantissa, self.exponent);
        canonical_decimal(&text).ok_or(Inexact::TooLong)
    }

    /// Both with the smaller exponent of the two.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = self.exponent.min(other.exponent);
        let shifted =
            |number: Self| number.mantissa.checked_mul(power(number.exponent - exponent)?);
        Some((shifted(self)?, shifted(other)?, exponent))
    }

    /// The whole number below; how what is left over compares with a half; whether nothing is.
    fn whole(self) -> Option<(i128, Ordering, bool)> {
        if self.exponent >= 0 {
            let whole = self.mantissa.checked_mul(power(self.exponent)?)?;
            return Some((whole, Ordering::Less, true));
        }
        let Some(unit) = power(-self.exponent) else {
            // With 38 digits at most it is next to zero.
            let below_zero = self.mantissa < 0;
            let half = if below_zero { Ordering::Greater } else { Ordering::Less };
            return Some((-i128::from(below_zero), half, false));
        };
        let rest = self.mantissa.rem_euclid(unit);
        let half = rest.cmp(&(unit - rest));
        Some((self.mantissa.div_euclid(unit), half, rest == 0))
    }
}

fn power(of_ten: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(of_ten).ok()?)
}

fn both(left: &str, right: &str) -> Result<(Exact, Exact), Inexact> {
    Exact::read(left).zip(Exact::read(right)).ok_or(Inexact::TooLong)
}

pub(super) fn add(left: &str, right: &str) -> Result<String, Inexact> {
    let (left, right) = both(left, right)?;
    let (one, other, exponent) = left.aligned(right).ok_or(Inexact::TooLong)?;
    let mantissa = one.checked_add(other).ok_or(Inexact::TooLong)?;
    Exact { mantissa, exponent }.write()
}

pub(super) fn subtract(left: &str, right: &str) -> Result<String, Inexact> {
    add(left, &negate(right))
}

pub(super) fn multiply(left: &str, right: &str) -> Result<String, Inexact> {
    let (left, right) = both(left, right)?;
    let mantissa = left.mantissa.checked_mul(right.mantissa).ok_or(Inexact::TooLong)?;
    Exact { mantissa, exponent: left.exponent + right.exponent }.write()
}

/// Rounded at 28 digits, where it has no end before.
pub(super) fn divide(left: &str, right: &str) -> Result<String, Inexact> {
    let exact = |digits: &str| {
        let text = canonical_decimal(digits).ok_or(Inexact::TooLong)?;
        Decimal::from_str_exact(&text).map_err(|_| Inexact::TooLong)
    };
    let (left, right) = (exact(left)?, exact(right)?);
    if right.is_zero() {
        return Err(Inexact::ByZero);
    }
    let quotient = left.checked_div(right).ok_or(Inexact::TooLong)?;
    canonical_decimal(&quotient.to_string()).ok_or(Inexact::TooLong)
}

/// Of whole numbers; what is behind the point does not count.
pub(super) fn remainder(left: &str, right: &str) -> Result<String, Inexact> {
    let (left, right) = both(left, right)?;
    let whole = |number: Exact| {
        let (below, _, exact) = number.whole().ok_or(Inexact::TooLong)?;
        Ok(if number.mantissa < 0 && !exact { below + 1 } else { below })
    };
    let rest = whole(left)?.checked_rem(whole(right)?).ok_or(Inexact::ByZero)?;
    Exact { mantissa: rest, exponent: 0 }.write()
}

pub(super) fn negate(digits: &str) -> String {
    match digits.strip_prefix('-') {
        Some(digits) => digits.to_owned(),
        None => format!("-{digits}"),
    }
}

/// To which side a number is brought to a whole one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Down,
    Up,
    /// A half goes away from zero.
    Nearest,
}

pub(super) fn round(digits: &str, side: Side) -> Result<String, Inexact> {
    let number = Exact::read(digits).ok_or(Inexact::TooLong)?;
    let (below, half, exact) = number.whole().ok_or(Inexact::TooLong)?;
    let up = match side {
        Side::Down => false,
        Side::Up => !exact,
        Side::Nearest => half.is_gt() || (half.is_eq() && number.mantissa > 0),
    };
    Exact { mantissa: below + i128::from(up), exponent: 0 }.write()
}

/// It as a whole number, if it is one that an `i64` holds.
pub(super) fn whole(digits: &str) -> Option<i64> {
    digits.parse().ok().or_else(|| {
        let (whole, _, exact) = Exact::read(digits)?.whole()?;
        i64::try_from(whole).ok().filter(|_| exact)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_and_products_are_exact() {
        let long = "12345678901234567890.123456789";
        assert_eq!(add(long, "0.000000001").unwrap(), "12345678901234567890.12345679");
        assert_eq!(add("0.1", "0.2").unwrap(), "0.3");
        assert_eq!(subtract("1e2", "100.00").unwrap(), "0");
        assert_eq!(multiply("19.99", "3").unwrap(), "59.97");
        assert_eq!(multiply("-0.5", "0.5").unwrap(), "-0.25");
        assert_eq!(divide("10", "4").unwrap(), "2.5");
        assert_eq!(divide("1", "3").unwrap(), "0.3333333333333333333333333333");
        assert_eq!(remainder("-7.9", "2").unwrap(), "-1");
        assert_eq!(negate("-1.50"), "1.50");
    }

    #[test]
    fn what_is_no_longer_exact_is_refused() {
        let long = "9".repeat(38);
        assert_eq!(add(&long, "0.1"), Err(Inexact::TooLong));
        assert_eq!(multiply(&long, &long), Err(Inexact::TooLong));
        assert_eq!(add("1e99", "1"), Err(Inexact::TooLong));
        assert_eq!(add("1e999999999999", "1"), Err(Inexact::TooLong));
        assert_eq!(divide("1", "0.0"), Err(Inexact::ByZero));
        assert_eq!(remainder("1", "0.5"), Err(Inexact::ByZero));
    }

    #[test]
    fn numbers_are_brought_to_whole_ones() {
        for (digits, down, up, nearest) in [
            ("2.5", "2", "3", "3"),
            ("-2.5", "-3", "-2", "-3"),
            ("2.4", "2", "3", "2"),
            ("-2.4", "-3", "-2", "-2"),
            ("7", "7", "7", "7"),
            ("1e-60", "0", "1", "0"),
            ("-1e-60", "-1", "0", "0"),
        ] {
            assert_eq!(round(digits, Side::Down).unwrap(), down, "{digits}");
            assert_eq!(round(digits, Side::Up).unwrap(), up, "{digits}");
            assert_eq!(round(digits, Side::Nearest).unwrap(), nearest, "{digits}");
        }
        assert_eq!(whole("1e3"), Some(1000));
        assert_eq!(whole("7.00"), Some(7));
        assert_eq!(whole("7.5"), None);
        assert_eq!(whole("1e30"), None);
    }

    #[test]
    fn numbers_are_in_the_order_of_their_size() {
        let rising = [
            "-1e999999999999999999999",
            "-12",
            "-0.5",
            "-1e-30",
            "0",
            "1e-999999999999999999999",
            "0.05",
            "0.5",
            "0.51",
            "9",
            "10",
            "10.000000000000000000000000000000000000000001",
            "1e400",
        ];
        for (place, left) in rising.iter().enumerate() {
            for (other, right) in rising.iter().enumerate() {
                assert_eq!(compare(left, right), place.cmp(&other), "{left} {right}");
            }
        }
        assert_eq!(compare("-0.0", "0"), Ordering::Equal);
        assert_eq!(compare("100e-2", "1.000"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn a_sum_less_a_part_is_the_other_part(left in -999_999_999_999_i64..999_999_999_999,
            right in -999_999_999_999_i64..999_999_999_999, places in 0_usize..9,
        ) {
            let decimal = |number: i64| format!("{number}e-{places}");
            let sum = add(&decimal(left), &decimal(right)).unwrap();
            let rest = subtract(&sum, &decimal(right)).unwrap();
            prop_assert_eq!(compare(&rest, &decimal(left)), Ordering::Equal);
            prop_assert_eq!(compare(&decimal(left), &decimal(right)), left.cmp(&right));
        }
    }
}
