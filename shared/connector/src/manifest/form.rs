//! What a customer fills in.

use std::collections::BTreeMap;

use crate::manifest::like;
use millwright_core::{ErrorCode, ExposeSecret, FieldError, SecretString};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{codec::Zone, table::Table};

/// A form: its fields in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<FormField>);

/// A field of a form.
#[derive(Clone, Debug, Serialize)]
pub struct FormField {
    /// Its name in requests.
    pub name: String,
    /// What it is called on a page.
    pub title: String,
    /// Where its value is found, step by step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What can be filled in.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// What can be chosen, for [`FieldKind::Enum`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The least, for [`FieldKind::Integer`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u64>,
    /// The most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<u64>,
    /// Whether it must be filled in.
    pub required: bool,
    /// What counts when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What a value looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Where it is asked for: each of these fields has one of these values. Elsewhere it need not be
    /// filled in, and has no default.
    #[serde(skip_serializing_if = "FieldCondition::is_empty")]
    pub when: FieldCondition,
    /// Its place on the page.
    pub order: u32,
}

/// Fields of a form and the values that they must have, all of them: `{ method: key }`,
/// `{ kind: [a, b], stateful: true }`. A field is one of the same form, or for credentials one of the
/// settings; it is boolean or an enum, and always asked for.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FieldCondition(BTreeMap<String, Vec<Value>>);

impl FieldCondition {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each field, and the values of which it must have one.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    fn holds(&self, value_of: impl Fn(&str) -> Value) -> bool {
        self.0.iter().all(|(name, values)| values.contains(&value_of(name)))
    }
}

/// What can be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A line of text.
    Text,
    /// An `http` or `https` address, without user name, query and fragment.
    Url,
    /// A line of text that is not shown.
    Secret,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// The name of a time zone, such as `Europe/Berlin`.
    TimeZone,
    /// One of a few.
    Enum,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FormField")]
struct RawField {
    /// What it is called on a page.
    title: String,
    /// Where its value is found, step by step.
    help: Option<String>,
    /// What can be filled in.
    #[serde(rename = "type")]
    kind: FieldKind,
    /// What can be chosen, with `type: enum`.
    #[serde(default)]
    options: Vec<String>,
    /// The least, with `type: integer`.
    minimum: Option<u64>,
    /// The most, with `type: integer`.
    maximum: Option<u64>,
    /// Whether it must be filled in.
    #[serde(default)]
    required: bool,
    /// What counts when it is not.
    default: Option<Value>,
    /// What a value looks like.
    example: Option<String>,
    /// Where it is asked for: other fields and the value, or the values, that they must have.
    #[serde(default)]
    when: BTreeMap<String, OneOrMore>,
    /// Its place on the page; that in the file when it is not given.
    order: Option<u32>,
}

/// A value, or a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(from = "Value")]
#[schemars(with = "Choices")]
struct OneOrMore(Vec<Value>);

/// What a schema says of it.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape in the schema")]
enum Choices {
    /// True or false.
    Boolean(bool),
    /// A word.
    Text(String),
    /// One of these.
    Several(Vec<Choice>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape in the schema")]
enum Choice {
    /// True or false.
    Boolean(bool),
    /// A word.
    Text(String),
}

impl From<Value> for OneOrMore {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(values) => Self(values),
            value => Self(vec![value]),
        }
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::<RawField>::deserialize(deserializer)?;
        let mut fields: Vec<FormField> = (1..).zip(table).map(FormField::from_raw).collect();
        fields.sort_by_key(|field| field.order);
        Ok(Self(fields))
    }
}

like!(Form as Table<RawField>);

impl Form {
    /// The fields, in their order.
    #[must_use]
    pub fn fields(&self) -> &[FormField] {
        &self.0
    }

