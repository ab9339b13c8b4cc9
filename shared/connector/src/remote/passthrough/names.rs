//! Which headers and parameters callers may set and see.

/// Headers that say where a request goes, how it is carried, or what it really is.
const REFUSED: [&str; 26] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "referer",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "x-original-host",
];
const REFUSED_STARTS: [&str; 4] = ["proxy-", "sec-", "x-forwarded-", "cf-"];
/// What the name of a header has in it that carries a right or another account.
const OF_RIGHTS: [&str; 20] = [
    "access-key",
    "api-key",
    "api-user",
    "apikey",
    "auth",
    "cookie",
    "credential",
    "csrf",
    "impersonat",
    "jwt",
    "on-behalf",
    "password",
    "run-as",
    "runas",
    "secret",
    "session",
    "signature",
    "sudo",
    "token",
    "xsrf",
];
/// Parameters of a query or a form that carry a right, or make another method of it.
const REFUSED_PARAMETERS: [&str; 12] = [
    "_method",
    "access_token",
    "api_key",
    "api_username",
    "apikey",
    "auth_token",
    "authorization",
    "client_secret",
    "id_token",
    "jsessionid",
    "password",
    "x-http-method-override",
];
/// Headers of answers that are about the way between the system and us.
const HIDDEN: [&str; 8] = [
    "alt-svc",
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
];

/// Whether a caller may never set a header. `name` is in small letters.
pub(super) fn refused_header(name: &str) -> bool {
    REFUSED.contains(&name)
        || REFUSED_STARTS.iter().any(|start| name.starts_with(start))
        || of_rights(name)
}

/// Whether a caller may never set a parameter.
pub(super) fn refused_parameter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    REFUSED_PARAMETERS.contains(&name.as_str())
}

/// Whether a caller does not see a header of an answer. `name` is in small letters.
pub(super) fn hidden_header(name: &str) -> bool {
    HIDDEN.contains(&name) || name.starts_with("proxy-") || of_rights(name)
}

fn of_rights(name: &str) -> bool {
    // Systems write them with hyphens and without, and with underscores.
    let plain = name.replace('_', "-");
    OF_RIGHTS.iter().any(|part| plain.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_sets_a_header_that_gives_a_right_or_changes_the_request() {
        for name in [
            "host",
            "authorization",
            "proxy-authorization",
            "cookie",
            "cookie2",
            "api-key",
            "api-username",
            "apikey",
            "x-api-key",
            "x_api_key",
            "x-auth-token",
            "session-token",
            "x-csrf-token",
            "x-http-method-override",
            "x-original-url",
            "x-forwarded-host",
            "x-forwarded-for",
            "forwarded",
            "transfer-encoding",
            "content-length",
            "connection",
            "upgrade",
            "te",
            "maxauth",
            "sec-fetch-site",
            "sudo",
            "x-impersonate-user",
        ] {
            assert!(refused_header(name), "{name}");
        }
        for name in ["accept", "content-type", "if-match", "prefer", "x-request-id", "patchtype"] {
            assert!(!refused_header(name), "{name}");
        }
    }

    #[test]
    fn nobody_sees_a_header_that_carries_a_right() {
        for name in ["set-cookie", "www-authenticate", "x-csrf-token", "authentication-info"] {
            assert!(hidden_header(name), "{name}");
        }
        for name in ["content-type", "etag", "link", "location", "x-rate-limit-remaining"] {
            assert!(!hidden_header(name), "{name}");
        }
        assert!(refused_parameter("_METHOD") && refused_parameter("Api_Key"));
        assert!(!refused_parameter("page"));
    }
}
