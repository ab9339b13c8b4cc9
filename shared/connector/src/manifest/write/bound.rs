//! How small and how large a decimal may be.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::codec::compare_decimals;

/// Limits of a decimal, as decimal text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Bounds {
    /// It must be this or more.
    pub min: Option<String>,
    /// It must be more than this.
    pub above: Option<String>,
    /// It must be this or less.
    pub max: Option<String>,
    /// It must be less than this.
    pub below: Option<String>,
}

impl Bounds {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Checks a decimal; what is no decimal is the codec's to refuse.
    pub(crate) fn check(&self, given: &Value) -> Result<(), String> {
        let broken = |limit: &Option<String>, wrong: fn(Ordering) -> bool| {
            let limit = limit.as_deref()?;
            let order = compare_decimals(given.as_str()?, limit)?;
            wrong(order).then(|| limit.to_owned())
        };
        let words = [
            (broken(&self.min, Ordering::is_lt), "or more"),
            (broken(&self.max, Ordering::is_gt), "or less"),
        ];
        if let Some((Some(limit), word)) = words.into_iter().find(|(limit, _)| limit.is_some()) {
            return Err(format!("must be {limit} {word}"));
        }
        if let Some(limit) = broken(&self.above, Ordering::is_le) {
            return Err(format!("must be more than {limit}"));
        }
        if let Some(limit) = broken(&self.below, Ordering::is_ge) {
            return Err(format!("must be less than {limit}"));
        }
        Ok(())
    }

    /// Every limit.
    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        self.min.iter().chain(&self.above).chain(&self.max).chain(&self.below)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(bounds: &str, value: &str) -> bool {
        let bounds: Bounds = serde_saphyr::from_str(bounds).unwrap();
        bounds.check(&json!(value)).is_ok()
    }

    #[test]
    fn each_limit_holds_at_its_edge() {
        for (bounds, fine, wrong) in [
            ("{min: '0'}", "0", "-0.0001"),
            ("{above: '0'}", "0.0001", "0.00"),
            ("{max: '99.5'}", "99.50", "99.5000001"),
            ("{below: '100'}", "99.99999999999999999999", "100"),
        ] {
            assert!(check(bounds, fine), "{bounds} {fine}");
            assert!(!check(bounds, wrong), "{bounds} {wrong}");
        }
        assert!(check("{min: '1', max: '2'}", "1.5") && !check("{min: '1', max: '2'}", "2.5"));
        assert!(Bounds::default().is_empty());
    }

    #[test]
    fn what_is_no_decimal_is_left_to_the_codec() {
        assert!(check("{min: '1'}", "many"));
        let bounds: Bounds = serde_saphyr::from_str("{min: '1'}").unwrap();
        assert!(bounds.check(&json!(0)).is_ok());
    }
}
