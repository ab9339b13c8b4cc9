//! Who calls: the API key, and the role a handler asks for in its signature.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use millwright_access::{Caller, Role, authenticate};
use millwright_core::{Error, ErrorCode};

use crate::{App, error::ApiError};

/// Declares an extractor that lets callers of one role and above through.
macro_rules! role_extractor {
    ($(#[$doc:meta])* $name:ident, $role:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name(pub(crate) Caller);

        impl FromRequestParts<App> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
                let caller = caller_of(parts, app).await?;
                caller.role.require($role)?;
                NeededRole::note(parts, $role);
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

role_extractor!(
    /// Anybody with a key of the workspace.
    Reader, Role::Read);
role_extractor!(
    /// Somebody who may write data, start syncs and send deliveries again.
    Writer, Role::Write);
role_extractor!(
    /// Somebody who may do everything.
    Admin, Role::Admin);

/// The role that a request's handler asked for, told to whoever put this into the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct NeededRole(Arc<OnceLock<Role>>);

impl NeededRole {
    /// The role; nothing when no handler has asked for one.
    pub(crate) fn get(&self) -> Option<Role> {
        self.0.get().copied()
    }

    fn note(parts: &Parts, role: Role) {
        if let Some(needed) = parts.extensions.get::<Self>() {
            // A handler asks once; what it asked for first would stand.
            let _ = needed.0.set(role);
        }
    }
}

/// Who calls; found out once per request.
pub(crate) async fn caller_of(parts: &mut Parts, app: &App) -> Result<Caller, ApiError> {
    if let Some(caller) = parts.extensions.get::<Caller>() {
        return Ok(caller.clone());
    }
    let caller = authenticate(&app.store, bearer(parts)?).await?;
    tracing::Span::current().record("workspace", caller.workspace.as_str());
    parts.extensions.insert(caller.clone());
    Ok(caller)
}

/// The text after `Authorization: Bearer` (RFC 6750, 2.1; the scheme's case does not matter).
fn bearer(parts: &Parts) -> Result<&str, Error> {
    let message = "send the API key as `Authorization: Bearer mw_sk_...`";
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
    fn the_role_a_handler_asked_for_is_told() {
        let (mut parts, needed) = (parts(&[]), NeededRole::default());
        parts.extensions.insert(needed.clone());
        assert_eq!(needed.get(), None);
        NeededRole::note(&parts, Role::Write);
        assert_eq!(needed.get(), Some(Role::Write));
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
