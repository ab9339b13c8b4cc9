//! Filling templates in.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{Filter, Node, Part, Placeholder, Template};
use crate::{codec::Zone, path::NestedKeys};

/// What the names in a template stand for.
#[derive(Clone, Default)]
pub struct Scope {
    names: BTreeMap<&'static str, Value>,
    zone: Option<Zone>,
}

impl Scope {
    /// The same scope with one more name.
    #[must_use]
    pub fn with(mut self, root: &'static str, value: Value) -> Self {
        self.names.insert(root, value);
        self
    }

    /// The same scope with the time zone that the system writes its times in, where it says none.
    #[must_use]
    pub fn zoned(mut self, zone: Option<Zone>) -> Self {
        self.zone = zone;
        self
    }

    /// The same scope with all names of another.
    pub(crate) fn joined(mut self, other: &Self) -> Self {
        self.zone = self.zone.or_else(|| other.zone.clone());
        self.names.extend(other.names.iter().map(|(root, value)| (*root, value.clone())));
        self
    }

    /// The text of a name.
    pub(crate) fn text(&self, root: &str) -> Option<String> {
        self.names.get(root)?.as_str().map(str::to_owned)
    }

    fn value(&self, placeholder: &Placeholder) -> Option<&Value> {
        placeholder.path.get(self.names.get(placeholder.root.as_str())?, NestedKeys::Plain)
    }
}

impl Template {
    /// The filled-in value. A name without a value is null, and nothing inside a text.
    ///
    /// # Errors
    /// When a value does not fit its filter; the message shows no value.
    pub fn render(&self, scope: &Scope) -> Result<Value, String> {
        node(&self.0, scope)
    }

    /// The filled-in text, where the values inside are changed by `escape` first.
    ///
    /// # Errors
    /// When the template is not a text or a value does not fit its filter or cannot be escaped.
    pub(crate) fn render_text(
        &self,
        scope: &Scope,
        escape: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        match &self.0 {
            Node::Literal(value) => Ok(plain(value)?.unwrap_or_default()),
            Node::Placeholder(one) => escape(&filled(one, scope)?),
            Node::Text(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => Ok(text.clone()),
                    Part::Placeholder(one) => escape(&filled(one, scope)?),
                })
                .collect(),
            Node::List(_) | Node::Object(_) => Err("a text is needed here".to_owned()),
        }
    }
}

impl Template {
    /// The filled-in text of an address: a value at its beginning stays as it is, those further on are
    /// changed by `escape`.
    ///
    /// # Errors
    /// As with [`Self::render_text`].
    pub(crate) fn render_address(
        &self,
        scope: &Scope,
        escape: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        match &self.0 {
            Node::Placeholder(one) => filled(one, scope),
            Node::Text(parts) => match parts.split_first() {
                Some((Part::Placeholder(first), rest)) => {
                    let rest = Self(Node::Text(rest.to_vec())).render_text(scope, escape)?;
                    Ok(filled(first, scope)? + &rest)
                }
                _ => self.render_text(scope, escape),
            },
            _ => self.render_text(scope, escape),
        }
    }
}

fn node(node: &Node, scope: &Scope) -> Result<Value, String> {
    match node {
        Node::Literal(value) => Ok(value.clone()),
        Node::Placeholder(one) => value(one, scope),
        Node::Text(parts) => text(parts, scope).map(Value::String),
        Node::List(items) => items
            .iter()
            .map(|item| self::node(item, scope))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Node::Object(members) => members
            .iter()
            .map(|(name, member)| Ok((name.clone(), self::node(member, scope)?)))
            .collect::<Result<Map<_, _>, String>>()
            .map(Value::Object),
    }
}

fn text(parts: &[Part], scope: &Scope) -> Result<String, String> {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Placeholder(one) => filled(one, scope),
        })
        .collect()
}

fn value(placeholder: &Placeholder, scope: &Scope) -> Result<Value, String> {
    let value = scope.value(placeholder).unwrap_or(&Value::Null);
    match placeholder.filter {
        None => Ok(value.clone()),
        Some(filter) => {
            filtered(filter, value, scope).map_err(|why| format!("{}: {why}", name(placeholder)))
        }
    }
}

