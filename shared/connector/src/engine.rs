//! From a connection to its system.

use std::{collections::BTreeMap, fmt, sync::Arc};

use millwright_core::{
    ConnectionId, Error, ErrorCode, FieldError, Result, SecretString, WorkspaceId,
};
use millwright_outbound::Outbound;
use millwright_store::Store;
use serde_json::{Map, Value};

use crate::{
    catalog::Catalog,
    manifest::{EntityDef, Manifest, Protocol},
    oauth::{Authority, Fixed, Registrations, TokenSource, Tokens, is_token_name},
    overlay::Overlay,
    remote::{Access, Remote, Shared},
    sandbox::{Place, Sandbox, Scenario},
    system::{Overlays, Source, System},
};

/// Credentials by their names in the form.
pub type Credentials = BTreeMap<String, SecretString>;

/// A connection, as far as its system is concerned.
#[derive(Clone)]
pub struct Target {
    /// The workspace it belongs to.
    pub workspace: WorkspaceId,
    /// The connection; keys of records follow from it.
    pub connection: ConnectionId,
    /// The connector's id.
    pub connector_id: String,
    /// The filled-in settings.
    pub settings: Map<String, Value>,
    /// The filled-in credentials; with OAuth also the tokens, where nobody renews them.
    pub credentials: Credentials,
    /// Where requests get their OAuth tokens from, where somebody keeps and renews them.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// What the connection wants otherwise than the manifest says, by entity.
    pub overlays: BTreeMap<String, Overlay>,
    /// The scenario that this one request asked for. Only a sandbox heeds it.
    pub scenario: Option<Scenario>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("workspace", &self.workspace)
            .field("connection", &self.connection)
            .field("connector_id", &self.connector_id)
            .finish_non_exhaustive()
    }
}

/// Opens systems. Clones share everything.
#[derive(Clone, Debug)]
pub struct Engine {
    catalog: Catalog,
    outbound: Outbound,
    store: Store,
    shared: Shared,
    registrations: Registrations,
}

/// Settings and credentials that fit their forms: with defaults, and each value in its one form.
#[derive(Clone)]
pub struct Filled {
    /// The settings.
    pub settings: Map<String, Value>,
    /// The credentials.
    pub credentials: Credentials,
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filled").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine over a catalogue. The store holds what the sandbox is given to keep, and the limits
    /// of systems, which all engines over the same store keep to together.
    #[must_use]
    pub fn new(catalog: Catalog, outbound: Outbound, store: Store) -> Self {
        let shared = Shared::new(&store);
        Self { catalog, outbound, store, shared, registrations: Registrations::default() }
    }

    /// The same engine with the deployment's registrations with vendors.
    #[must_use]
    pub fn with_registrations(self, registrations: Registrations) -> Self {
        Self { registrations, ..self }
    }

