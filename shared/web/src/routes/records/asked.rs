//! What a list is asked for, on all of its pages.

use millwright_connector::manifest::EntityDef;
use millwright_core::{Error, ErrorCode, Result, WallTime};
use millwright_entities::Entity;
use millwright_records::{Filters, Sort, Wanted, filter_fields, sortable_fields};
use serde::{Deserialize, Serialize};

use super::params::{Include, RecordList};
use crate::{
    error::{refused, refused_one},
    extract::Moment,
};

/// What a list is asked for. Its cursors carry it, so that every page is one of the same list; a page
/// need not say again what its cursor knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    filter: Vec<(String, String)>,
    sort: Option<String>,
    modified_after: Option<WallTime>,
    created_after: Option<WallTime>,
    include: Option<Include>,
    live: Option<bool>,
}

/// The same, understood.
#[derive(Debug)]
pub(super) struct Listing {
    pub wanted: Wanted,
    pub sort: Option<Sort>,
    pub raw: bool,
    pub live: bool,
}

impl Asked {
    /// What a query asks for.
    pub fn of(mut filter: Vec<(String, String)>, list: &RecordList) -> Self {
        filter.sort();
        Self {
            filter,
            sort: list.sort.clone(),
            modified_after: list.modified_after.map(Moment::wall),
            created_after: list.created_after.map(Moment::wall),
            include: list.include,
            live: list.live,
        }
    }

    /// What the list began with, which a later page may say again and must not change.
    ///
    /// # Errors
    /// `CURSOR_INVALID` when this page asks for something else.
    pub fn going_on(self, began: Self) -> Result<Self> {
        let changed = [
            (!self.filter.is_empty() && self.filter != began.filter, "filter"),
            (self.sort.is_some() && self.sort != began.sort, "sort"),
            (differs(self.modified_after, began.modified_after), "modified_after"),
            (differs(self.created_after, began.created_after), "created_after"),
            (differs(self.include, began.include), "include"),
            (self.live.is_some_and(|live| live != began.is_live()), "live"),
        ];
        match changed.into_iter().find(|(changed, _)| *changed) {
            Some((_, name)) => {
                let message = format!("the cursor belongs to a list with another {name}");
                Err(Error::new(ErrorCode::CursorInvalid, message))
            }
            None => Ok(began),
        }
    }

    /// Understands it, as far as the entity and its connector allow.
    ///
    /// # Errors
    /// Every condition that is not possible; a sort or a combination that is not.
    pub fn understood(&self, entity: &Entity, def: &EntityDef) -> Result<Listing> {
        self.refuse_combinations()?;
        let filters = Filters::parse(&filter_fields(entity, Some(def)), &self.filter);
        let include = self.include.unwrap_or_default();
        Ok(Listing {
            wanted: Wanted {
                filters: filters.map_err(refused)?,
                modified_after: self.modified_after,
                created_after: self.created_after,
                deleted: include.deleted,
            },
            sort: self.sort.as_deref().map(|sort| sorted(sort, def)).transpose()?,
            raw: include.raw,
            live: self.is_live(),
        })
    }

    /// Whether it names fields, so that it depends on the connection which there are.
    pub fn names_fields(&self) -> bool {
        !self.filter.is_empty() || self.sort.is_some()
    }

    fn is_live(&self) -> bool {
        self.live.unwrap_or_default()
    }

    /// Refuses what does not combine: the system cannot be asked for what only Millwright knows, and a
    /// list in another order than that of changes could not promise to miss none of them.
    fn refuse_combinations(&self) -> Result<()> {
        let deleted = self.include.is_some_and(|include| include.deleted);
        let since = [
            (self.modified_after.is_some(), "modified_after"),
            (self.created_after.is_some(), "created_after"),
        ];
        let only_kept = [(self.sort.is_some(), "sort"), (deleted, "include=deleted")];
        let given = |list: &[(bool, &'static str)]| {
            list.iter().find(|(given, _)| *given).map(|(_, name)| *name)
        };
        let clash = if self.is_live() {
            given(&since).or_else(|| given(&only_kept)).map(|name| (name, "live=true"))
        } else {
            given(&since).filter(|_| self.sort.is_some()).map(|name| (name, "sort"))
        };
        let Some((name, other)) = clash else { return Ok(()) };
        let (parameter, _) = name.split_once('=').unwrap_or((name, ""));
        Err(refused_one(parameter, &format!("does not combine with {other}")))
    }
}

fn differs<T: PartialEq>(asked: Option<T>, began: Option<T>) -> bool {
    asked.is_some() && asked != began
}

fn sorted(text: &str, def: &EntityDef) -> Result<Sort> {
    let (descending, field) = match text.strip_prefix('-') {
        Some(field) => (true, field),
        None => (false, text),
    };
    let possible = sortable_fields(def);
    let by = possible.iter().find(|(name, _)| *name == field).map(|(_, by)| *by);
    let names: Vec<&str> = possible.iter().map(|(name, _)| *name).collect();
    let message = match names.as_slice() {
        [] => "cannot sort here: the connector fills no field to sort by".to_owned(),
        names => format!("must be one of {}, or the same with - before it", names.join(", ")),
    };
    let by = by.ok_or_else(|| refused_one("sort", &message))?;
    Ok(Sort { by, descending })
}

#[cfg(test)]
mod tests {
    use millwright_connector::Catalog;
    use millwright_records::Order;

