//! The entities.

use std::{fmt, sync::OnceLock};

use serde_json::Value;

use crate::{category::Category, compose::compose, field::Field};

/// A kind of record in the unified model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entity {
    /// Its name in paths and queries, in kebab case.
    pub slug: &'static str,
    /// Its name in event types, in snake case: `<event_name>.updated`.
    pub event_name: &'static str,
    pub(crate) source: &'static str,
}

/// The closed list: a name in snake case, the slug, and with it the file in `schemas/`.
macro_rules! entities {
    ($($event_name:ident $slug:literal)*) => {
        &[$(Entity {
            slug: $slug,
            event_name: stringify!($event_name),
            source: include_str!(concat!("../schemas/", $slug, ".json")),
        }),*]
    };
}

impl Entity {
    /// Every entity there is, by slug.
    pub const ALL: &'static [Self] = entities! {
        accounts "accounts"
        asset_templates "asset-templates"
        assets "assets"
        assets_downtime "assets-downtime"
        bom "bom"
        categories "categories"
        companies "companies"
        currencies "currencies"
        customers "customers"
        documents "documents"
        exchange_rates "exchange-rates"
        fulfillments "fulfillments"
        groups "groups"
        inventories "inventories"
        invoices "invoices"
        labors "labors"
        locations "locations"
        materials "materials"
        meter_readings "meter-readings"
        meters "meters"
        organizations "organizations"
        pm "pm"
        posts "posts"
        product_groups "product-groups"
        production_orders "production-orders"
        products "products"
        projects "projects"
        purchase_order_line_items "purchase-order-line-items"
        purchase_orders "purchase-orders"
        purchase_requisitions "purchase-requisitions"
        receipts "receipts"
        receivings "receivings"
        return_orders "return-orders"
        rfq "rfq"
        sales_orders "sales-orders"
        service_requests "service-requests"
        shipment_orders "shipment-orders"
        sites "sites"
        statuses "statuses"
        stock_adjustments "stock-adjustments"
        stock_transfers "stock-transfers"
        stocks "stocks"
        storerooms "storerooms"
        taxes "taxes"
        teams "teams"
        topics "topics"
        uom "uom"
        users "users"
        vendors "vendors"
        work_orders "work-orders"
    };

    /// The entity of a slug.
    #[must_use]
    pub fn find(slug: &str) -> Option<&'static Self> {
        position(slug).map(|position| &Self::ALL[position])
    }

    /// Its JSON Schema (2020-12), complete in itself, put together when it is first asked for.
    /// `x-references` names the entity that a key leads to, `readOnly` marks what no write may hold,
    /// `x-filterable` what lists can be filtered by, and `x-volatile` what changes without the record
    /// having changed.
    #[must_use]
    pub fn schema(&self) -> &'static Value {
        static SCHEMAS: [OnceLock<Value>; COUNT] = [const { OnceLock::new() }; COUNT];
        self.once(&SCHEMAS).get_or_init(|| compose(self.slug, self.source))
    }

    /// What one record is called, in words: `Purchase order`.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.schema()["title"].as_str().unwrap_or(self.slug)
    }

    /// What several are called inside a sentence: `purchase orders`.
    #[must_use]
    pub fn plural(&self) -> &'static str {
        self.schema()["x-plural"].as_str().unwrap_or(self.slug)
    }

    /// What it is, in a sentence.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.schema()["description"].as_str().unwrap_or_default()
    }

    /// The kinds of systems that have it.
    #[must_use]
    pub fn categories(&self) -> Vec<Category> {
        let names = self.schema()["x-categories"].as_array().into_iter().flatten();
        names.filter_map(|name| Category::find(name.as_str()?)).collect()
    }

    /// Its fields in the schema's order: first those that every record has.
    #[must_use]
    pub fn fields(&self) -> &'static [Field] {
        static FIELDS: [OnceLock<Vec<Field>>; COUNT] = [const { OnceLock::new() }; COUNT];
        let schema = self.schema();
        self.once(&FIELDS).get_or_init(|| Field::of_properties(schema, &schema["properties"]))
    }

    /// The field of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// The fields that lists can be filtered by.
    pub fn filterable(&self) -> impl Iterator<Item = &'static Field> {
        self.fields().iter().filter(|field| field.is_filterable)
    }

    /// The fields that change without the record having changed.
    pub fn volatile(&self) -> impl Iterator<Item = &'static Field> {
        self.fields().iter().filter(|field| field.is_volatile)
    }

    /// The lists of things that have keys of their own, such as `lineItems` and `tasks`: a patch
    /// names their elements by key.
    pub fn line_lists(&self) -> impl Iterator<Item = &'static Field> {
        self.fields().iter().filter(|field| field.field("key").is_some())
    }

    /// One complete record, made up: what documents show.
    #[must_use]
    pub fn example(&self) -> &'static Value {
        &self.schema()["examples"][0]
    }

    fn once<T>(&self, cells: &'static [OnceLock<T>; COUNT]) -> &'static OnceLock<T> {
        // Only `ALL` makes entities.
        &cells[position(self.slug).unwrap_or_default()]
    }
}

const COUNT: usize = Entity::ALL.len();

fn position(slug: &str) -> Option<usize> {
    Entity::ALL.binary_search_by_key(&slug, |entity| entity.slug).ok()
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_in_order_and_each_is_found() {
        assert!(Entity::ALL.is_sorted_by(|one, next| one.slug < next.slug));
        for entity in Entity::ALL {
            assert_eq!(Entity::find(entity.slug), Some(entity));
            assert_eq!(entity.schema()["$id"], format!("millwright:{}", entity.slug));
        }
        assert_eq!(Entity::find("unicorns"), None);
    }

    #[test]
    fn an_event_name_is_the_slug_in_snake_case() {
        for entity in Entity::ALL {
            assert_eq!(entity.event_name, entity.slug.replace('-', "_"));
        }
    }
}