fn filled(placeholder: &Placeholder, scope: &Scope) -> Result<String, String> {
    let value = value(placeholder, scope)?;
    let text = plain(&value).map_err(|why| format!("{}: {why}", name(placeholder)))?;
    Ok(text.unwrap_or_default())
}

fn name(placeholder: &Placeholder) -> String {
    match placeholder.path.as_str() {
        "" => placeholder.root.clone(),
        path => format!("{}.{path}", placeholder.root),
    }
}

fn filtered(filter: Filter, value: &Value, scope: &Scope) -> Result<Value, String> {
    match (filter, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Filter::Encode(_), Value::Array(items)) => {
            items.iter().map(|item| filtered(filter, item, scope)).collect()
        }
        (Filter::Encode(codec), value) => {
            codec.encode_in(value, scope.zone.as_ref()).map_err(|why| why.to_string())
        }
        (Filter::Join, Value::Array(items)) => {
            let texts: Vec<String> = items
                .iter()
                .map(plain)
                .map(|text| Ok(text?.unwrap_or_default()))
                .collect::<Result<_, String>>()?;
            Ok(Value::String(texts.join(",")))
        }
        (Filter::Join, value) => Ok(value.clone()),
        (Filter::Base64, value) => {
            Ok(Value::String(STANDARD.encode(plain(value)?.unwrap_or_default())))
        }
    }
}

fn plain(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Array(_) | Value::Object(_) => Err("a list or an object is not text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        Scope::default()
            .with("settings", json!({"database": "plant/1"}))
            .with("session", json!({"user": 7, "token": "abc", "companies": [1, 2]}))
            .with("page", json!({"after": "41", "size": 100}))
            .with("ids", json!(["4", "5"]))
    }

    fn render(template: Value) -> Result<Value, String> {
        Template::parse(template)?.render(&scope())
    }

    #[test]
    fn an_exact_placeholder_keeps_its_type_and_others_become_text() {
        assert_eq!(
            render(json!({
                "companies": "{session.companies}",
                "domain": [["id", ">", "{page.after|id}"], ["id", "in", "{ids|id}"]],
                "header": "Session {session.user}:{session.token}",
                "braces": "{{}}",
                "limit": "{page.size}",
                "none": "{settings.nope}",
                "fixed": [1, true, null, ""],
            })),
            Ok(json!({
                "companies": [1, 2],
                "domain": [["id", ">", 41], ["id", "in", [4, 5]]],
                "header": "Session 7:abc",
                "braces": "{}",
                "limit": 100,
                "none": null,
                "fixed": [1, true, null, ""],
            }))
        );
        assert_eq!(render(json!("{session.token|base64}")), Ok(json!("YWJj")));
        assert_eq!(render(json!("{session.companies|join}")), Ok(json!("1,2")));
    }

    #[test]
    fn values_inside_a_text_are_escaped_and_the_text_is_not() {
        let template = Template::parse(json!("{settings.database}/rpc/")).unwrap();
        let escaped = template.render_text(&scope(), |value| Ok(value.replace('/', "%2F")));
        assert_eq!(escaped.unwrap(), "plant%2F1/rpc/");
    }

    #[test]
    fn a_template_that_cannot_be_meant_is_refused() {
        for text in ["{", "}", "{a", "{}", "{|id}", "{A}", "{a|nope}", "{a..b}", "{a b}"] {
            assert!(Template::parse(json!(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_its_filter_is_named_and_not_shown() {
        let why = render(json!("{session.token|id}")).unwrap_err();
        assert!(why.contains("session.token") && !why.contains("abc"), "{why}");
    }

    proptest! {
        #[test]
        fn text_without_braces_comes_out_as_it_was(text in "[^{}]{0,40}") {
            prop_assert_eq!(render(json!(text)), Ok(json!(text)));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[{}|.a-z ]{0,20}") {
            let _ = render(json!(text));
        }
    }
}
