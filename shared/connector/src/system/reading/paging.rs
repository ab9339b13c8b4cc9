//! From page to page: what a request of each kind of paging is told, and where an answer leads. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    seam::Seam,
    signals::Signals,
    trail::{PUSHED_ON, Trail},
};
use crate::{
    error::SystemError,
    manifest::{Ending, Paging},
};

/// A place in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    at: At,
    trail: Trail,
}

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum At {
    /// At the beginning.
    #[default]
    Start,
    /// After this id.
    After(String),
    /// It has this number, and so many rows stand before it.
    Page(u64, u64),
    /// At this position.
    Offset(Seam),
    /// Where this value leads.
    Token(String),
    /// At this address.
    Address(String),
}

/// What a page showed.
pub(super) struct Shown<'a> {
    /// How many rows were wanted.
    pub size: u32,
    /// The ids of all of its rows, or what else tells one row from another.
    pub ids: &'a [String],
    /// What the answer says beside its rows.
    pub signals: Signals,
}

impl Place {
    /// The place after an id.
    pub fn after(id: String) -> Self {
        Self { at: At::After(id), trail: Trail::default() }
    }

    /// The id after which the page begins, where it is one.
    pub fn after_id(&self) -> Option<&str> {
        match &self.at {
            At::After(id) => Some(id),
            _ => None,
        }
    }

    /// Whether the system gave it, and may forget it.
    pub fn perishes(&self) -> bool {
        matches!(self.at, At::Token(_) | At::Address(_))
    }

    /// Whether no page has been read yet.
    pub fn is_start(&self) -> bool {
        self.at == At::Start
    }

    /// The address at which the page is.
    pub fn address(&self) -> Option<&str> {
        match &self.at {
            At::Address(address) => Some(address),
            _ => None,
        }
    }

    /// What a request may name of the page that it is for. `start` is where the first page begins, if
    /// that is not the paging's own beginning.
    pub fn page(&self, paging: &Paging, size: u32, start: Option<&str>) -> Value {
        let (mut after, mut cursor, mut number, mut offset) = (None, None, 0, 0);
        match (&self.at, paging) {
            (At::Start, Paging::IdAfter(paging)) => after = start.or(paging.start.as_deref()),
            (At::Start, Paging::Page(paging)) => number = u64::from(paging.first),
            (At::Start, _) => cursor = start,
            (At::After(id), _) => after = Some(id),
            (At::Page(at, _), _) => number = *at,
            (At::Offset(seam), _) => offset = seam.at(),
            (At::Token(token), _) => cursor = Some(token),
            (At::Address(_), _) => {}
        }
        let last = (offset + u64::from(size)).saturating_sub(1);
        json!({
            "after": after, "cursor": cursor, "number": number, "offset": offset, "last": last, "size": size,
        })
    }

    /// The next page's place; nothing when this one was the last.
    ///
    /// # Errors
    /// When the same page has come again, or the pages have come back to an earlier one.
    pub(super) fn next(
        &self,
        paging: &Paging,
        shown: &Shown<'_>,
    ) -> Result<Option<Self>, SystemError> {
        let at = match paging {
            Paging::None => None,
            // Some mean "this one and those after it": then the last page has this one alone.
            Paging::IdAfter(_) if matches!(&self.at, At::After(id) if shown.ids == [id.as_str()]) => {
                None
            }
            Paging::IdAfter(_) => {
                shown.ids.last().filter(|_| shown.goes_on(paging)).cloned().map(At::After)
            }
            Paging::Page(paged) => self.next_number(paging, paged.first, shown),
            Paging::Offset(_) | Paging::Range => self.next_offset(paging, shown),
            Paging::Cursor(_) | Paging::Skiptoken(_) => {
                shown.signals.next.clone().filter(|_| shown.goes_on(paging)).map(At::Token)
            }
            Paging::NextUrl(_) | Paging::LinkHeader(_) => {
                shown.signals.next.clone().filter(|_| shown.goes_on(paging)).map(At::Address)
            }
        };
        let Some(at) = at else { return Ok(None) };
        // Rows after an id are never the same ones again.
        let alike_max = if matches!(at, At::After(_)) { 1 } else { PUSHED_ON };
        let trail = self.trail.with(&shown.ids.join("\n"), &self.sign(shown), alike_max)?;
        Ok(Some(Self { at, trail }))
    }

    /// What tells a page from others: the word on the next one, where there is one; else its rows. Pages
    /// without rows are all alike. A listing by position that steps back reads rows again, but never the
    /// same ones at the same position behind the same rows.
    fn sign(&self, shown: &Shown<'_>) -> String {
        let rows = || match &self.at {
            _ if shown.ids.is_empty() => String::new(),
            At::Offset(seam) => format!("{}\n{}", seam.sign(), shown.ids.join("\n")),
            _ => shown.ids.join("\n"),
        };
        shown.signals.next.clone().unwrap_or_else(rows)
    }

