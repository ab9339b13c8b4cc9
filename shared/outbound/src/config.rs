//! Where requests may go.

use std::{fmt, sync::Arc};

use ipnet::IpNet;
use millwright_core::config::{ConfigError, Source};

use crate::Lookup;

const ALLOW_VARIABLE: &str = "MILLWRIGHT_ALLOW_TARGETS";
const HTTPS_VARIABLE: &str = "MILLWRIGHT_HTTPS_REQUIRED";

/// Where requests may go.
#[derive(Clone)]
pub struct OutboundConfig {
    /// Ranges that are allowed beside the public internet. Link-local and metadata addresses stay
    /// forbidden even when they are listed.
    pub allowed: Vec<IpNet>,
    /// Whether `http` URLs are refused.
    pub https_required: bool,
    /// Who resolves names; the operating system when there is none.
    pub resolver: Option<Arc<dyn Lookup>>,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self { allowed: Vec::new(), https_required: true, resolver: None }
    }
}

impl OutboundConfig {
    /// From `MILLWRIGHT_ALLOW_TARGETS` (CIDR ranges with commas between, none by default) and
    /// `MILLWRIGHT_HTTPS_REQUIRED` (`true` by default).
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let ranges = source.text(ALLOW_VARIABLE).unwrap_or_default();
        let ranges = ranges.split(',').map(str::trim).filter(|text| !text.is_empty());
        let https_required = match source.text(HTTPS_VARIABLE).as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => return Err(invalid(HTTPS_VARIABLE, other, "it must be true or false")),
        };
        let allowed = ranges.map(range).collect::<Result<_, _>>()?;
        Ok(Self { allowed, https_required, resolver: None })
    }
}

impl fmt::Debug for OutboundConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundConfig")
            .field("allowed", &self.allowed)
            .field("https_required", &self.https_required)
            .finish_non_exhaustive()
    }
}

fn range(text: &str) -> Result<IpNet, ConfigError> {
    text.parse().map_err(|_| invalid(ALLOW_VARIABLE, text, "it is not a range such as 10.0.0.0/8"))
}

pub(crate) fn invalid(name: &'static str, value: &str, why: &str) -> ConfigError {
    ConfigError::Invalid { name, value: value.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn config(text: &str) -> Result<OutboundConfig, ConfigError> {
        OutboundConfig::from_source(&HashMap::from([(ALLOW_VARIABLE, text)]))
    }

    #[test]
    fn by_default_nothing_is_allowed_beside_the_public_internet_and_https_is_required() {
        let config = OutboundConfig::from_source(&HashMap::<&str, &str>::new()).unwrap();
        assert!(config.allowed.is_empty() && config.https_required);
    }

    #[test]
    fn ranges_are_read_and_a_bad_one_is_named() {
        assert_eq!(config("127.0.0.0/8, fd00::/8,").unwrap().allowed.len(), 2);
        let line = config("10.0.0.0/33").unwrap_err().to_string();
        assert!(line.contains(ALLOW_VARIABLE) && line.contains("10.0.0.0/33"), "{line}");
        let other = HashMap::from([(HTTPS_VARIABLE, "yes")]);
        assert!(OutboundConfig::from_source(&other).is_err());
    }
}
