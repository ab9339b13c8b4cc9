//! From JSON with braces to a template.

use serde::{Deserialize, de::IntoDeserializer};
use serde_json::Value;

use super::{Filter, Node, Part, Placeholder};
use crate::{codec::Codec, path::Path};

pub(super) fn node(value: Value) -> Result<Node, String> {
    match value {
        Value::String(text) => text_node(&text),
        Value::Array(items) => {
            items.into_iter().map(node).collect::<Result<_, _>>().map(Node::List)
        }
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| Ok((name, node(member)?)))
            .collect::<Result<_, String>>()
            .map(Node::Object),
        literal => Ok(Node::Literal(literal)),
    }
}

fn text_node(text: &str) -> Result<Node, String> {
    let mut parts = parts(text)?;
    Ok(match (parts.pop(), parts.is_empty()) {
        (None, _) => Node::Literal(Value::String(String::new())),
        (Some(Part::Text(text)), true) => Node::Literal(Value::String(text)),
        (Some(Part::Placeholder(placeholder)), true) => Node::Placeholder(placeholder),
        (Some(last), false) => {
            parts.push(last);
            Node::Text(parts)
        }
    })
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        literal.push_str(before);
        if from.starts_with("{{") || from.starts_with("}}") {
            literal.push_str(&from[..1]);
            rest = &from[2..];
            continue;
        }
        let inside = from.strip_prefix('{').and_then(|from| from.split_once('}'));
        let (name, after) = inside.ok_or_else(|| {
            format!("`{text}`: a brace stands alone (a brace that is meant is written twice)")
        })?;
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Placeholder(placeholder(name)?));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

fn placeholder(text: &str) -> Result<Placeholder, String> {
    let (name, filter) = match text.split_once('|') {
        Some((name, filter)) => (name, Some(self::filter(filter)?)),
        None => (text, None),
    };
    let (root, path) = name.split_once('.').unwrap_or((name, ""));
    if root.is_empty() || !root.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return Err(format!("`{{{text}}}` does not begin with a name"));
    }
    Ok(Placeholder { root: root.to_owned(), path: Path::parse(path)?, filter })
}

fn filter(name: &str) -> Result<Filter, String> {
    match name {
        "base64" => return Ok(Filter::Base64),
        "join" => return Ok(Filter::Join),
        _ => {}
    }
    let deserializer: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        name.into_deserializer();
    Codec::deserialize(deserializer)
        .map(Filter::Encode)
        .map_err(|_| format!("there is no filter `{name}`"))
}
