//! Who calls: with an API key or a token, and the right that a handler asks for in its signature.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use millwright_access::{Caller, Need, Role, TokenHolder, authenticate, refused};
use millwright_connection::{Connection, find_connection};
use millwright_core::{Error, ErrorCode, WorkspaceId};

use crate::{App, error::ApiError};

/// Declares an extractor that lets callers through who may do what is needed.
macro_rules! caller_extractor {
    ($(#[$doc:meta])* $name:ident, $need:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name(pub(crate) Caller);

        impl FromRequestParts<App> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
                let caller = caller_of(parts, app).await?;
                caller.require($need)?;
                Needed::note(parts, $need);
                Ok(Self(caller))
            }
        }

        impl Deref for $name {
            type Target = Caller;

            fn deref(&self) -> &Caller {
                &self.0
            }
        }
    };
}

caller_extractor!(
    /// Anybody with a key or token of the workspace.
    Reader, Need::Role(Role::Read));
caller_extractor!(
    /// Somebody who may write data, start syncs and send deliveries again.
    Writer, Need::Role(Role::Write));
caller_extractor!(
    /// Somebody who may do everything.
    Admin, Need::Role(Role::Admin));
caller_extractor!(
    /// Somebody who may call a connected system natively.
    Native, Need::Passthrough);

/// What a request's handler asked of its caller, told to whoever put this into the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needed(Arc<OnceLock<Need>>);

impl Needed {
    /// What; nothing when no handler has asked.
    pub(crate) fn get(&self) -> Option<Need> {
        self.0.get().copied()
    }

    fn note(parts: &Parts, need: Need) {
        if let Some(needed) = parts.extensions.get::<Self>() {
            // A handler asks once; what it asked for first would stand.
            let _ = needed.0.set(need);
        }
    }
}

/// The connection of the connection token that a request came with.
#[derive(Clone, Debug)]
pub(crate) struct TokenConnection(pub(crate) Connection);

/// Who calls; found out once per request.
pub(crate) async fn caller_of(parts: &mut Parts, app: &App) -> Result<Caller, ApiError> {
    if let Some(caller) = parts.extensions.get::<Caller>() {
        return Ok(caller.clone());
    }
    let caller = authenticate(&app.store, bearer(parts)?).await?;
    if let Some(holder) = caller.token_holder() {
        let connection = honouring(app, &caller.workspace, holder).await?;
        parts.extensions.insert(TokenConnection(connection));
    }
    tracing::Span::current().record("workspace", caller.workspace.as_str());
    parts.extensions.insert(caller.clone());
    Ok(caller)
}

/// The connection that a token opens, which is dead once that was disconnected or erased.
async fn honouring(
    app: &App,
    workspace: &WorkspaceId,
    holder: &TokenHolder,
) -> Result<Connection, Error> {
    match find_connection(&app.store, workspace, &holder.connection).await {
        Ok(row) if row.doc.honours(holder.granted_at) => Ok(row.doc),
        Err(error) if error.code != ErrorCode::NotFound => Err(error),
        _ => Err(refused()),
    }
}

/// The text after `Authorization: Bearer` (RFC 6750, 2.1; the scheme's case does not matter).
fn bearer(parts: &Parts) -> Result<&str, Error> {
    let message = "send the API key or token as `Authorization: Bearer ...`";
    let missing = || Error::new(ErrorCode::AuthenticationFailed, message);
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else { return Err(missing()) };
    let text = header.to_str().map_err(|_| missing())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(values: &[&str]) -> Parts {
        let mut request = Request::builder();
        for value in values {
            request = request.header(header::AUTHORIZATION, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_a_handler_asked_for_is_told() {
        let (mut parts, needed) = (parts(&[]), Needed::default());
        parts.extensions.insert(needed.clone());
        assert_eq!(needed.get(), None);
        Needed::note(&parts, Need::Passthrough);
        assert_eq!(needed.get(), Some(Need::Passthrough));
    }

    #[test]
    fn the_bearer_scheme_is_taken_in_any_case() {
        assert_eq!(bearer(&parts(&["bearer  mw_sk_test_x"])).unwrap(), "mw_sk_test_x");
    }

    #[test]
    fn another_scheme_two_headers_or_none_are_refused() {
        for values in [&[][..], &["Basic x"], &["mw_sk_test_x"], &["Bearer a", "Bearer b"]] {
            let refused = bearer(&parts(values)).unwrap_err();
            assert_eq!(refused.code, ErrorCode::AuthenticationFailed, "{values:?}");
        }
    }
}
