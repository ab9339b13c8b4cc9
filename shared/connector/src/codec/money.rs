//! Amounts in the smallest unit of a currency: 1250 for 12.50.

use super::{CodecError, canonical_decimal};

/// No currency has more (ISO 4217 has up to 4; the rest is for systems that keep parts of a cent).
pub(super) const PLACES_MAX: u8 = 12;

/// The decimal text of a whole number of the smallest unit, which has so many decimal places.
pub(super) fn from_minor(digits: &str, places: u8) -> Result<String, CodecError> {
    let wrong = || CodecError::expected("a whole amount in the smallest unit");
    let whole = canonical_decimal(digits).filter(|text| !text.contains('.')).ok_or_else(wrong)?;
    canonical_decimal(&format!("{whole}e-{places}")).ok_or_else(wrong)
}

/// The whole number of the smallest unit that a decimal text is.
pub(super) fn to_minor(text: &str, places: u8) -> Result<String, CodecError> {
    let minor = canonical_decimal(&format!("{text}e{places}"));
    minor.filter(|minor| !minor.contains('.')).ok_or_else(|| {
        CodecError(format!("must be an amount with at most {places} digits behind the point"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_the_same_in_both_units() {
        for (minor, places, amount) in [
            ("1250", 2, "12.5"),
            ("-1", 2, "-0.01"),
            ("0", 2, "0"),
            ("99", 0, "99"),
            (
                "12345678901234567890123456789012345678",
                3,
                "12345678901234567890123456789012345.678",
            ),
        ] {
            assert_eq!(from_minor(minor, places).unwrap(), amount);
            assert_eq!(to_minor(amount, places).unwrap(), minor);
        }
        assert_eq!(from_minor("1250.0", 2).unwrap(), "12.5");
    }

    #[test]
    fn no_part_of_the_smallest_unit_is_lost() {
        assert!(to_minor("12.505", 2).is_err());
        assert!(to_minor("0.5", 0).is_err());
        assert!(from_minor("12.5", 2).is_err());
        assert!(from_minor("x", 2).is_err());
    }
}
