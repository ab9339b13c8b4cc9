//! The manifest: what one kind of system can do and how it is asked, as one readable file.
//!
//! Read as a page, it goes from the system (who it is, what a customer fills in, how to log in, what
//! its errors mean) to its entities, and for each of them from reading to writing. Unknown keys are
//! errors, with line and column. What a manifest does not say, the connector cannot do.

mod auth;
mod check;
mod condition;
mod custom;
mod deletes;
mod entity;
mod events;
mod fault;
mod form;
mod golden;
mod hooks;
mod incremental;
mod limits;
mod paging;
mod passthrough;
mod places;
mod probe;
mod read;
mod reader;
mod request;
mod rules;
mod schema;
mod time_form;
mod write;

use std::fmt;

use millwright_core::{ConnectionId, sha256_hex};
use millwright_entities::status_key;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value, json};

pub use auth::{
    Algorithm, Assertion, AssertionAlgorithm, Auth, Basic, Bearer, Carrier, ClientStyle, Csrf,
    Encoding, HmacAuth, KeyForm, Login, LoginStep, Oauth2Client, Oauth2Code, Oauth2Jwt,
    OauthClient, TokenBody, TokenPlace, TokenRules,
};
pub(crate) use condition::texts;
pub use condition::{Condition, Expression, Header, HeaderCondition, Seen};
pub use custom::{CustomFields, CustomKind, CustomValues, Discover, KnownCustomField, NamedValues};
pub use deletes::{Deletes, Flag, Sweep};
pub use entity::{EntityDef, StatusDef};
pub use events::{Checkpoint, Events, Latest, Log, NewestFirst, Reach, Tombstones};
pub use fault::{ManifestError, Problem};
pub use form::{FieldCondition, FieldKind, Form, FormField};
pub use golden::{
    AnswerClass, AnswerMeaning, AnswerTest, HookTest, HookTold, PageTest, PagesTest,
    RecordedAnswer, RowTest, TestedListing, Tests,
};
pub use hooks::{
    HookAction, HookEvent, HookSignature, HookTime, HookToken, HookVerify, WebhooksIn,
};
pub use incremental::{Feed, Filter, Incremental, Precision, Stream};
pub use limits::{Budget, BudgetScope, Limits, RateHeaders, ResetHeader, Share};
pub use paging::{
    Cursor, Ending, IdAfter, LinkHeader, NextUrl, Offset, PageNumber, Paging, Skiptoken,
};
pub use passthrough::{AllowRule, Passthrough, PathPattern};
pub use probe::{InstanceRule, PermissionProbe, Probe};
pub(crate) use read::is_set;
pub use read::{Children, Completion, Detail, Get, Listing, OwnDetail, Read};
pub use request::{Body, Call, HttpProtocol, HttpRequest, Protocol, Request};
pub use rules::{ErrorRule, FieldLabel, Meaning, Operation};
pub(crate) use schema::like;
pub use time_form::TimeForm;
pub use write::{
    Action, Bounds, ById, Commands, Create, CustomWrite, Delete, DeleteMode, Docs, Each, Example,
    Expected, ExternalId, Extra, Finder, IdInLocation, Idempotency, LineForm, LinesField,
    ListField, Lookup, LookupValue, NaturalFields, ObjectField, Rate, Replace, Required, Step,
    TextPattern, TextRules, Update, When, WriteDef, WriteField, WriteOp, WriteValue, Written,
};
pub(crate) use write::{Subject, TextFault};

use crate::{
    codec::Zone,
    table::Table,
    template::{Scope, Template},
};

/// The version of the format that this build reads.
pub const FORMAT: u32 = 1;

/// Where a system may run.
pub(crate) const HOSTINGS: [&str; 2] = ["cloud", ON_PREMISES];
const ON_PREMISES: &str = "on_premises";

/// The fields of a status that are only read, of those that [`Manifest::statuses`] fills.
pub(crate) const STATUS_READ: [&str; 2] = ["order", "allowedNext"];

/// The fields of a status that a list can be filtered by, of those that [`Manifest::statuses`] fills.
pub const STATUS_FIELDS: [&str; 9] =
    ["key", "remoteId", "remoteCode", "entity", "code", "name", "state", "isFinal", "isDefault"];

