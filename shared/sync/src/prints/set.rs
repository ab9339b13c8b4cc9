//! The fingerprints of one entity's rows: small enough to be held by the million.

use std::collections::HashSet;

use bytes::Bytes;
use millwright_connector::RowPrint;

use super::PrintKey;

const KNOWN: u8 = 1;
const SEEN: u8 = 2;
/// Set only together with [`KNOWN`].
const MADE: u8 = 4;
/// Rows stand in so many parts by the first bits of their keys, which are hashes: a new one moves few
/// others.
const PARTS: usize = 1 << PART_BITS;
const PART_BITS: usize = 12;
/// A part that is full grows by one row for so many: what is reserved is little, however many there are.
const GROWTH: usize = 8;

/// A piece of what is kept is about so large.
const PIECE: usize = 64 * 1024;

/// What a record is, in 64 bits of its content hash. The hash has the record's key in it, so that two
/// records never are the same by it; that a change goes unnoticed has a chance of one in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content([u8; 8]);

impl Content {
    /// Of a content hash.
    pub fn of(hash: &str) -> Self {
        let number = hash.get(..16).and_then(|text| u64::from_str_radix(text, 16).ok());
        Self(number.unwrap_or_default().to_be_bytes())
    }
}

/// What is known of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// What it is.
    pub content: Content,
    /// The source's row that becomes this content, by the mapping that the set is of; nothing where that
    /// is not known.
    pub row: Option<RowPrint>,
}

impl Known {
    /// A content of which no row is known.
    #[cfg(test)]
    pub const fn content(content: Content) -> Self {
        Self { content, row: None }
    }
}

/// One row: its key, its content where that is known, the source's row that it was made of where that is
/// known too, and whether the running pass has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    key: PrintKey,
    content: [u8; 8],
    row: [u8; RowPrint::SIZE],
    marks: u8,
}

impl Print {
    fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    /// Takes over what is known, and leaves the mark of seeing as it is.
    fn know(&mut self, known: Option<Known>) {
        let row = known.and_then(|known| known.row);
        self.content = known.map(|known| known.content.0).unwrap_or_default();
        self.row = row.map(RowPrint::bytes).unwrap_or_default();
        let marks = known.map_or(0, |_| KNOWN) | row.map_or(0, |_| MADE);
        self.marks = self.marks & SEEN | marks;
    }

    const SIZE: usize = PrintKey::SIZE + 8 + RowPrint::SIZE + 1;

    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.key.0);
        into.extend_from_slice(&self.content);
        into.extend_from_slice(&self.row);
        into.push(self.marks);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (key, rest) = bytes.split_at_checked(PrintKey::SIZE)?;
        let (content, rest) = rest.split_at_checked(8)?;
        let (row, marks) = rest.split_at_checked(RowPrint::SIZE)?;
        Some(Self {
            key: PrintKey(key.try_into().ok()?),
            content: content.try_into().ok()?,
            row: row.try_into().ok()?,
            marks: *marks.first()?,
        })
    }
}

/// The rows that are there, by their keys.
#[derive(Debug)]
pub(crate) struct PrintSet {
    /// Each sorted by key, and each before the next.
    parts: Vec<Vec<Print>>,
    /// Rows that were seen before they were known of.
    early: HashSet<PrintKey>,
    len: usize,
}

impl Default for PrintSet {
    fn default() -> Self {
        Self { parts: vec![Vec::new(); PARTS], early: HashSet::new(), len: 0 }
    }
}

impl PrintSet {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is a row with this key.
    pub fn has(&self, key: PrintKey) -> bool {
        self.get(key).is_some()
    }

    /// Whether the row with this key is known to hold this content.
    pub fn holds(&self, key: PrintKey, content: Content) -> bool {
        self.get(key).is_some_and(|print| print.has(KNOWN) && print.content == content.0)
    }

    /// Whether the row with this key is known to hold what this row of the source becomes.
    pub fn is_made_of(&self, key: PrintKey, row: RowPrint) -> bool {
        self.get(key).is_some_and(|print| print.has(MADE) && print.row == row.bytes())
    }

    /// Whether just this is known of the row with this key already.
    pub fn knows(&self, key: PrintKey, known: Known) -> bool {
        let row = known.row.is_none_or(|row| self.is_made_of(key, row));
        row && self.holds(key, known.content)
    }

    /// Takes note of a row, and of what it holds where that is known.
    pub fn put(&mut self, key: PrintKey, known: Option<Known>) {
        let early = &mut self.early;
        let part = &mut self.parts[part_of(key)];
        match place(part, key) {
            Ok(at) => part[at].know(known),
            Err(at) => {
                let marks = if early.remove(&key) { SEEN } else { 0 };
                let mut print = Print { key, content: [0; 8], row: [0; RowPrint::SIZE], marks };
                print.know(known);
                make_room(part);
                part.insert(at, print);
                self.len += 1;
            }
        }
    }

