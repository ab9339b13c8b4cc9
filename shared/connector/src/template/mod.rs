//! Typed request templates.
//!
//! A template is a piece of JSON. A text that is exactly `{name}` or `{name|filter}` becomes the value
//! of that name, with its type; any other text has its `{name}` parts filled in. `{{` and `}}` stand
//! for braces. There is no other language: what a template cannot say belongs into a codec.

mod parse;
mod render;

pub use render::Scope;

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::{codec::Codec, path::Path};

/// A template, read and ready to be filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Literal(Value),
    Placeholder(Placeholder),
    Text(Vec<Part>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Placeholder(Placeholder),
}

/// `{root.path|filter}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placeholder {
    /// What the value is taken from: `settings`, `page`, ...
    pub root: String,
    /// Where in it.
    pub path: Path,
    filter: Option<Filter>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Filter {
    /// The system's form of a unified value, in a list of each element.
    Encode(Codec),
    /// Base64 of a text's bytes.
    Base64,
    /// A list's values as one text, with commas between them.
    Join,
}

impl Placeholder {
    /// Whether its filter takes the system's time zone.
    pub(crate) fn needs_zone(&self) -> bool {
        matches!(self.filter, Some(Filter::Encode(codec)) if codec.needs_zone())
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(value: Value) -> Result<Self, String> {
        parse::node(value).map(Self)
    }

    /// The text that it begins with; nothing when it begins with a placeholder or is no text.
    pub(crate) fn literal_start(&self) -> Option<&str> {
        match &self.0 {
            Node::Literal(value) => value.as_str(),
            Node::Text(parts) => match parts.first()? {
                Part::Text(text) => Some(text),
                Part::Placeholder(_) => None,
            },
            Node::Placeholder(_) | Node::List(_) | Node::Object(_) => None,
        }
    }

    /// Every placeholder in it.
    pub(crate) fn placeholders(&self) -> Vec<&Placeholder> {
        let mut found = Vec::new();
        collect(&self.0, &mut found);
        found
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn collect<'a>(node: &'a Node, found: &mut Vec<&'a Placeholder>) {
    match node {
        Node::Literal(_) => {}
        Node::Placeholder(placeholder) => found.push(placeholder),
        Node::Text(parts) => found.extend(parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Placeholder(placeholder) => Some(placeholder),
        })),
        Node::List(items) => items.iter().for_each(|item| collect(item, found)),
        Node::Object(members) => members.iter().for_each(|(_, member)| collect(member, found)),
    }
}
