//! How a number is written, and which of two is the larger.

use std::{cmp::Ordering, iter};

/// Which is the larger, whatever their length.
pub(in crate::jq) fn compare(left: &str, right: &str) -> Ordering {
    if let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) {
        return left.cmp(&right);
    }
    let (left, right) = (Parts::of(left), Parts::of(right));
    match (left.sign(), right.sign()) {
        (1, 1) => left.size(&right),
        (-1, -1) => right.size(&left),
        (one, other) => one.cmp(&other),
    }
}

/// A number as it is written.
pub(super) struct Parts<'a> {
    pub negative: bool,
    pub whole: &'a str,
    pub fraction: &'a str,
    pub exponent: i64,
}

impl<'a> Parts<'a> {
    pub fn of(digits: &'a str) -> Self {
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let beyond = if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
        let exponent = exponent.parse().unwrap_or(beyond).clamp(i64::MIN / 4, i64::MAX / 4);
        Self { negative: digits.starts_with('-'), whole, fraction, exponent }
    }

    fn digits(&self) -> impl Iterator<Item = u8> + 'a {
        let all = self.whole.bytes().chain(self.fraction.bytes());
        all.map(|digit| digit.wrapping_sub(b'0'))
    }

    /// Without zeros at the beginning.
    pub fn significant(&self) -> impl Iterator<Item = u8> + 'a {
        self.digits().skip_while(|digit| *digit == 0)
    }

    fn sign(&self) -> i8 {
        match self.significant().next() {
            None => 0,
            Some(_) if self.negative => -1,
            Some(_) => 1,
        }
    }

    /// How many digits stand before the point, without zeros at the beginning; less than nothing when
    /// zeros follow the point.
    fn magnitude(&self) -> i64 {
        let zeros = self.digits().take_while(|digit| *digit == 0).count();
        let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX / 4);
        length(self.whole.len()) - length(zeros) + self.exponent
    }

    /// Compares what they are without their signs.
    fn size(&self, other: &Self) -> Ordering {
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let (mut one, mut two) = (self.significant(), other.significant());
            let pairs = iter::from_fn(|| match (one.next(), two.next()) {
                (None, None) => None,
                (left, right) => Some(left.unwrap_or(0).cmp(&right.unwrap_or(0))),
            });
            pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        })
    }
}