    /// Forgets of what rows of the source contents are made: they become others now.
    pub fn forget_rows(&mut self) {
        self.each_mut().for_each(|print| print.marks &= !MADE);
    }

    fn each(&self) -> impl Iterator<Item = &Print> {
        self.parts.iter().flatten()
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut Print> {
        self.parts.iter_mut().flatten()
    }

    /// Takes note that a row is gone.
    pub fn remove(&mut self, key: PrintKey) {
        let part = &mut self.parts[part_of(key)];
        if let Ok(at) = place(part, key) {
            part.remove(at);
            self.len -= 1;
        }
    }

    /// Marks a row as seen, also one that is not known of yet.
    pub fn see(&mut self, key: PrintKey) {
        match self.get_mut(key) {
            Some(print) => print.marks |= SEEN,
            None => {
                self.early.insert(key);
            }
        }
    }

    /// Takes all marks of seeing away.
    pub fn forget_seen(&mut self) {
        self.early.clear();
        self.each_mut().for_each(|print| print.marks &= !SEEN);
    }

    /// The rows that have not been seen, in the order of their keys.
    pub fn unseen(&self) -> Vec<PrintKey> {
        self.each().filter(|print| !print.has(SEEN)).map(|print| print.key).collect()
    }

    /// The keys of what has been seen.
    pub fn into_seen(self) -> Vec<PrintKey> {
        let seen = self.each().filter(|print| print.has(SEEN)).map(|print| print.key);
        seen.chain(self.early.iter().copied()).collect()
    }

    fn get(&self, key: PrintKey) -> Option<&Print> {
        let part = &self.parts[part_of(key)];
        place(part, key).ok().map(|at| &part[at])
    }

    fn get_mut(&mut self, key: PrintKey) -> Option<&mut Print> {
        let part = &mut self.parts[part_of(key)];
        place(part, key).ok().map(|at| &mut part[at])
    }

    /// The rows as bytes, in the order of their keys, in pieces: each takes the place of what it was
    /// made of, so that they are not there twice.
    pub fn into_bytes(self) -> impl Iterator<Item = Bytes> {
        let mut parts = self.parts.into_iter();
        std::iter::from_fn(move || {
            let mut bytes = Vec::new();
            for part in parts.by_ref() {
                part.iter().for_each(|print| print.write(&mut bytes));
                if bytes.len() >= PIECE {
                    break;
                }
            }
            (!bytes.is_empty()).then(|| bytes.into())
        })
    }

    /// Takes in rows as bytes, which follow those that are there; nothing when they are none.
    pub fn take_bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let mut last = self.parts.iter().rev().find_map(|part| part.last()).map(|print| print.key);
        let rows: Vec<Print> = bytes.chunks(Print::SIZE).map(Print::read).collect::<Option<_>>()?;
        for rows in rows.chunk_by(|one, next| part_of(one.key) == part_of(next.key)) {
            let part = &mut self.parts[part_of(rows[0].key)];
            // Nobody knows how many will follow, and most parts come whole.
            part.reserve_exact(rows.len());
            for print in rows {
                if last.is_some_and(|last| last >= print.key) {
                    return None;
                }
                last = Some(print.key);
                part.push(*print);
            }
            self.len += rows.len();
        }
        Some(())
    }

    /// These rows were seen before they are known of.
    pub fn see_early(&mut self, keys: impl IntoIterator<Item = PrintKey>) {
        self.early.extend(keys);
    }

    /// The rows that were seen before they were known of.
    pub fn early(&self) -> impl Iterator<Item = PrintKey> {
        self.early.iter().copied()
    }

    /// How many bytes a row takes.
    pub const ROW: usize = Print::SIZE;
}

/// Where rows with such a key stand.
fn part_of(key: PrintKey) -> usize {
    usize::from(u16::from_be_bytes([key.0[0], key.0[1]]) >> (16 - PART_BITS))
}

/// Room for one row more.
fn make_room(part: &mut Vec<Print>) {
    if part.len() == part.capacity() {
        part.reserve_exact(part.len() / GROWTH + 1);
    }
}

