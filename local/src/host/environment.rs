//! The variables that the template gives to the functions.

use std::{collections::BTreeMap, path::PathBuf};

use millwright_core::config::{Environment as Process, Source};
use millwright_store::Table;

use super::QUEUES;
use crate::dynamo;

/// How long a puller's claim lasts, in seconds.
const SYNC_LEASE: &str = "MILLWRIGHT_SYNC_LEASE_SECONDS";

/// What differs between one machine and another.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The SQS endpoint that the functions send to.
    pub sqs_url: String,
    /// The folder of large bodies.
    pub blobs: PathBuf,
    /// The master key's file.
    pub vault_key: PathBuf,
    /// Where callers reach the API, without a slash at the end.
    pub public_url: String,
    /// Address ranges (CIDR) that may be called though they are not public.
    pub allow_targets: Vec<String>,
}

/// The functions' variables. What is not among them is looked up in the process environment, as long as
/// it is one of Millwright's.
#[derive(Clone, Debug)]
pub struct Variables(BTreeMap<String, String>);

impl Environment {
    /// The same variables as in `template.yaml`.
    #[must_use]
    pub fn variables(&self) -> Variables {
        let mut variables = BTreeMap::new();
        let mut set = |name: &str, value: String| {
            variables.insert(name.to_owned(), value);
        };
        for table in [Table::State, Table::Records] {
            set(table.variable(), dynamo::tables().name(table).to_owned());
        }
        for queue in QUEUES {
            set(queue.variable(), format!("{}/000000000000/{}", self.sqs_url, queue.name()));
        }
        set("MILLWRIGHT_BLOB", format!("file:{}", self.blobs.display()));
        set("MILLWRIGHT_VAULT", format!("file:{}", self.vault_key.display()));
        set("MILLWRIGHT_PUBLIC_URL", self.public_url.clone());
        set("MILLWRIGHT_ALLOW_TARGETS", self.allow_targets.join(","));
        set("MILLWRIGHT_HTTPS_REQUIRED", "false".to_owned());
        if Process.text(SYNC_LEASE).is_none() {
            // One process holds all leases here, so one that outlives a kill only delays the restart.
            set(SYNC_LEASE, "20".to_owned());
        }
        Variables(variables)
    }
}

impl Source for Variables {
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name) {
            Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            None if name.starts_with("MILLWRIGHT_") => Process.text(name),
            None => None,
        }
    }
}
