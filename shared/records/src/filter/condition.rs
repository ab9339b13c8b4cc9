//! One condition, and several that must all hold.

use std::cmp::Ordering;

use millwright_core::{ErrorCode, FieldError};
use serde_json::{Map, Value};

use super::{FilterField, value::Typed};

/// The most conditions of a list.
const CONDITIONS_MAX: usize = 10;
/// The most characters of a value.
const VALUE_MAX: usize = 200;

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is the same.
    Eq,
    /// It is greater or later.
    Gt,
    /// It is the same, greater or later.
    Gteq,
    /// It is less or earlier.
    Lt,
    /// It is the same, less or earlier.
    Lteq,
    /// It has the value in it.
    Contains,
    /// It begins with the value.
    StartsWith,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Eq, Self::Gt, Self::Gteq, Self::Lt, Self::Lteq, Self::Contains, Self::StartsWith];

    /// Its name in queries. `eq` need not be said.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Gt => "gt",
            Self::Gteq => "gteq",
            Self::Lt => "lt",
            Self::Lteq => "lteq",
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
        }
    }

    fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str() == name)
    }
}

/// A condition on a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    field: String,
    operator: Operator,
    value: Typed,
    text: String,
}

impl Condition {
    /// Reads `filter[name]=text`, where the name may have `:operator` behind it.
    ///
    /// # Errors
    /// What is wrong, about the parameter as it was written.
    pub fn parse(fields: &[FilterField], name: &str, text: &str) -> Result<Self, FieldError> {
        let refuse = |message: String| {
            FieldError::new(format!("filter[{name}]"), ErrorCode::InvalidRequest, message)
        };
        let (field, operator) = match name.split_once(':') {
            Some((field, operator)) => (field, Operator::find(operator)),
            None => (name, Some(Operator::Eq)),
        };
        let known = fields.iter().find(|known| known.name == field);
        let known = known.ok_or_else(|| refuse(cannot_filter(fields)))?;
        let operator = operator
            .filter(|operator| known.operators().contains(operator))
            .ok_or_else(|| refuse(possible_operators(known)))?;
        if text.chars().count() > VALUE_MAX {
            return Err(refuse(format!("must have at most {VALUE_MAX} characters")));
        }
        let value = Typed::parse(known, text).ok_or_else(|| refuse(known.expected()))?;
        Ok(Self { field: field.to_owned(), operator, value, text: text.to_owned() })
    }

    /// The field.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// How it is compared.
    #[must_use]
    pub const fn operator(&self) -> Operator {
        self.operator
    }

    /// With what, as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a record meets it. A field that is null or not there meets none.
    #[must_use]
    pub fn admits(&self, record: &Map<String, Value>) -> bool {
        let Some(value) = record.get(&self.field) else { return false };
        let is = |wanted: &[Ordering]| {
            self.value.order_of(value).is_some_and(|order| wanted.contains(&order))
        };
        match self.operator {
            Operator::Eq => is(&[Ordering::Equal]),
            Operator::Gt => is(&[Ordering::Greater]),
            Operator::Gteq => is(&[Ordering::Greater, Ordering::Equal]),
            Operator::Lt => is(&[Ordering::Less]),
            Operator::Lteq => is(&[Ordering::Less, Ordering::Equal]),
            Operator::Contains => value.as_str().is_some_and(|own| own.contains(&self.text)),
            Operator::StartsWith => value.as_str().is_some_and(|own| own.starts_with(&self.text)),
        }
    }
}

fn cannot_filter(fields: &[FilterField]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    format!("cannot be filtered by here; possible are {}", names.join(", "))
}

