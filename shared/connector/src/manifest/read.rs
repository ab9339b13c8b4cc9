//! How rows are listed, read by their ids, and completed.

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Paging, Request};
use crate::{
    json::{Node, Seen},
    mapping::Conditions,
    path::{NestedKeys, Path},
    template::Template,
};

/// How rows are listed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The request; may name `{page...}`, `{window}`, `{since}`, `{fields}`.
    pub request: Option<Request>,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Which of them count: paths and the values that each may have.
    #[serde(default, rename = "where")]
    pub filter: Conditions,
    /// Where a row has its id.
    #[serde(default = "id")]
    pub id: Path,
    /// How to get the next page.
    #[serde(default)]
    pub paging: Paging,
}

/// A listing beside the entity's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The request; may name `{page...}`, `{window}`, `{since}`.
    pub request: Request,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Which of them count: paths and the values that each may have.
    #[serde(default, rename = "where")]
    pub filter: Conditions,
    /// Where a row has its id.
    #[serde(default = "id")]
    pub id: Path,
    /// How to get the next page.
    #[serde(default)]
    pub paging: Paging,
}

/// How rows are read by their ids.
#[derive(Clone, Debug, Default)]
pub enum Get {
    /// Not by requests: the sandbox.
    #[default]
    None,
    /// Many ids in one request, which names `{ids}`. Ids that are not there are simply missing from
    /// the answer.
    Many {
        /// The request; may name `{fields}` too.
        request: Request,
        /// Where the answer has the rows.
        rows: Path,
    },
    /// One id a request, which names `{id}`. "Not found" (404, 410, or what an error rule calls
    /// `not_found`) means that it is gone.
    One {
        /// The request; may name `{fields}` too.
        request: Request,
        /// Where the answer has the row.
        row: Path,
    },
    /// The entity's own listing is read, all pages of it, and the rows are picked out of it: for
    /// systems that have no call for one of a few rows.
    Listing,
}

/// How rows are read by their ids.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GetRequest")]
struct RawGet {
    /// The request. Names `{ids}` where it takes many ids at once, else `{id}`; may name `{fields}`.
    request: Option<Request>,
    /// With `{ids}`: where the answer has the rows.
    rows: Option<Path>,
    /// With `{id}`: where the answer has the row.
    row: Option<Path>,
}

impl TryFrom<RawGet> for Get {
    type Error = &'static str;

    fn try_from(raw: RawGet) -> Result<Self, &'static str> {
        let Some(request) = raw.request else {
            return match (raw.rows, raw.row) {
                (None, None) => Ok(Self::None),
                _ => Err("`get` has no request"),
            };
        };
        match (request.names("ids", ""), request.names("id", "")) {
            (true, false) if raw.row.is_none() => {
                Ok(Self::Many { request, rows: raw.rows.unwrap_or_default() })
            }
            (false, true) if raw.rows.is_none() => {
                Ok(Self::One { request, row: raw.row.unwrap_or_default() })
            }
            _ => Err("`get` names `{ids}` and has `rows`, or names `{id}` and has `row`"),
        }
    }
}

impl JsonSchema for Get {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Get".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let request = generator.subschema_for::<RawGet>();
        schemars::json_schema!({ "anyOf": [{ "const": "listing" }, request] })
    }
}

impl Get {
    /// The request, if there is one.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        match self {
            Self::None | Self::Listing => None,
            Self::Many { request, .. } | Self::One { request, .. } => Some(request),
        }
    }
}

impl<'de> Deserialize<'de> for Get {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListingOrRequest;

        impl<'de> Visitor<'de> for ListingOrRequest {
            type Value = Get;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`listing`, or a `request` with `row` or `rows`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Get, E> {
                match text {
                    "listing" => Ok(Get::Listing),
                    _ => Err(E::custom(format!("`{text}` is not `listing`"))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Get, A::Error> {
                let raw = RawGet::deserialize(MapAccessDeserializer::new(map))?;
                Get::try_from(raw).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(ListingOrRequest)
    }
}

/// How a listed row is completed by a call of its own. As many at once as the connection may make.
/// A row that the call does not find is gone.
#[derive(Clone, Debug)]
pub enum Detail {
    /// Listed rows are stubs: each is read by `get`, in place of what was listed.
    ByGet,
    /// By a request of its own, also for rows that were read by their ids.
    Own(Box<OwnDetail>),
}

/// A call that completes a row.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnDetail {
    /// The request; may name `{id}` and values of the row, as `{row.number}`.
    pub request: Request,
    /// Where the answer has what completes the row.
    #[serde(default)]
    pub row: Path,
    /// What becomes of it.
    #[serde(default, rename = "as")]
    pub takes: Completion,
    /// Which rows need it: paths and the values that each may have. All when it is not given.
    #[serde(default)]
    pub when: Conditions,
}

/// What becomes of the answer of a detail call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// Its members are laid over the row's own.
    #[default]
    Merge,
    /// It stands in place of the row.
    Replace,
}

impl<'de> Deserialize<'de> for Detail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GetOrRequest;

        impl<'de> Visitor<'de> for GetOrRequest {
            type Value = Detail;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`get`, or a `request` with `row`, `as` and `when`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Detail, E> {
                match text {
                    "get" => Ok(Detail::ByGet),
                    _ => Err(E::custom(format!("`{text}` is not `get`"))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Detail, A::Error> {
                let own = OwnDetail::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Detail::Own(Box::new(own)))
            }
        }

        deserializer.deserialize_any(GetOrRequest)
    }
}

/// Rows that belong to a row and are listed by calls of their own. They are put into the row, all
/// pages of them, before it is mapped.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Children {
    /// The member of the row that they become, as a list.
    pub into: String,
    /// The request; may name `{page...}`. It names `{id}` or values of the row (`{row.number}`) and is
    /// made for each row; or, with `parent`, `{ids}`, and is made for many rows at once.
    pub request: Request,
    /// Where the answer has the children.
    #[serde(default)]
    pub rows: Path,
    /// Which of them count: paths and the values that each may have.
    #[serde(default, rename = "where")]
    pub filter: Conditions,
    /// Where a child has its id.
    #[serde(default = "id")]
    pub id: Path,
    /// With `{ids}`: where a child has the id of its record.
    pub parent: Option<Path>,
    /// How to get the next page.
    #[serde(default)]
    pub paging: Paging,
    /// Which rows have any: paths and the values that each may have. All when it is not given.
    #[serde(default)]
    pub when: Conditions,
}

impl Request {
    /// Whether it names `{root}` or `{root.path}`; with an empty path, anything of the root.
    #[must_use]
    pub fn names(&self, root: &str, path: &str) -> bool {
        self.templates().into_iter().flat_map(Template::placeholders).any(|placeholder| {
            placeholder.root == root && (path.is_empty() || placeholder.path.as_str() == path)
        })
    }
}

/// A value of an answer that something hangs on: nothing, null, false, 0 and an empty text are no.
pub(crate) fn is_set<'a>(path: &Path, value: impl Node<'a>) -> bool {
    match path.get(value, NestedKeys::Plain).map(Node::see) {
        None | Some(Seen::Null | Seen::Bool(false)) => false,
        Some(Seen::Text(text)) => !text.is_empty(),
        Some(Seen::Number(digits)) => digits.parse() != Ok(0.0),
        Some(_) => true,
    }
}

pub(super) fn id() -> Path {
    Path::parse("id").unwrap_or_default()
}
