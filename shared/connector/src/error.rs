//! What a system's answer, or the lack of one, means.

use std::{fmt, time::Duration};

use millwright_core::{Error, ErrorCode, FieldError, Upstream};
use millwright_outbound::FailureClass;

use crate::manifest::WriteOp;

/// The kinds of failure that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemErrorClass {
    /// No connection, no answer in time, or an answer that says the system is not working.
    Unreachable,
    /// It is asked too often.
    RateLimited,
    /// It refuses the credentials.
    Reauthorize,
    /// The account may not do this.
    Permission,
    /// There is no such record.
    NotFound,
    /// It refuses what is written, by a rule of its own or ours for it.
    Validation,
    /// The record is in a state, or was changed, so that this cannot be done.
    Conflict,
    /// The connector cannot do this.
    Unsupported,
    /// It answered with something that cannot be used.
    Malformed,
}

/// A call to a system that failed. Credentials are never part of it.
#[derive(Clone, Debug)]
pub struct SystemError {
    /// The kind.
    pub class: SystemErrorClass,
    /// A sentence for a person.
    pub message: String,
    /// Why there was no answer, where there was none.
    pub failure: Option<FailureClass>,
    /// What the system said, cut to 500 characters.
    pub upstream: Upstream,
    /// How long the system asks to wait.
    pub retry_after: Option<Duration>,
    /// For a write: whether it may have happened all the same. False when nothing was sent or the
    /// system refused it.
    pub sent: bool,
    /// The faulty fields, where the fault is in fields.
    pub fields: Vec<FieldError>,
    /// The contract's code for a refusal, where the manifest knows one; for a call that could not be made
    /// at all, why.
    pub contract: Option<ErrorCode>,
    /// The system's name of the field that it complains about, where it says one.
    pub upstream_field: Option<String>,
    /// For a write of several steps: the remote id of the record that an earlier step made or changed.
    pub partial: Option<String>,
}

impl SystemError {
    /// A failure of a kind, of which nothing more is known.
    pub fn new(class: SystemErrorClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            failure: None,
            upstream: Upstream::default(),
            retry_after: None,
            sent: false,
            fields: Vec::new(),
            contract: None,
            upstream_field: None,
            partial: None,
        }
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(SystemErrorClass::Malformed, message)
    }

    pub(crate) fn unsupported(entity: &str, operation: &str) -> Self {
        let message = format!("this connector cannot {operation} {entity}");
        Self::new(SystemErrorClass::Unsupported, message)
    }

    /// What cannot be written so.
    pub(crate) fn unsupported_write(entity: &str, operation: &WriteOp) -> Self {
        let WriteOp::Action(name) = operation else {
            return Self::unsupported(entity, operation.name());
        };
        let message = format!("this connector has no action `{name}` for {entity}");
        Self::new(SystemErrorClass::Unsupported, message)
    }

    /// The contract's error for a write: one whose outcome nobody knows is `WRITE_OUTCOME_UNKNOWN`.
    #[must_use]
    pub fn into_write_error(self) -> Error {
        if self.sent {
            let message = "the system did not say whether it did this; look before trying again";
            return Error::new(ErrorCode::WriteOutcomeUnknown, message)
                .with_upstream(self.upstream);
        }
        self.into()
    }
}

impl From<SystemError> for Error {
    fn from(mut error: SystemError) -> Self {
        if error.class == SystemErrorClass::Validation
            && let Some(mut faulty) = Self::from_fields(std::mem::take(&mut error.fields))
        {
            faulty.upstream = (error.upstream != Upstream::default()).then_some(error.upstream);
            return faulty;
        }
        let code = match error.class {
            SystemErrorClass::Unreachable => ErrorCode::ConnectionUnavailable,
            SystemErrorClass::RateLimited => ErrorCode::UpstreamRateLimited,
            SystemErrorClass::Reauthorize => ErrorCode::ReauthorizationRequired,
            SystemErrorClass::Permission => ErrorCode::PermissionDenied,
            SystemErrorClass::NotFound => ErrorCode::NotFound,
            SystemErrorClass::Validation => {
                error.contract.unwrap_or(ErrorCode::BusinessRuleViolated)
            }
            SystemErrorClass::Conflict => ErrorCode::StateConflict,
            SystemErrorClass::Unsupported => ErrorCode::OperationNotSupported,
            SystemErrorClass::Malformed => error.contract.unwrap_or(ErrorCode::UpstreamError),
        };
        // The contract promises `Retry-After` with these two.
        let wait = error.retry_after.or(match error.class {
            SystemErrorClass::Unreachable => Some(Duration::from_secs(30)),
            SystemErrorClass::RateLimited => Some(Duration::from_secs(60)),
            _ => None,
        });
        let mut contract = Self::new(code, error.message);
        if error.upstream != Upstream::default() {
            contract = contract.with_upstream(error.upstream);
        }
        contract.retry_after = wait;
        // A 405 names what is left (RFC 9110, 15.5.6); whoever knows what that is says so instead.
        contract.allow = (code == ErrorCode::OperationNotSupported).then(String::new);
        contract.fields = error.fields;
        contract
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.class, self.message)?;
        self.fields
            .iter()
            .try_for_each(|field| write!(f, "; {}: {}", field.path, field.message))?;
        match &self.upstream.message {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SystemError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_code_of_the_contract() {
        use SystemErrorClass::*;
        for (class, code) in [
            (Unreachable, "CONNECTION_UNAVAILABLE"),
            (RateLimited, "UPSTREAM_RATE_LIMITED"),
            (Reauthorize, "REAUTHORIZATION_REQUIRED"),
            (Permission, "PERMISSION_DENIED"),
            (NotFound, "NOT_FOUND"),
            (Validation, "BUSINESS_RULE_VIOLATED"),
            (Conflict, "STATE_CONFLICT"),
            (Unsupported, "OPERATION_NOT_SUPPORTED"),
            (Malformed, "UPSTREAM_ERROR"),
        ] {
            let error: Error = SystemError::new(class, "no").into();
            assert_eq!(error.code.as_str(), code);
        }
    }

    #[test]
    fn what_is_not_supported_leaves_nothing_allowed_unless_somebody_knows_better() {
        let error: Error = SystemError::unsupported("vendors", "read").into();
        assert_eq!(error.allow.as_deref(), Some(""));
        let error: Error = SystemError::new(SystemErrorClass::Conflict, "no").into();
        assert_eq!(error.allow, None);
    }

    #[test]
    fn a_write_that_may_have_happened_is_told_as_unknown() {
        let mut error = SystemError::new(SystemErrorClass::Unreachable, "no answer");
        assert_eq!(error.clone().into_write_error().code, ErrorCode::ConnectionUnavailable);
        error.sent = true;
        assert_eq!(error.into_write_error().code, ErrorCode::WriteOutcomeUnknown);
    }

    #[test]
    fn faulty_fields_keep_their_own_codes() {
        let missing = FieldError::new("vendorKey", ErrorCode::FieldRequired, "is required");
        let mut error = SystemError::new(SystemErrorClass::Validation, "fields are not valid");
        error.fields = vec![missing];
        error.upstream.code = Some("E1".to_owned());
        let error: Error = error.into();
        assert_eq!(error.code, ErrorCode::FieldRequired);
        assert_eq!(error.upstream.unwrap().code.as_deref(), Some("E1"));
    }
}
