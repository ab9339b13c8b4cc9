//! References first: which entities a first load reads before which. Pure.

use std::{collections::BTreeSet, time::Duration};

use millwright_entities::{Entity, Field};

use crate::SyncState;

/// How long a first load waits for those that its records lead to, should nobody wake it before.
pub(crate) const REFERENCES_WAIT: Duration = Duration::from_secs(600);

/// The entities that records of `entity` lead to.
fn leads_to(entity: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut fields: Vec<&'static Field> =
        Entity::find(entity).map(Entity::fields).into_iter().flatten().collect();
    while let Some(field) = fields.pop() {
        found.extend(field.references);
        fields.extend(&field.inner);
    }
    found
}

/// Everything that records of `entity` lead to, and what that leads to, among `present`.
fn reaches(entity: &str, present: &BTreeSet<&str>) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&'static str> = leads_to(entity).into_iter().collect();
    while let Some(next) = open.pop() {
        if present.contains(next) && found.insert(next) {
            open.extend(leads_to(next));
        }
    }
    found
}

/// The entities among `present` whose first load comes before that of `entity`: those that its records
/// lead to, but for those that lead back to it.
pub(crate) fn before(entity: &str, present: &BTreeSet<&str>) -> BTreeSet<&'static str> {
    let own = leads_to(entity).into_iter().filter(|other| present.contains(other));
    own.filter(|other| *other != entity && !reaches(other, present).contains(entity)).collect()
}

/// Whether an entity's first load may still come to its end soon: others wait for it.
fn is_loading(state: &SyncState) -> bool {
    let begun = state.run.is_some() || state.pass.is_some();
    state.is_first_load() && state.failures == 0 && begun && state.settings.is_on()
}

/// Of these states of one connection, those that wait for nothing any more.
pub(crate) fn free(states: &[SyncState]) -> Vec<&SyncState> {
    let loading = states.iter().filter(|state| is_loading(state));
    let loading: BTreeSet<&str> = loading.map(|state| state.entity.as_str()).collect();
    states.iter().filter(|state| before(&state.entity, &loading).is_empty()).collect()
}

/// Whether it has not begun its first load because others come first.
pub(crate) fn waits(state: &SyncState) -> bool {
    state.is_first_load() && state.pass.is_none() && state.failures == 0 && state.run.is_some()
}

#[cfg(test)]
mod tests {
    use millwright_core::{ConnectionId, ScheduleTime, WorkspaceId};

    use super::*;

    fn states(entities: &[&str]) -> Vec<SyncState> {
        let (workspace, connection) = (WorkspaceId::new_at(1), ConnectionId::new_at(1));
        let now = ScheduleTime::from_millis(1);
        entities.iter().map(|name| SyncState::new(&workspace, &connection, name, now)).collect()
    }

    fn names(states: &[SyncState]) -> Vec<&str> {
        free(states).into_iter().map(|state| state.entity.as_str()).collect()
    }

    #[test]
    fn vendors_and_materials_are_read_before_the_orders_that_name_them() {
        let present = BTreeSet::from(["vendors", "materials", "purchase-orders"]);
        let first = before("purchase-orders", &present);
        assert!(first.contains("vendors"), "{first:?}");
        assert!(!before("vendors", &present).contains("purchase-orders"));
        assert!(before("purchase-orders", &BTreeSet::from(["purchase-orders"])).is_empty());
    }

    #[test]
    fn no_set_of_entities_waits_for_itself() {
        let all: BTreeSet<&str> = Entity::ALL.iter().map(|entity| entity.slug).collect();
        let mut left = all.clone();
        while !left.is_empty() {
            let free: Vec<&str> =
                left.iter().filter(|own| before(own, &left).is_empty()).copied().collect();
            assert!(!free.is_empty(), "{left:?} wait for each other");
            left.retain(|own| !free.contains(own));
        }
    }

    #[test]
    fn what_is_loaded_has_failed_or_is_off_is_waited_for_no_longer() {
        let mut states = states(&["vendors", "purchase-orders"]);
        assert_eq!(names(&states), ["vendors"]);
        states[0].window_from = Some(1);
        assert_eq!(names(&states), ["vendors", "purchase-orders"]);
        states[0].window_from = None;
        states[0].failures = 1;
        assert_eq!(names(&states).len(), 2);
        states[0].failures = 0;
        states[0].settings.off = true;
        assert_eq!(names(&states).len(), 2);
    }
}
