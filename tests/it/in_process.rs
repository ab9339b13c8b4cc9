//! Millwright in this process, without its binary: on a real table and real queues.

use std::{collections::HashMap, path::Path};

use aws_config::SdkConfig;
use millwright_connection::ConnectionContext;
use millwright_connector::{Catalog, Engine};
use millwright_core::{Clock, PublicUrl};
use millwright_outbound::{Outbound, OutboundConfig};
use millwright_tests::{api::Api, cloud::Cloud};
use millwright_web::{App, Parts, Settings};
use millwright_webhook::Webhooks;

/// Variables by their names.
pub type Variables = HashMap<String, String>;

/// Where the table and the queues are, and a vault and blobs in `folder`. Systems on this machine may be
/// called.
pub fn variables(cloud: &Cloud, folder: &Path) -> Variables {
    let (key, blobs) = (folder.join("vault.key"), folder.join("blobs"));
    millwright_vault::create_key_file(&key).unwrap();
    std::fs::create_dir_all(&blobs).unwrap();
    let mut variables = cloud.variables().clone();
    let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
    set("MILLWRIGHT_BLOB", format!("file:{}", blobs.display()));
    set("MILLWRIGHT_VAULT", format!("file:{}", key.display()));
    set("MILLWRIGHT_ALLOW_TARGETS", "127.0.0.0/8".to_owned());
    set("MILLWRIGHT_HTTPS_REQUIRED", "false".to_owned());
    variables
}

/// The same as configuration is read from.
pub fn source(variables: &Variables) -> HashMap<&str, &str> {
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// What a process with these variables works with.
pub fn context(variables: &Variables, clock: Clock, sdk: &SdkConfig) -> ConnectionContext {
    ConnectionContext::from_source(&source(variables), clock, sdk).unwrap()
}

/// An HTTP client that may call this machine.
pub fn outbound_to_loopback() -> Outbound {
    let allowed = vec!["127.0.0.0/8".parse().unwrap()];
    let config = OutboundConfig { allowed, https_required: false, ..OutboundConfig::default() };
    Outbound::new(config).unwrap()
}

/// Deliveries of a process, which may call this machine.
pub fn webhooks(context: &ConnectionContext) -> Webhooks {
    let ConnectionContext { store, queue, blob, vault, .. } = context.clone();
    Webhooks::new(store, queue, blob, vault, outbound_to_loopback())
}

/// A process with connectors of the test's own.
pub fn with_connectors(context: &ConnectionContext, catalog: Catalog) -> ConnectionContext {
    let engine = Engine::new(catalog, outbound_to_loopback(), context.store.clone());
    ConnectionContext { engine, ..context.clone() }
}

/// Serves the API on a free port, with changed settings; answers with a caller without a key.
pub async fn serve(context: &ConnectionContext, change: impl FnOnce(&mut Settings)) -> Api {
    serve_with(context, Outbound::new(OutboundConfig::default()).unwrap(), change).await
}

/// The same with another HTTP client.
pub async fn serve_with(
    context: &ConnectionContext,
    outbound: Outbound,
    change: impl FnOnce(&mut Settings),
) -> Api {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let mut settings = Settings::new(PublicUrl::new(&base));
    change(&mut settings);
    let app = App::new(Parts {
        store: context.store.clone(),
        queue: context.queue.clone(),
        blob: context.blob.clone(),
        vault: context.vault.clone(),
        outbound,
        engine: context.engine.clone(),
        settings,
    });
    let router = millwright_web::router(app);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Api::new(&base, None)
}
