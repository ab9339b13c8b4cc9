//! From a system's row to a unified record.

use std::borrow::Cow;

use millwright_entities::Kind;
use serde_json::{Map, Value};

use super::{
    field::{EachField, Element, Field, Origin, ValueField},
    naming::Naming,
};
use crate::{
    codec::Zone,
    json::{Node, Seen},
    manifest::EntityDef,
    path::{NestedKeys, Path},
    table::Table,
};

/// A row that cannot be mapped: it is reported and left out, so that one bad row does not stop the
/// rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The row's remote id.
    pub remote_id: String,
    /// The unified field that cannot be read.
    pub field: String,
    /// What is wrong, without the value.
    pub message: String,
}

/// Maps the rows of one entity of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Mapper<'a> {
    /// How records are named.
    pub naming: Naming<'a>,
    /// The entity's slug.
    pub entity: &'a str,
    /// How nested objects are named.
    pub keys: NestedKeys,
    /// The time zone that the system writes its times in, where it says none.
    pub zone: Option<&'a Zone>,
    /// Values that stand for nothing.
    pub nothing: &'a [Value],
}

/// What is wrong, and where inside the field.
struct Fault {
    path: String,
    message: String,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    fn inside(self, place: &str) -> Self {
        Self { path: format!("{place}{}", self.path), message: self.message }
    }
}

