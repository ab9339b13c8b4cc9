//! From text, or from a tree, to a [`Doc`].

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::doc::Doc;

/// How `serde_json` hands over a number of which no digit may be lost: as an object with this one name
/// (its feature `arbitrary_precision`).
const NUMBER: &str = "$serde_json::private::Number";

pub(super) fn read(text: &str, doc: &mut Doc) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    Reader { text, doc }.deserialize(&mut parser)?;
    parser.end()
}

pub(super) fn copy(value: &Value, doc: &mut Doc) {
    match value {
        Value::Null => doc.add_null(),
        Value::Bool(flag) => doc.add_flag(*flag),
        Value::Number(number) => doc.add_number(number.as_str()),
        Value::String(text) => doc.add_own_text(text),
        Value::Array(items) => {
            let at = doc.open(false);
            items.iter().for_each(|item| copy(item, doc));
            doc.close(at);
        }
        Value::Object(members) => {
            let at = doc.open(true);
            for (name, member) in members {
                doc.add_own_text(name);
                copy(member, doc);
            }
            doc.close(at);
        }
    }
}

struct Reader<'d, 't> {
    text: &'t str,
    doc: &'d mut Doc,
}

impl Reader<'_, '_> {
    /// Where in the text a part of it begins; nothing for other texts.
    fn start(&self, part: &str) -> Option<usize> {
        let start = part.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        (start + part.len() <= self.text.len()).then_some(start)
    }

