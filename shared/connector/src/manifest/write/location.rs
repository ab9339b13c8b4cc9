//! Ids in the `Location` of an answer.

use std::fmt;

use http::{HeaderMap, header::LOCATION};
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de::Error};

/// A regular expression with one group, which is the id, for a part of the address in an answer's
/// `Location`: `/orders/([0-9]+)`.
#[derive(Clone)]
pub struct IdInLocation(Regex);

impl IdInLocation {
    /// The id in an answer's headers; nothing when there is no such header, or it has another form.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<String> {
        let address = headers.get(LOCATION)?.to_str().ok()?;
        let id = self.0.captures(address)?.get(1)?.as_str();
        (!id.is_empty()).then(|| id.to_owned())
    }
}

impl fmt::Debug for IdInLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for IdInLocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        let regex = RegexBuilder::new(&source).size_limit(1 << 18).build();
        let regex = regex.map_err(|why| D::Error::custom(format!("`id_in_location`: {why}")))?;
        if regex.captures_len() != 2 {
            let why = "`id_in_location` has one group, in brackets, which is the id";
            return Err(D::Error::custom(why));
        }
        Ok(Self(regex))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, location: Option<&str>) -> Option<String> {
        let pattern: IdInLocation = serde_saphyr::from_str(&format!("'{pattern}'")).unwrap();
        let location = location.map(|address| (LOCATION, address.parse().unwrap()));
        pattern.find(&location.into_iter().collect())
    }

    #[test]
    fn an_id_is_the_group_of_the_expression() {
        let at = Some("https://erp.example/t/a-slug/42.json?x=1");
        assert_eq!(find("/t/[^/]+/([0-9]+)", at).as_deref(), Some("42"));
        assert_eq!(find("/u/([0-9]+)", at), None);
        assert_eq!(find("/t/[^/]+/([0-9]*)x", at), None);
        assert_eq!(find("/t/([0-9]+)", None), None);
    }

    #[test]
    fn an_expression_without_its_one_group_is_refused() {
        for wrong in ["'/t/[0-9]+'", "'/(t)/([0-9]+)'", "'('"] {
            assert!(serde_saphyr::from_str::<IdInLocation>(wrong).is_err(), "{wrong}");
        }
    }
}
