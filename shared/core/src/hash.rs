//! Hashes that name things, and comparison that does not tell how much matched.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// SHA-256 over the parts, each preceded by its length so that no two lists collide.
pub(crate) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// 26 lower-case characters (130 bits) that follow from `parts`.
#[must_use]
pub fn derive_id_part(parts: &[&str]) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digest = digest(parts);
    (0..26)
        .map(|i| {
            let bit = i * 5;
            let pair = u16::from_be_bytes([digest[bit / 8], digest[bit / 8 + 1]]);
            char::from(LETTERS[usize::from(pair >> (11 - bit % 8)) & 31])
        })
        .collect()
}

/// SHA-256 of `bytes`, in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which of `shards` the text belongs to: the same on every machine and in every version.
#[must_use]
pub fn shard_of(text: &str, shards: u32) -> u32 {
    let digest = Sha256::digest(text.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % shards.max(1)
}

/// Compares two secrets in a time that depends on their length alone.
#[must_use]
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_matches_the_published_vector() {
        // FIPS 180-4, the one-block message sample.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), expected);
    }

    #[test]
    fn shards_cover_the_whole_range() {
        let seen: std::collections::BTreeSet<u32> =
            (0..1000).map(|i| shard_of(&i.to_string(), 8)).collect();
        assert_eq!(seen.len(), 8);
    }

    #[test]
    fn only_equal_secrets_are_equal() {
        assert!(constant_time_eq(b"same", b"same"));
        assert!(!constant_time_eq(b"same", b"sane"));
        assert!(!constant_time_eq(b"same", b"sam"));
    }
}