    fn next_number(&self, paging: &Paging, first: u8, shown: &Shown<'_>) -> Option<At> {
        let (number, before) = match self.at {
            At::Page(number, before) => (number, before),
            _ => (u64::from(first), 0),
        };
        let read = before + shown.count();
        let goes_on = match paging.ends_with() {
            Some(Ending::Total(_)) => shown.signals.total.is_none_or(|total| read < total),
            Some(Ending::Pages(_)) => {
                shown.signals.pages.is_none_or(|pages| number + 1 < pages + u64::from(first))
            }
            _ => shown.goes_on(paging),
        };
        (goes_on && !shown.ids.is_empty()).then_some(At::Page(number + 1, read))
    }

    fn next_offset(&self, paging: &Paging, shown: &Shown<'_>) -> Option<At> {
        let first = Seam::default();
        let seam = match &self.at {
            At::Offset(seam) => seam,
            _ => &first,
        };
        let reached = seam.at() + shown.count();
        let goes_on = match paging {
            // Without a header the answer is the whole.
            Paging::Range => shown.signals.total.is_some_and(|total| reached < total),
            _ => match paging.ends_with() {
                Some(Ending::Total(_)) => shown.signals.total.is_none_or(|total| reached < total),
                _ => shown.goes_on(paging),
            },
        };
        seam.next(shown.ids, shown.size, goes_on).map(At::Offset)
    }
}