    /// The field of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FormField> {
        self.0.iter().find(|field| field.name == name)
    }

    /// Whether it has a field of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// Whether a field is asked for where this form is filled in so. `settings` are those beside it,
    /// where it is a form of credentials.
    #[must_use]
    pub fn asks_for(
        &self,
        field: &FormField,
        filled: &Map<String, Value>,
        settings: &Map<String, Value>,
    ) -> bool {
        field.when.holds(|name| match self.field(name) {
            Some(own) => own.present(filled.get(name)),
            None => settings.get(name).cloned().unwrap_or(Value::Bool(false)),
        })
    }

    /// The filled-in form with its defaults, each value in its one form (an address without a slash
    /// at its end). Faults are named `<prefix>.<field>`.
    #[must_use]
    pub fn check(
        &self,
        prefix: &str,
        filled: &Map<String, Value>,
    ) -> (Map<String, Value>, Vec<FieldError>) {
        self.check_beside(prefix, filled, &Map::new())
    }

    fn check_beside(
        &self,
        prefix: &str,
        filled: &Map<String, Value>,
        settings: &Map<String, Value>,
    ) -> (Map<String, Value>, Vec<FieldError>) {
        let mut checked = Map::new();
        let mut faults = self.unknown(prefix, filled.keys().map(String::as_str));
        for field in &self.0 {
            let path = format!("{prefix}.{}", field.name);
            let asked = self.asks_for(field, filled, settings);
            let default = field.default.as_ref().filter(|_| asked);
            match (filled.get(&field.name).filter(|value| !is_blank(value)), default) {
                (Some(value), _) => match field.normalised(value) {
                    Ok(value) => drop(checked.insert(field.name.clone(), value)),
                    Err(why) => {
                        faults.push(FieldError::new(path, ErrorCode::ValidationFailed, why));
                    }
                },
                (None, Some(default)) => drop(checked.insert(field.name.clone(), default.clone())),
                (None, None) if field.required && asked => {
                    faults.push(FieldError::new(path, ErrorCode::FieldRequired, "is required"));
                }
                (None, None) => {}
            }
        }
        (checked, faults)
    }

    /// Like [`Self::check`] for secrets, beside settings that were checked: their values are in no
    /// fault.
    #[must_use]
    pub fn check_secrets(
        &self,
        prefix: &str,
        filled: &BTreeMap<String, SecretString>,
        settings: &Map<String, Value>,
    ) -> (BTreeMap<String, SecretString>, Vec<FieldError>) {
        let exposed = |(name, secret): (&String, &SecretString)| {
            (name.clone(), Value::from(secret.expose_secret()))
        };
        let filled = filled.iter().map(exposed).collect();
        let (checked, faults) = self.check_beside(prefix, &filled, settings);
        let secret = |(name, value): (String, Value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name, SecretString::from(text))
        };
        (checked.into_iter().map(secret).collect(), faults)
    }

    fn unknown<'a>(&self, prefix: &str, names: impl Iterator<Item = &'a str>) -> Vec<FieldError> {
        let fault = |name| {
            let path = format!("{prefix}.{name}");
            FieldError::new(path, ErrorCode::ValidationFailed, "is not known to this connector")
        };
        names.filter(|name| !self.has(name)).map(fault).collect()
    }
}

impl FormField {
    fn from_raw((position, (name, raw)): (u32, (String, RawField))) -> Self {
        Self {
            name,
            title: raw.title,
            help: raw.help,
            kind: raw.kind,
            options: raw.options,
            minimum: raw.minimum,
            maximum: raw.maximum,
            required: raw.required,
            default: raw.default,
            example: raw.example,
            when: FieldCondition(raw.when.into_iter().map(|(name, own)| (name, own.0)).collect()),
            order: raw.order.unwrap_or(position),
        }
    }

    /// What it is where it is filled in so: its default where it is not, and false for a box that has
    /// neither.
    fn present(&self, filled: Option<&Value>) -> Value {
        let given =
            filled.filter(|value| !is_blank(value)).and_then(|own| self.normalised(own).ok());
        given.or_else(|| self.default.clone()).unwrap_or(Value::Bool(false))
    }

    fn integer(&self, value: &Value) -> Result<Value, String> {
        let (least, most) = (self.minimum.unwrap_or(0), self.maximum.unwrap_or(u64::MAX));
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        number
            .map(Value::from)
            .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
    }

    /// The value in its one form, or what is wrong with it.
    pub(crate) fn normalised(&self, value: &Value) -> Result<Value, String> {
        let text = || value.as_str().map(str::trim).ok_or("must be text");
        match self.kind {
            FieldKind::Boolean => {
                value.as_bool().map(Value::Bool).ok_or_else(|| "must be true or false".to_owned())
            }
            FieldKind::Integer => self.integer(value),
            // A password may begin or end with a blank.
            FieldKind::Secret => value.as_str().map(Value::from).ok_or("must be text".to_owned()),
            FieldKind::Text => Ok(Value::from(text()?)),
            FieldKind::TimeZone => match text()? {
                name if Zone::named(name).is_some() => Ok(Value::from(name)),
                _ => Err("must be the name of a time zone, such as Europe/Berlin".to_owned()),
            },
            FieldKind::Enum => {
                let text = text()?;
                let known = self.options.iter().any(|option| option == text);
                known
                    .then(|| Value::from(text))
                    .ok_or_else(|| format!("must be one of {}", self.options.join(", ")))
            }
            FieldKind::Url => address(text()?).map(Value::from).map_err(str::to_owned),
        }
    }
}

