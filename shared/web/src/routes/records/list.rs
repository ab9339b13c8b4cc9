//! `GET /v1/<entity>`.

use std::borrow::Cow;

use axum::extract::State;
use http::Method;
use millwright_connection::{Connection, Patience};
use millwright_connector::Position;
use millwright_core::{Error, ErrorCode, ExposeSecret, Result, SecretString};
use millwright_entities::Entity;
use millwright_records::{ListPlace, Live, LiveQuery, RecordQuery, Wanted, list_records};
use millwright_vault::Sealed;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, openapi::path::ParameterIn};

use super::{
    OfEntity, Place, RecordOperation,
    access::{as_wanted, must_be_readable, must_have},
    asked::{Asked, Listing},
    params::{Filtered, RecordList, filter_parameter},
    words,
};
use crate::{
    App,
    data_answer::{DataAnswer, keeps_raw, synced_at},
    error::{Answer, refused_one},
    extract::{InformationScope, records_of},
    page::{Page, position},
};

/// The most records of a page with the system's own rows: each page asks the system for them.
const RAW_MAX: usize = 50;

pub(super) fn operation(entity: &'static Entity) -> RecordOperation {
    let several = words::several(entity);
    let component = words::component(entity);
    let id = format!("list_{}", entity.event_name);
    RecordOperation::new(entity, (&Method::GET, Place::List), &id, &format!("List {several}"), list)
        .with_parameters(RecordList::into_params(|| Some(ParameterIn::Query)))
        .with_parameters([filter_parameter(&format!("{component}Filter"))])
        .answering(200, &format!("A page of {several}."), &format!("{component}Page"))
}

/// A list's cursor: where it goes on, and what it was asked for.
#[derive(Debug, Serialize, Deserialize)]
struct At {
    place: AtPlace,
    asked: Asked,
}

/// Where a list goes on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AtPlace {
    /// In what is kept.
    Kept(ListPlace),
    /// In the system's own list. Sealed: it may hold an address of the system, which is called with
    /// the connection's credentials.
    Live(Sealed),
}

/// One page to read.
struct Turn<'a> {
    app: &'a App,
    connection: &'a Connection,
    entity: &'static Entity,
    listing: Listing,
    limit: usize,
    patience: Patience,
}

async fn list(
    OfEntity(entity): OfEntity,
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    Filtered { filter, rest: mut list }: Filtered<RecordList>,
) -> Answer<DataAnswer<Page<Value>>> {
    // A scenario can only show itself where the sandbox is asked.
    if connection.scenario.is_some() && list.cursor.is_none() {
        list.live.get_or_insert(true);
    }
    let def = must_have(&app, &connection, entity)?;
    let synced_at = synced_at(&app.store, &connection, entity.slug).await?;
    must_be_readable(&app, &connection, list.allow_stale, synced_at).await?;
    let name = format!("records/{}/{}", connection.id, entity.slug);
    let at: Option<At> = position(&name, list.cursor.as_deref())?;
    let asked = Asked::of(filter, &list);
    let (asked, place) = match at {
        Some(at) => (asked.going_on(at.asked)?, Some(at.place)),
        None => (asked, None),
    };
    let def = match asked.names_fields() {
        true => as_wanted(&app, &connection, entity, def).await?,
        false => Cow::Borrowed(def),
    };
    let listing = asked.understood(entity, &def)?;
    refuse_stale(&listing, list.allow_stale)?;
    let limit = if listing.raw { list.limit.get().min(RAW_MAX) } else { list.limit.get() };
    let patience = Patience::begin(app.store.clock());
    let turn = Turn { app: &app, connection: &connection, entity, listing, limit, patience };
    let (records, place) = turn.read(place).await?;
    let page = Page::at(&name, records, place.map(|place| At { place, asked }))?;
    Ok(DataAnswer::new(&connection, synced_at, page))
}

/// What asks the system cannot do without it.
fn refuse_stale(listing: &Listing, allow_stale: bool) -> Result<()> {
    let asks = [(listing.live, "live=true"), (listing.raw, "include=raw")];
    match asks.into_iter().find(|(asks, _)| *asks && allow_stale) {
        Some((_, with)) => {
            Err(refused_one("allow_stale", &format!("does not combine with {with}")))
        }
        None => Ok(()),
    }
}

impl Turn<'_> {
    async fn read(&self, place: Option<AtPlace>) -> Result<(Vec<Value>, Option<AtPlace>)> {
        let (mut records, next) = match (self.listing.live, place) {
            (true, None) => self.live(Position::default()).await?,
            (true, Some(AtPlace::Live(sealed))) => self.live(self.open(&sealed).await?).await?,
            (false, None) => self.kept(None).await?,
            (false, Some(AtPlace::Kept(place))) => self.kept(Some(place)).await?,
            _ => return Err(not_given_out()),
        };
        if self.listing.raw {
            let (context, scope) = (self.app.connections(), records_of(self.connection));
            let live = Live::new(&context, self.connection, &scope, self.patience);
            let kept = !self.listing.live
                && keeps_raw(&self.app.store, self.connection, self.entity.slug).await?;
            live.add_raw(self.entity.slug, &mut records, kept).await?;
        }
        Ok((records, next))
    }

    async fn kept(&self, after: Option<ListPlace>) -> Result<(Vec<Value>, Option<AtPlace>)> {
        let query = RecordQuery {
            entity: self.entity.slug,
            wanted: self.listing.wanted.clone(),
            sort: self.listing.sort,
            after,
            limit: self.limit,
            effort: self.app.settings.list_effort,
        };
        let page = list_records(&self.app.store, &records_of(self.connection), &query).await?;
        Ok((page.records, page.next.map(AtPlace::Kept)))
    }

    async fn live(&self, position: Position) -> Result<(Vec<Value>, Option<AtPlace>)> {
        let (context, scope) = (self.app.connections(), records_of(self.connection));
        let Wanted { filters, .. } = &self.listing.wanted;
        let query = LiveQuery { entity: self.entity.slug, filters, position, limit: self.limit };
        let live = Live::new(&context, self.connection, &scope, self.patience);
        let page = live.list(query).await?;
        let next = match page.next {
            Some(next) => Some(AtPlace::Live(self.seal(&next).await?)),
            None => None,
        };
        Ok((page.records, next))
    }

    async fn seal(&self, position: &Position) -> Result<Sealed> {
        let text = serde_json::to_string(position).map_err(Error::internal)?;
        let (workspace, context) = (&self.connection.workspace, self.sealed_for());
        self.app.vault.seal(workspace, &context, &SecretString::from(text)).await
    }

    async fn open(&self, sealed: &Sealed) -> Result<Position> {
        let (workspace, context) = (&self.connection.workspace, self.sealed_for());
        let text = self.app.vault.open(workspace, &context, sealed).await;
        let text = text.map_err(|_| not_given_out())?;
        serde_json::from_str(text.expose_secret()).map_err(|_| not_given_out())
    }

    fn sealed_for(&self) -> String {
        format!("live/{}/{}", self.connection.id, self.entity.slug)
    }
}

fn not_given_out() -> Error {
    Error::new(ErrorCode::CursorInvalid, "the cursor is not one this list has given out")
}