impl Mapper<'_> {
    /// The complete unified record of a row.
    ///
    /// # Errors
    /// When a field does not have the form that its codec reads.
    pub fn record<'r, N: Node<'r>>(
        &self,
        def: &EntityDef,
        remote_id: &str,
        row: N,
    ) -> Result<Map<String, Value>, RowFault> {
        let fault = |field: &str, fault: Fault| RowFault {
            remote_id: remote_id.to_owned(),
            field: format!("{field}{}", fault.path),
            message: fault.message,
        };
        match prepared(def, row).map_err(|why| fault("prepare", why))? {
            None => self.fields(def, remote_id, row),
            Some(row) => self.fields(def, remote_id, &row),
        }
        .map_err(|(field, why)| fault(field, why))
    }

    fn fields<'r, 'd, N: Node<'r>>(
        &self,
        def: &'d EntityDef,
        remote_id: &str,
        row: N,
    ) -> Result<Map<String, Value>, (&'d str, Fault)> {
        // With what stands in every record beside the fields.
        let mut record = Map::with_capacity(def.fields.len() + 5);
        if let Some(key) = self.naming.own(self.entity, remote_id) {
            record.insert("key".to_owned(), Value::String(key));
        }
        record.insert("remoteId".to_owned(), Value::from(remote_id));
        self.add_status(def, &mut record, row);
        for (name, field) in def.fields.iter() {
            let value = self.value(name, field, row).map_err(|why| (name, why))?;
            if let Some(value) = value {
                record.insert(name.to_owned(), value);
            }
        }
        if let Some(custom) = def.custom_fields.as_ref().filter(|_| !def.chosen.is_empty()) {
            let values = custom.values.read(&def.chosen, row, self.keys);
            record.insert("customFields".to_owned(), Value::Object(values));
        }
        Ok(record)
    }

    /// The remote id of a row: text or a number at `path`.
    #[must_use]
    pub fn remote_id<'r>(path: &Path, row: impl Node<'r>) -> Option<String> {
        path.text(row).filter(|id| !id.is_empty()).map(Cow::into_owned)
    }

    /// The text that one field has in a row; nothing when it has none or another form.
    #[must_use]
    pub fn text<'r>(&self, field: &Field, row: impl Node<'r>) -> Option<String> {
        let value = self.value("", field, row).ok().flatten()?;
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn key(&self, entity: &str, remote_id: &str) -> Value {
        Value::String(self.naming.record(entity, remote_id))
    }

    /// `statusKey` names the system's own status; `state` says the same in the model's words, and
    /// `other` for a status that the manifest does not know.
    fn add_status<'r>(&self, def: &EntityDef, record: &mut Map<String, Value>, row: impl Node<'r>) {
        let Some(path) = &def.status else { return };
        let Some(code) = path.text(row) else { return };
        let state = def.statuses.get(&code).map_or("other", |status| status.state.as_str());
        let key = self.naming.status(self.entity, &code);
        record.insert("statusKey".to_owned(), Value::String(key));
        record.insert("state".to_owned(), Value::from(state));
    }

    /// `name` is the field's own name: keys of lines follow from it.
    fn value<'r>(
        &self,
        name: &str,
        field: &Field,
        row: impl Node<'r>,
    ) -> Result<Option<Value>, Fault> {
        match field {
            Field::Value(field) => self.one(field, row).map_err(Fault::new),
            Field::FirstOf(fields) => {
                let mut found = None;
                for field in fields {
                    match self.value(name, field, row)? {
                        Some(Value::Null) => found = Some(Value::Null),
                        Some(value) => return Ok(Some(value)),
                        None => {}
                    }
                }
                Ok(found)
            }
            Field::Each(list) => self.list(name, list, row),
        }
    }

    fn one<'r>(&self, field: &ValueField, row: impl Node<'r>) -> Result<Option<Value>, String> {
        if !field.when.hold(row, self.keys) {
            return Ok(None);
        }
        let found = match &field.from {
            Origin::Nothing => None,
            Origin::Path(path) => {
                path.get(row, self.keys).map(|raw| self.decoded(field, raw)).transpose()?
            }
            Origin::Jq(jq) => match jq.run(row).map_err(|why| why.to_string())? {
                Some(raw) => Some(self.decoded(field, &raw)?),
                None => None,
            },
        };
        let value = match found {
            None => field.default.clone(),
            Some(Some(Value::Null)) => field.default.clone().or(Some(Value::Null)),
            Some(value) => value,
        };
        if field.required && value.as_ref().is_none_or(Value::is_null) {
            return Err(
                "is missing or is no value that is known, and the system always has one".to_owned()
            );
        }
        Ok(value)
    }

    /// The unified value of one that is there; nothing for a word that has no meaning.
    fn decoded<'r>(&self, field: &ValueField, raw: impl Node<'r>) -> Result<Option<Value>, String> {
        let counts = !self.nothing.is_empty() && field.codec.kind() != Kind::Flag;
        if raw.is_null() || (counts && self.nothing.iter().any(|nothing| raw.is(nothing))) {
            return Ok(Some(Value::Null));
        }
        let value = field.codec.decode(raw, self.zone).map_err(|why| why.to_string())?;
        Ok(match (&field.words, &field.references) {
            (Some(words), _) => {
                let word = value.as_str().and_then(|text| words.get(text));
                word.or(field.otherwise.as_ref()).map(|word| Value::from(word.as_str()))
            }
            (None, Some(entity)) => value.as_str().map(|id| self.key(entity, id)),
            (None, None) => Some(value),
        })
    }

    fn list<'r>(
        &self,
        name: &str,
        list: &EachField,
        row: impl Node<'r>,
    ) -> Result<Option<Value>, Fault> {
        let Some(items) = list.path.enter(row, self.keys) else { return Ok(None) };
        match items.see() {
            Seen::Null => return Ok(Some(Value::Null)),
            Seen::List => {}
            _ => return Err(Fault::new("must be a list")),
        }
        let counted = items.items().filter(|item| list.filter.hold(*item, self.keys));
        let mut values = Vec::new();
        for (position, item) in counted.enumerate() {
            let value = match &list.element {
                Element::Object(fields) => {
                    self.object(name, list.id.as_ref(), fields, item).map(Some)
                }
                Element::Value(field) => self.value(name, field, item),
            };
            values.extend(value.map_err(|fault| fault.inside(&format!("[{position}]")))?);
        }
        Ok(Some(Value::Array(values)))
    }

    fn object<'r>(
        &self,
        name: &str,
        id: Option<&Path>,
        fields: &Table<Field>,
        item: impl Node<'r>,
    ) -> Result<Value, Fault> {
        let mut object = Map::with_capacity(fields.len() + 2);
        if let Some(path) = id {
            let id = Self::remote_id(path, item).ok_or_else(|| Fault::new("has no id"))?;
            if let Some(key) = self.naming.line(self.entity, name, &id) {
                object.insert("key".to_owned(), Value::String(key));
            }
            object.insert("remoteId".to_owned(), Value::String(id));
        }
        for (inner, field) in fields.iter() {
            let value = self
                .value(inner, field, item)
                .map_err(|fault| fault.inside(&format!(".{inner}")))?;
            if let Some(value) = value {
                object.insert(inner.to_owned(), value);
            }
        }
        Ok(Value::Object(object))
    }
}