fn address(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address that begins with https://")?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err("must be an address that begins with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password: they have fields of their own");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end before any `?` or `#`");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form() -> Form {
        serde_saphyr::from_str(
            "url: {title: Address, type: url, required: true}\n\
             kind: {title: Kind, type: enum, options: [a, b], default: a, order: 0}\n\
             stateful: {title: Stateful, type: boolean}\n\
             count: {title: Count, type: integer, minimum: 1, maximum: 9}\n\
             password: {title: Password, type: secret}\n",
        )
        .unwrap()
    }

    fn check(filled: Value) -> (Map<String, Value>, Vec<FieldError>) {
        form().check("settings", filled.as_object().unwrap())
    }

    #[test]
    fn defaults_count_and_values_take_their_one_form() {
        let (checked, faults) = check(json!({"url": " https://ERP.example:443/x/ "}));
        assert_eq!(faults, []);
        assert_eq!(Value::Object(checked), json!({"kind": "a", "url": "https://erp.example/x"}));
        assert_eq!(form().fields()[0].name, "kind", "an order that is given counts");
    }

    #[test]
    fn every_faulty_field_is_named() {
        let (_, faults) = check(json!({"kind": "c", "stateful": "yes", "nope": 1}));
        let found: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.code)).collect();
        assert_eq!(
            found,
            [
                ("settings.nope", ErrorCode::ValidationFailed),
                ("settings.kind", ErrorCode::ValidationFailed),
                ("settings.url", ErrorCode::FieldRequired),
                ("settings.stateful", ErrorCode::ValidationFailed),
            ]
        );
    }

    #[test]
    fn a_number_is_whole_and_within_its_limits() {
        assert_eq!(check(json!({"url": "http://a", "count": 9})).1, []);
        for wrong in [json!(0), json!(10), json!(1.5), json!(-1), json!("9")] {
            let (_, faults) = check(json!({"url": "http://a", "count": wrong}));
            assert_eq!(faults.len(), 1, "{wrong}");
            assert_eq!(faults[0].message, "must be a whole number from 1 to 9");
        }
    }

    #[test]
    fn an_address_must_be_http_and_hold_no_credentials() {
        for wrong in [
            "erp.example",
            "ftp://erp.example",
            "https://me:pw@erp.example",
            "https://erp.example/?a=1",
            "https://erp.example/#a",
            "https://",
        ] {
            assert_eq!(check(json!({"url": wrong})).1.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn no_secret_is_in_a_fault() {
        let filled = BTreeMap::from([("kind".to_owned(), SecretString::from("hunter2"))]);
        let (_, faults) = form().check_secrets("credentials", &filled, &Map::new());
        assert!(faults.iter().all(|fault| !fault.message.contains("hunter2")));
        assert_eq!(faults.len(), 2);
    }

    fn conditional() -> Form {
        serde_saphyr::from_str(
            "how: {title: How, type: enum, options: [key, login, none], default: key}\n\
             own: {title: Own, type: boolean}\n\
             key: {title: Key, type: text, required: true, when: {how: key}}\n\
             zone: {title: Zone, type: text, default: z, when: {how: [login, none], own: true}}\n",
        )
        .unwrap()
    }

    #[test]
    fn a_field_is_asked_for_only_where_its_condition_holds() {
        let check = |filled: Value| {
            let (checked, faults) = conditional().check("s", filled.as_object().unwrap());
            (Value::Object(checked), faults.into_iter().map(|own| own.path).collect::<Vec<_>>())
        };
        let (_, faults) = check(json!({}));
        assert_eq!(faults, ["s.key"], "the default of another field counts");
        assert_eq!(check(json!({"how": "login"})), (json!({"how": "login"}), vec![]));
        let (checked, _) = check(json!({"how": "none", "own": true}));
        assert_eq!(checked, json!({"how": "none", "own": true, "zone": "z"}));
        let (checked, faults) = check(json!({"how": "login", "key": "given all the same"}));
        assert_eq!((checked["key"].as_str(), faults.len()), (Some("given all the same"), 0));
    }

    #[test]
    fn credentials_are_asked_for_as_the_settings_beside_them_say() {
        let yaml = "secret: {title: Secret, type: secret, required: true, when: {method: key}}\n";
        let form: Form = serde_saphyr::from_str(yaml).unwrap();
        let faults = |settings: Value| {
            let settings = settings.as_object().unwrap();
            form.check_secrets("credentials", &BTreeMap::new(), settings).1.len()
        };
        assert_eq!(faults(json!({"method": "key"})), 1);
        assert_eq!((faults(json!({"method": "other"})), faults(json!({}))), (0, 0));
    }
}
