//! The function `api`: the HTTP API behind API Gateway.

use aws_config::SdkConfig;
use axum::Router;
use millwright_connection::ConnectionContext;
use millwright_core::{
    Clock,
    config::{ConfigError, Source},
};
use millwright_outbound::Outbound;
use millwright_web::{App, Parts, Settings};

/// The router, over clients built from the configuration. `MILLWRIGHT_PUBLIC_URL` is where callers
/// reach it.
///
/// # Errors
/// When a variable is missing or wrong.
pub async fn router(
    source: &impl Source,
    clock: Clock,
    sdk: &SdkConfig,
) -> Result<Router, ConfigError> {
    let parts = ConnectionContext::from_source(source, clock, sdk)?;
    tokio::join!(parts.store.warm(), parts.queue.warm());
    let app = App::new(Parts {
        store: parts.store,
        queue: parts.queue,
        blob: parts.blob,
        vault: parts.vault,
        engine: parts.engine,
        outbound: Outbound::from_source(source)?,
        settings: Settings::from_source(source)?,
    });
    Ok(millwright_web::router(app))
}