    fn add_text(self, text: &str) {
        match self.start(text) {
            Some(start) => self.doc.add_text(start, text.len()),
            None => self.doc.add_own_text(text),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.doc.add_flag(flag);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.doc.add_null();
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.doc.add_number(&number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.doc.add_number(&number.to_string());
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.add_text(text);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.doc.add_own_text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { text, doc } = self;
        let at = doc.open(false);
        while list.next_element_seed(Reader { text, doc })?.is_some() {}
        doc.close(at);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { text, doc } = self;
        let at = doc.open(true);
        let mut first = true;
        while let Some(name) = object.next_key_seed(Name(Reader { text, doc }))? {
            if first && name == Named::Number {
                doc.forget(at);
                let digits: String = object.next_value()?;
                doc.add_number(&digits);
                return Ok(());
            }
            first = false;
            object.next_value_seed(Reader { text, doc })?;
        }
        doc.close(at);
        Ok(())
    }
}

/// The name of a member.
struct Name<'d, 't>(Reader<'d, 't>);

#[derive(PartialEq, Eq)]
enum Named {
    Member,
    Number,
}

impl<'de> DeserializeSeed<'de> for Name<'_, 'de> {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name<'_, 'de> {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Named, E> {
        // An object that only looks like a number has its name in the text.
        if name == NUMBER && self.0.start(name).is_none() {
            return Ok(Named::Number);
        }
        self.0.add_text(name);
        Ok(Named::Member)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Named, E> {
        self.0.doc.add_own_text(name);
        Ok(Named::Member)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Doc, Node, Row, Seen};
    use super::*;

    fn parsed(text: &str) -> Value {
        Doc::parse(text).unwrap().root().to_value()
    }

    /// Any JSON, with texts that need escaping and numbers that no float holds.
    pub(crate) fn any_json() -> impl Strategy<Value = Value> {
        let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number.prop_map(|digits| Value::Number(digits.parse().unwrap())),
            "\\PC{0,12}".prop_map(Value::String),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn what_is_read_is_what_stands_there() {
        let text = r#" {"a": [1, -0, 1.50, 12345678901234567890.10, 1E2], "b\n": "\u00e9\t", "": {}, "c": [[], null, true, false]} "#;
        assert_eq!(parsed(text), serde_json::from_str::<Value>(text).unwrap());
        let doc = Doc::parse(text).unwrap();
        let numbers: Vec<_> = doc.root().member("a").unwrap().items().map(Node::see).collect();
        assert_eq!(numbers[1], Seen::Number("-0"));
        assert_eq!(numbers[2], Seen::Number("1.50"));
        assert_eq!(doc.root().member("b\n").unwrap().text(), Some("é\t"));
        assert!(doc.root().member("c").unwrap().member("x").is_none());
        assert_eq!(doc.root().items().count(), 0);
    }

    #[test]
    fn of_members_with_one_name_the_last_counts() {
        let doc = Doc::parse(r#"{"a": 1, "b": {"a": 2}, "a": 3}"#).unwrap();
        assert_eq!(doc.root().member("a").unwrap().integer(), Some(3));
        assert_eq!(parsed(r#"{"a": 1, "a": 3}"#), json!({"a": 3}));
    }

    #[test]
    fn an_object_that_looks_like_a_number_is_an_object() {
        let text = r#"{"$serde_json::private::Number": "no number"}"#;
        let doc = Doc::parse(text).unwrap();
        assert_eq!(doc.root().member(NUMBER).unwrap().text(), Some("no number"));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "[1,]", "{\"a\" 1}", "1 2", "nul", "\"\\x\"", "01", "+1", "\u{7f}"] {
            assert!(Doc::parse(text).is_err(), "{text}");
        }
        assert!(Doc::parse(vec![b'"', 0xff, b'"']).is_err());
        assert!(Doc::parse("[".repeat(200) + &"]".repeat(200)).is_err());
    }

    #[test]
    fn rows_of_a_page_can_be_passed_on() {
        let page = Row::parse(r#"{"rows": [{"id": 1}, [], {"id": 3}]}"#).unwrap();
        let rows = page.pick(|page| page.member("rows")).unwrap().items();
        drop(page);
        let ids: Vec<_> = rows.iter().map(|row| row.json().member("id")).collect();
        assert_eq!(ids.len(), 3);
        assert_eq!(ids[2].and_then(Node::integer), Some(3));
        assert!(ids[1].is_none());
    }

    fn bytes(row: &Row) -> Vec<u8> {
        let mut bytes = Vec::new();
        row.write(&mut bytes);
        bytes
    }

    #[test]
    fn only_what_looks_the_same_is_written_the_same() {
        let texts = [
            "null",
            "false",
            "true",
            "0",
            "-0",
            "0.0",
            "\"0\"",
            "\"\"",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "[[],[]]",
            "[[[]]]",
            "[\"\",\"\"]",
            "[\"ab\",\"c\"]",
            "[\"a\",\"bc\"]",
            "{\"a\":\"b\"}",
            "{\"b\":\"a\"}",
            "[\"a\",\"b\"]",
            "{\"a\":1,\"b\":2}",
            "{\"b\":2,\"a\":1}",
            "[1,[2]]",
            "[[1],2]",
            "[12]",
            "[1,2]",
        ];
        let written: Vec<Vec<u8>> =
            texts.iter().map(|text| bytes(&Row::parse(*text).unwrap())).collect();
        for (left, text) in texts.iter().enumerate() {
            for (right, other) in texts.iter().enumerate() {
                assert_eq!(written[left] == written[right], left == right, "{text} {other}");
            }
        }
        let page = Row::parse(" [7, {\"a\": \"\\u00e9\"}, {\"a\":\"é\"}]").unwrap().items();
        assert_eq!(bytes(&page[1]), bytes(&page[2]), "escaped and in another place");
        assert_eq!(bytes(&page[1]), bytes(&Row::from(&json!({"a": "é"}))));
    }

    proptest! {
        #[test]
        fn two_values_are_written_the_same_just_when_they_are(left in any_json(), right in any_json()) {
            let (own, other) = (Row::parse(left.to_string()).unwrap(), Row::from(&right));
            prop_assert_eq!(bytes(&own), bytes(&Row::from(&left)));
            // As text: the order of members counts.
            let texts = [left.to_string(), right.to_string()];
            prop_assert_eq!(bytes(&own) == bytes(&other), texts[0] == texts[1]);
        }

        #[test]
        fn any_json_is_the_same_as_text_as_tree_and_as_places(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(&parsed(&text), &serde_json::from_str::<Value>(&text).unwrap());
            let row = Row::from(&value);
            prop_assert_eq!(row.json().to_value(), value.clone());
            prop_assert!(row.json().is(&value));
        }

        #[test]
        fn any_text_is_read_or_refused_as_serde_json_does(text in "[\\[\\]{}:,\"a0-9. eE+\\-\\\\ntu]{0,24}") {
            let tree = serde_json::from_str::<Value>(&text).ok();
            prop_assert_eq!(Doc::parse(text.as_str()).ok().map(|doc| doc.root().to_value()), tree);
        }
    }
}
