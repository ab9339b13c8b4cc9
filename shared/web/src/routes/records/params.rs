//! The parameters of reading.

use axum::extract::FromRequestParts;
use http::request::Parts;
use millwright_core::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    IntoParams,
    openapi::{
        Ref,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
    },
};

use crate::{
    App,
    error::ApiError,
    extract::{Moment, parse_query},
    page::Limit,
};

/// Which records to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordList {
    /// Only records that changed at this time or later, by Millwright's own clock
    /// (`meta.changed_at`), in the order in which they changed.
    #[param(value_type = String, required = false, format = DateTime)]
    pub modified_after: Option<Moment>,
    /// Only records first seen at this time or later, by Millwright's own clock
    /// (`meta.first_seen_at`), in the order in which they changed.
    #[param(value_type = String, required = false, format = DateTime)]
    pub created_after: Option<Moment>,
    /// A field that `/v1/meta` lists as sortable; with `-` before it, the greatest first.
    #[param(example = "-updatedAt")]
    pub sort: Option<String>,
    /// What else to show: `deleted` for records that are gone, `raw` for the system's own rows in
    /// `meta.raw` (at most 50 records a page), or both, with a comma between.
    #[param(value_type = String, required = false, example = "raw,deleted")]
    pub include: Option<Include>,
    /// Read from the system now, and not from what was last synced.
    #[param(default = false)]
    pub live: Option<bool>,
    /// Read what was last synced also while the system cannot be reached or refuses the credentials.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub allow_stale: bool,
    /// Where to go on: `next_cursor` of the page before. It knows what its list was asked for.
    pub cursor: Option<String>,
    /// The most records in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    pub limit: Limit<500>,
}

/// How to read one record.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordGet {
    /// What else to show: `deleted` for a record that is gone, `raw` for the system's own row in
    /// `meta.raw`, or both, with a comma between.
    #[serde(default)]
    #[param(value_type = String, required = false, example = "raw,deleted")]
    pub include: Include,
    /// Read from the system now, and not from what was last synced.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub live: bool,
    /// Read what was last synced also while the system cannot be reached or refuses the credentials.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub allow_stale: bool,
}

/// What else to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Include {
    /// The system's own rows.
    pub raw: bool,
    /// Records that are gone.
    pub deleted: bool,
}

impl Serialize for Include {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = [(self.raw, "raw"), (self.deleted, "deleted")];
        let words: Vec<&str> =
            words.iter().filter(|(shown, _)| *shown).map(|(_, word)| *word).collect();
        serializer.serialize_str(&words.join(","))
    }
}

impl<'de> Deserialize<'de> for Include {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let message = "must be raw, deleted, or both with a comma between";
        let mut include = Self::default();
        for word in text.split(',') {
            let one = match word {
                "raw" => &mut include.raw,
                "deleted" => &mut include.deleted,
                _ => return Err(de::Error::custom(message)),
            };
            *one = true;
        }
        Ok(include)
    }
}

/// The conditions of a list, `filter[name]=value`, beside its other parameters.
#[derive(Debug)]
pub(crate) struct Filtered<T> {
    /// Names without the brackets around them, and values, in their order.
    pub filter: Vec<(String, String)>,
    /// The rest.
    pub rest: T,
}

impl<T: de::DeserializeOwned> FromRequestParts<App> for Filtered<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Ok(filtered(parts.uri.query().unwrap_or_default())?)
    }
}

fn filtered<T: de::DeserializeOwned>(query: &str) -> Result<Filtered<T>, Error> {
    let mut filter = Vec::new();
    let mut rest = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.strip_prefix("filter[").and_then(|name| name.strip_suffix(']')) {
            Some(name) => filter.push((name.to_owned(), value.into_owned())),
            None => drop(rest.append_pair(&name, &value)),
        }
    }
    Ok(Filtered { filter, rest: parse_query(&rest.finish())? })
}

/// The parameter `filter` as the document has it: an object in brackets, described by the component
/// `schema`.
pub(crate) fn filter_parameter(schema: &str) -> Parameter {
    ParameterBuilder::new()
        .name("filter")
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "Conditions that must all hold, on fields that `/v1/meta` lists as filterable: \
             `filter[field]=value`, or `filter[field:operator]=value` with `gt`, `gteq`, `lt`, \
             `lteq`, `contains` or `starts_with`.",
        ))
        .style(Some(ParameterStyle::DeepObject))
        .explode(Some(true))
        .schema(Some(Ref::new(format!("#/components/schemas/{schema}"))))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Filtered<RecordList>, Error> {
        filtered(query)
    }

    #[test]
    fn conditions_are_told_from_other_parameters_however_they_are_written() {
        let read = read("filter%5Bstate%5D=draft&limit=7&filter[orderNo:contains]=a%26b").unwrap();
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read.filter, [own("state", "draft"), own("orderNo:contains", "a&b")]);
        assert_eq!(read.rest.limit.get(), 7);
    }

    #[test]
    fn a_condition_without_its_brackets_is_no_known_parameter() {
        for name in ["filter", "filter[state", "filter.state", "Filter[state]", "state"] {
            let refused = read(&format!("{name}=x")).unwrap_err();
            assert_eq!(refused.fields[0].path, name, "{refused}");
        }
    }

    #[test]
    fn only_what_there_is_can_be_included() {
        let include =
            |text: &str| read(&format!("include={text}")).map(|r| r.rest.include.unwrap());
        assert_eq!(include("raw").unwrap(), Include { raw: true, deleted: false });
        assert_eq!(include("deleted,raw").unwrap(), Include { raw: true, deleted: true });
        for wrong in ["", "lines", "raw,", "raw;deleted", "RAW"] {
            let refused = include(wrong).unwrap_err();
            assert_eq!(refused.fields[0].path, "include", "{wrong}");
            assert!(refused.message.contains("raw, deleted"), "{refused}");
        }
    }
}
