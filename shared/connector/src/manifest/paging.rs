//! How a listing goes from page to page.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::path::Path;

/// How to get the next page. Whatever the kind: an answer that is the same page again ends the reading
/// with an error, and so does a chain of pages that comes back to where it was.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// The rows after the last id, in the order of ids: the request names `{page.after}`. Rows that
    /// come, go or change meanwhile shift nothing, and equal times cannot hide a row.
    IdAfter(IdAfter),
    /// Pages by number: the request names `{page.number}`. Rows that vanish while pages are read pull
    /// later ones past the reader; see `docs/connectors.md` for what the engine does about it.
    Page(PageNumber),
    /// Rows from a position on: the request names `{page.offset}`. Each page begins with the last row
    /// of the one before, so that rows which vanish meanwhile are noticed and read past.
    Offset(Offset),
    /// A value of the answer leads to the next page: the request names `{page.cursor}`, which is null
    /// for the first page.
    Cursor(Cursor),
    /// The answer's body has the next page's address, on the same host. It is asked for with the same
    /// method, headers and body.
    NextUrl(NextUrl),
    /// The header `Link` has the next page's address as `rel="next"` (RFC 8288), on the same host.
    LinkHeader(LinkHeader),
    /// The answer's body has an address of which one parameter leads to the next page, as in OData:
    /// the request names `{page.cursor}`, which is null for the first page.
    Skiptoken(Skiptoken),
    /// Rows by a range header, answered with `Content-Range: unit first-last/total`: the request names
    /// `{page.offset}` and `{page.last}`, as in `Range: "records={page.offset}-{page.last}"`.
    Range,
    /// One answer has all rows.
    None,
}

/// Paging by id.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IdAfter {
    /// What `{page.after}` is for the first page; null when it is not given.
    pub start: Option<String>,
    /// How the last page is known: `empty_page`, `short_page` or `more`.
    pub ends_with: Ending,
}

/// Pages by number.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PageNumber {
    /// The first page's number: 0 or 1.
    pub first: u8,
    /// How the last page is known.
    pub ends_with: Ending,
    /// The system promises that what comes and goes does not move rows from page to page.
    pub stable: bool,
}

impl Default for PageNumber {
    fn default() -> Self {
        Self { first: 1, ends_with: Ending::default(), stable: false }
    }
}

/// Rows from a position on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Offset {
    /// How the last page is known: any but `pages`.
    pub ends_with: Ending,
}

/// A value that leads to the next page.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Where the answer has it. Nothing there, null or an empty text: it was the last page.
    pub at: Path,
    /// How the last page is known where the answer always has a cursor: `empty_page`, `short_page` or
    /// `more`.
    pub ends_with: Option<Ending>,
    /// The system promises that what comes and goes does not move rows from page to page.
    #[serde(default)]
    pub stable: bool,
}

/// An address in the body that leads to the next page.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextUrl {
    /// Where the answer has it. Nothing there, null or an empty text: it was the last page.
    pub at: Path,
    /// How the last page is known where the answer always has an address: `empty_page`, `short_page`
    /// or `more`.
    pub ends_with: Option<Ending>,
    /// The system promises that what comes and goes does not move rows from page to page.
    #[serde(default)]
    pub stable: bool,
}

/// An address in the header `Link` that leads to the next page.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinkHeader {
    /// The system promises that what comes and goes does not move rows from page to page.
    pub stable: bool,
}

/// A parameter of an address in the body that leads to the next page.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skiptoken {
    /// Where the answer has the address. Nothing there, null or an empty text: it was the last page.
    pub at: Path,
    /// The parameter's name.
    #[serde(default = "skiptoken")]
    pub parameter: String,
    /// The system promises that what comes and goes does not move rows from page to page.
    #[serde(default)]
    pub stable: bool,
}

fn skiptoken() -> String {
    "$skiptoken".to_owned()
}

/// How the last page is known. An empty page by number or position is the last in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is empty: right also where a system gives fewer rows than it was asked for.
    #[default]
    EmptyPage,
    /// It has fewer rows than were asked for.
    ShortPage,
    /// The answer says whether there is more: nothing, null, false, 0 or an empty text is there on the
    /// last page.
    More(Path),
    /// The answer has the number of all rows.
    Total(Path),
    /// The answer has the number of pages.
    Pages(Path),
}

impl Default for Paging {
    fn default() -> Self {
        Self::IdAfter(IdAfter::default())
    }
}

impl Paging {
    /// Whether a row that is there all the time may be missing from a complete reading, because others
    /// came or went meanwhile. What such a listing does not show is looked for by id before it counts
    /// as deleted.
    #[must_use]
    pub fn shifts(&self) -> bool {
        match self {
            Self::IdAfter(_) | Self::None => false,
            Self::Offset(_) | Self::Range => true,
            Self::Page(_)
            | Self::Cursor(_)
            | Self::NextUrl(_)
            | Self::LinkHeader(_)
            | Self::Skiptoken(_) => self.loses(),
        }
    }

    /// Whether the engine cannot even notice that rows were lost so. What such a listing reads of
    /// changes is read by two passes.
    #[must_use]
    pub fn loses(&self) -> bool {
        match self {
            Self::IdAfter(_) | Self::None | Self::Offset(_) | Self::Range => false,
            Self::Page(paging) => !paging.stable,
            Self::Cursor(paging) => !paging.stable,
            Self::NextUrl(paging) => !paging.stable,
            Self::LinkHeader(paging) => !paging.stable,
            Self::Skiptoken(paging) => !paging.stable,
        }
    }

    /// What of `{page}` a request must name so that its pages go on; one of these.
    pub(crate) fn names(&self) -> &'static [&'static str] {
        match self {
            Self::IdAfter(_) => &["after"],
            Self::Page(_) => &["number"],
            Self::Offset(_) | Self::Range => &["offset"],
            Self::Cursor(_) | Self::Skiptoken(_) => &["cursor"],
            Self::NextUrl(_) | Self::LinkHeader(_) | Self::None => &[],
        }
    }

    pub(crate) fn ends_with(&self) -> Option<&Ending> {
        match self {
            Self::IdAfter(paging) => Some(&paging.ends_with),
            Self::Page(paging) => Some(&paging.ends_with),
            Self::Offset(paging) => Some(&paging.ends_with),
            Self::Cursor(paging) => paging.ends_with.as_ref(),
            Self::NextUrl(paging) => paging.ends_with.as_ref(),
            _ => None,
        }
    }
}