/// The row as the manifest's `prepare` makes it, if it has one.
fn prepared<'r>(def: &EntityDef, row: impl Node<'r>) -> Result<Option<Value>, Fault> {
    let Some(jq) = &def.prepare else { return Ok(None) };
    match jq.run(row) {
        Ok(Some(row)) => Ok(Some(row)),
        Ok(None) => Err(Fault::new("gives no row")),
        Err(why) => Err(Fault::new(why.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::ConnectionId;
    use serde_json::json;

    use super::*;

    const ORDERS: &str = "
read: {}
status: state
statuses:
  draft: { name: Draft, state: draft }
  processing: { name: Processing, state: sent }
fields:
  state: { path: arrived, when: { state: [processing] }, enum: { all: received } }
  title: { first_of: [title, subject] }
  notes: { path: notes, default: none }
  number: { path: number, required: true, when: { sent: [\"yes\"] } }
  dues: { each: dues, fields: { at: { path: at, required: true } } }
  vendorKey: { path: vendor, codec: id, references: vendors }
  lineItems:
    each: lines
    where: { kind: [part, 1] }
    id: id
    fields: { type: { path: kind, enum: { part: part }, otherwise: other }, quantity: { path: n, codec: decimal } }
";

    fn map(row: &Value) -> Result<Map<String, Value>, RowFault> {
        let connection = ConnectionId::derived(&["test"]);
        let def: EntityDef = serde_saphyr::from_str(ORDERS).unwrap();
        let keys = NestedKeys::Plain;
        let entity = "purchase-orders";
        let nothing = [json!("0001-01-01")];
        let mapper =
            Mapper { naming: Naming::Of(&connection), entity, keys, zone: None, nothing: &nothing };
        mapper.record(&def, "1", row)
    }

    #[test]
    fn a_rule_on_a_condition_goes_before_what_the_status_says() {
        let state = |row: Value| map(&row).unwrap().remove("state");
        assert_eq!(state(json!({"state": "draft", "arrived": "all"})), Some(json!("draft")));
        assert_eq!(
            state(json!({"state": "processing", "arrived": "all"})),
            Some(json!("received"))
        );
        assert_eq!(state(json!({"state": "processing", "arrived": "none"})), Some(json!("sent")));
        assert_eq!(state(json!({"state": "brand new"})), Some(json!("other")));
        assert_eq!(state(json!({})), None);
    }

    #[test]
    fn absent_null_and_default_are_three_things() {
        let none = map(&json!({})).unwrap();
        assert_eq!((none.get("title"), none.get("vendorKey")), (None, None));
        assert_eq!(none["notes"], "none");
        let null = map(&json!({"title": null, "vendor": null, "notes": null})).unwrap();
        assert_eq!((&null["title"], &null["vendorKey"]), (&Value::Null, &Value::Null));
        assert_eq!(null["notes"], "none");
        let second = map(&json!({"title": null, "subject": "Bolts"})).unwrap();
        assert_eq!(second["title"], "Bolts");
    }

    #[test]
    fn a_row_without_what_the_system_always_has_is_refused_where_that_counts() {
        let missing = |row: Value| map(&row).unwrap_err();
        for row in [json!({"sent": "yes"}), json!({"sent": "yes", "number": null})] {
            let RowFault { field, message, .. } = missing(row);
            assert_eq!((field.as_str(), message.contains("is missing")), ("number", true));
        }
        assert_eq!(map(&json!({"sent": "yes", "number": ""})).unwrap()["number"], "");
        assert_eq!(map(&json!({"sent": "no"})).unwrap().get("number"), None);
        let line = json!({"sent": "no", "dues": [{"at": 7}, {}]});
        assert_eq!(missing(line).field, "dues[1].at");
    }

    #[test]
    fn what_stands_for_nothing_is_null() {
        let record = map(&json!({"title": "0001-01-01", "subject": "Bolts", "vendor": 7})).unwrap();
        assert_eq!(record["title"], "Bolts");
        let record = map(&json!({"title": "0001-01-01", "notes": "0001-01-01"})).unwrap();
        assert_eq!((&record["title"], &record["notes"]), (&Value::Null, &json!("none")));
    }

    #[test]
    fn of_a_list_only_what_counts_is_taken_and_a_fault_is_placed() {
        let lines = json!([
            {"id": 7, "kind": "part", "n": 1.50}, {"id": 8, "kind": "text"}, {"id": 9, "kind": 1}
        ]);
        let record = map(&json!({"lines": lines})).unwrap();
        let lines = record["lineItems"].as_array().unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["quantity"], &lines[0]["type"]), (&json!("1.5"), &json!("part")));
        assert_eq!(lines[1]["type"], "other");
        assert_ne!(lines[0]["key"], lines[1]["key"]);
        let lines = json!([{"id": 7, "kind": "part"}, {"id": 8, "kind": "part", "n": "many"}]);
        let fault = map(&json!({"lines": lines})).unwrap_err();
        assert_eq!(fault.field, "lineItems[1].quantity");
        assert!(!fault.message.contains("many"));
        let fault = map(&json!({"lines": [{"kind": "part"}]})).unwrap_err();
        assert_eq!((fault.field.as_str(), fault.message.as_str()), ("lineItems[0]", "has no id"));
    }
}
