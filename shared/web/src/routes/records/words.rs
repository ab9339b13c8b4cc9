//! What entities are called in sentences and in names.

use millwright_entities::Entity;

/// One record, with its article: `a purchase order`.
pub(crate) fn a_record(entity: &Entity) -> String {
    let name = one(entity);
    // Written with a vowel and said with a consonant.
    let said_otherwise = ["uni", "use", "uom"].iter().any(|start| name.starts_with(start));
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'u']) && !said_otherwise;
    format!("{} {name}", if vowel { "an" } else { "a" })
}

/// One record: `purchase order`. An abbreviation keeps its capitals.
pub(crate) fn one(entity: &Entity) -> String {
    let title = entity.title();
    let mut letters = title.chars();
    let first = letters.next();
    match letters.as_str().chars().next() {
        Some(second) if second.is_uppercase() => title.to_owned(),
        _ => first.into_iter().flat_map(char::to_lowercase).chain(letters).collect(),
    }
}

/// Several records: `purchase orders`.
pub(crate) fn several(entity: &Entity) -> String {
    entity.plural().to_owned()
}

/// One record in the name of an operation: `purchase_order`.
pub(crate) fn one_in_a_name(entity: &Entity) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    entity.title().chars().map(letter).collect()
}

/// The name of the component with the entity's schema: `PurchaseOrder`.
pub(crate) fn component(entity: &Entity) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
    };
    let words = entity.title().split(|c: char| !c.is_ascii_alphanumeric());
    words.filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_purchase_order_is_called_so_everywhere() {
        let entity = Entity::find("purchase-orders").unwrap();
        assert_eq!(a_record(entity), "a purchase order");
        assert_eq!(several(entity), "purchase orders");
        assert_eq!(one_in_a_name(entity), "purchase_order");
        assert_eq!(component(entity), "PurchaseOrder");
    }

    #[test]
    fn no_two_entities_share_a_name() {
        let names: BTreeSet<String> = Entity::ALL.iter().map(one_in_a_name).collect();
        let components: BTreeSet<String> = Entity::ALL.iter().map(component).collect();
        assert_eq!((names.len(), components.len()), (Entity::ALL.len(), Entity::ALL.len()));
    }
}
