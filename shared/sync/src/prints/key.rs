//! Keys of records, packed: 26 letters of five bits in 17 bytes.

use std::fmt;

const PREFIX: &str = "rec_";
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const COUNT: usize = 26;
/// What each byte is worth as a letter; 255 where it is none.
const VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [u8::MAX; 256];
    let mut i = 0;
    while i < LETTERS.len() {
        values[LETTERS[i] as usize] = i as u8;
        i += 1;
    }
    values
}

/// A record's key, packed. Sorts as the text does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PrintKey(pub(super) [u8; Self::SIZE]);

impl PrintKey {
    /// Its size in bytes.
    pub const SIZE: usize = 17;

    /// The key of this text; nothing when it is not the key of a record.
    pub fn of(text: &str) -> Option<Self> {
        let letters = text.strip_prefix(PREFIX)?.as_bytes();
        if letters.len() != COUNT {
            return None;
        }
        let mut packed = [0; Self::SIZE];
        for (i, letter) in letters.iter().enumerate() {
            let value = VALUES[usize::from(*letter)];
            if value == u8::MAX {
                return None;
            }
            let [high, low] = (u16::from(value) << (11 - i * 5 % 8)).to_be_bytes();
            packed[i * 5 / 8] |= high;
            packed[i * 5 / 8 + 1] |= low;
        }
        Some(Self(packed))
    }

    /// The text.
    pub fn text(&self) -> String {
        let letters = (0..COUNT).map(|i| {
            let at = i * 5 / 8;
            let pair = u16::from_be_bytes([self.0[at], self.0[at + 1]]);
            char::from(LETTERS[usize::from(pair >> (11 - i * 5 % 8)) & 31])
        });
        PREFIX.chars().chain(letters).collect()
    }
}

impl fmt::Debug for PrintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::ConnectionId;
    use millwright_entities::record_key;

    use super::*;

    #[test]
    fn a_key_comes_back_as_it_was_and_sorts_as_its_text() {
        let connection = ConnectionId::derived(&["one"]);
        let mut texts: Vec<String> =
            (0..500).map(|id| record_key(&connection, "vendors", &id.to_string())).collect();
        let mut keys: Vec<PrintKey> =
            texts.iter().map(|text| PrintKey::of(text).unwrap()).collect();
        keys.sort_unstable();
        texts.sort_unstable();
        assert_eq!(keys.iter().map(PrintKey::text).collect::<Vec<_>>(), texts);
    }

    #[test]
    fn what_is_no_key_of_a_record_has_none() {
        let right = format!("rec_{}", "0".repeat(26));
        assert!(PrintKey::of(&right).is_some());
        let wrong =
            ["", "rec_", &right[..29], &right.replace("rec", "con"), &right.replace('0', "u")];
        assert!(wrong.iter().all(|text| PrintKey::of(text).is_none()));
    }
}
