//! What the schemas mark, and rules that hold for all of them.

use millwright_entities::{Entity, Field, Kind};

/// Every field of every entity and of the objects in them, with its place and its neighbours.
fn everywhere(mut check: impl FnMut(&str, &'static Field, &[&'static [Field]])) {
    fn inside(
        place: &str,
        levels: &[&'static [Field]],
        check: &mut impl FnMut(&str, &'static Field, &[&'static [Field]]),
    ) {
        for field in levels[levels.len() - 1] {
            let place = format!("{place}.{}", field.name);
            check(&place, field, levels);
            inside(&place, &[levels, &[field.inner.as_slice()]].concat(), check);
        }
    }
    for entity in Entity::ALL {
        inside(entity.slug, &[entity.fields()], &mut check);
    }
}

fn beside(levels: &[&'static [Field]], name: &str) -> bool {
    levels.iter().any(|fields| fields.iter().any(|field| field.name == name))
}

#[test]
fn every_reference_names_an_entity() {
    everywhere(|place, field, _| {
        if let Some(slug) = field.references {
            assert!(Entity::find(slug).is_some(), "{place} leads to {slug}");
            assert!(matches!(field.kind, Kind::Key | Kind::List), "{place}");
        }
    });
}

#[test]
fn a_name_ends_in_key_exactly_when_it_holds_the_key_of_another_record() {
    // Documents belong to records of any entity; a task lies under another of its list; what may come
    // after a status is told as `allowedNext` of the statuses themselves.
    let anywhere = ["documents.entityKeys", "tasks.parentKey"];
    everywhere(|place, field, _| {
        let of_one = field.name.ends_with("Key");
        let of_many = field.name.ends_with("Keys") || field.name == "allowedNext";
        let free = anywhere.iter().any(|end| place.ends_with(end));
        assert_eq!(field.references.is_some(), (of_one || of_many) && !free, "{place}");
        assert_eq!(field.kind == Kind::Key && field.name != "key", of_one, "{place}");
        assert!(!of_many || field.kind == Kind::List, "{place}");
    });
}

#[test]
fn money_has_its_currency_and_a_quantity_its_unit_beside_it() {
    const MONEY: [&str; 6] = ["price", "cost", "unitCost", "purchaseCost", "budget", "hourlyRate"];
    let mut count = (0, 0);
    everywhere(|place, field, levels| {
        if MONEY.contains(&field.name) || field.name.ends_with("Value") {
            assert_eq!(field.kind, Kind::Decimal, "{place}");
            assert!(beside(levels, "currencyKey") && beside(levels, "currencyCode"), "{place}");
            count.0 += 1;
        }
        if field.name == "quantity" || field.name.ends_with("Quantity") {
            assert_eq!(field.kind, Kind::Decimal, "{place}");
            assert!(beside(levels, "uomKey") && beside(levels, "uomName"), "{place}");
            count.1 += 1;
        }
    });
    assert!(count.0 > 60 && count.1 > 60, "{count:?}");
}

#[test]
fn every_choice_has_a_word_for_what_the_model_does_not_know() {
    // What Millwright itself says in `meta` is closed.
    everywhere(|place, field, _| {
        if field.kind == Kind::Choice && !place.contains(".meta.") {
            assert_eq!(field.options.last(), Some(&"other"), "{place}");
        }
    });
}

#[test]
fn a_status_of_the_systems_stands_beside_a_state_of_the_model() {
    for entity in Entity::ALL.iter().filter(|entity| entity.slug != "purchase-order-line-items") {
        let status = entity.field("statusKey");
        let state = entity.field("state").filter(|state| state.kind == Kind::Choice);
        assert_eq!(status.is_some(), state.is_some(), "{entity:?}");
        assert!(status.is_none_or(|status| status.references == Some("statuses")), "{entity:?}");
    }
}

#[test]
fn a_filter_stands_on_about_a_dozen_single_values_of_an_entity() {
    for entity in Entity::ALL {
        let filters: Vec<&Field> = entity.filterable().collect();
        assert!(filters.len() > 1 && filters.len() <= 13, "{entity:?} {}", filters.len());
        assert!(filters.iter().all(|field| field.kind.is_scalar()), "{entity:?}");
        for name in ["state", "statusKey", "isActive", "code", "name", "email"] {
            let field = entity.field(name);
            assert!(field.is_none_or(|field| field.is_filterable), "{entity:?} {name}");
        }
    }
    everywhere(|place, field, levels| {
        assert!(levels.len() == 1 || !field.is_filterable, "{place} is inside another field");
    });
}

#[test]
fn what_the_api_makes_itself_no_write_may_hold() {
    const OWN: [&str; 7] =
        ["key", "remoteId", "remoteCode", "remoteUrl", "createdAt", "updatedAt", "deletedAt"];
    everywhere(|place, field, _| {
        if OWN.contains(&field.name) || place.ends_with(".meta") {
            assert!(field.is_read_only || place.contains(".meta."), "{place}");
        }
        assert!(field.is_read_only || !field.is_volatile, "{place}");
    });
}

#[test]
fn a_line_that_has_a_key_has_a_remote_id_too() {
    let mut lists = 0;
    for entity in Entity::ALL {
        for list in entity.line_lists() {
            assert!(list.kind == Kind::List && list.field("remoteId").is_some(), "{entity:?}");
            lists += 1;
        }
    }
    assert!(lists > 25, "{lists}");
    let orders = Entity::find("purchase-orders").unwrap();
    let names: Vec<&str> = orders.line_lists().map(|field| field.name).collect();
    assert_eq!(names, ["lineItems"]);
}

#[test]
fn counts_of_views_and_the_like_are_volatile() {
    let volatile = |slug: &str| -> Vec<&str> {
        Entity::find(slug).unwrap().volatile().map(|field| field.name).collect()
    };
    assert_eq!(volatile("topics"), ["likeCount", "viewCount"]);
    assert_eq!(volatile("posts"), ["likeCount"]);
    assert_eq!(volatile("users"), ["lastLoginAt"]);
    assert!(volatile("categories").contains(&"topicCount"));
    assert!(volatile("purchase-orders").is_empty());
    everywhere(|place, field, levels| {
        assert!(levels.len() == 1 || !field.is_volatile, "{place} is inside another field");
    });
}

#[test]
fn lines_kept_apart_have_the_fields_that_they_have_in_their_order() {
    let lines = Entity::find("purchase-order-line-items").unwrap();
    assert_eq!(lines.schema()["x-lines-of"], "purchase-orders.lineItems");
    let order = Entity::find("purchase-orders").unwrap();
    for field in &order.field("lineItems").unwrap().inner {
        let apart = lines.field(field.name).unwrap_or_else(|| panic!("no {}", field.name));
        assert_eq!((apart.kind, apart.references), (field.kind, field.references), "{apart:?}");
        assert_eq!(apart.options, field.options);
    }
}

#[test]
fn no_slug_is_another_path_of_the_api() {
    const PATHS: [&str; 26] = [
        "api-keys",
        "applications",
        "audit-log",
        "changes",
        "connect-links",
        "connection",
        "connections",
        "connectors",
        "credits",
        "event-types",
        "export",
        "flows",
        "hooks",
        "issues",
        "jobs",
        "meta",
        "passthrough",
        "request-logs",
        "sync",
        "sync-runs",
        "sync-status",
        "test",
        "webhook-deliveries",
        "webhook-endpoints",
        "webhook-messages",
        "writes",
    ];
    for path in PATHS {
        assert_eq!(Entity::find(path), None);
        let family = path.replace('-', "_");
        assert!(Entity::ALL.iter().all(|entity| entity.event_name != family));
    }
}
