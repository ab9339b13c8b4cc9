//! The files of the pages: one style sheet, one small script, and what a connector's form needs.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use millwright_connector::manifest::{FieldKind, Form, FormField};
use serde_json::{Map, Value};

use super::ends::{End, Ended};
use crate::App;

const STYLES: &str = include_str!("link.css");
const SCRIPT: &str = include_str!("link.js");

/// A file.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Ended> {
    match name.as_str() {
        "link.css" => Ok(file("text/css; charset=utf-8", STYLES.to_owned())),
        "link.js" => Ok(file("text/javascript; charset=utf-8", SCRIPT.to_owned())),
        _ => Err(End::Unknown.into()),
    }
}

/// The rules by which a connector's form shows fields only where they are asked for.
pub(super) async fn conditions(
    State(app): State<App>,
    Path(connector): Path<String>,
) -> Result<Response, Ended> {
    let manifest = app.engine.catalog().get(&connector).ok_or(End::Unknown)?;
    let mut rules = rules_of("settings", &manifest.settings, None);
    rules.push_str(&rules_of("credentials", &manifest.credentials, Some(&manifest.settings)));
    let text = format!("@supports selector(:has(*)) {{\n.only {{ display: none }}\n{rules}}}\n");
    Ok(file("text/css; charset=utf-8", text))
}

fn file(kind: &'static str, text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let kept = HeaderValue::from_static("public, max-age=300");
    headers.insert(header::CACHE_CONTROL, kept);
    response
}

/// Whether fields of a manifest's forms have conditions.
pub(super) fn has_conditions(form: &Form) -> bool {
    form.fields().iter().any(|field| !field.when.is_empty())
}

fn rules_of(prefix: &str, form: &Form, beside: Option<&Form>) -> String {
    let conditional = form.fields().iter().filter(|field| !field.when.is_empty());
    let mut rules = String::new();
    for field in conditional {
        let place = format!("[data-field={}]", quoted(&format!("{prefix}.{}", field.name)));
        let mut holds = String::new();
        for (name, values) in field.when.iter() {
            let other = match form.field(name) {
                Some(own) => Some((prefix, own)),
                None => beside.and_then(|form| Some(("settings", form.field(name)?))),
            };
            let Some((prefix, other)) = other else { continue };
            let any: Vec<String> =
                values.iter().map(|value| chosen(prefix, other, value)).collect();
            holds.push_str(&format!(":has({})", any.join(", ")));
        }
        rules.push_str(&format!(
            "{place} {{ display: none }}\nform{holds} {place} {{ display: block }}\n"
        ));
    }
    rules
}

/// The selector of a choice that was made.
fn chosen(prefix: &str, field: &FormField, value: &Value) -> String {
    let name = quoted(&format!("{prefix}.{}", field.name));
    match (field.kind, value) {
        (FieldKind::Boolean, Value::Bool(true)) => format!("input[name={name}]:checked"),
        (FieldKind::Boolean, _) => format!("input[name={name}]:not(:checked)"),
        _ => {
            let value = quoted(value.as_str().unwrap_or_default());
            format!("select[name={name}] option[value={value}]:checked")
        }
    }
}

/// Text as a string of a style sheet (CSS Syntax, 4.3.5): whatever is no plain letter is written by its
/// number.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let inner: String =
        text.chars()
            .map(|letter| {
                if plain(letter) {
                    letter.to_string()
                } else {
                    format!("\\{:x} ", u32::from(letter))
                }
            })
            .collect();
    format!("\"{inner}\"")
}

/// What a field is asked for beside, in words: for browsers that cannot hide it, and for the record.
pub(super) fn only_where(form: &Form, beside: &Form, field: &FormField) -> Option<String> {
    let parts: Vec<String> = field
        .when
        .iter()
        .filter_map(|(name, values)| {
            let other = form.field(name).or_else(|| beside.field(name))?;
            let words = values.iter().map(|value| match value {
                Value::Bool(true) => "on".to_owned(),
                Value::Bool(false) => "off".to_owned(),
                value => value.as_str().unwrap_or_default().to_owned(),
            });
            Some(format!("“{}” is {}", other.title, words.collect::<Vec<_>>().join(" or ")))
        })
        .collect();
    (!parts.is_empty()).then(|| format!("Only where {}.", parts.join(" and ")))
}

/// The fields of a form that are asked for where it is filled in so.
pub(super) fn asked_for(
    form: &Form,
    filled: Map<String, Value>,
    settings: &Map<String, Value>,
) -> Map<String, Value> {
    let asked =
        |name: &str| form.field(name).is_none_or(|field| form.asks_for(field, &filled, settings));
    let names: Vec<String> = filled.keys().filter(|name| asked(name)).cloned().collect();
    names.into_iter().filter_map(|name| Some((name.clone(), filled.get(&name)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use millwright_connector::Manifest;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_cannot_leave_its_string() {
        assert_eq!(quoted("settings.data"), "\"settings.data\"");
        assert_eq!(quoted("a\"] } x"), "\"a\\22 \\5d \\20 \\7d \\20 x\"");
    }

    fn sandbox() -> std::sync::Arc<Manifest> {
        millwright_connector::Catalog::builtin().get("sandbox").cloned().unwrap()
    }

    #[test]
    fn a_field_is_shown_only_with_the_choice_that_it_belongs_to() {
        let rules = rules_of("settings", &sandbox().settings, None);
        assert!(rules.contains(
            "form:has(select[name=\"settings.data\"] option[value=\"huge\"]:checked) \
             [data-field=\"settings.records\"] { display: block }"
        ));
        let (form, none) = (&sandbox().settings, Form::default());
        let field = form.field("records").unwrap();
        let words = only_where(form, &none, field).unwrap();
        assert_eq!(words, "Only where “Data set” is huge.");
    }

    #[test]
    fn what_stands_in_a_field_that_is_not_asked_for_is_left_out() {
        let filled = |data: &str| {
            let filled = json!({ "data": data, "records": 5 });
            asked_for(&sandbox().settings, filled.as_object().unwrap().clone(), &Map::new())
        };
        assert_eq!(filled("huge").len(), 2);
        assert_eq!(filled("standard").keys().collect::<Vec<_>>(), ["data"]);
    }
}
