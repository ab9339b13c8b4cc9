//! Golden tests: what the system gives, and what becomes of it.

use millwright_core::ErrorCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{HookAction, ManifestError, Operation, reader, schema};
use crate::table::Table;

/// Golden tests. They stand in the manifest, or with the same keys in a file of their own beside it
/// (`acme.tests.yaml` for `acme.yaml`), and are run without any system.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tests {
    /// What a customer would have filled in, for `{settings.name}` and the time zone.
    pub settings: Map<String, Value>,
    /// What a login would have kept, for `{session.name}`.
    pub session: Map<String, Value>,
    /// Rows, and the records that they become, by entity. Each entity has at least one.
    pub rows: Table<Vec<RowTest>>,
    /// Answers, and what they mean.
    pub answers: Vec<AnswerTest>,
    /// Pages of listings, and where they lead, by entity.
    pub pages: Table<Vec<PagesTest>>,
    /// Webhooks of the system's own, and what they tell of.
    pub hooks: Vec<HookTest>,
}

/// A row, and what becomes of it: one of `record`, `deleted` and `skipped`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowTest {
    /// What it shows.
    pub name: Option<String>,
    /// The row as the system gives it, with its details and children. A text is JSON: numbers in it
    /// stay exactly as they are written, which amounts in YAML do not.
    pub row: Value,
    /// The whole record. A key of another record is written as its entity and remote id (`vendors/7`);
    /// the record's own `key` and those of lines are left out.
    pub record: Option<Map<String, Value>>,
    /// The row says itself that it is deleted.
    #[serde(default)]
    pub deleted: bool,
    /// The unified field that cannot be read, so that the row is left out.
    pub skipped: Option<String>,
}

/// An answer, and what it means.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerTest {
    /// What it shows.
    pub name: Option<String>,
    /// While doing this; reading when it is not given.
    pub during: Option<Operation>,
    /// The answer.
    pub answer: RecordedAnswer,
    /// What it means.
    pub is: AnswerMeaning,
}

/// An answer of the system.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordedAnswer {
    /// The HTTP status; 200 when it is not given.
    pub status: Option<u16>,
    /// The headers.
    pub headers: Table<String>,
    /// The body, where it is JSON.
    pub body: Option<Value>,
    /// The body as it came, in place of `body`.
    pub text: Option<String>,
}

/// What an answer means. What is not given is not looked at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerMeaning {
    /// A class of `errors`, `ignore`, or `ok` for an answer that is no error.
    pub class: AnswerClass,
    /// The API's code for it.
    #[schemars(with = "Option<schema::Code>")]
    pub code: Option<ErrorCode>,
    /// The system's own code.
    pub upstream_code: Option<String>,
    /// The system's own message.
    pub message: Option<String>,
    /// The system's name of the field that is at fault.
    pub field: Option<String>,
    /// How many seconds the system asks to wait.
    pub wait_seconds: Option<u64>,
}

/// The classes of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerClass {
    /// It is no error.
    Ok,
    /// It is no error, and counts as empty.
    Ignore,
    /// To be tried again in a moment.
    Retry,
    /// The system is not working.
    Unreachable,
    /// It is asked too often.
    RateLimited,
    /// It refuses the credentials, or the session has ended.
    Reauthorize,
    /// The account may not do this.
    Permission,
    /// There is no such record.
    NotFound,
    /// It refuses what is written.
    Validation,
    /// The record's state forbids it.
    Conflict,
    /// It does not know this operation.
    Unsupported,
    /// An error that trying again does not help against, or an answer that cannot be read.
    Fail,
}

/// Pages of one reading of a listing, from its beginning.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagesTest {
    /// What they show.
    pub name: Option<String>,
    /// Which of the entity's listings.
    #[serde(default)]
    pub listing: TestedListing,
    /// Rows a page; what `limits` say when it is not given.
    pub size: Option<u32>,
    /// The time at which the run before began: only changes are read. Everything without it.
    pub since: Option<String>,
    /// The pages, in their order.
    pub answers: Vec<PageTest>,
}

/// A listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestedListing {
    /// The entity's own, `read`.
    #[default]
    Read,
    /// `deletes.archived`.
    Archived,
    /// `deletes.sweep`.
    Sweep,
}

/// A page.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageTest {
    /// What is asked for it, method and address: `GET https://acme.example.com/api/orders?after=0`.
    pub asks: Option<String>,
    /// The body that is sent, where it is JSON.
    pub sends: Option<Value>,
    /// The answer.
    pub answer: RecordedAnswer,
    /// The ids of its rows that count.
    pub ids: Vec<String>,
    /// Where it leads: what the next request can name of `{page}` (`after`, `number`, `offset`,
    /// `cursor`), or `address`. Nothing for the last page.
    pub next: Option<Map<String, Value>>,
}

/// A webhook of the system's own, and what it tells of. That it is genuine is not looked at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookTest {
    /// What it shows.
    pub name: Option<String>,
    /// Its headers.
    #[serde(default)]
    pub headers: Table<String>,
    /// Its body. A text is JSON as it came.
    pub body: Value,
    /// What it tells of, in order; empty for one that is of no interest.
    pub tells: Vec<HookTold>,
}

/// What a webhook tells of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookTold {
    /// The entity.
    pub entity: String,
    /// The remote id.
    pub id: String,
    /// What has happened.
    #[serde(default)]
    pub action: HookAction,
}

impl Tests {
    /// Reads a file of golden tests.
    ///
    /// # Errors
    /// When it is not one: where, and what is wrong.
    pub fn read(yaml: &str) -> Result<Self, ManifestError> {
        reader::read(yaml)
    }

    /// These and others, those of a file beside the manifest. Its settings and session go before.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.settings.extend(other.settings);
        self.session.extend(other.session);
        self.rows = joined(self.rows, other.rows);
        self.answers.extend(other.answers);
        self.pages = joined(self.pages, other.pages);
        self.hooks.extend(other.hooks);
        self
    }
}

/// Both tables, with the tests of one entity together.
fn joined<T: Clone>(mut one: Table<Vec<T>>, other: Table<Vec<T>>) -> Table<Vec<T>> {
    for (slug, tests) in other {
        let mut all = one.get(&slug).cloned().unwrap_or_default();
        all.extend(tests);
        one.set(&slug, all);
    }
    one
}
