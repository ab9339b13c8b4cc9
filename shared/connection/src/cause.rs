//! Why a system could not be connected or reached, as people are told it.

use millwright_connector::{SystemError, SystemErrorClass};
use millwright_core::{Error, ErrorCode};
use millwright_outbound::FailureClass;

/// The causes that people are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The host's name is not known.
    HostUnknown,
    /// Nothing takes connections at the address.
    ConnectionRefused,
    /// The connection cannot be made safe.
    Certificate,
    /// The credentials are refused.
    LoginRefused,
    /// The account may not do what is needed.
    PermissionMissing,
    /// Something else than the system answers there.
    WrongAddress,
    /// No answer in time.
    TooSlow,
    /// It is asked too often.
    RateLimited,
    /// The address is one that requests may not go to.
    BlockedAddress,
    /// The system answers that it is not working.
    NotWorking,
    /// The credentials belong to another instance.
    DifferentSystem,
    /// Something else.
    Other,
}

/// What people are told of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseText {
    /// The cause's name in logs and tests.
    pub name: &'static str,
    /// A few words, as a title.
    pub title: &'static str,
    /// What happened, in a sentence.
    pub what: &'static str,
    /// What somebody can do about it.
    pub remedy: &'static str,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 12] = [
        Self::HostUnknown,
        Self::ConnectionRefused,
        Self::Certificate,
        Self::LoginRefused,
        Self::PermissionMissing,
        Self::WrongAddress,
        Self::TooSlow,
        Self::RateLimited,
        Self::BlockedAddress,
        Self::NotWorking,
        Self::DifferentSystem,
        Self::Other,
    ];

    /// The cause of a failed call to a system.
    #[must_use]
    pub fn of(error: &SystemError) -> Self {
        if let Some(failure) = error.failure {
            return Self::of_failure(failure);
        }
        match error.class {
            SystemErrorClass::Reauthorize => Self::LoginRefused,
            SystemErrorClass::Permission => Self::PermissionMissing,
            SystemErrorClass::RateLimited => Self::RateLimited,
            SystemErrorClass::NotFound | SystemErrorClass::Malformed => Self::WrongAddress,
            // Some connectors take "there is no such page" for "not the system at all".
            SystemErrorClass::Unreachable if error.upstream.status == Some(404) => {
                Self::WrongAddress
            }
            SystemErrorClass::Unreachable => Self::NotWorking,
            SystemErrorClass::Validation
            | SystemErrorClass::Conflict
            | SystemErrorClass::Unsupported => Self::Other,
        }
    }

    const fn of_failure(failure: FailureClass) -> Self {
        match failure {
            FailureClass::Dns => Self::HostUnknown,
            FailureClass::Connect | FailureClass::Reset => Self::ConnectionRefused,
            FailureClass::Tls => Self::Certificate,
            FailureClass::Timeout => Self::TooSlow,
            FailureClass::BlockedAddress => Self::BlockedAddress,
            FailureClass::InvalidUrl | FailureClass::Malformed => Self::WrongAddress,
            FailureClass::TooLarge => Self::Other,
        }
    }

    /// The cause behind an error of ours: that of the call that it came of, or what its code says.
    #[must_use]
    pub fn behind(error: &Error) -> Self {
        let source = std::error::Error::source(error);
        if let Some(system) = source.and_then(|source| source.downcast_ref::<SystemError>()) {
            return Self::of(system);
        }
        match error.code {
            ErrorCode::CredentialsRefused | ErrorCode::ReauthorizationRequired => {
                Self::LoginRefused
            }
            ErrorCode::PermissionDenied => Self::PermissionMissing,
            ErrorCode::UpstreamRateLimited => Self::RateLimited,
            ErrorCode::DifferentSystem => Self::DifferentSystem,
            ErrorCode::SystemUnreachable | ErrorCode::ConnectionUnavailable => Self::NotWorking,
            _ => Self::Other,
        }
    }

    /// What people are told of it.
    #[must_use]
    pub const fn text(self) -> CauseText {
        match self {
            Self::HostUnknown => CauseText {
                name: "host_unknown",
                title: "The address was not found",
                what: "No server is known under the host name in the address.",
                remedy: "Check the address for typing errors. It must be one that can be reached \
                         from the internet, not only inside your own network.",
            },
            Self::ConnectionRefused => CauseText {
                name: "connection_refused",
                title: "The server does not take the connection",
                what: "The server is known, but at this address and port it makes no connection, \
                       or drops it.",
                remedy: "Check the port in the address, that the system is running, and that its \
                         firewall lets this service in.",
            },
            Self::Certificate => CauseText {
                name: "certificate",
                title: "The connection is not secure",
                what: "The server's certificate is not valid, has expired, or belongs to another \
                       host name.",
                remedy: "Use the host name that the certificate was issued for, or ask whoever \
                         runs the server to renew it.",
            },
            Self::LoginRefused => CauseText {
                name: "login_refused",
                title: "The login was refused",
                what: "The system was reached, but it does not accept what was entered to log in.",
                remedy: "Enter the user name, password or key again, and check that the account \
                         is not locked or expired.",
            },
            Self::PermissionMissing => CauseText {
                name: "permission_missing",
                title: "A permission is missing",
                what: "The login works, but the account may not do what this connection needs.",
                remedy: "Ask an administrator of the system to give the account the rights that \
                         are described beside the form, or use another account.",
            },
            Self::WrongAddress => CauseText {
                name: "wrong_address",
                title: "This is not the system's address",
                what: "Something answers at this address, but it is not this system's interface.",
                remedy: "Check the address: often a part at its end is missing or too much. \
                         Compare it with the example.",
            },
            Self::TooSlow => CauseText {
                name: "too_slow",
                title: "The system did not answer in time",
                what: "A connection was tried, but no complete answer came in time.",
                remedy: "Try again in a moment. If it stays so, check that the system is running \
                         and that a firewall does not hold the connection back.",
            },
            Self::RateLimited => CauseText {
                name: "rate_limited",
                title: "The system is asked too often",
                what: "The system says that its limit of requests is used up for the moment.",
                remedy: "Wait a minute, then try again.",
            },
            Self::BlockedAddress => CauseText {
                name: "blocked_address",
                title: "This address is not allowed",
                what: "The host is inside a private network, or at another address that this \
                       service must not connect to.",
                remedy: "Use an address that can be reached from the internet, or ask whoever \
                         sent you here how systems inside your network are connected.",
            },
            Self::NotWorking => CauseText {
                name: "not_working",
                title: "The system is not working at the moment",
                what: "The system answers, but says that it has a problem of its own.",
                remedy: "Try again later. If it stays so, tell whoever runs the system.",
            },
            Self::DifferentSystem => CauseText {
                name: "different_system",
                title: "This is another system than before",
                what: "What you entered works, but it leads to another instance than the one that \
                       this connection belongs to. Nothing was changed.",
                remedy: "Enter the address and the login of the same system as before. Another \
                         system needs a connection of its own.",
            },
            Self::Other => CauseText {
                name: "other",
                title: "The system could not be connected",
                what: "The system gave an answer that this connection cannot work with.",
                remedy: "Check what you entered, and try again.",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn unanswered(failure: FailureClass) -> SystemError {
        let mut error = SystemError::new(SystemErrorClass::Unreachable, "no");
        error.failure = Some(failure);
        error
    }

    #[test]
    fn every_failure_to_get_an_answer_has_its_cause() {
        for (failure, name) in [
            (FailureClass::Dns, "host_unknown"),
            (FailureClass::Connect, "connection_refused"),
            (FailureClass::Reset, "connection_refused"),
            (FailureClass::Tls, "certificate"),
            (FailureClass::Timeout, "too_slow"),
            (FailureClass::BlockedAddress, "blocked_address"),
            (FailureClass::InvalidUrl, "wrong_address"),
            (FailureClass::Malformed, "wrong_address"),
            (FailureClass::TooLarge, "other"),
        ] {
            assert_eq!(Cause::of(&unanswered(failure)).text().name, name);
        }
    }

    #[test]
    fn every_answer_that_is_a_failure_has_its_cause() {
        use SystemErrorClass::*;
        for (class, status, name) in [
            (Reauthorize, 401, "login_refused"),
            (Permission, 403, "permission_missing"),
            (RateLimited, 429, "rate_limited"),
            (NotFound, 404, "wrong_address"),
            (Malformed, 200, "wrong_address"),
            (Unreachable, 404, "wrong_address"),
            (Unreachable, 503, "not_working"),
            (Conflict, 409, "other"),
        ] {
            let mut error = SystemError::new(class, "no");
            error.upstream.status = Some(status);
            assert_eq!(Cause::of(&error).text().name, name, "{class:?}");
        }
    }

    #[test]
    fn an_error_of_ours_remembers_the_call_that_it_came_of() {
        let error = Error::new(ErrorCode::SystemUnreachable, "no");
        assert_eq!(Cause::behind(&error), Cause::NotWorking);
        let error = error.caused_by(unanswered(FailureClass::Dns));
        assert_eq!(Cause::behind(&error), Cause::HostUnknown);
        let different = Error::new(ErrorCode::DifferentSystem, "no");
        assert_eq!(Cause::behind(&different), Cause::DifferentSystem);
    }

    #[test]
    fn no_two_causes_read_alike() {
        let titles: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.text().title).collect();
        let names: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.text().name).collect();
        assert_eq!((titles.len(), names.len()), (Cause::ALL.len(), Cause::ALL.len()));
    }
}
