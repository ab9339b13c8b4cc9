//! The one error type of the API's contract: a stable code, what to say, and whether to try again.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// `Result` with the contract's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $kind:ident;)*) => {
        /// A stable code. Each has one HTTP status and one type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of their statuses.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it stands in answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The type that goes with it.
            #[must_use]
            pub const fn error_type(self) -> ErrorType {
                match self { $(Self::$name => ErrorType::$kind,)* }
            }
        }
    };
}

codes! {
    /// The body or the query cannot be read.
    InvalidRequest = "INVALID_REQUEST", 400, Request;
    /// The cursor is not one that this list has given out.
    CursorInvalid = "CURSOR_INVALID", 400, Request;
    /// A data path was called with an API key and without `Connection-Id`.
    ConnectionRequired = "CONNECTION_REQUIRED", 400, Request;
    /// No key, or one that is not known.
    AuthenticationFailed = "AUTHENTICATION_FAILED", 401, Authentication;
    /// The key's role does not allow it, or the system does not allow the connected account.
    PermissionDenied = "PERMISSION_DENIED", 403, Permission;
    /// The system refuses the stored credentials: somebody must log in again.
    ReauthorizationRequired = "REAUTHORIZATION_REQUIRED", 403, Connection;
    /// There is no such thing in this workspace.
    NotFound = "NOT_FOUND", 404, Request;
    /// The path exists, this operation on it does not.
    OperationNotSupported = "OPERATION_NOT_SUPPORTED", 405, Request;
    /// The thing's state does not allow it.
    StateConflict = "STATE_CONFLICT", 409, Conflict;
    /// The connection's user has not finished connecting.
    ConnectionPending = "CONNECTION_PENDING", 409, Connection;
    /// The connection is paused or short of credits.
    ConnectionInactive = "CONNECTION_INACTIVE", 409, Connection;
    /// A sync of that entity is running.
    SyncInProgress = "SYNC_IN_PROGRESS", 409, Conflict;
    /// The idempotency key was used for another request.
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT", 409, Conflict;
    /// The first request with this idempotency key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", 409, Conflict;
    /// The credentials belong to another instance than the connection's.
    DifferentSystem = "DIFFERENT_SYSTEM", 409, Conflict;
    /// The workspace has no credits left for this.
    CreditsExhausted = "CREDITS_EXHAUSTED", 409, Conflict;
    /// The connection was disconnected.
    ConnectionDisconnected = "CONNECTION_DISCONNECTED", 410, Connection;
    /// The cursor is older than what is kept: list again.
    CursorExpired = "CURSOR_EXPIRED", 410, Request;
    /// `If-Match` does not match.
    PreconditionFailed = "PRECONDITION_FAILED", 412, Conflict;
    /// The body is larger than the limit.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 413, Request;
    /// The body is not of a type this path takes.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415, Request;
    /// Several fields are wrong, or one is wrong in a way that has no code of its own.
    ValidationFailed = "VALIDATION_FAILED", 422, Request;
    /// A required field is missing.
    FieldRequired = "FIELD_REQUIRED", 422, Request;
    /// The field cannot be written.
    FieldReadOnly = "FIELD_READ_ONLY", 422, Request;
    /// The custom field cannot be written.
    CustomFieldNotWritable = "CUSTOM_FIELD_NOT_WRITABLE", 422, Request;
    /// The record needs lines.
    LinesRequired = "LINES_REQUIRED", 422, Request;
    /// A referenced record does not exist.
    ReferenceNotFound = "REFERENCE_NOT_FOUND", 422, Request;
    /// The system refuses it by a rule of its own.
    BusinessRuleViolated = "BUSINESS_RULE_VIOLATED", 422, Upstream;
    /// While connecting: the system refuses the credentials.
    CredentialsRefused = "CREDENTIALS_REFUSED", 422, Connection;
    /// While connecting: the system cannot be reached.
    SystemUnreachable = "SYSTEM_UNREACHABLE", 422, Connection;
    /// Too many requests to Millwright.
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED", 429, RateLimit;
    /// The system says that it is asked too often.
    UpstreamRateLimited = "UPSTREAM_RATE_LIMITED", 429, Upstream;
    /// Millwright failed.
    InternalError = "INTERNAL_ERROR", 500, Internal;
    /// The system answered with something that cannot be used.
    UpstreamError = "UPSTREAM_ERROR", 502, Upstream;
    /// The system cannot be reached.
    ConnectionUnavailable = "CONNECTION_UNAVAILABLE", 503, Connection;
    /// The system did not answer a write: it may have happened.
    WriteOutcomeUnknown = "WRITE_OUTCOME_UNKNOWN", 504, Upstream;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose fault it is, roughly: what a caller branches on first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    /// The key.
    Authentication,
    /// What the key or the account may do.
    Permission,
    /// The request itself.
    Request,
    /// The state of what it is about.
    Conflict,
    /// Too much at once.
    RateLimit,
    /// The connection's state.
    Connection,
    /// The connected system.
    Upstream,
    /// Millwright.
    Internal,
}

