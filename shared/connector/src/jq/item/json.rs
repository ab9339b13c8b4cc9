//! Between rows and values.

use serde_json::{Map, Number, Value};

use super::Item;
use crate::{
    jq::meter,
    json::{Node, Seen},
};

impl Item {
    /// From a row.
    pub(in crate::jq) fn of<'r>(node: impl Node<'r>) -> Self {
        match node.see() {
            Seen::Null => Self::Null,
            Seen::Bool(flag) => Self::Bool(flag),
            Seen::Number(digits) => Self::number(digits),
            Seen::Text(text) => Self::text(text),
            Seen::List => Self::list(node.items().map(Self::of).collect()),
            Seen::Object => {
                let members = node.members().map(|(name, value)| (name.into(), Self::of(value)));
                Self::object(members.collect())
            }
        }
    }

    /// The same as a tree. Parts that stand in several places are counted in each.
    pub(in crate::jq) fn to_value(&self) -> Value {
        meter::step(1);
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            // A number's digits are those of a number.
            Self::Number(digits) => {
                meter::make(digits.len());
                digits.parse::<Number>().map_or(Value::Null, Value::Number)
            }
            Self::Text(text) => {
                meter::make(text.len());
                Value::from(&**text)
            }
            Self::List(list) => {
                meter::make(list.items.len() * size_of::<Value>());
                list.items.iter().map(Self::to_value).collect()
            }
            Self::Object(object) => {
                let members = object.members.iter().map(|(name, value)| {
                    meter::make(name.len() + 2 * size_of::<Value>());
                    (name.to_string(), value.to_value())
                });
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// Its JSON text.
    pub(in crate::jq) fn to_json(&self) -> String {
        let mut text = Counted::default();
        self.write(&mut text);
        // Nothing but JSON is in it, which is UTF-8.
        String::from_utf8(text.0).unwrap_or_default()
    }

    fn write(&self, to: &mut Counted) {
        meter::step(1);
        match self {
            Self::Null => to.put("null"),
            Self::Bool(flag) => to.put(if *flag { "true" } else { "false" }),
            Self::Number(digits) => to.put(digits),
            Self::Text(text) => to.put_text(text),
            Self::List(list) => {
                to.put("[");
                for (position, item) in list.items.iter().enumerate() {
                    to.put(if position == 0 { "" } else { "," });
                    item.write(to);
                }
                to.put("]");
            }
            Self::Object(object) => {
                to.put("{");
                for (position, (name, value)) in object.members.iter().enumerate() {
                    to.put(if position == 0 { "" } else { "," });
                    to.put_text(name);
                    to.put(":");
                    value.write(to);
                }
                to.put("}");
            }
        }
    }
}

/// Text that is counted while it is made.
#[derive(Default)]
struct Counted(Vec<u8>);

impl Counted {
    fn put(&mut self, text: &str) {
        meter::make(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn put_text(&mut self, text: &str) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(self, text);
    }
}

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        meter::make(bytes.len());
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
