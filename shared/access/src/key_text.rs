//! The text of a key: `mw_sk_test_` or `mw_sk_live_`, and what nobody can guess.

use millwright_core::{
    Error, ErrorCode, ExposeSecret, FieldError, Result, SecretString, random_token,
};

use crate::Environment;

/// Random characters in a new key: 238 bits.
const RANDOM_LENGTH: usize = 40;
/// The least that a chosen key must have after its prefix, and the most.
const CHOSEN_LENGTH: std::ops::RangeInclusive<usize> = 24..=200;

/// What a key of this environment starts with.
pub(crate) fn prefix(environment: Environment) -> String {
    format!("mw_sk_{}_", environment.as_str())
}

/// A new key's text.
pub(crate) fn random(environment: Environment) -> SecretString {
    SecretString::from(prefix(environment) + &random_token(RANDOM_LENGTH))
}

/// Checks a key's text that somebody chose, as scripts do: the environment's prefix, and 24 to 200
/// letters, digits, `-` or `_` after it.
///
/// # Errors
/// `VALIDATION_FAILED`; the text is not in the message.
pub fn check_chosen(environment: Environment, text: &SecretString) -> Result<()> {
    let prefix = prefix(environment);
    let rest = text.expose_secret().strip_prefix(&prefix);
    if rest.is_some_and(is_secret_part) {
        return Ok(());
    }
    let message = format!(
        "a chosen key must be {prefix} and {} to {} letters, digits, - or _",
        CHOSEN_LENGTH.start(),
        CHOSEN_LENGTH.end()
    );
    let field = FieldError::new("key", ErrorCode::ValidationFailed, message);
    Error::from_fields(vec![field]).map_or(Ok(()), Err)
}

/// Whether the text can be a key at all: what cannot be is not looked up.
pub(crate) fn is_plausible(text: &str) -> bool {
    [Environment::Test, Environment::Live]
        .into_iter()
        .filter_map(|environment| text.strip_prefix(&prefix(environment)))
        .any(is_secret_part)
}

fn is_secret_part(part: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    CHOSEN_LENGTH.contains(&part.len()) && part.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_says_its_environment_and_has_40_random_characters() {
        let text = random(Environment::Live);
        let text = text.expose_secret();
        assert!(text.starts_with("mw_sk_live_") && text.len() == 51, "{text}");
        assert!(is_plausible(text));
    }

    #[test]
    fn a_chosen_key_needs_the_prefix_of_its_workspace_and_24_characters() {
        let check = |text: String| check_chosen(Environment::Test, &SecretString::from(text));
        assert!(check(format!("mw_sk_test_{}", "a".repeat(24))).is_ok());
        for text in [
            format!("mw_sk_test_{}", "a".repeat(23)),
            format!("mw_sk_live_{}", "a".repeat(24)),
            format!("mw_sk_test_{} b", "a".repeat(24)),
            format!("mw_sk_test_{}", "a".repeat(201)),
            "a".repeat(40),
        ] {
            assert_eq!(
                check(text.clone()).unwrap_err().code,
                ErrorCode::ValidationFailed,
                "{text}"
            );
        }
    }

    #[test]
    fn a_refused_key_is_not_in_the_message() {
        let text = SecretString::from("mw_sk_live_not-for-everybody".to_owned());
        let refused = check_chosen(Environment::Test, &text).unwrap_err();
        assert!(!refused.to_string().contains("everybody"));
    }
}
