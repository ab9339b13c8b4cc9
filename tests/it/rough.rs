//! A connected sandbox under faults: the real functions on the real local stack, with faults before table
//! and queues.

use std::time::Duration;

use millwright_connection::{Connection, ConnectionContext, NewConnection};
use millwright_core::{Clock, WorkspaceId};
use millwright_store::Store;
use millwright_sync::connect;
use millwright_tests::{
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
    pump::Pump,
};
use tempfile::TempDir;

use crate::in_process;

/// What a history is played on.
pub struct Rough {
    /// A clock whose schedule can be stepped.
    pub clock: Clock,
    pub pump: Pump,
    pub context: ConnectionContext,
    /// The tables without faults.
    pub calm: Store,
    pub connection: Connection,
    pub cloud: Cloud,
    pub folder: TempDir,
}

impl Rough {
    /// Connects `new` with these variables; faults follow from the seed.
    pub async fn connected(
        seed: u64,
        own: &[(&str, &str)],
        new: impl Fn() -> NewConnection,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(Clock::system().wall(), Duration::ZERO, 1.0);
        let (table, queue) = (TableFaults::ROUGH, QueueFaults::ROUGH);
        let cloud = Cloud::start(folder.path(), table, queue, seed, clock.clone()).await;
        let mut variables = in_process::variables(&cloud, folder.path());
        for (name, value) in own {
            variables.insert(format!("MILLWRIGHT_SYNC_{name}"), (*value).to_owned());
        }
        let pump = Pump::start(&cloud, &in_process::source(&variables), clock.clone()).await;
        let context = in_process::context(&variables, clock.clone(), &cloud.sdk());
        let workspace = WorkspaceId::new_at(clock.wall().millis());
        let connection = loop {
            // A caller whose connect fails on the table's account asks again.
            match connect(&context, &workspace, new()).await {
                Ok(connection) => break connection,
                Err(error) => println!("connect: {error}"),
            }
        };
        let calm = cloud.calm_store();
        Self { clock, pump, context, calm, connection, cloud, folder }
    }
}
