//! A page of a reading.

use serde_json::json;

use super::{
    super::{Checkpoint, Position, Pull, Pulled, System},
    Shown,
    events::{new_events, told},
    listing::{Page, Pages, Turn, distinct_ids_at},
    paging::Place,
    rows::{Completer, Rows},
    since::{Order, named, since, window},
    streams::{Part, parts},
};
use crate::{
    error::{SystemError, SystemErrorClass},
    json::Row,
    manifest::{
        Detail, EntityDef, Events, Incremental, Listing, Log, NewestFirst, Operation, Reach, Stream,
    },
    mapping::Mapper,
    remote::Remote,
};

/// One page of a reading of one entity.
pub(super) struct Reading<'a> {
    pub system: &'a System,
    pub remote: &'a Remote,
    pub entity: &'a str,
    pub def: &'a EntityDef,
    pub pull: &'a Pull,
}

impl Reading<'_> {
    /// Reads the page at the position.
    pub async fn page(&self) -> Result<Pulled, SystemError> {
        let parts = parts(self.def, self.pull);
        let number = usize::from(self.pull.position.stream);
        let part = parts.get(number).copied().ok_or_else(outdated)?;
        let latest = self.latest().await?;
        let mut pulled = match part {
            Part::Own => self.own().await,
            Part::Children(stream) => self.children(stream).await,
            Part::Archived(listing) => self.archived(listing).await,
            Part::Tombstones(events) => self.tombstones(events).await,
            Part::Log(log) => self.log(log).await,
        }?;
        pulled.checkpoint = latest.or(pulled.checkpoint);
        let next = pulled.next.take().map(|next| next.place);
        pulled.next = self.following(next, parts.len());
        Ok(pulled)
    }

    /// The rest of this part, or the beginning of the next one.
    fn following(&self, next: Option<Place>, parts: usize) -> Option<Position> {
        let stream = self.pull.position.stream;
        match next {
            Some(place) => Some(Position { stream, place }),
            None => {
                let stream = stream + 1;
                (usize::from(stream) < parts).then(|| Position { stream, place: Place::default() })
            }
        }
    }

    /// Where the log ends now, asked for when a reading begins that has no place in it: what happens
    /// from now on is read by the next one.
    async fn latest(&self) -> Result<Option<Checkpoint>, SystemError> {
        let Incremental::Log(log) = &self.def.incremental else { return Ok(None) };
        let Reach::Checkpoint(checkpoint) = &log.events.reach else { return Ok(None) };
        if self.pull.checkpoint.is_some() || self.pull.position != Position::default() {
            return Ok(None);
        }
        let latest = &checkpoint.latest;
        let answer = self.remote.call(&latest.request, Operation::Read, |scope| scope).await?;
        Ok(Some(Checkpoint { after: Mapper::remote_id(&latest.at, answer.value.json()) }))
    }

    async fn own(&self) -> Result<Pulled, SystemError> {
        let since = since(self.def, self.pull.from);
        let pages = Pages::own(self.entity, self.def)?;
        let mut page = self.listed(&pages, since, None).await?;
        if let (Incremental::Feed(feed), Some(since)) = (&self.def.incremental, since) {
            let order = Order { time: &feed.time, out_of_order: feed.out_of_order.as_ref() };
            page = self.until_old(page, order, since);
        }
        let rows = self.completer().complete(std::mem::take(&mut page.rows)).await?;
        let lacks = match self.def.detail {
            Some(Detail::ByGet) => &self.def.listed_only,
            _ => &self.def.by_id_only,
        };
        Ok(self.pulled(page, Shown { rows, lacks }))
    }

    async fn children(&self, stream: &Stream) -> Result<Pulled, SystemError> {
        let since = since(self.def, self.pull.from);
        let page = self.listed(&Pages::of_stream(stream), since, None).await?;
        let page = self.cut(page, stream.newest_first.as_ref(), since);
        let completer = self.completer();
        let rows = completer.by_ids(&completer.parents(&stream.parent, &page.rows)).await?;
        Ok(self.pulled(page, self.by_ids(rows)))
    }

    async fn archived(&self, listing: &Listing) -> Result<Pulled, SystemError> {
        let since = since(self.def, self.pull.from);
        let page = self.listed(&Pages::from(listing), since, None).await?;
        let gone = page.rows.iter().map(|(id, _)| id.clone()).collect();
        Ok(self.pulled(page, self.by_ids(Rows { gone, ..Rows::default() })))
    }

    async fn tombstones(&self, events: &Events) -> Result<Pulled, SystemError> {
        let page = self.happened(events, None).await?;
        let gone = distinct_ids_at(&events.record, page.rows.iter().map(|(_, row)| row));
        Ok(self.pulled(page, self.by_ids(Rows { gone, ..Rows::default() })))
    }

    async fn log(&self, log: &Log) -> Result<Pulled, SystemError> {
        let (start, later) = match (&log.events.reach, &self.pull.checkpoint) {
            (Reach::Checkpoint(reach), Some(checkpoint)) => {
                (checkpoint.after.as_deref(), reach.next.as_ref())
            }
            _ => (None, None),
        };
        let page = match self.happened(&log.events, Some((start, later))).await {
            Err(error) if start.is_some() && error.class == SystemErrorClass::NotFound => {
                return Ok(Pulled { lost_track: true, ..Pulled::default() });
            }
            page => page?,
        };
        let told = told(log, &page.rows, self.system.keys());
        let mut rows = self.completer().by_ids(&told.changed).await?;
        rows.gone.extend(self.confirmed(log, told.gone, &mut rows.rows).await?);
        let checkpoint = match (&log.events.reach, &page.later) {
            (Reach::Checkpoint(_), Some(later)) => Some(Checkpoint { after: Some(later.clone()) }),
            _ => None,
        };
        Ok(Pulled { checkpoint, ..self.pulled(page, self.by_ids(rows)) })
    }

    /// In a log that is read backwards a newer event may already have told that a record is there again:
    /// from the second page on, what is said to be gone is looked for.
    async fn confirmed(
        &self,
        log: &Log,
        gone: Vec<String>,
        rows: &mut Vec<(String, Row)>,
    ) -> Result<Vec<String>, SystemError> {
        let first = self.pull.position.place.is_start();
        if first || gone.is_empty() || !matches!(log.events.reach, Reach::NewestFirst(_)) {
            return Ok(gone);
        }
        let found = self.completer().by_ids(&gone).await?.rows;
        let there: std::collections::HashSet<&String> = found.iter().map(|(id, _)| id).collect();
        let gone = gone.into_iter().filter(|id| !there.contains(id)).collect();
        rows.extend(found);
        Ok(gone)
    }

    /// A page of events, as far as they are new.
    async fn happened(
        &self,
        events: &Events,
        reach: Option<(Option<&str>, Option<&crate::path::Path>)>,
    ) -> Result<Page, SystemError> {
        let since = events.since(self.pull.deletions_from.or(self.pull.from));
        let page = self.listed(&Pages::of_events(events), since, reach).await?;
        let order = match &events.reach {
            Reach::NewestFirst(order) => Some(&**order),
            Reach::Since | Reach::Checkpoint(_) => None,
        };
        Ok(self.cut(page, order, since))
    }

    /// A page of a listing.
    async fn listed(
        &self,
        pages: &Pages<'_>,
        since: Option<i64>,
        reach: Option<(Option<&str>, Option<&crate::path::Path>)>,
    ) -> Result<Page, SystemError> {
        let (start, later) = reach.unwrap_or_default();
        let place = &self.pull.position.place;
        let size = self.system.manifest().limits.page(self.pull.page_size);
        let turn = Turn { place, size, start, later, keys: self.system.keys() };
        let since = named(since);
        let window = window(self.def, &since)?;
        let fields = json!(self.def.field_names());
        let add = |scope: crate::template::Scope| {
            scope
                .with("since", since.clone())
                .with("window", window.clone())
                .with("fields", fields.clone())
        };
        pages.page(self.remote, &turn, add).await
    }

    fn cut(&self, page: Page, order: Option<&NewestFirst>, since: Option<i64>) -> Page {
        let Page { rows, next, later, asked_at } = page;
        let (rows, old) = new_events(order, &self.system.mapper(self.entity), since, rows);
        Page { rows, next: next.filter(|_| !old), later, asked_at }
    }

    fn until_old(&self, page: Page, order: Order<'_>, since: i64) -> Page {
        let Page { rows, next, later, asked_at } = page;
        let (rows, old) = order.new_rows(&self.system.mapper(self.entity), since, rows);
        Page { rows, next: next.filter(|_| !old), later, asked_at }
    }

    fn completer(&self) -> Completer<'_> {
        self.system.completer(self.remote, self.entity, self.def)
    }

    /// Rows that were read by their ids.
    fn by_ids(&self, rows: Rows) -> Shown<'_> {
        Shown { rows, lacks: &self.def.listed_only }
    }

    /// The page's records. Its `next` is a place in this part.
    fn pulled(&self, page: Page, shown: Shown<'_>) -> Pulled {
        let mut pulled = self.system.made(self.entity, self.def, shown, self.pull);
        pulled.source_time = page.asked_at;
        pulled.next = page.next.map(|place| Position { stream: 0, place });
        pulled
    }
}

/// Whether the page is one of the entity's own rows.
pub(super) fn is_own(def: &EntityDef, pull: &Pull) -> bool {
    let number = usize::from(pull.position.stream);
    matches!(parts(def, pull).get(number), Some(Part::Own))
}

fn outdated() -> SystemError {
    SystemError::malformed("the position is of another version of the connector")
}
