//! What the tests of this crate share.

use millwright_core::{ConnectionId, ScheduleTime, WallTime, WorkspaceId};
use serde_json::Map;

use crate::{Admin, Connection, Facts, Health, Load, Watch};

pub(crate) const WALL: WallTime = WallTime::from_millis(1_800_000_000_000);
pub(crate) const NOW: ScheduleTime = ScheduleTime::from_millis(1_900_000_000_000);

/// A healthy connection whose first load runs.
pub(crate) fn connection() -> Connection {
    Connection {
        id: ConnectionId::new_at(1),
        workspace: WorkspaceId::new_at(1),
        connector_id: Some("sandbox".to_owned()),
        application_id: None,
        name: "Plant One".to_owned(),
        customer: None,
        metadata: Map::new(),
        settings: Map::new(),
        facts: Facts { admin: Admin::Enabled, health: Health::Ok, load: Load::Running },
        status_reason: None,
        status_since: WallTime::from_millis(0),
        instance: "sandbox".to_owned(),
        last_checked_at: None,
        last_success_at: None,
        next_check_at: None,
        pending_until: None,
        disconnected_at: None,
        reconnect: None,
        renewed: 0,
        erasing: false,
        loading: vec!["vendors".to_owned(), "materials".to_owned()],
        credits: 1,
        created_at: WallTime::from_millis(0),
        watch: Watch::default(),
        scenario: None,
    }
}
