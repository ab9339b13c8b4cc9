//! The workspace's own headers of an endpoint's attempts.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use millwright_core::{
    EndpointId, Error, ErrorCode, ExposeSecret, FieldError, Result, SecretString, WorkspaceId,
};
use millwright_vault::Sealed;

use crate::{Webhooks, endpoint::Endpoint};

/// How many there may be, how long a name and a value, and all of them together.
const COUNT_MAX: usize = 20;
const NAME_MAX: usize = 128;
const VALUE_MAX: usize = 4096;
const SIZE_MAX: usize = 8 * 1024;

/// What only Millwright or the connection itself may say: hop-by-hop headers (RFC 9110, 7.6.1), how long
/// and what the body is, where it goes, and who sends it.
const DENIED: [&str; 22] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "cookie2",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-webhook-signature",
];
/// What headers of this standard and of Millwright begin with.
const DENIED_PREFIXES: [&str; 3] = ["webhook-", "millwright-", "x-forwarded-"];

/// Headers by their names in lower case. What is in them may be a key, so it does not print.
#[derive(Clone, Default)]
pub struct OwnHeaders(BTreeMap<String, SecretString>);

impl std::fmt::Debug for OwnHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl OwnHeaders {
    /// Takes headers that may be sent.
    ///
    /// # Errors
    /// Every fault, named by its path below `headers`.
    pub fn new(
        given: impl IntoIterator<Item = (String, SecretString)>,
    ) -> Result<Self, Vec<FieldError>> {
        let mut faults = Faults(Vec::new());
        let (mut taken, mut size) = (BTreeMap::new(), 0);
        for (name, value) in given {
            let path = format!("headers.{name}");
            let lower = name.to_ascii_lowercase();
            faults.name(&path, &lower);
            faults.value(&path, &value);
            size += name.len() + value.expose_secret().len();
            if taken.insert(lower, value).is_some() {
                faults.add(&path, "is given twice: names differ by more than case");
            }
        }
        if taken.len() > COUNT_MAX {
            faults.add("headers", "must have at most 20 entries");
        }
        if size > SIZE_MAX {
            faults.add("headers", "must have at most 8192 bytes in all");
        }
        if faults.0.is_empty() { Ok(Self(taken)) } else { Err(faults.0) }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each header's name and value, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SecretString)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The headers as they are sent. Their values are marked as sensitive, so that no log shows them.
    ///
    /// # Errors
    /// Never with headers that were taken by [`Self::new`].
    pub fn to_map(&self) -> Result<HeaderMap> {
        let pair = |(name, value): (&String, &SecretString)| {
            let name: HeaderName = name.parse().map_err(Error::internal)?;
            let text = value.expose_secret();
            let mut value = HeaderValue::from_str(text).map_err(Error::internal)?;
            value.set_sensitive(true);
            Ok((name, value))
        };
        self.0.iter().map(pair).collect()
    }

    /// One text of all of them, to be sealed.
    fn to_secret(&self) -> Result<SecretString> {
        let plain: BTreeMap<&str, &str> =
            self.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        serde_json::to_string(&plain).map(SecretString::from).map_err(Error::internal)
    }

    fn of_secret(secret: &SecretString) -> Result<Self> {
        let plain: BTreeMap<String, String> = serde_json::from_str(secret.expose_secret())
            .map_err(|_| Error::internal("an endpoint's sealed headers are not its headers"))?;
        let sealed = plain.into_iter().map(|(name, value)| (name, SecretString::from(value)));
        Ok(Self(sealed.collect()))
    }
}

impl Webhooks {
    /// The endpoint's own headers, opened.
    ///
    /// # Errors
    /// When the vault cannot open them.
    pub async fn headers_of(&self, endpoint: &Endpoint) -> Result<OwnHeaders> {
        let Some(sealed) = &endpoint.headers else { return Ok(OwnHeaders::default()) };
        let context = headers_context(&endpoint.id);
        OwnHeaders::of_secret(&self.vault.open(&endpoint.workspace, &context, sealed).await?)
    }

