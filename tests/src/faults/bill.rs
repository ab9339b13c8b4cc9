//! No faults, but the bill: what AWS would charge for the calls that pass.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::{
    Counts, Proxy,
    proxy::{Call, Meddler, Reply, Upstream},
};

/// SQS bills a request for each begun 64 KB ("Amazon SQS pricing").
const QUEUE_CHUNK: usize = 64 * 1024;

/// What has been used. Clones share the numbers.
#[derive(Clone, Debug, Default)]
pub struct Bill(Arc<Mutex<Used>>);

/// What AWS counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Rows written, each as one, in whatever request.
    pub writes: u64,
    /// Write units, as the table tells them (`ConsumedCapacity`).
    pub write_units: f64,
    /// Read units, likewise.
    pub read_units: f64,
    /// Requests to queues, in chunks of 64 KB; those that received nothing are left out.
    pub queue_requests: u64,
}

impl std::ops::Sub for Used {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            writes: self.writes - before.writes,
            write_units: self.write_units - before.write_units,
            read_units: self.read_units - before.read_units,
            queue_requests: self.queue_requests - before.queue_requests,
        }
    }
}

impl Bill {
    /// What has been used so far.
    #[must_use]
    pub fn used(&self) -> Used {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts counting before the DynamoDB endpoint `upstream`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before_table(&self, upstream: &str) -> io::Result<Proxy> {
        Proxy::start(upstream, Table(self.clone())).await
    }

    /// Starts counting before the SQS endpoint `upstream`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before_queues(&self, upstream: &str) -> io::Result<Proxy> {
        Proxy::start(upstream, Queues(self.clone())).await
    }

    fn add(&self, change: impl FnOnce(&mut Used)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

struct Table(Bill);

impl Meddler for Table {
    fn counts(&self) -> Counts {
        Counts::default()
    }

    async fn meddle(&self, mut call: Call, upstream: &Upstream) -> Reply {
        call.body["ReturnConsumedCapacity"] = json!("TOTAL");
        let writes = rows_written(&call);
        let mut reply = upstream.forward(&call).await;
        if let Some(body) = reply.success_mut() {
            let units = units(&body["ConsumedCapacity"]);
            self.0.add(|used| {
                used.writes += writes;
                let kind = if writes > 0 { &mut used.write_units } else { &mut used.read_units };
                *kind += units;
            });
        }
        reply
    }
}

fn rows_written(call: &Call) -> u64 {
    match call.operation.as_str() {
        "PutItem" | "UpdateItem" | "DeleteItem" => 1,
        "TransactWriteItems" => {
            call.body["TransactItems"].as_array().map_or(0, |all| all.len() as u64)
        }
        "BatchExecuteStatement" => {
            call.body["Statements"].as_array().map_or(0, |all| all.len() as u64)
        }
        "BatchWriteItem" => {
            let tables = call.body["RequestItems"].as_object();
            let rows = tables.into_iter().flat_map(|tables| tables.values());
            rows.filter_map(Value::as_array).map(|all| all.len() as u64).sum()
        }
        _ => 0,
    }
}

/// Of one table, or of several.
fn units(consumed: &Value) -> f64 {
    let of = |one: &Value| one["CapacityUnits"].as_f64().unwrap_or(0.0);
    consumed.as_array().map_or_else(|| of(consumed), |all| all.iter().map(of).sum())
}

struct Queues(Bill);

impl Meddler for Queues {
    fn counts(&self) -> Counts {
        Counts::default()
    }

    async fn meddle(&self, call: Call, upstream: &Upstream) -> Reply {
        let sent = call.body.to_string().len();
        let mut reply = upstream.forward(&call).await;
        let Some(body) = reply.success_mut() else { return reply };
        let received = call.operation == "ReceiveMessage";
        let empty = received && body["Messages"].as_array().is_none_or(Vec::is_empty);
        let length = if received { body.to_string().len() } else { sent };
        if !empty {
            self.0.add(|used| used.queue_requests += length.div_ceil(QUEUE_CHUNK).max(1) as u64);
        }
        reply
    }
}
