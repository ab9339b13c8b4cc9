//! Prefixed ids. Each kind of thing has its own type, so that one cannot be passed for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{Error, ErrorCode, derive_id_part};

/// Declares an id type: `prefix_` and 26 lower-case characters.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id whose text sorts by `at_ms` (milliseconds since the epoch) and then by chance.
            #[must_use]
            pub fn new_at(at_ms: i64) -> Self {
                Self(format!("{}_{}", $prefix, time_sorted(at_ms)))
            }

            /// The id that follows from `parts`: the same parts always give the same id, so a step
            /// that is done twice makes one thing.
            #[must_use]
            pub fn derived(parts: &[&str]) -> Self {
                Self(format!("{}_{}", $prefix, derive_id_part(parts)))
            }

            /// The id that follows from `parts`, and sorts by `at_ms` like a new one.
            #[must_use]
            pub fn derived_at(at_ms: i64, parts: &[&str]) -> Self {
                Self(format!("{}_{}", $prefix, time_sorted_from(at_ms, parts)))
            }

            /// The milliseconds since the epoch inside an id made by `new_at` or `derived_at`.
            #[must_use]
            pub fn time_ms(&self) -> i64 {
                let part = &self.0[$prefix.len() + 1..];
                Ulid::from_string(&part.to_ascii_uppercase())
                    .map_or(0, |ulid| i64::try_from(ulid.timestamp_ms()).unwrap_or(0))
            }

            /// The whole id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                if is_id(text, $prefix) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Error::new(
                        ErrorCode::NotFound,
                        concat!("no such id: an id of this kind starts with ", $prefix, "_"),
                    ))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id_type!(
    /// A workspace: the tenant.
    WorkspaceId, "ws");
id_type!(
    /// An API key (never the key itself).
    ApiKeyId, "key");
id_type!(
    /// An application: an OAuth client of the workspace.
    ApplicationId, "app");
id_type!(
    /// The tokens that came of one authorisation, each renewed from the one before.
    TokenFamilyId, "fam");
id_type!(
    /// A connect link.
    LinkId, "link");
id_type!(
    /// A connection to one customer's instance of a system.
    ConnectionId, "conn");
id_type!(
    /// One change of a connection's status.
    ConnectionEventId, "cev");
id_type!(
    /// A problem of a connection, while it lasts.
    IssueId, "iss");
id_type!(
    /// A webhook endpoint.
    EndpointId, "ep");
id_type!(
    /// A webhook message; also the `webhook-id` on the wire.
    MessageId, "msg");
id_type!(
    /// A long-running job.
    JobId, "job");
id_type!(
    /// One sync run of one entity.
    RunId, "run");
id_type!(
    /// One entry of the audit log.
    AuditId, "aud");
id_type!(
    /// One request to the API.
    RequestId, "req");
id_type!(
    /// One write through the API: also the token by which a system can know it again.
    WriteId, "write");

/// A delivery: one message to one endpoint. The id holds both, so it needs no look-up table.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId {
    /// The endpoint the message goes to.
    pub endpoint: EndpointId,
    /// The message.
    pub message: MessageId,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = &self.message.as_str()[MessageId::PREFIX.len() + 1..];
        let endpoint = &self.endpoint.as_str()[EndpointId::PREFIX.len() + 1..];
        write!(f, "dlv_{message}{endpoint}")
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DeliveryId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let no_such = || Error::new(ErrorCode::NotFound, "no such delivery");
        let rest = text.strip_prefix("dlv_").ok_or_else(no_such)?;
        if rest.len() != 2 * ID_LENGTH || !rest.is_ascii() {
            return Err(no_such());
        }
        let (message, endpoint) = rest.split_at(ID_LENGTH);
        Ok(Self {
            endpoint: format!("ep_{endpoint}").parse().map_err(|_| no_such())?,
            message: format!("msg_{message}").parse().map_err(|_| no_such())?,
        })
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> String {
        id.to_string()
    }
}

/// Random text of `length` letters and digits, from the operating system's random source: for keys
/// and secrets.
#[must_use]
pub fn random_token(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut token = String::with_capacity(length);
    while token.len() < length {
        for byte in random_bytes::<32>() {
            // Bytes from 248 up are dropped: they would make the first letters likelier.
            if byte < 248 && token.len() < length {
                token.push(char::from(LETTERS[usize::from(byte % 62)]));
            }
        }
    }
    token
}

const ID_LENGTH: usize = 26;

fn is_id(text: &str, prefix: &str) -> bool {
    let Some(part) = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')) else {
        return false;
    };
    part.len() == ID_LENGTH && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn time_sorted(at_ms: i64) -> String {
    let random = u128::from_be_bytes(random_bytes::<16>());
    let at_ms = u64::try_from(at_ms).unwrap_or(0);
    Ulid::from_parts(at_ms, random).to_string().to_ascii_lowercase()
}

fn time_sorted_from(at_ms: i64, parts: &[&str]) -> String {
    let digest = crate::hash::digest(parts);
    let chance = u128::from_be_bytes(digest[..16].try_into().unwrap_or_default());
    let at_ms = u64::try_from(at_ms).unwrap_or(0);
    Ulid::from_parts(at_ms, chance).to_string().to_ascii_lowercase()
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without a random source no id or key may be made")]
    getrandom::fill(&mut bytes).expect("the operating system has a random source");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made_at() {
        let earlier = MessageId::new_at(1_700_000_000_000);
        let later = MessageId::new_at(1_700_000_000_001);
        assert!(earlier < later);
        assert_eq!(later.time_ms(), 1_700_000_000_001);
    }

    #[test]
    fn a_derived_id_is_the_same_each_time_and_parts_do_not_run_together() {
        let id = MessageId::derived_at(5, &["conn", "page"]);
        assert_eq!(id, MessageId::derived_at(5, &["conn", "page"]));
        assert_ne!(id, MessageId::derived_at(5, &["connp", "age"]));
        assert_eq!(id.time_ms(), 5);
    }

    #[test]
    fn a_delivery_id_holds_its_endpoint_and_message() {
        let id = DeliveryId { endpoint: EndpointId::new_at(1), message: MessageId::new_at(2) };
        assert_eq!(id.to_string().parse::<DeliveryId>().unwrap(), id);
        assert!("dlv_x".parse::<DeliveryId>().is_err());
        assert!(format!("dlv_{}", "é".repeat(26)).parse::<DeliveryId>().is_err());
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let endpoint = EndpointId::new_at(1);
        assert!(endpoint.as_str().parse::<MessageId>().is_err());
        assert!("ep_../../etc".parse::<EndpointId>().is_err());
    }

    #[test]
    fn tokens_differ_and_have_the_length_asked_for() {
        assert_eq!(random_token(40).len(), 40);
        assert_ne!(random_token(40), random_token(40));
    }
}
