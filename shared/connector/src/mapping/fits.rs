//! Whether what a field gives is what the unified model wants there.

use millwright_entities::{Entity, Field as ModelField, Kind};
use serde_json::Value;

use super::field::{Origin, ValueField};
use crate::{
    codec::{Codec, canonical_decimal},
    table::Table,
};

/// The model's field of a name: `vendorKey`, or `lineItems.materialKey` for one of a list's objects.
#[must_use]
pub fn model_field(entity: &str, name: &str) -> Option<&'static ModelField> {
    let entity = Entity::find(entity)?;
    match name.split_once('.') {
        None => entity.field(name),
        Some((list, inner)) => {
            let list = entity.field(list).filter(|field| field.kind == Kind::List)?;
            list.field(inner)
        }
    }
}

/// What about a field's values cannot be in the unified model, by the key of the field that is to
/// blame, and why. What only a row can show is not found here.
#[must_use]
pub fn unfit(model: &ModelField, value: &ValueField) -> Option<(&'static str, String)> {
    let words = value.words.iter().flat_map(Table::iter).map(|(_, word)| word);
    if let Some(word) = words.chain(&value.otherwise).find(|word| !holds_text(model, word)) {
        return Some(("enum", no_word(model, word)));
    }
    if let Some(default) = value.default.as_ref().filter(|default| !holds(model, default)) {
        return Some(("default", format!("{default} is no {}", model.kind.as_str())));
    }
    let gives = value.codec.kind();
    let open = matches!(value.from, Origin::Nothing)
        || value.words.is_some()
        || (value.references.is_some() && model.kind == Kind::Key);
    let fits = open
        || (gives == model.kind && model.inner.is_empty())
        || (gives == Kind::Text && model.kind == Kind::Key);
    let why = || format!("gives {}, and the field holds {}", gives.as_str(), model.kind.as_str());
    (!fits).then(|| ("codec", why()))
}

fn holds_text(model: &ModelField, word: &str) -> bool {
    holds(model, &Value::from(word))
}

fn no_word(model: &ModelField, word: &str) -> String {
    if model.kind == Kind::Choice {
        return format!("`{word}` is none of its words: {}", model.options.join(", "));
    }
    format!("`{word}` is no {}", model.kind.as_str())
}

/// Whether a value, as the API shows it, can stand in a field.
fn holds(model: &ModelField, value: &Value) -> bool {
    let codec = match model.kind {
        _ if value.is_null() => return true,
        Kind::Choice => {
            return value.as_str().is_some_and(|word| model.options.contains(&word));
        }
        Kind::Decimal => {
            return value.as_str().is_some_and(|text| {
                canonical_decimal(text).is_some_and(|canonical| canonical == text)
            });
        }
        Kind::List => return value.is_array(),
        Kind::Object => return value.is_object(),
        Kind::Text => return value.is_string(),
        Kind::Key => return value.as_str().is_some_and(is_key),
        Kind::Integer => Codec::Integer,
        Kind::Flag => return value.is_boolean(),
        Kind::Date => Codec::Date,
        Kind::Time => Codec::Time,
    };
    codec.decode(value, None).is_ok_and(|read| read == *value)
}

/// Whether a text has the form of a record's key.
fn is_key(text: &str) -> bool {
    let rest = text.strip_prefix("rec_");
    rest.is_some_and(|rest| {
        rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
    })
}
