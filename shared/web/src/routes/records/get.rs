//! `GET /v1/<entity>/{key}`.

use axum::extract::State;
use http::Method;
use millwright_connection::Patience;
use millwright_core::Error;
use millwright_entities::Entity;
use millwright_records::{Live, get_record};
use serde_json::Value;
use utoipa::{IntoParams, openapi::path::ParameterIn};

use super::{
    OfEntity, Place, RecordOperation,
    access::{must_be_readable, must_have},
    params::RecordGet,
    words,
};
use crate::{
    App,
    data_answer::{DataAnswer, keeps_raw, synced_at},
    error::{Answer, refused_one},
    extract::{InformationScope, Params, TextPath, records_of},
};

pub(super) fn operation(entity: &'static Entity) -> RecordOperation {
    let id = format!("get_{}", words::one_in_a_name(entity));
    let summary = format!("Get {}", words::a_record(entity));
    let answer = format!("The {}.", words::one(entity));
    RecordOperation::new(entity, (&Method::GET, Place::Record), &id, &summary, get)
        .with_parameters(RecordGet::into_params(|| Some(ParameterIn::Query)))
        .answering(200, &answer, &words::component(entity))
}

async fn get(
    OfEntity(entity): OfEntity,
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    TextPath(key): TextPath,
    Params(mut asked): Params<RecordGet>,
) -> Answer<DataAnswer<Value>> {
    // A scenario can only show itself where the sandbox is asked.
    asked.live |= connection.scenario.is_some();
    must_have(&app, &connection, entity)?;
    let synced_at = synced_at(&app.store, &connection, entity.slug).await?;
    must_be_readable(&app, &connection, asked.allow_stale, synced_at).await?;
    refuse_combinations(&asked)?;
    let (context, scope) = (app.connections(), records_of(&connection));
    let live = Live::new(&context, &connection, &scope, Patience::begin(app.store.clock()));
    let deleted = asked.include.deleted;
    let record = match asked.live {
        true => live.get(entity.slug, &key).await?,
        false => get_record(&app.store, &scope, entity.slug, &key, deleted).await?,
    };
    let mut records: Vec<Value> = record.into_iter().collect();
    if asked.include.raw {
        let kept = !asked.live && keeps_raw(&app.store, &connection, entity.slug).await?;
        live.add_raw(entity.slug, &mut records, kept).await?;
    }
    let record = records.pop().ok_or_else(|| Error::not_found("record"))?;
    let etag = record["meta"]["etag"].as_str().map(str::to_owned);
    Ok(DataAnswer::new(&connection, synced_at, record).tagged(etag.as_deref()))
}

fn refuse_combinations(asked: &RecordGet) -> Result<(), Error> {
    let RecordGet { include, live, allow_stale } = asked;
    let clash = match (include.deleted, include.raw, live, allow_stale) {
        (true, _, true, _) => ("include", "live=true"),
        (_, _, true, true) => ("allow_stale", "live=true"),
        (_, true, _, true) => ("allow_stale", "include=raw"),
        _ => return Ok(()),
    };
    let (name, other) = clash;
    Err(refused_one(name, &format!("does not combine with {other}")))
}
