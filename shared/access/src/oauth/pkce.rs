//! Proof key for code exchange (RFC 7636), method S256.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use millwright_core::constant_time_eq;
use sha2::{Digest, Sha256};

/// Whether a text can be a challenge: 32 bytes in base64url without padding (RFC 7636, 4.2).
pub(super) fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// The challenge of a verifier.
#[must_use]
pub fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Whether a verifier is the one that a challenge was made of (RFC 7636, 4.6).
pub(super) fn proves(verifier: &str, challenge: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    // RFC 7636, 4.1.
    let formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(allowed);
    let made = s256(verifier);
    formed && constant_time_eq(made.as_bytes(), challenge.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_published_pair_fits() {
        assert!(is_challenge(CHALLENGE) && proves(VERIFIER, CHALLENGE));
    }

    #[test]
    fn another_verifier_or_the_challenge_itself_proves_nothing() {
        let mut other = VERIFIER.to_owned();
        other.replace_range(..1, "e");
        for wrong in [other.as_str(), CHALLENGE, "", "short", &VERIFIER.repeat(3)] {
            assert!(!proves(wrong, CHALLENGE), "{wrong}");
        }
        for wrong in ["", "plain", &CHALLENGE[1..], &format!("{CHALLENGE}=")] {
            assert!(!is_challenge(wrong), "{wrong}");
        }
    }
}
