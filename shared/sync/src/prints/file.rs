//! Fingerprints as they are kept between slices: one body for each entity, a header and the rows. It is a
//! cache: where it is missing, damaged or out of date it is made anew of the rows.

use bytes::Bytes;
use millwright_core::{Error, Result, RunId};
use millwright_records::Seq;
use serde::{Deserialize, Serialize};

use super::{PrintKey, PrintSet, Prints};

/// The form of the body. Another number is another form: the body counts as missing.
const FORM: u8 = 2;

/// Where a pass was when its marks were kept: they are whole only with the very state that says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The pass.
    pub run: RunId,
    /// How often it has begun its listing anew.
    pub round: u32,
    /// Pages since then.
    pub pages: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    form: u8,
    as_of: Seq,
    lost: u64,
    mark: Option<Mark>,
    mapping: Option<String>,
    early: Vec<String>,
    missing: Vec<String>,
}

/// The body that keeps these, in pieces. A million rows are not held twice.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn encode(prints: Prints, mark: Option<Mark>) -> Result<impl Iterator<Item = Bytes>> {
    let header = Header {
        form: FORM,
        as_of: prints.as_of,
        lost: prints.lost,
        mark,
        early: prints.set.early().map(|key| key.text()).collect(),
        mapping: prints.mapping,
        missing: prints.missing,
    };
    let header = serde_json::to_vec(&header).map_err(Error::internal)?;
    let size = u32::try_from(header.len()).map_err(Error::internal)?;
    let head = [Bytes::copy_from_slice(&size.to_be_bytes()), header.into()];
    Ok(head.into_iter().chain(prints.set.into_bytes()))
}

/// Makes fingerprints of a body that comes in pieces of any size.
#[derive(Default)]
pub(super) struct Decoder {
    /// What has come and is not whole yet.
    rest: Vec<u8>,
    header: Option<Header>,
    set: PrintSet,
}

impl Decoder {
    /// Takes a piece; nothing when the body is damaged or of another form.
    pub fn take(&mut self, piece: &[u8]) -> Option<()> {
        self.rest.extend_from_slice(piece);
        if self.header.is_none() {
            let Some((size, rest)) = self.rest.split_at_checked(4) else { return Some(()) };
            let size = usize::try_from(u32::from_be_bytes(size.try_into().ok()?)).ok()?;
            let Some((header, _)) = rest.split_at_checked(size) else { return Some(()) };
            let mut header: Header = serde_json::from_slice(header).ok()?;
            if header.form != FORM {
                return None;
            }
            let early: Option<Vec<PrintKey>> =
                header.early.drain(..).map(|text| PrintKey::of(&text)).collect();
            self.set.see_early(early?);
            self.header = Some(header);
            self.rest.drain(..4 + size);
        }
        let whole = self.rest.len() - self.rest.len() % PrintSet::ROW;
        self.set.take_bytes(&self.rest[..whole])?;
        self.rest.drain(..whole);
        Some(())
    }

    /// What the body keeps, all of it having come; nothing when it was cut.
    pub fn end(self) -> Option<(Prints, Option<Mark>)> {
        let header = self.header.filter(|_| self.rest.is_empty())?;
        let mut prints = Prints::new(self.set, header.as_of, header.lost);
        (prints.missing, prints.mapping) = (header.missing, header.mapping);
        Some((prints, header.mark))
    }
}

#[cfg(test)]
mod tests {
    use millwright_connector::RowPrint;
    use millwright_core::ConnectionId;
    use millwright_entities::record_key;

    use super::*;
    use crate::prints::{Content, Known};

    fn key(id: u64) -> PrintKey {
        let connection = ConnectionId::derived(&["one"]);
        PrintKey::of(&record_key(&connection, "vendors", &id.to_string())).unwrap()
    }

    fn decode(body: &[u8], size: usize) -> Option<(Prints, Option<Mark>)> {
        let mut decoder = Decoder::default();
        body.chunks(size).try_for_each(|piece| decoder.take(piece))?;
        decoder.end()
    }

    #[test]
    fn what_is_kept_comes_back_with_its_mark_and_damage_is_noticed() {
        let mut set = PrintSet::default();
        let row = RowPrint::of_bytes([7; RowPrint::SIZE]);
        let known = Known { content: Content::of("00000000000000ff"), row: Some(row) };
        (0..9).for_each(|id| set.put(key(id), Some(known)));
        set.see(key(3));
        set.see(key(77));
        let mut prints = Prints::new(set, Seq::default().plus(5), 2);
        prints.missing = vec!["41".to_owned()];
        prints.mapping = Some("this".to_owned());
        let mark = Mark { run: RunId::new_at(1), round: 1, pages: 7 };
        let unseen = prints.set.unseen();
        let body: Vec<Bytes> = encode(prints, Some(mark.clone())).unwrap().collect();
        let body = body.concat();
        let (mut again, kept) = decode(&body, body.len()).unwrap();
        assert_eq!((kept, again.as_of, again.lost), (Some(mark), Seq::default().plus(5), 2));
        assert_eq!(again.missing, ["41"]);
        assert_eq!(again.set.unseen(), unseen);
        for size in [1, 3, 40, 1_000] {
            let (again, _) = decode(&body, size).unwrap();
            assert_eq!((again.set.unseen(), again.set.len()), (unseen.clone(), 9), "{size}");
        }
        again.set.put(key(77), None);
        assert!(!again.set.unseen().contains(&key(77)), "seen before it was known of");
        again.map_by(Some("this".to_owned()));
        assert!(again.set.is_made_of(key(4), row), "the same mapping");
        for other in [Some("another".to_owned()), None] {
            let (mut again, _) = decode(&body, 100).unwrap();
            again.map_by(other);
            assert!(again.set.holds(key(4), known.content) && !again.set.is_made_of(key(4), row));
            again.learn_row(key(4), known);
            assert_eq!(again.set.is_made_of(key(4), row), again.mapping.is_some());
        }
        for cut in [0, 3, 20, body.len() - 1] {
            assert!(decode(&body[..cut], 100).is_none(), "{cut}");
        }
    }
}
