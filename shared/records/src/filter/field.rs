//! What a filter may name, and what its values are.

use millwright_connector::manifest::EntityDef;
use millwright_entities::{Entity, Field, Kind};
use millwright_store::Order;

use super::Operator;

/// What every record has, and lists can always be filtered by.
const OF_ALL: [&str; 4] = ["key", "remoteId", "createdAt", "updatedAt"];

/// A field that a list can be filtered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterField {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it can be, where it is one of a few words.
    pub options: Vec<&'static str>,
}

impl FilterField {
    /// How its values can be compared.
    #[must_use]
    pub const fn operators(&self) -> &'static [Operator] {
        use Operator::*;
        match self.kind {
            Kind::Text => &[Eq, Gt, Gteq, Lt, Lteq, Contains, StartsWith],
            Kind::Decimal | Kind::Integer | Kind::Date | Kind::Time => &[Eq, Gt, Gteq, Lt, Lteq],
            Kind::Key | Kind::Choice | Kind::Flag => &[Eq],
            Kind::List | Kind::Object => &[],
        }
    }

    /// What is expected of a value, for who wrote another.
    pub(super) fn expected(&self) -> String {
        let expected = match self.kind {
            Kind::Key => "must be the key of a record, rec_ and 26 characters",
            Kind::Choice => return format!("must be one of {}", self.options.join(", ")),
            Kind::Flag => "must be true or false",
            Kind::Decimal | Kind::Integer => "must be a decimal number without an exponent",
            Kind::Date => "must be a day, such as 2026-03-01",
            Kind::Time => {
                "must be a time with a zone, such as 2026-03-01T12:00:00Z (write + as %2B)"
            }
            Kind::Text | Kind::List | Kind::Object => "must be text",
        };
        expected.to_owned()
    }
}

impl From<&'static Field> for FilterField {
    fn from(field: &'static Field) -> Self {
        Self { name: field.name, kind: field.kind, options: field.options.clone() }
    }
}

/// The fields of an entity that a list can be filtered by, in the schema's order: its key, its remote
/// id, the source's times, and those single values which the schema marks so. With `def`, only those
/// that the connector fills.
#[must_use]
pub fn filter_fields(entity: &Entity, def: Option<&EntityDef>) -> Vec<FilterField> {
    let marked = |field: &&Field| field.is_filterable || OF_ALL.contains(&field.name);
    let filled = |field: &&Field| def.is_none_or(|def| fills(def, field.name));
    let fields = entity.fields().iter().filter(|field| field.kind.is_scalar());
    fields.filter(marked).filter(filled).map(FilterField::from).collect()
}

/// Whether a connector fills a field of an entity.
#[must_use]
pub fn fills(def: &EntityDef, field: &str) -> bool {
    let by_status = def.status.is_some() && ["statusKey", "state"].contains(&field);
    ["key", "remoteId"].contains(&field) || by_status || def.fields.get(field).is_some()
}

/// The fields that a list can be sorted by, and the orders behind them: those of the source's times
/// that the connector fills.
#[must_use]
pub fn sortable_fields(def: &EntityDef) -> Vec<(&'static str, Order)> {
    let times = [("createdAt", Order::Created), ("updatedAt", Order::Updated)];
    times.into_iter().filter(|(field, _)| fills(def, field)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_always_found_by_its_key_and_remote_id() {
        for entity in Entity::ALL {
            let fields = filter_fields(entity, None);
            let kind = |name| fields.iter().find(|field| field.name == name).map(|f| f.kind);
            assert_eq!(kind("key"), Some(Kind::Key), "{entity:?}");
            assert_eq!(kind("remoteId"), Some(Kind::Text), "{entity:?}");
            assert_eq!(kind("updatedAt"), Some(Kind::Time), "{entity:?}");
            assert!(fields.iter().all(|field| !field.operators().is_empty()), "{entity:?}");
        }
    }

    #[test]
    fn what_a_connector_does_not_fill_cannot_be_filtered_by() {
        let catalog = millwright_connector::Catalog::builtin();
        let def = catalog.get("tryton").unwrap().entity("purchase-orders").unwrap();
        let entity = Entity::find("purchase-orders").unwrap();
        let all = filter_fields(entity, None);
        let filled = filter_fields(entity, Some(def));
        assert!(filled.len() < all.len() && filled.iter().any(|field| field.name == "state"));
        assert!(filled.iter().all(|field| fills(def, field.name)));
    }
}
