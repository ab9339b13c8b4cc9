//! Hashes that name things, and comparison that does not tell how much matched.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// SHA-256 over the parts, each preceded by its length so that no two lists collide.
pub(crate) fn digest(parts: &[&str]) -> [u8; 32] {
    // In one piece: most are a few names, and a hash is fed fastest by whole blocks.
    let mut text = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    Sha256::digest(&text).into()
}

/// 26 lower-case characters (130 bits) that follow from `parts`.
#[must_use]
pub fn derive_id_part(parts: &[&str]) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digest = digest(parts);
    let letters: [u8; 26] = std::array::from_fn(|i| {
        let bit = i * 5;
        let pair = u16::from_be_bytes([digest[bit / 8], digest[bit / 8 + 1]]);
        LETTERS[usize::from(pair >> (11 - bit % 8)) & 31]
    });
    String::from_utf8_lossy(&letters).into_owned()
}

/// SHA-256 of `bytes`, in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).into())
}

/// Takes the SHA-256 of what is written to it, without keeping it.
#[derive(Debug, Default)]
pub struct HashWriter {
    sha256: Sha256,
    /// Writers of JSON write it in very small pieces.
    waiting: Vec<u8>,
}

impl HashWriter {
    const PIECE: usize = 512;

    /// The hash of everything that was written, in hexadecimal.
    #[must_use]
    pub fn hex(mut self) -> String {
        self.sha256.update(&self.waiting);
        hex(self.sha256.finalize().into())
    }
}

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.capacity() == 0 {
            self.waiting.reserve_exact(Self::PIECE);
        }
        if self.waiting.len() + bytes.len() > Self::PIECE {
            self.sha256.update(&self.waiting);
            self.waiting.clear();
        }
        if bytes.len() > Self::PIECE {
            self.sha256.update(bytes);
        } else {
            self.waiting.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(digest: [u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits: [u8; 64] = std::array::from_fn(|i| {
        let byte = digest[i / 2];
        DIGITS[usize::from(if i % 2 == 0 { byte >> 4 } else { byte & 15 })]
    });
    String::from_utf8_lossy(&digits).into_owned()
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
    fn what_is_written_in_pieces_has_the_hash_of_the_whole() {
        let whole: Vec<u8> = (0..5_000).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for piece in [1, 3, 64, 511, 512, 513, 5_000] {
            let mut writer = HashWriter::default();
            whole.chunks(piece).for_each(|piece| writer.write_all(piece).unwrap());
            assert_eq!(writer.hex(), sha256_hex(&whole), "{piece}");
        }
        assert_eq!(HashWriter::default().hex(), sha256_hex(b""));
    }

    #[test]
    fn ids_stay_what_they_are() {
        assert_eq!(derive_id_part(&["connection", "vendors", "7"]), "6s727b6ffak66j16s9mca8t021");
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