    use super::*;

    fn asked(sort: Option<&str>) -> Asked {
        Asked { sort: sort.map(str::to_owned), ..Asked::default() }
    }

    fn understood(asked: &Asked) -> Result<Listing> {
        let catalog = Catalog::builtin();
        let def = catalog.get("tryton").unwrap().entity("purchase-orders").unwrap();
        asked.understood(Entity::find("purchase-orders").unwrap(), def)
    }

    fn time(ms: i64) -> Option<WallTime> {
        Some(WallTime::from_millis(ms))
    }

    #[test]
    fn a_sort_names_a_sortable_field_and_its_direction() {
        let sort = |text| understood(&asked(Some(text))).map(|listing| listing.sort.unwrap());
        let updated = |descending| Sort { by: Order::Updated, descending };
        assert_eq!(sort("updatedAt").unwrap(), updated(false));
        assert_eq!(sort("-updatedAt").unwrap(), updated(true));
        for wrong in ["", "-", "orderNo", "--updatedAt", "updatedAt,createdAt", "updated_at"] {
            let refused = sort(wrong).unwrap_err();
            assert_eq!(
                (refused.code, refused.fields[0].path.as_str()),
                (ErrorCode::InvalidRequest, "sort"),
                "{wrong}"
            );
            assert!(refused.message.contains("updatedAt"), "{refused}");
        }
    }

    #[test]
    fn what_does_not_combine_is_refused_by_name() {
        let live = Asked { live: Some(true), ..Asked::default() };
        let gone = Some(Include { raw: false, deleted: true });
        for (asked, parameter, with) in [
            (
                Asked { modified_after: time(1), ..asked(Some("updatedAt")) },
                "modified_after",
                "sort",
            ),
            (Asked { created_after: time(1), ..asked(Some("updatedAt")) }, "created_after", "sort"),
            (Asked { sort: Some("updatedAt".to_owned()), ..live.clone() }, "sort", "live=true"),
            (Asked { modified_after: time(1), ..live.clone() }, "modified_after", "live=true"),
            (Asked { include: gone, ..live.clone() }, "include", "live=true"),
        ] {
            let refused = understood(&asked).unwrap_err();
            assert_eq!(refused.fields[0].path, parameter);
            assert!(refused.message.ends_with(with), "{refused}");
        }
        let both = Asked { modified_after: time(1), created_after: time(2), ..Asked::default() };
        assert!(understood(&both).is_ok() && understood(&live).is_ok());
    }

    #[test]
    fn every_condition_that_is_not_possible_is_named() {
        let own = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let filter = vec![own("state", "lost"), own("colour", "blue"), own("orderNo", "1")];
        let refused = understood(&Asked { filter, ..Asked::default() }).unwrap_err();
        let paths: Vec<&str> = refused.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["filter[state]", "filter[colour]"]);
    }

    #[test]
    fn a_cursor_holds_what_its_list_was_asked_for() {
        let began = Asked {
            filter: vec![("state".to_owned(), "draft".to_owned())],
            modified_after: time(5),
            ..Asked::default()
        };
        assert_eq!(Asked::default().going_on(began.clone()).unwrap(), began);
        assert_eq!(began.clone().going_on(began.clone()).unwrap(), began);
        for (page, name) in [
            (Asked { modified_after: time(6), ..Asked::default() }, "modified_after"),
            (asked(Some("updatedAt")), "sort"),
            (Asked { live: Some(true), ..Asked::default() }, "live"),
            (
                Asked { filter: vec![("state".to_owned(), "sent".to_owned())], ..Asked::default() },
                "filter",
            ),
        ] {
            let refused = page.going_on(began.clone()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::CursorInvalid);
            assert!(refused.message.ends_with(name), "{refused}");
        }
    }
}