/// One faulty field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where it is, such as `lineItems[0].quantity`.
    pub path: String,
    /// What is wrong with it.
    pub code: ErrorCode,
    /// The same in words.
    pub message: String,
}

impl FieldError {
    /// A faulty field.
    pub fn new(path: impl Into<String>, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { path: path.into(), code, message: message.into() }
    }
}

/// What the connected system said, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Its HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Its own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What went wrong, as the API tells it. The cause of an internal error is kept for the log and is
/// never part of an answer.
#[derive(Debug)]
pub struct Error {
    /// The stable code.
    pub code: ErrorCode,
    /// A sentence for a person.
    pub message: String,
    /// The faulty fields, where the fault is in fields.
    pub fields: Vec<FieldError>,
    /// What the system said, where it was the system.
    pub upstream: Option<Upstream>,
    /// How long to wait before another try, where that is known.
    pub retry_after: Option<Duration>,
    /// Where the user can log in again, where that is what is needed.
    pub reconnect_url: Option<String>,
    /// The operations that are supported instead (the `Allow` header of a 405).
    pub allow: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a code and a sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: Vec::new(),
            upstream: None,
            retry_after: None,
            reconnect_url: None,
            allow: None,
            source: None,
        }
    }

    /// `NOT_FOUND` for a kind of thing.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no such {what} in this workspace"))
    }

    /// An internal error; the cause goes to the log alone.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let mut error =
            Self::new(ErrorCode::InternalError, "something went wrong on our side; try again");
        error.source = Some(source.into());
        error
    }

    /// The error for faulty fields: a sole fault's code moves up, several are `VALIDATION_FAILED`.
    /// Nothing when there are no faults.
    #[must_use]
    pub fn from_fields(fields: Vec<FieldError>) -> Option<Self> {
        let mut error = match fields.as_slice() {
            [] => return None,
            [sole] => Self::new(sole.code, format!("{}: {}", sole.path, sole.message)),
            several => {
                let message = format!("{} fields are not valid", several.len());
                Self::new(ErrorCode::ValidationFailed, message)
            }
        };
        error.fields = fields;
        Some(error)
    }

    /// The same error with what it came of: for the log, and for whoever asks for [its
    /// source](std::error::Error::source). No answer shows it.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with what the system said.
    #[must_use]
    pub fn with_upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// Whether the same request may succeed later without being changed.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(
            self.code,
            ErrorCode::RateLimitExceeded
                | ErrorCode::UpstreamRateLimited
                | ErrorCode::InternalError
                | ErrorCode::UpstreamError
                | ErrorCode::ConnectionUnavailable
                | ErrorCode::SystemUnreachable
                | ErrorCode::SyncInProgress
                | ErrorCode::IdempotencyInProgress
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sole_faults_code_moves_up_and_several_are_a_failed_validation() {
        let fault = |path| FieldError::new(path, ErrorCode::FieldRequired, "is required");
        assert!(Error::from_fields(vec![]).is_none());
        let sole = Error::from_fields(vec![fault("vendorKey")]).unwrap();
        assert_eq!(sole.code, ErrorCode::FieldRequired);
        let several = Error::from_fields(vec![fault("vendorKey"), fault("lineItems")]).unwrap();
        assert_eq!(several.code, ErrorCode::ValidationFailed);
        assert_eq!(several.fields.len(), 2);
    }

    #[test]
    fn an_internal_errors_cause_is_in_the_log_text_and_not_in_the_message() {
        let error = Error::internal("password=hunter2");
        assert!(error.to_string().contains("hunter2"));
        assert!(!error.message.contains("hunter2"));
    }
}