impl Shown<'_> {
    fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// What the number of rows, or the answer's own word, says.
    fn goes_on(&self, paging: &Paging) -> bool {
        match paging.ends_with() {
            Some(Ending::EmptyPage) => !self.ids.is_empty(),
            Some(Ending::ShortPage) => self.count() >= u64::from(self.size),
            Some(Ending::More(_)) => self.signals.more,
            Some(Ending::Total(_) | Ending::Pages(_)) | None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(yaml: &str) -> Paging {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn shown(ids: &[String], signals: Signals) -> Shown<'_> {
        Shown { size: 2, ids, signals }
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    /// What `{page}` is for the page after one of these rows.
    fn page_after(yaml: &str, rows: &[&str], signals: Signals) -> Option<Value> {
        let paging = paging(yaml);
        let next = Place::default().next(&paging, &shown(&ids(rows), signals)).unwrap();
        next.map(|place| place.page(&paging, 2, None))
    }

    #[test]
    fn a_first_page_begins_where_its_kind_begins() {
        let first = |yaml: &str, start| Place::default().page(&paging(yaml), 2, start);
        assert_eq!(first("id_after: {}", None)["after"], Value::Null);
        assert_eq!(first("id_after: { start: '0' }", None)["after"], "0");
        assert_eq!(first("id_after: { start: '0' }", Some("17"))["after"], "17");
        assert_eq!(first("page: {}", None)["number"], 1);
        assert_eq!(first("page: { first: 0 }", None)["number"], 0);
        assert_eq!(first("cursor: { at: next }", None)["cursor"], Value::Null);
        assert_eq!(first("cursor: { at: next }", Some("t"))["cursor"], "t");
        let range = first("range", None);
        assert_eq!((&range["offset"], &range["last"]), (&json!(0), &json!(1)));
    }

    #[test]
    fn each_kind_leads_to_its_next_page() {
        let next = |token: &str| Signals { next: Some(token.to_owned()), ..Signals::default() };
        let full = ["1", "2"];
        let page = |yaml, signals| page_after(yaml, &full, signals).unwrap();
        assert_eq!(page("id_after: {}", Signals::default())["after"], "2");
        assert_eq!(page("page: {}", Signals::default())["number"], 2);
        assert_eq!(page("offset: {}", Signals::default())["offset"], 1, "less the seam");
        assert_eq!(page("cursor: { at: next }", next("t"))["cursor"], "t");
        assert_eq!(page("skiptoken: { at: next }", next("t"))["cursor"], "t");
        assert!(page_after("none", &full, Signals::default()).is_none());
    }

    #[test]
    fn each_ending_ends_its_listing() {
        let said = |more, total, pages| Signals { more, total, pages, ..Signals::default() };
        let nothing = said(false, None, None);
        for (yaml, rows, signals, goes_on) in [
            ("id_after: {}", &["1"][..], nothing.clone(), true),
            ("id_after: {}", &[], nothing.clone(), false),
            ("id_after: { ends_with: short_page }", &["1"], nothing.clone(), false),
            ("id_after: { ends_with: { more: m } }", &["1", "2"], nothing.clone(), false),
            ("id_after: { ends_with: { more: m } }", &["1"], said(true, None, None), true),
            ("page: {}", &["1"], nothing.clone(), true),
            ("page: {}", &[], nothing.clone(), false),
            ("page: { ends_with: short_page }", &["1"], nothing.clone(), false),
            ("page: { ends_with: { total: t } }", &["1", "2"], said(false, Some(2), None), false),
            ("page: { ends_with: { total: t } }", &["1", "2"], said(false, Some(3), None), true),
            ("page: { ends_with: { total: t } }", &[], said(false, Some(3), None), false),
            ("page: { ends_with: { pages: p } }", &["1"], said(false, None, Some(1)), false),
            ("page: { ends_with: { pages: p } }", &["1"], said(false, None, Some(2)), true),
            (
                "page: { first: 0, ends_with: { pages: p } }",
                &["1"],
                said(false, None, Some(1)),
                false,
            ),
            (
                "page: { first: 0, ends_with: { pages: p } }",
                &["1"],
                said(false, None, Some(2)),
                true,
            ),
            ("offset: {}", &["1", "2"], nothing.clone(), true),
            ("offset: {}", &[], nothing.clone(), false),
            ("offset: { ends_with: { total: t } }", &["1", "2"], said(false, Some(2), None), false),
            ("range", &["1", "2"], said(false, Some(2), None), false),
            ("range", &["1", "2"], said(false, Some(3), None), true),
            ("range", &["1", "2"], nothing.clone(), false),
            ("cursor: { at: n }", &["1", "2"], nothing.clone(), false),
        ] {
            assert_eq!(page_after(yaml, rows, signals).is_some(), goes_on, "{yaml} {rows:?}");
        }
    }

    #[test]
    fn a_cursor_that_is_always_there_ends_as_the_manifest_says() {
        let with = |more| Signals { next: Some("t".to_owned()), more, ..Signals::default() };
        let empty_pages = "cursor: { at: n, ends_with: empty_page }";
        assert!(page_after(empty_pages, &[], with(false)).is_none());
        assert!(page_after(empty_pages, &["1"], with(false)).is_some());
        assert!(page_after("cursor: { at: n }", &[], with(false)).is_some(), "else it goes on");
        let addresses = "next_url: { at: n, ends_with: empty_page }";
        assert!(page_after(addresses, &[], with(false)).is_none());
        assert!(page_after(addresses, &["1"], with(false)).is_some());
        let more = "cursor: { at: n, ends_with: { more: m } }";
        assert!(page_after(more, &["1"], with(false)).is_none());
    }

    /// Follows cursors that come as they are told.
    fn follow<'a>(cursors: impl IntoIterator<Item = &'a str>) -> Result<usize, String> {
        let paging = paging("cursor: { at: n }");
        let mut place = Place::default();
        let mut pages = 0;
        for cursor in cursors {
            let signals = Signals { next: Some(cursor.to_owned()), ..Signals::default() };
            pages += 1;
            let next = place.next(&paging, &shown(&[], signals)).map_err(|error| error.message)?;
            place = next.unwrap();
        }
        Ok(pages)
    }

    #[test]
    fn the_same_page_again_and_a_circle_of_pages_are_refused() {
        assert!(follow(["a", "a"]).unwrap_err().contains("same page"));
        for circle in 2..40 {
            let names: Vec<String> = (0..circle).map(|number| format!("p{number}")).collect();
            let before = ["x", "y", "z"];
            let round = before.into_iter().chain(names.iter().map(String::as_str).cycle());
            assert!(follow(round.take(200)).unwrap_err().contains("circle"), "{circle}");
        }
        let names: Vec<String> = (0..500).map(|number| format!("p{number}")).collect();
        assert_eq!(follow(names.iter().map(String::as_str)), Ok(500));
    }

    #[test]
    fn a_system_that_knows_no_offset_is_noticed() {
        let paging = paging("offset: {}");
        let rows = ids(&["1", "2"]);
        let second = Place::default().next(&paging, &shown(&rows, Signals::default()));
        let again = second.unwrap().unwrap().next(&paging, &shown(&rows, Signals::default()));
        let third = again.unwrap().unwrap().next(&paging, &shown(&rows, Signals::default()));
        assert!(third.unwrap_err().message.contains("same page"));
    }

    #[test]
    fn a_place_is_kept_as_json() {
        let paging = paging("offset: {}");
        let rows = ids(&["1", "2"]);
        let place = Place::default().next(&paging, &shown(&rows, Signals::default())).unwrap();
        let kept = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<Option<Place>>(&kept).unwrap(), place);
    }
}
