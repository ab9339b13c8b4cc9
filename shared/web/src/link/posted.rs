//! What a form brought.

use std::collections::BTreeMap;

use millwright_connector::{
    Credentials, Manifest,
    manifest::{FieldKind, Form, FormField},
};
use millwright_core::SecretString;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::assets::asked_for;

/// A form as it was sent.
pub(super) struct Posted {
    /// The token against forged requests.
    pub csrf: String,
    /// The settings.
    pub settings: Map<String, Value>,
    /// The credentials.
    pub credentials: Credentials,
    /// Those of them that are no secrets, to be shown again.
    pub shown: Map<String, Value>,
}

impl Posted {
    /// Reads a body of `application/x-www-form-urlencoded` as a connector's form: what is blank is not
    /// filled in, and what is not asked for is left out.
    pub fn read(manifest: &Manifest, body: &[u8]) -> Self {
        let sent: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let settings = values(&manifest.settings, "settings", &sent);
        let settings = asked_for(&manifest.settings, settings, &Map::new());
        // With defaults, because what is asked for depends on them.
        let (checked, _) = manifest.settings.check("settings", &settings);
        let filled = values(&manifest.credentials, "credentials", &sent);
        let filled = asked_for(&manifest.credentials, filled, &checked);
        let is_shown = |name: &str| {
            manifest.credentials.field(name).is_some_and(|field| field.kind != FieldKind::Secret)
        };
        let shown = filled
            .iter()
            .filter(|(name, _)| is_shown(name))
            .map(|(name, v)| (name.clone(), v.clone()));
        let secret = |(name, value): (&String, &Value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), SecretString::from(text))
        };
        Self {
            csrf: sent.get("csrf").cloned().unwrap_or_default(),
            shown: shown.collect(),
            credentials: filled.iter().map(secret).collect(),
            settings,
        }
    }
}

fn values(form: &Form, prefix: &str, sent: &BTreeMap<String, String>) -> Map<String, Value> {
    let value = |field: &FormField| {
        let text = sent.get(&format!("{prefix}.{}", field.name)).map(String::as_str);
        Some((field.name.clone(), value(field, text)?))
    };
    form.fields().iter().filter_map(value).collect()
}

/// A field's value; a box that is not ticked is not sent at all.
fn value(field: &FormField, sent: Option<&str>) -> Option<Value> {
    if field.kind == FieldKind::Boolean {
        return Some(Value::Bool(sent.is_some()));
    }
    let text = sent.filter(|text| !text.trim().is_empty())?;
    Some(match (field.kind, text.trim().parse::<u64>()) {
        (FieldKind::Integer, Ok(number)) => Value::from(number),
        _ => Value::from(text),
    })
}

#[cfg(test)]
mod tests {
    use millwright_connector::Catalog;
    use millwright_core::ExposeSecret;

    use super::*;

    fn read(connector: &str, body: &str) -> Posted {
        Posted::read(Catalog::builtin().get(connector).unwrap(), body.as_bytes())
    }

    #[test]
    fn texts_become_values_of_the_forms_own_kinds() {
        let sent =
            "settings.data=huge&settings.records=12&settings.stateful=on&csrf=t&settings.x=1";
        let posted = read("sandbox", sent);
        let expected = serde_json::json!({ "data": "huge", "records": 12, "stateful": true });
        assert_eq!(Value::Object(posted.settings), expected);
        assert_eq!(posted.csrf, "t");
        let blank =
            read("sandbox", "settings.records=&settings.data=standard&settings.records=many");
        let expected = serde_json::json!({ "data": "standard", "stateful": false });
        assert_eq!(Value::Object(blank.settings), expected);
    }

    #[test]
    fn a_secret_is_never_shown_again_and_other_credentials_are() {
        let posted = read("tryton", "credentials.username=me&credentials.password=+pass+word");
        assert_eq!(Value::Object(posted.shown), serde_json::json!({ "username": "me" }));
        assert_eq!(posted.credentials["password"].expose_secret(), " pass word");
    }
}
