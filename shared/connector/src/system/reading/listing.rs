//! A page of a listing.

use super::{
    paging::{Place, Shown},
    signals::Signals,
};
use crate::{
    error::SystemError,
    json::{Node, Row, Seen},
    manifest::{
        Children, EntityDef, Events, Listing, Operation, Paging, Read, Request, Stream, Sweep,
    },
    mapping::{Conditions, Mapper},
    path::{NestedKeys, Path},
    remote::{Answer, Remote},
    template::Scope,
};

/// More pages than the children of one row have.
const CHILD_PAGES_MAX: usize = 1_000;

/// A listing that is read page by page.
#[derive(Clone, Copy)]
pub(super) struct Pages<'a> {
    pub request: &'a Request,
    pub rows: &'a Path,
    pub filter: &'a Conditions,
    pub id: &'a Path,
    pub paging: &'a Paging,
    /// Whether a row without an id is a fault: an event may well have none.
    pub ids: bool,
}

/// A page of rows with their ids.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub rows: Vec<(String, Row)>,
    pub next: Option<Place>,
    /// The answer's own word on where a later reading of a log goes on.
    pub later: Option<String>,
    pub asked_at: Option<i64>,
}

/// Which page, and what else the request may name.
pub(super) struct Turn<'a> {
    pub place: &'a Place,
    pub size: u32,
    /// Where the first page begins, if not where the paging says.
    pub start: Option<&'a str>,
    /// Where a log's answer says where a later reading goes on.
    pub later: Option<&'a Path>,
    pub keys: NestedKeys,
}

impl<'a> Pages<'a> {
    pub fn own(entity: &str, def: &'a EntityDef) -> Result<Self, SystemError> {
        let Read { request, rows, filter, id, paging } = &def.read;
        let request = request.as_ref().ok_or_else(|| SystemError::unsupported(entity, "read"))?;
        Ok(Self { request, rows, filter, id, paging, ids: true })
    }

    pub fn of_children(children: &'a Children) -> Self {
        let Children { request, rows, filter, id, paging, .. } = children;
        let ids = matches!(paging, Paging::IdAfter(_));
        Self { request, rows, filter, id, paging, ids }
    }

    pub fn of_stream(stream: &'a Stream) -> Self {
        let Stream { request, rows, filter, id, paging, .. } = stream;
        Self { request, rows, filter, id, paging, ids: true }
    }

    pub fn of_events(events: &'a Events) -> Self {
        let Events { request, rows, filter, id, paging, .. } = events;
        let ids = matches!(paging, Paging::IdAfter(_));
        Self { request, rows, filter, id, paging, ids }
    }

    /// The listing of ids; the entity's own where the sweep has none.
    pub fn of_sweep(
        entity: &str,
        def: &'a EntityDef,
        sweep: &'a Sweep,
    ) -> Result<Self, SystemError> {
        match &sweep.request {
            None => Self::own(entity, def),
            Some(request) => {
                let Sweep { rows, filter, id, paging, .. } = sweep;
                Ok(Self { request, rows, filter, id, paging, ids: true })
            }
        }
    }

    /// Reads a page.
    pub async fn page(
        &self,
        remote: &Remote,
        turn: &Turn<'_>,
        add: impl Fn(Scope) -> Scope + Sync,
    ) -> Result<Page, SystemError> {
        let page = turn.place.page(self.paging, turn.size, turn.start);
        let asked = remote
            .call_at(self.request, Operation::Read, turn.place.address(), |scope| {
                add(scope.with("page", page.clone()))
            })
            .await;
        match asked {
            Ok(answer) => self.shown(answer, turn),
            // Beyond the last row (RFC 9110, 15.5.17).
            Err(error)
                if matches!(self.paging, Paging::Range) && error.upstream.status == Some(416) =>
            {
                let shown = Shown { size: turn.size, ids: &[], signals: Signals::default() };
                let next = turn.place.next(self.paging, &shown)?;
                Ok(Page { next, ..Page::default() })
            }
            Err(error) => Err(error),
        }
    }