    /// The headers as an endpoint's row keeps them; nothing for none.
    pub(crate) async fn seal_headers(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
        headers: &OwnHeaders,
    ) -> Result<Option<Sealed>> {
        if headers.is_empty() {
            return Ok(None);
        }
        let context = headers_context(id);
        self.vault.seal(workspace, &context, &headers.to_secret()?).await.map(Some)
    }
}

/// What the headers are sealed for: not for what the signing secret is, so that neither can stand in the
/// other's place.
pub(crate) fn headers_context(id: &EndpointId) -> String {
    format!("{id}#headers")
}

struct Faults(Vec<FieldError>);

impl Faults {
    fn add(&mut self, path: &str, message: &str) {
        self.0.push(FieldError::new(path, ErrorCode::ValidationFailed, message));
    }

    fn name(&mut self, path: &str, lower: &str) {
        if lower.len() > NAME_MAX || HeaderName::from_bytes(lower.as_bytes()).is_err() {
            self.add(path, "is not a header's name of at most 128 characters");
        } else if DENIED.contains(&lower)
            || DENIED_PREFIXES.iter().any(|start| lower.starts_with(start))
        {
            self.add(path, "is a header that cannot be set");
        }
    }

    fn value(&mut self, path: &str, value: &SecretString) {
        let text = value.expose_secret();
        let sendable = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte) || byte == b'\t');
        if text.len() > VALUE_MAX {
            self.add(path, "must have at most 4096 bytes");
        } else if !sendable || text.trim() != text {
            self.add(path, "must be printable ASCII without spaces at its ends");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(headers: &[(&str, &str)]) -> Result<OwnHeaders, Vec<FieldError>> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), SecretString::from(*value));
        OwnHeaders::new(headers.iter().map(pair))
    }

    #[test]
    fn what_only_millwright_or_the_connection_may_say_cannot_be_set() {
        for name in [
            "Host",
            "content-length",
            "Content-Type",
            "Webhook-Id",
            "webhook-anything",
            "User-Agent",
            "X-Webhook-Signature",
            "Transfer-Encoding",
            "Cookie2",
            "Connection",
            "X-Forwarded-For",
            "",
            "a b",
            "a:b",
            &"n".repeat(129),
        ] {
            let faults = taken(&[(name, "x")]).unwrap_err();
            assert_eq!(faults[0].path, format!("headers.{name}"), "{name}");
        }
        for name in ["Authorization", "X-Api-Key", "x-webhook", &"n".repeat(128)] {
            assert!(taken(&[(name, "x")]).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_value_is_printable_and_all_together_have_a_limit() {
        for value in ["a\r\nb: c", "a\nb", " a", "a ", "ü", "\u{0}", &"v".repeat(4097)] {
            assert!(taken(&[("x-key", value)]).is_err(), "{value:?}");
        }
        for value in ["", "Bearer a\tb", &"v".repeat(4096)] {
            assert!(taken(&[("x-key", value)]).is_ok(), "{value:?}");
        }
        let half = "v".repeat(4094);
        assert!(taken(&[("xa", &half), ("xb", &half)]).is_ok());
        assert!(taken(&[("xa", &half), ("xbc", &half)]).is_err());
        assert!(taken(&[("x-a", "1"), ("X-A", "2")]).is_err());
        let names: Vec<String> = (0..21).map(|n| format!("x-{n}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert!(taken(&many[..20]).is_ok() && taken(&many).is_err());
    }

    #[test]
    fn headers_do_not_print_their_values_and_are_sent_as_sensitive() {
        let headers = taken(&[("X-Api-Key", "planted-value")]).unwrap();
        assert!(!format!("{headers:?} {:?}", headers.to_map().unwrap()).contains("planted"));
        assert_eq!(headers.to_map().unwrap()["x-api-key"], "planted-value");
        let again = OwnHeaders::of_secret(&headers.to_secret().unwrap()).unwrap();
        assert_eq!(again.to_map().unwrap(), headers.to_map().unwrap());
    }
}
