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

/// The body that keeps these.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn encode(prints: &mut Prints, mark: Option<Mark>) -> Result<Bytes> {
    let header = Header {
        form: FORM,
        as_of: prints.as_of,
        lost: prints.lost,
        mark,
        mapping: prints.mapping.clone(),
        early: prints.set.early().map(|key| key.text()).collect(),
        missing: prints.missing.clone(),
    };
    let header = serde_json::to_vec(&header).map_err(Error::internal)?;
    let size = u32::try_from(header.len()).map_err(Error::internal)?;
    let mut body = Vec::new();
    body.extend_from_slice(&size.to_be_bytes());
    body.extend_from_slice(&header);
    prints.set.bytes(&mut body);
    Ok(Bytes::from(body))
}

/// What a body keeps; nothing when it is damaged or of another form.
pub(super) fn decode(body: &[u8]) -> Option<(Prints, Option<Mark>)> {
    let (size, rest) = body.split_at_checked(4)?;
    let size = usize::try_from(u32::from_be_bytes(size.try_into().ok()?)).ok()?;
    let (header, rows) = rest.split_at_checked(size)?;
    let header: Header = serde_json::from_slice(header).ok()?;
    if header.form != FORM {
        return None;
    }
    let early: Option<Vec<PrintKey>> = header.early.iter().map(|text| PrintKey::of(text)).collect();
    let set = PrintSet::of_bytes(rows, early?)?;
    let mut prints = Prints::new(set, header.as_of, header.lost);
    (prints.missing, prints.mapping) = (header.missing, header.mapping);
    Some((prints, header.mark))
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
        let body = encode(&mut prints, Some(mark.clone())).unwrap();
        let (mut again, kept) = decode(&body).unwrap();
        assert_eq!((kept, again.as_of, again.lost), (Some(mark), prints.as_of, 2));
        assert_eq!(again.missing, ["41"]);
        assert_eq!(again.set.unseen(), prints.set.unseen());
        again.set.put(key(77), None);
        assert!(!again.set.unseen().contains(&key(77)), "seen before it was known of");
        again.map_by(Some("this".to_owned()));
        assert!(again.set.is_made_of(key(4), row), "the same mapping");
        for other in [Some("another".to_owned()), None] {
            let (mut again, _) = decode(&body).unwrap();
            again.map_by(other);
            assert!(again.set.holds(key(4), known.content) && !again.set.is_made_of(key(4), row));
            again.learn_row(key(4), known);
            assert_eq!(again.set.is_made_of(key(4), row), again.mapping.is_some());
        }
        for cut in [0, 3, 20, body.len() - 1] {
            assert!(decode(&body[..cut]).is_none(), "{cut}");
        }
    }
}