    /// What an answer shows of the page.
    pub fn shown(&self, answer: Answer, turn: &Turn<'_>) -> Result<Page, SystemError> {
        let address = |text: &str| answer.next_address(text);
        let signals = Signals::read(self.paging, answer.value.json(), &answer.headers, address)?;
        let cursor = signals.next.clone().filter(|_| matches!(self.paging, Paging::Cursor(_)));
        let said = turn.later.and_then(|path| Mapper::remote_id(path, answer.value.json()));
        let asked_at = answer.asked_at;
        let rows = rows_of(self.rows, &answer)?;
        let ids = self.ids(&rows)?;
        let shown = Shown { size: turn.size, ids: &ids, signals };
        let next = turn.place.next(self.paging, &shown)?;
        let last = ids.last().cloned().filter(|_| matches!(self.paging, Paging::IdAfter(_)));
        let later = if turn.later.is_some() { said } else { cursor.or(last) };
        let rows = ids.into_iter().zip(rows);
        let counted = rows.filter(|(_, row)| self.filter.hold(row.json(), turn.keys));
        Ok(Page { rows: counted.collect(), next, later, asked_at })
    }

    fn ids(&self, rows: &[Row]) -> Result<Vec<String>, SystemError> {
        let of = |row: &Row| match Mapper::remote_id(self.id, row.json()) {
            Some(id) => Ok(id),
            None if self.ids => Err(no_id()),
            // What else tells one row from another.
            None => Ok(row.to_value().to_string()),
        };
        rows.iter().map(of).collect()
    }

    /// Reads all pages.
    pub async fn all(
        &self,
        remote: &Remote,
        size: u32,
        keys: NestedKeys,
        add: impl Fn(Scope) -> Scope + Sync,
    ) -> Result<Vec<(String, Row)>, SystemError> {
        let mut all = Vec::new();
        let mut place = Place::default();
        for _ in 0..CHILD_PAGES_MAX {
            let turn = Turn { place: &place, size, start: None, later: None, keys };
            let page = self.page(remote, &turn, &add).await?;
            all.extend(page.rows);
            match page.next {
                Some(next) => place = next,
                None => return Ok(all),
            }
        }
        Err(SystemError::malformed("the children of a row do not end"))
    }
}

impl<'a> From<&'a Listing> for Pages<'a> {
    fn from(listing: &'a Listing) -> Self {
        let Listing { request, rows, filter, id, paging } = listing;
        Self { request, rows, filter, id, paging, ids: true }
    }
}

/// The rows of an answer; none when a rule says to take it as empty.
pub(super) fn rows_of(path: &Path, answer: &Answer) -> Result<Vec<Row>, SystemError> {
    if answer.ignored { Ok(Vec::new()) } else { rows_at(path, &answer.value) }
}

/// The list at a path of an answer.
pub(in crate::system) fn rows_at(path: &Path, value: &Row) -> Result<Vec<Row>, SystemError> {
    let list = value
        .pick(|value| path.get(value, NestedKeys::Plain).filter(|found| found.see() == Seen::List));
    let missing = || SystemError::malformed("the system's answer has no list of rows");
    list.map(|list| list.items()).ok_or_else(missing)
}

/// Rows with their ids.
pub(in crate::system) fn with_ids(
    rows: Vec<Row>,
    id: &Path,
) -> Result<Vec<(String, Row)>, SystemError> {
    let with_id = |row: Row| match Mapper::remote_id(id, row.json()) {
        Some(id) => Ok((id, row)),
        None => Err(no_id()),
    };
    rows.into_iter().map(with_id).collect()
}

fn no_id() -> SystemError {
    SystemError::malformed("a row has no id")
}

/// The ids that a row has at a path: one, or a list of them.
pub(super) fn ids_at(path: &Path, row: &Row) -> Vec<String> {
    let root = Path::default();
    match path.get(row.json(), NestedKeys::Plain) {
        None => Vec::new(),
        Some(several) if several.see() == Seen::List => {
            several.items().filter_map(|id| Mapper::remote_id(&root, id)).collect()
        }
        Some(one) => Mapper::remote_id(&root, one).into_iter().collect(),
    }
}

/// The ids that rows have at a path, each once, in the rows' order.
pub(super) fn distinct_ids_at<'a>(
    path: &Path,
    rows: impl IntoIterator<Item = &'a Row>,
) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let ids = rows.into_iter().flat_map(|row| ids_at(path, row));
    ids.filter(|id| seen.insert(id.clone())).collect()
}