fn possible_operators(field: &FilterField) -> String {
    let names: Vec<&str> = field.operators().iter().map(|operator| operator.as_str()).collect();
    format!("takes one of the operators {}", names.join(", "))
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(Vec<Condition>);

impl Filters {
    /// Reads the conditions of a query: names without the brackets around them, and values.
    ///
    /// # Errors
    /// Everything that is wrong, parameter by parameter.
    pub fn parse(
        fields: &[FilterField],
        query: &[(String, String)],
    ) -> Result<Self, Vec<FieldError>> {
        let mut conditions: Vec<Condition> = Vec::new();
        let mut faults = Vec::new();
        for (name, text) in query {
            match Condition::parse(fields, name, text) {
                Ok(new) if conditions.iter().any(|known| known.is_about_the_same(&new)) => {
                    faults.push(fault(name, "is given twice"));
                }
                Ok(new) => conditions.push(new),
                Err(fault) => faults.push(fault),
            }
        }
        if let Some((name, _)) = query.get(CONDITIONS_MAX) {
            faults.push(fault(
                name,
                &format!("is one more than the {CONDITIONS_MAX} that are possible"),
            ));
        }
        if faults.is_empty() { Ok(Self(conditions)) } else { Err(faults) }
    }

    /// The conditions.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a record meets all of them.
    #[must_use]
    pub fn admit(&self, record: &Map<String, Value>) -> bool {
        self.0.iter().all(|condition| condition.admits(record))
    }

    /// The value that a field must have.
    #[must_use]
    pub fn exactly(&self, field: &str) -> Option<&str> {
        let equal = |own: &&Condition| own.field == field && own.operator == Operator::Eq;
        self.0.iter().find(equal).map(|own| own.text.as_str())
    }
}

impl Condition {
    fn is_about_the_same(&self, other: &Self) -> bool {
        (&self.field, self.operator) == (&other.field, other.operator)
    }
}

fn fault(name: &str, message: &str) -> FieldError {
    FieldError::new(format!("filter[{name}]"), ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use millwright_entities::Kind;
    use serde_json::json;

    use super::*;

    fn fields() -> Vec<FilterField> {
        let field = |name, kind| FilterField { name, kind, options: vec!["draft", "sent"] };
        vec![
            field("orderNo", Kind::Text),
            field("state", Kind::Choice),
            field("totalNetValue", Kind::Decimal),
            field("updatedAt", Kind::Time),
            field("isActive", Kind::Flag),
        ]
    }

    fn filters(query: &[(&str, &str)]) -> Result<Filters, Vec<FieldError>> {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Filters::parse(&fields(), &query.iter().map(own).collect::<Vec<_>>())
    }

    fn admitted(query: &[(&str, &str)], record: Value) -> bool {
        let Value::Object(record) = record else { panic!("not an object") };
        filters(query).unwrap().admit(&record)
    }

    fn refused(name: &str, text: &str) -> String {
        let faults = filters(&[(name, text)]).unwrap_err();
        assert_eq!(
            (faults.len(), faults[0].path.as_str()),
            (1, format!("filter[{name}]").as_str())
        );
        faults[0].message.clone()
    }

    #[test]
    fn every_operator_does_what_it_says() {
        let record = || json!({"orderNo": "PO-42", "totalNetValue": "9.50", "isActive": true});
        for (name, text, fits) in [
            ("orderNo", "PO-42", true),
            ("orderNo:eq", "PO-4", false),
            ("orderNo:contains", "O-4", true),
            ("orderNo:contains", "o-4", false),
            ("orderNo:starts_with", "PO", true),
            ("orderNo:starts_with", "O-", false),
            ("orderNo:gt", "PO-41", true),
            ("totalNetValue", "9.5", true),
            ("totalNetValue:lt", "10", true),
            ("totalNetValue:gt", "9.5", false),
            ("totalNetValue:gteq", "9.5", true),
            ("totalNetValue:lteq", "9.49", false),
            ("isActive", "true", true),
            ("isActive", "false", false),
            ("state", "draft", false),
        ] {
            assert_eq!(admitted(&[(name, text)], record()), fits, "{name}={text}");
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        let both = [("totalNetValue:gteq", "1"), ("totalNetValue:lt", "2")];
        assert!(admitted(&both, json!({"totalNetValue": "1.99"})));
        assert!(!admitted(&both, json!({"totalNetValue": "2"})));
        assert!(!admitted(&both, json!({"totalNetValue": null})));
        assert!(!admitted(&both, json!({})));
    }

    #[test]
    fn what_cannot_be_filtered_by_is_named_and_told_what_can() {
        assert!(refused("vendorKey", "x").contains("possible are orderNo, state"));
        assert!(refused("", "x").contains("possible are"));
        assert!(refused("orderNo:like", "x").contains("starts_with"));
        assert!(refused("isActive:gt", "true").contains("operators eq"));
        assert!(refused("totalNetValue:contains", "1").contains("lteq"));
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        for (name, text) in [
            ("totalNetValue", "many"),
            ("totalNetValue", ""),
            ("updatedAt:gteq", "yesterday"),
            ("updatedAt:gteq", "2026-03-01"),
            ("isActive", "yes"),
            ("state", "lost"),
            ("orderNo", &"x".repeat(201)),
        ] {
            assert!(refused(name, text).starts_with("must "), "{name}={text}");
        }
    }

    #[test]
    fn a_condition_is_given_once_and_there_are_ten_at_most() {
        let twice = filters(&[("orderNo", "a"), ("orderNo:eq", "b")]).unwrap_err();
        assert_eq!(twice[0].message, "is given twice");
        let many: Vec<(&str, &str)> = vec![("nothing", ""); 11];
        assert_eq!(filters(&many).unwrap_err().len(), 12);
    }
}