    /// The same engine with the limits of systems counted in this process alone: for tools, and where
    /// there is no table.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { shared: self.shared.alone(), ..self }
    }

    /// The connectors.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The authorization server of a connection to be; nothing for a connector that does not use OAuth.
    ///
    /// # Errors
    /// `NOT_FOUND` for an unknown connector; the faulty fields of settings and credentials;
    /// `VALIDATION_FAILED` when this deployment is not registered with the vendor.
    pub fn authority(
        &self,
        connector_id: &str,
        settings: &Map<String, Value>,
        credentials: &Credentials,
    ) -> Result<Option<Authority>> {
        let manifest = self.manifest(connector_id)?;
        let filled = check_forms(manifest, settings, credentials)?;
        let clock = self.store.clock().clone();
        Authority::of(manifest, &filled, &self.registrations, self.outbound.clone(), clock)
    }

    fn manifest(&self, connector_id: &str) -> Result<&Arc<Manifest>> {
        let none = || Error::new(ErrorCode::NotFound, "there is no such connector");
        self.catalog.get(connector_id).ok_or_else(none)
    }

    /// Opens a connection's system. Nothing is sent yet.
    ///
    /// # Errors
    /// `NOT_FOUND` for an unknown connector; the faulty fields of settings, credentials and overlays;
    /// `FIELD_REQUIRED` for one that needs OAuth 2.0 and is given no tokens.
    pub fn open(&self, target: Target) -> Result<System> {
        let manifest = self.manifest(&target.connector_id)?;
        let filled = check_forms(manifest, &target.settings, &target.credentials)?;
        let given = Tokens::among(&target.credentials);
        let grant = given.as_ref().map(|tokens| tokens.grant.clone()).unwrap_or_default();
        let fixed = given.map(|tokens| Arc::new(Fixed(tokens)) as Arc<dyn TokenSource>);
        let tokens = target.tokens.or(fixed).filter(|_| manifest.auth.oauth().is_some());
        if manifest.auth.oauth().is_some() && tokens.is_none() {
            return Err(no_tokens());
        }
        let laid = laid_over(manifest, &target.overlays)?;
        check_zone(manifest, &filled.settings)?;
        let source = match &manifest.protocol {
            Protocol::Http(http) => Source::Remote(Box::new(Remote::new(
                manifest.clone(),
                http.as_ref().clone(),
                self.outbound.clone(),
                self.shared.clone(),
                Access {
                    workspace: &target.workspace,
                    connection: &target.connection,
                    settings: filled.settings,
                    credentials: filled.credentials,
                    tokens,
                    grant,
                },
            ))),
            Protocol::Sandbox => Source::Sandbox(Box::new(Sandbox::open(
                Place {
                    store: self.store.clone(),
                    workspace: target.workspace,
                    connection: target.connection.clone(),
                },
                Arc::clone(manifest),
                &filled.settings,
                &filled.credentials,
                target.scenario,
            ))),
        };
        let clock = self.store.clock().clone();
        let overlays = Overlays { own: target.overlays, laid };
        Ok(System::new(Arc::clone(manifest), target.connection, source, overlays, clock))
    }
}

fn no_tokens() -> Error {
    let message = "this system is connected on its own login page: make a connect link";
    let field = FieldError::new("credentials", ErrorCode::FieldRequired, message);
    let mut error = Error::new(field.code, format!("{}: {message}", field.path));
    error.fields = vec![field];
    error
}

/// A system that writes times without a zone has one that is known.
fn check_zone(manifest: &Manifest, settings: &Map<String, Value>) -> Result<()> {
    if manifest.time_zone.is_none() || manifest.zone(settings).is_some() {
        return Ok(());
    }
    let message = "name no time zone, such as Europe/Berlin";
    let field = FieldError::new("settings", ErrorCode::ValidationFailed, message);
    Error::from_fields(vec![field]).map_or(Ok(()), Err)
}

/// What the manifest says about entities that have an overlay, with it.
fn laid_over(
    manifest: &Manifest,
    overlays: &BTreeMap<String, Overlay>,
) -> Result<BTreeMap<String, EntityDef>> {
    let mut laid = BTreeMap::new();
    let mut faults = Vec::new();
    for (entity, overlay) in overlays.iter().filter(|(_, overlay)| !overlay.is_empty()) {
        let under = |fault: FieldError| {
            let path = format!("overlays.{entity}.{}", fault.path);
            FieldError { path, ..fault }
        };
        match manifest.entity(entity).map(|def| overlay.apply(entity, def)) {
            Some(Ok(def)) => drop(laid.insert(entity.clone(), def)),
            Some(Err(found)) => faults.extend(found.into_iter().map(under)),
            None => faults.extend(overlay.check(entity, manifest).into_iter().map(under)),
        }
    }
    Error::from_fields(faults).map_or(Ok(laid), Err)
}

/// Checks what a customer has filled in against a connector's forms. Tokens of a connector with OAuth are
/// no part of them.
///
/// # Errors
/// Every faulty field, named `settings.<field>` or `credentials.<field>`.
pub fn check_forms(
    manifest: &Manifest,
    settings: &Map<String, Value>,
    credentials: &Credentials,
) -> Result<Filled> {
    let (settings, mut faults): (_, Vec<FieldError>) =
        manifest.settings.check("settings", settings);
    let tokens = manifest.auth.oauth().is_some();
    let of_form = credentials.iter().filter(|(name, _)| !(tokens && is_token_name(name)));
    let of_form = of_form.map(|(name, secret)| (name.clone(), secret.clone())).collect();
    let (credentials, of_credentials) =
        manifest.credentials.check_secrets("credentials", &of_form, &settings);
    faults.extend(of_credentials);
    match Error::from_fields(faults) {
        Some(error) => Err(error),
        None => Ok(Filled { settings, credentials }),
    }
}
