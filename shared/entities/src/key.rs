//! Keys of records. They follow from what is read, so a reference needs no look-up and a record read
//! again has the key it had.

use millwright_core::{ConnectionId, derive_id_part};

/// The lines of purchase orders as records of their own, and as they stand in the orders: the same
/// line has the same key.
const LINES_APART: &str = "purchase-order-line-items";
const LINES_INSIDE: &str = "purchase-orders.lineItems";

/// The key of the record that `connection`'s system knows as `remote_id` among `entity` (a slug):
/// `rec_` and 26 characters.
#[must_use]
pub fn record_key(connection: &ConnectionId, entity: &str, remote_id: &str) -> String {
    let scope = if entity == LINES_APART { LINES_INSIDE } else { entity };
    ["rec_", &derive_id_part(&[connection.as_str(), scope, remote_id])].concat()
}

/// The key of a line. `field` is the list it stands in (`lineItems`): a line and a record with the
/// same remote id have different keys.
#[must_use]
pub fn line_key(connection: &ConnectionId, entity: &str, field: &str, remote_id: &str) -> String {
    record_key(connection, &format!("{entity}.{field}"), remote_id)
}

/// The key of a status of `entity`.
#[must_use]
pub fn status_key(connection: &ConnectionId, entity: &str, code: &str) -> String {
    record_key(connection, "statuses", &status_remote_id(entity, code))
}

/// The remote id of a status: systems number the statuses of each entity anew, so it names both.
#[must_use]
pub fn status_remote_id(entity: &str, code: &str) -> String {
    format!("{entity}/{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_each_time_and_differs_by_connection_entity_and_id() {
        let connection = ConnectionId::derived(&["one"]);
        let key = record_key(&connection, "vendors", "7");
        assert_eq!(key, record_key(&connection, "vendors", "7"));
        assert_eq!(key.len(), "rec_".len() + 26);
        assert_ne!(key, record_key(&ConnectionId::derived(&["two"]), "vendors", "7"));
        assert_ne!(key, record_key(&connection, "materials", "7"));
        assert_ne!(key, record_key(&connection, "vendors", "8"));
        assert_ne!(key, line_key(&connection, "vendors", "lineItems", "7"));
    }

    #[test]
    fn a_line_has_one_key_inside_its_order_and_apart_from_it() {
        let connection = ConnectionId::derived(&["one"]);
        let inside = line_key(&connection, "purchase-orders", "lineItems", "7");
        assert_eq!(record_key(&connection, "purchase-order-line-items", "7"), inside);
    }

    #[test]
    fn statuses_of_two_entities_with_one_code_have_two_keys() {
        let connection = ConnectionId::derived(&["one"]);
        let order = status_key(&connection, "purchase-orders", "draft");
        assert_ne!(order, status_key(&connection, "work-orders", "draft"));
    }
}
