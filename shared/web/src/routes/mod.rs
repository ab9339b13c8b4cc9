//! The routes, one file per resource. Each handler reads its request, calls one capability and shapes
//! the answer.

#![allow(unused_qualifications, reason = "utoipa's macro writes qualified names")]

mod api_keys;
mod applications;
mod audit_log;
mod changes;
mod connect_links;
mod connection;
mod connection_events;
mod connection_life;
mod connection_tokens;
mod connection_view;
mod connections;
mod connectors;
mod credits;
mod custom_fields;
mod entities;
mod event_types;
mod export;
mod health;
mod hooks;
mod issues;
mod jobs;
mod mappings;
mod meta;
mod oauth;
mod overlay;
mod passthrough;
pub(crate) mod records;
mod remapping;
mod scenario;
pub(crate) mod sign_in;
mod sync_runs;
mod sync_settings;
mod syncs;
mod webhook_care;
mod webhook_deliveries;
mod webhook_delivery_view;
mod webhook_endpoint_life;
mod webhook_endpoint_request;
mod webhook_endpoint_view;
mod webhook_endpoints;
mod webhook_message_view;
mod webhook_messages;
mod webhook_poll;
mod webhook_secrets;
mod workspace;
mod writes;

use axum::Router;
pub(crate) use scenario::sandbox_manifest;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, openapi};

/// Where the OAuth server's metadata stand when the public address has a path: behind the well-known part,
/// not before it (RFC 8414, 3.1).
pub(crate) fn well_known(app: &App) -> Router<App> {
    let path = app.settings.public_url.path();
    if path.is_empty() {
        return Router::new();
    }
    Router::new().route(
        &format!("/.well-known/oauth-authorization-server{path}"),
        axum::routing::get(oauth::get_metadata),
    )
}

/// Every operation of the API. The document is collected from the same calls that make the routes,
/// so neither can have one that the other has not.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::get_health))
        .routes(routes!(openapi::get_document))
        .routes(routes!(openapi::get_connector_schema))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(api_keys::get_api_key, api_keys::revoke_api_key))
        .routes(routes!(api_keys::rotate_api_key))
        .merge(applications())
        .merge(people())
        .routes(routes!(workspace::get, workspace::update))
        .routes(routes!(connectors::list))
        .routes(routes!(connectors::get))
        .routes(routes!(entities::list))
        .routes(routes!(entities::get))
        .routes(routes!(connections::list, connections::create))
        .routes(routes!(connections::get, connections::delete, connection_life::update))
        .routes(routes!(connection_events::list))
        .merge(connection_life())
        .routes(routes!(credits::get, credits::put))
        .routes(routes!(connection_tokens::create))
        .routes(routes!(issues::list))
        .routes(routes!(issues::get))
        .routes(routes!(issues::mute))
        .routes(routes!(issues::unmute))
        .routes(routes!(connect_links::list, connect_links::create))
        .routes(routes!(connect_links::get, connect_links::revoke))
        .routes(routes!(hooks::take))
        .routes(routes!(hooks::get_hook))
        .routes(routes!(hooks::rotate))
        .routes(routes!(scenario::get_scenario, scenario::put_scenario))
        .routes(routes!(mappings::get_mapping, mappings::put_mapping))
        .routes(routes!(sync_settings::get, sync_settings::put))
        .routes(routes!(custom_fields::list_custom_fields, custom_fields::put_custom_fields))
        .merge(data())
        .merge(webhooks())
        .routes(routes!(audit_log::list))
        .routes(routes!(jobs::get_job))
        .routes(routes!(export::file))
        .routes(routes!(jobs::cancel))
}

fn connection_life() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(connection_life::check))
        .routes(routes!(connection_life::pause))
        .routes(routes!(connection_life::resume))
        .routes(routes!(connection_life::reconnect))
        .routes(routes!(connection_life::disconnect))
}

fn people() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(sign_in::login))
        .routes(routes!(sign_in::callback))
        .routes(routes!(sign_in::session))
        .routes(routes!(sign_in::logout))
}

fn applications() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(applications::list, applications::create))
        .routes(routes!(applications::get, applications::update, applications::revoke))
        .routes(routes!(applications::rotate_secret))
        .routes(routes!(oauth::token))
        .routes(routes!(oauth::revoke))
        .routes(routes!(oauth::get_metadata))
}

fn data() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(changes::list_changes))
        .routes(routes!(connection::get_current_connection))
        .routes(routes!(meta::list))
        .routes(routes!(meta::get))
        .routes(routes!(syncs::start_sync))
        .routes(routes!(syncs::get_sync_status))
        .routes(routes!(export::start))
        .routes(routes!(export::get))
        .routes(routes!(sync_runs::list))
        .routes(routes!(sync_runs::get))
        .routes(routes!(sync_runs::cancel))
        .routes(routes!(writes::get_write))
        .routes(routes!(passthrough::call))
        .merge(records::routes())
}

fn webhooks() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(webhook_endpoints::list, webhook_endpoints::create))
        .routes(routes!(webhook_secrets::get_secret))
        .routes(routes!(webhook_secrets::rotate_secret))
        .routes(routes!(webhook_poll::poll))
        .routes(routes!(
            webhook_endpoints::get,
            webhook_endpoints::delete,
            webhook_endpoints::update
        ))
        .routes(routes!(webhook_endpoint_life::enable))
        .routes(routes!(webhook_endpoint_life::resume))
        .routes(routes!(webhook_endpoint_life::pause))
        .routes(routes!(webhook_endpoint_life::disable))
        .routes(routes!(webhook_endpoint_life::test))
        .routes(routes!(event_types::list))
        .routes(routes!(event_types::get, event_types::put, event_types::delete))
        .routes(routes!(webhook_messages::list, webhook_messages::create))
        .routes(routes!(webhook_messages::get))
        .routes(routes!(webhook_messages::abort))
        .routes(routes!(webhook_messages::expunge))
        .routes(routes!(webhook_deliveries::list))
        .routes(routes!(webhook_deliveries::get))
        .routes(routes!(webhook_deliveries::list_attempts))
        .routes(routes!(webhook_deliveries::retry))
        .routes(routes!(webhook_deliveries::abort))
        .routes(routes!(webhook_care::recover))
        .routes(routes!(webhook_care::replay))
        .routes(routes!(webhook_care::retry))
        .routes(routes!(webhook_care::stats))
}
