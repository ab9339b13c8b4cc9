//! Errors in OAuth's own shape (RFC 6749, 4.1.2.1 and 5.2).

use millwright_core::Error;

use super::GrantId;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// The codes of errors.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum OauthCode { $($(#[$doc])* $name,)+ }

        impl OauthCode {
            /// The code as it stands in answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// Something is missing, given twice, or cannot be read.
    InvalidRequest = "invalid_request",
    /// The client is unknown, or did not prove who it is.
    InvalidClient = "invalid_client",
    /// The code or refresh token is not known, has expired, was used, or is somebody else's.
    InvalidGrant = "invalid_grant",
    /// The client may not do this.
    UnauthorizedClient = "unauthorized_client",
    /// There is no such grant type.
    UnsupportedGrantType = "unsupported_grant_type",
    /// There is no such response type.
    UnsupportedResponseType = "unsupported_response_type",
    /// There is no such scope, or it is more than the application has.
    InvalidScope = "invalid_scope",
    /// The user, or the server, said no.
    AccessDenied = "access_denied",
    /// Our fault.
    ServerError = "server_error",
    /// Our fault, and it will pass.
    TemporarilyUnavailable = "temporarily_unavailable",
}

const INVALID_GRANT: &str = "the code or token is not known, has expired, was used or revoked, or is \
                             bound to another client, redirect URI or verifier";

/// An error of the OAuth endpoints.
#[derive(Debug)]
pub enum OauthError {
    /// What the client is told.
    Refused(OauthCode, &'static str),
    /// A code or refresh token was used again that had been used before; everything that came of this
    /// grant is dead now. The client is told `invalid_grant`.
    Replayed(Box<GrantId>),
    /// Our fault: the client is told no more than that.
    Internal(Error),
}

impl OauthError {
    pub(crate) const fn refused(code: OauthCode, description: &'static str) -> Self {
        Self::Refused(code, description)
    }

    /// The refusal of a code or refresh token. Which of the reasons it was is not told.
    #[must_use]
    pub const fn invalid_grant() -> Self {
        Self::refused(OauthCode::InvalidGrant, INVALID_GRANT)
    }

    /// The code that is told.
    #[must_use]
    pub const fn code(&self) -> OauthCode {
        match self {
            Self::Refused(code, _) => *code,
            Self::Replayed(_) => OauthCode::InvalidGrant,
            Self::Internal(_) => OauthCode::ServerError,
        }
    }

    /// The sentence that is told.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        match self {
            Self::Refused(_, description) => description,
            Self::Replayed(_) => INVALID_GRANT,
            Self::Internal(_) => "something went wrong here; try again",
        }
    }
}

impl<E: Into<Error>> From<E> for OauthError {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}