fn place(part: &[Print], key: PrintKey) -> Result<usize, usize> {
    part.binary_search_by(|print| print.key.cmp(&key))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    fn key(number: u64) -> PrintKey {
        let mut bytes = [0; PrintKey::SIZE];
        bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        PrintKey(bytes)
    }

    fn content(number: u64) -> Content {
        Content::of(&format!("{number:016x}0000"))
    }

    fn row(number: u64) -> RowPrint {
        RowPrint::of_bytes(number.to_be_bytes())
    }

    /// Of every second number the source's row is known, too.
    fn known(number: u64) -> Known {
        let row = number.is_multiple_of(2).then(|| row(number));
        Known { content: content(number), row }
    }

    #[test]
    fn a_content_is_made_of_a_row_until_either_is_another_or_the_mapping_is() {
        let mut set = PrintSet::default();
        let of = |row: Option<u64>, number| {
            let row = row.map(|number| RowPrint::of_bytes(number.to_be_bytes()));
            Some(Known { content: content(number), row })
        };
        set.put(key(1), of(Some(7), 1));
        set.put(key(2), of(Some(7), 2));
        assert!(set.is_made_of(key(1), row(7)) && set.is_made_of(key(2), row(7)));
        assert!(!set.is_made_of(key(1), row(8)) && !set.is_made_of(key(3), row(7)));
        set.put(key(1), of(Some(8), 1));
        assert!(!set.is_made_of(key(1), row(7)), "another row, even of the same content");
        set.put(key(1), of(None, 1));
        assert!(!set.is_made_of(key(1), row(8)) && set.holds(key(1), content(1)));
        set.put(key(2), None);
        assert!(!set.is_made_of(key(2), row(7)), "somebody else has put the row");
        set.put(key(2), of(Some(7), 2));
        set.see(key(2));
        set.forget_rows();
        assert!(!set.is_made_of(key(2), row(7)) && set.holds(key(2), content(2)));
        assert_eq!(set.unseen(), [key(1)]);
        set.put(key(5), None);
        assert!(!set.is_made_of(key(5), row(0)) && !set.holds(key(5), content(0)));
    }

    #[test]
    fn a_set_is_what_a_plain_map_would_be_whatever_is_done_to_it() {
        let mut chance = StdRng::seed_from_u64(1);
        let (mut set, mut plain) = (PrintSet::default(), BTreeMap::new());
        for step in 0..60_000_u64 {
            let number = chance.random_range(0..40_000);
            match chance.random_range(0..4) {
                0 => {
                    set.remove(key(number));
                    plain.remove(&key(number));
                }
                1 => {
                    set.put(key(number), None);
                    plain.insert(key(number), None);
                }
                _ => {
                    set.put(key(number), Some(known(step)));
                    plain.insert(key(number), Some(step));
                }
            }
            assert_eq!(set.len(), plain.len());
        }
        for number in 0..40_000 {
            let expected = plain.get(&key(number));
            assert_eq!(set.has(key(number)), expected.is_some());
            let step = expected.copied().flatten();
            assert!(step.is_none_or(|step| set.knows(key(number), known(step))));
            assert!(step.is_some() || !set.holds(key(number), content(0)));
            let made = step.is_some_and(|step| set.is_made_of(key(number), row(step)));
            assert_eq!(made, step.is_some_and(|step| step.is_multiple_of(2)));
        }
        let mut again = PrintSet::default();
        again.take_bytes(&set.into_bytes().collect::<Vec<_>>().concat()).unwrap();
        assert_eq!(again.len(), plain.len());
        for (key, step) in &plain {
            assert!(step.is_none_or(|step| again.knows(*key, known(step))));
        }
        assert_eq!(again.unseen(), plain.into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn what_was_seen_before_it_was_known_of_is_seen() {
        let mut set = PrintSet::default();
        set.put(key(1), Some(known(1)));
        set.see(key(2));
        set.put(key(2), None);
        set.put(key(3), None);
        assert_eq!(set.unseen().len(), 2);
        set.see(key(1));
        set.put(key(1), Some(known(9)));
        assert_eq!(set.unseen(), [key(3)], "a row that changes stays seen");
        set.remove(key(3));
        set.put(key(3), None);
        assert_eq!(set.unseen(), [key(3)]);
        set.forget_seen();
        assert_eq!(set.unseen().len(), 3);
    }

    #[test]
    fn what_one_set_has_seen_another_takes_over() {
        let (mut before, mut after) = (PrintSet::default(), PrintSet::default());
        before.put(key(1), None);
        before.see(key(1));
        before.see(key(2));
        (1..=3).for_each(|number| after.put(key(number), None));
        before.into_seen().into_iter().for_each(|key| after.see(key));
        assert_eq!(after.unseen(), [key(3)]);
    }

    #[test]
    fn bytes_that_are_cut_or_out_of_order_are_none_of_a_set() {
        let mut set = PrintSet::default();
        (0..5).for_each(|number| set.put(key(number), Some(known(number))));
        let mut bytes = set.into_bytes().collect::<Vec<_>>().concat();
        let taken = |bytes: &[u8]| PrintSet::default().take_bytes(bytes);
        assert!(taken(&bytes).is_some());
        assert!(taken(&bytes[1..]).is_none());
        bytes.rotate_left(PrintSet::ROW);
        assert!(taken(&bytes).is_none());
    }
}
