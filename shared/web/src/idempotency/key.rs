//! The header, and what it is the key of.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, header, request::Parts};
use millwright_access::Caller;
use millwright_core::{ConnectionId, Error, ErrorCode, WallTime, WorkspaceId, sha256_hex};

use crate::{error::ApiError, extract::SCENARIO};

/// The request's header.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Set on an answer that is given again.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// SHA-256 of the key the caller chose, if they chose one.
///
/// # Errors
/// `INVALID_REQUEST` for a key that is empty, longer than 255 characters, not printable ASCII, or
/// given twice.
pub(super) fn hash_of_key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bytes = value.as_bytes();
    let printable = bytes.iter().all(|byte| (0x20..=0x7e).contains(byte));
    if values.next().is_none() && (1..=255).contains(&bytes.len()) && printable {
        return Ok(Some(sha256_hex(bytes)));
    }
    let message = "Idempotency-Key must be one text of 1 to 255 printable ASCII characters";
    Err(Error::new(ErrorCode::InvalidRequest, message))
}

/// The hash of the request's key, for an operation that keeps keys in its own way.
#[derive(Clone, Debug)]
pub(crate) struct KeyHash(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for KeyHash {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(hash_of_key(&parts.headers)?))
    }
}

/// The hash under which a caller's key is kept: holders of connection tokens know nothing of each other,
/// so the same key means another thing for each connection.
pub(super) fn hash_for(caller: &Caller, hash: String) -> String {
    let own = caller.token_holder().map(|holder| format!("{}\n{hash}", holder.connection));
    own.map_or(hash, |own| sha256_hex(own.as_bytes()))
}

/// What makes two requests the same: method, path and query, connection, the body's bytes, and the
/// headers that change what the request does.
pub(super) fn fingerprint(parts: &Parts, body: &[u8]) -> String {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let connection = parts.headers.get(crate::extract::CONNECTION_ID);
    let connection = connection.and_then(|value| value.to_str().ok()).unwrap_or_default();
    // None of the parts can hold a line break.
    let text = [parts.method.as_str(), target, connection, &sha256_hex(body)].join("\n");
    let mut text = text.into_bytes();
    for name in [header::IF_MATCH, SCENARIO] {
        for value in parts.headers.get_all(&name) {
            text.extend([b"\n", name.as_str().as_bytes(), b":", value.as_bytes()].concat());
        }
    }
    sha256_hex(&text)
}

/// What a request with an idempotency key comes down to: the same text for the same request under the
/// same key, also when the first one broke off. Nothing without a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct SameAs {
    /// The text.
    pub(crate) text: Option<String>,
    /// When the first of these requests began.
    begun: WallTime,
}

impl SameAs {
    pub(super) fn of(hash: &str, fingerprint: &str, begun: WallTime) -> Self {
        let text = sha256_hex(format!("{hash}\n{fingerprint}").as_bytes());
        Self { text: Some(text), begun }
    }

    /// The id of the connection that the request makes: nothing where it is no other's than this one's.
    pub(crate) fn connection(&self, workspace: &WorkspaceId) -> Option<ConnectionId> {
        let text = self.text.as_deref()?;
        Some(ConnectionId::derived_at(self.begun.millis(), &[workspace.as_str(), text]))
    }
}

impl<S: Sync> FromRequestParts<S> for SameAs {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(target: &str, connection: &str) -> Parts {
        let request = Request::post(target).header(crate::extract::CONNECTION_ID, connection);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_key_has_1_to_255_printable_characters() {
        let hash = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, http::HeaderValue::from_bytes(value).unwrap());
            }
            hash_of_key(&headers)
        };
        assert_eq!(hash(&[]).unwrap(), None);
        assert_eq!(hash(&[b"order 1"]).unwrap(), Some(sha256_hex(b"order 1")));
        assert!(hash(&[&[b'k'; 255]]).is_ok());
        for values in [&[&b""[..]][..], &[&[b'k'; 256]], &["é".as_bytes()], &[b"a", b"b"]] {
            let refused = hash(values).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidRequest, "{values:?}");
        }
    }

    #[test]
    fn another_path_connection_or_body_is_another_request() {
        let own = fingerprint(&parts("/v1/sync", "conn_1"), b"{}");
        assert_eq!(own, fingerprint(&parts("/v1/sync", "conn_1"), b"{}"));
        assert_ne!(own, fingerprint(&parts("/v1/sync?a=1", "conn_1"), b"{}"));
        assert_ne!(own, fingerprint(&parts("/v1/sync", "conn_2"), b"{}"));
        assert_ne!(own, fingerprint(&parts("/v1/sync", "conn_1"), b"{ }"));
    }

    #[test]
    fn a_request_that_comes_again_makes_the_same_connection_and_no_other_does() {
        let (one, two) = (WorkspaceId::new_at(1), WorkspaceId::new_at(2));
        let id = |hash, begun, workspace| {
            SameAs::of(hash, "f", WallTime::from_millis(begun)).connection(workspace).unwrap()
        };
        assert_eq!(id("k", 7, &one), id("k", 7, &one));
        assert_eq!(id("k", 7, &one).time_ms(), 7, "it stands among the others by its age");
        let all = [id("k", 7, &one), id("l", 7, &one), id("k", 8, &one), id("k", 7, &two)];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        assert_eq!(SameAs::default().connection(&one), None);
    }

    #[test]
    fn another_condition_or_scenario_is_another_request() {
        let with = |name: HeaderName, value: &str| {
            let mut parts = parts("/v1/vendors/rec_1", "conn_1");
            parts.headers.append(name, value.parse().unwrap());
            fingerprint(&parts, b"{}")
        };
        let all = [
            fingerprint(&parts("/v1/vendors/rec_1", "conn_1"), b"{}"),
            with(header::IF_MATCH, "\"a\""),
            with(header::IF_MATCH, "\"b\""),
            with(SCENARIO, "\"a\""),
        ];
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(with(header::ACCEPT, "text/plain"), all[0]);
    }
}