/// A connector.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format.
    #[serde(deserialize_with = "known_format")]
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// Its id: lower case, digits and hyphens.
    #[schemars(extend("pattern" = "^[a-z0-9-]+$"))]
    pub id: String,
    /// The system's name.
    pub name: String,
    /// Who makes the system.
    pub vendor: String,
    /// What kind of system it is.
    pub categories: Vec<Category>,
    /// What a connection costs in credits: 1, 2 or 4.
    #[schemars(extend("enum" = [1, 2, 4]))]
    pub tier: u8,
    /// Where the system runs: `cloud`, which is meant when it is not given, or `on_premises`, at the
    /// customer's own place, which costs the double; or a setting that says so.
    pub hosting: Option<Template>,
    /// How far the connector has been proven.
    pub maturity: Maturity,
    /// The system's versions it was proven with.
    #[serde(default)]
    pub tested_against: Vec<String>,
    /// Where the system's own interface is described.
    pub docs: Option<String>,
    /// What a customer fills in that is no secret.
    #[serde(default)]
    pub settings: Form,
    /// The time zone that the system writes its times in where it says none: a name such as
    /// `Europe/Berlin`, or a setting. For the codec `site_time`.
    pub time_zone: Option<Template>,
    /// What a customer fills in to log in. Kept encrypted as a whole.
    #[serde(default)]
    pub credentials: Form,
    /// How the system is spoken to.
    pub protocol: Protocol,
    /// How requests are made known to be the customer's.
    #[serde(default)]
    pub auth: Auth,
    /// Pieces that several requests share, as `{snippets.name}`.
    #[serde(default)]
    pub snippets: Table<Template>,
    /// How to find out that the system answers, and which instance it is.
    pub probe: Option<Probe>,
    /// What its errors mean: the first rule that fits counts, then the meaning of the HTTP status.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// How much at once, and how often.
    #[serde(default)]
    pub limits: Limits,
    /// Which calls of the system's own may be made with the stored credentials. None without it.
    #[serde(default)]
    pub passthrough: Passthrough,
    /// How the system's own webhooks are verified, and what they tell of.
    pub webhooks_in: Option<WebhooksIn>,
    /// What can be read and written, by entity.
    pub entities: Table<EntityDef>,
    /// Golden tests: rows, answers and pages, and what becomes of them.
    #[serde(default)]
    pub tests: Tests,
    /// What tells the file from any other, and from another version of it. Never in a file.
    #[serde(skip)]
    pub digest: String,
}

/// A kind of system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Maintenance: CMMS and EAM.
    Eam,
    /// Enterprise resource planning.
    Erp,
    /// Warehouse management.
    Wms,
    /// Discussion and support.
    Community,
    /// No real system.
    Sandbox,
}

/// How far a connector has been proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Maturity {
    /// The tests run it against the real system.
    Tested,
    /// Written after the system's documentation, and tested with recorded answers.
    Documented,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// What is wrong with it, and where: the first fault when it cannot be read; everything found, when
    /// it does not fit together.
    pub fn read(yaml: &str) -> Result<Self, ManifestError> {
        let manifest: Self = reader::read(yaml)?;
        let found = check::problems(&manifest);
        if found.is_empty() {
            return Ok(Self { digest: sha256_hex(yaml.as_bytes()), ..manifest });
        }
        let places = places::Places::of(yaml);
        Err(ManifestError { problems: found.iter().map(|one| places.locate(one)).collect() })
    }

    /// The time zone that the system writes its times in where it says none; nothing when it has no
    /// `time_zone`, or that names none.
    #[must_use]
    pub fn zone(&self, settings: &Map<String, Value>) -> Option<Zone> {
        let scope = Scope::default().with("settings", Value::Object(settings.clone()));
        let name = self.time_zone.as_ref()?.render(&scope).ok()?;
        Zone::named(name.as_str()?)
    }

    /// Whether the system with these settings runs at the customer's own place.
    #[must_use]
    pub fn is_on_premises(&self, settings: &Map<String, Value>) -> bool {
        let (settings, _) = self.settings.check("settings", settings);
        let scope = Scope::default().with("settings", Value::Object(settings));
        let said = self.hosting.as_ref().and_then(|hosting| hosting.render(&scope).ok());
        said.is_some_and(|said| said == ON_PREMISES)
    }

    /// Whether a setting decides where credentials are sent: it stands in the address of the system, or
    /// of where it gives tokens.
    #[must_use]
    pub fn leads_elsewhere(&self, setting: &str) -> bool {
        let base = match &self.protocol {
            Protocol::Http(http) => Some(&http.base_url),
            Protocol::Sandbox => None,
        };
        let tokens = self.auth.oauth().into_iter();
        let tokens = tokens.flat_map(|rules| [Some(&rules.url), rules.refresh_url.as_ref()]);
        let addresses = base.into_iter().chain(tokens.flatten());
        addresses
            .flat_map(Template::placeholders)
            .any(|named| named.root == "settings" && named.path.keys().next() == Some(setting))
    }

    /// What it says about an entity.
    #[must_use]
    pub fn entity(&self, slug: &str) -> Option<&EntityDef> {
        self.entities.get(slug)
    }

    /// The statuses of an entity's records as unified records of the entity `statuses`, in the
    /// manifest's order. Empty when the entity has none.
    #[must_use]
    pub fn statuses(&self, connection: &ConnectionId, slug: &str) -> Vec<Map<String, Value>> {
        let Some(def) = self.entity(slug) else { return Vec::new() };
        let key = |code: &str| status_key(connection, slug, code);
        let record = |(position, (code, status)): (usize, (&str, &StatusDef))| {
            let fields = json!({
                "key": key(code),
                "remoteId": millwright_entities::status_remote_id(slug, code),
                "remoteCode": code,
                "entity": slug,
                "code": code,
                "name": status.name,
                "state": status.state,
                "order": position + 1,
                "isFinal": status.is_final,
                "isDefault": status.is_default,
            });
            let mut fields = match fields {
                Value::Object(fields) => fields,
                _ => Map::new(),
            };
            if let Some(next) = def.next_statuses(code) {
                let next: Vec<String> = next.into_iter().map(key).collect();
                fields.insert("allowedNext".to_owned(), json!(next));
            }
            fields
        };
        def.statuses.iter().enumerate().map(record).collect()
    }
}

fn known_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let format = u32::deserialize(deserializer)?;
    if format == FORMAT {
        return Ok(format);
    }
    Err(D::Error::custom(format!("format {format} is not known: this build reads {FORMAT}")))
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}
