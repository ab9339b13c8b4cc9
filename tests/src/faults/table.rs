//! Faults before the table.

use std::{io, time::Duration};

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Counts, Fault, Proxy, batch,
    chance::Chance,
    index::Indexes,
    proxy::{Call, Meddler, Reply, Upstream},
};

/// How often each fault strikes, from 0 to 1, per call it can strike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TableFaults {
    /// Any call is throttled.
    pub throttle: f64,
    /// A transaction is cancelled with `TransactionConflict` as the reason.
    pub transaction_conflict: f64,
    /// A single write is refused with `TransactionConflictException`.
    pub write_conflict: f64,
    /// Part of a batch is left undone.
    pub unprocessed: f64,
    /// An index leaves out a row that was written within `index_lag`.
    pub late_index: f64,
    /// An index answers a query as it did up to `index_lag` ago.
    pub stale_index: f64,
    /// How far an index may trail the table.
    pub index_lag: Duration,
    /// A call is done and its answer lost.
    pub lost_answer: f64,
}

impl TableFaults {
    /// None at all.
    pub const NONE: Self = Self {
        throttle: 0.0,
        transaction_conflict: 0.0,
        write_conflict: 0.0,
        unprocessed: 0.0,
        late_index: 0.0,
        stale_index: 0.0,
        index_lag: Duration::from_millis(500),
        lost_answer: 0.0,
    };

    /// More of everything than a bad day brings, and still few enough for the SDK's three tries.
    pub const ROUGH: Self = Self {
        throttle: 0.02,
        transaction_conflict: 0.15,
        write_conflict: 0.03,
        unprocessed: 0.3,
        late_index: 0.3,
        stale_index: 0.3,
        index_lag: Duration::from_millis(500),
        lost_answer: 0.02,
    };

    /// Starts the layer before the DynamoDB endpoint `upstream`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before(self, upstream: &str, seed: u64) -> io::Result<Proxy> {
        let table =
            Table { rates: self, chance: Chance::new(seed), indexes: Indexes::new(self.index_lag) };
        Proxy::start(upstream, table).await
    }
}

struct Table {
    rates: TableFaults,
    chance: Chance,
    indexes: Indexes,
}

impl Meddler for Table {
    fn counts(&self) -> Counts {
        self.chance.counts()
    }

    async fn meddle(&self, call: Call, upstream: &Upstream) -> Reply {
        if let Some(refusal) = self.refuse(&call) {
            return refusal;
        }
        let reply = match call.operation.as_str() {
            "BatchWriteItem" | "BatchGetItem" => self.batch(&call, upstream).await,
            "BatchExecuteStatement" => self.statements(&call, upstream).await,
            "Query" if call.body.get("IndexName").is_some() => self.query(&call, upstream).await,
            _ => upstream.forward(&call).await,
        };
        if reply.is_success() {
            self.indexes.note_writes(&call);
        }
        if self.chance.strikes(Fault::LostAnswer, self.rates.lost_answer) {
            return self.lost();
        }
        reply
    }
}

impl Table {
    /// A refusal before anything is done.
    fn refuse(&self, call: &Call) -> Option<Reply> {
        let rates = &self.rates;
        let refuse = |kind, more| Some(Reply::error(StatusCode::BAD_REQUEST, kind, more));
        if self.chance.strikes(Fault::Throttled, rates.throttle) {
            let message = "The level of configured provisioned throughput for the table was exceeded. \
                           Consider increasing your provisioning level with the UpdateTable API.";
            return refuse(THROTTLED, json!({ "message": message }));
        }
        match call.operation.as_str() {
            "TransactWriteItems"
                if self.chance.strikes(Fault::TransactionConflict, rates.transaction_conflict) =>
            {
                refuse(CANCELED, self.cancellation(call))
            }
            "PutItem" | "UpdateItem" | "DeleteItem"
                if self.chance.strikes(Fault::WriteConflict, rates.write_conflict) =>
            {
                refuse(CONFLICT, json!({ "message": "Transaction is ongoing for the item" }))
            }
            _ => None,
        }
    }

    /// The reasons of a cancelled transaction: one of its items met another transaction.
    fn cancellation(&self, call: &Call) -> Value {
        let items = call.body["TransactItems"].as_array().map_or(1, Vec::len).max(1);
        let met = self.chance.below(items);
        let code = |item| if item == met { "TransactionConflict" } else { "None" };
        let codes: Vec<&str> = (0..items).map(code).collect();
        let reason = |code: &&str| match *code {
            "None" => json!({ "Code": "None" }),
            code => json!({ "Code": code, "Message": "Transaction is ongoing for the item" }),
        };
        json!({
            "Message": format!(
                "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
                codes.join(", ")
            ),
            "CancellationReasons": codes.iter().map(reason).collect::<Vec<_>>(),
        })
    }

    /// Forwards part of a batch and answers the rest as unprocessed.
    async fn batch(&self, call: &Call, upstream: &Upstream) -> Reply {
        if !self.chance.falls(self.rates.unprocessed) {
            return upstream.forward(call).await;
        }
        let (part, rest, left) = batch::split(call, &self.chance);
        self.chance.count(Fault::Unprocessed, left);
        let mut reply = upstream.forward(&part).await;
        if let Some(body) = reply.success_mut() {
            batch::add_unprocessed(&call.operation, body, rest);
        }
        reply
    }

    /// Forwards part of a batch of statements and refuses the rest.
    async fn statements(&self, call: &Call, upstream: &Upstream) -> Reply {
        if !self.chance.falls(self.rates.unprocessed) {
            return upstream.forward(call).await;
        }
        let (part, refused) = batch::split_statements(call, &self.chance);
        let left = refused.iter().filter(|refused| **refused).count();
        self.chance.count(Fault::Unprocessed, left);
        let mut reply = upstream.forward(&part).await;
        if let Some(body) = reply.success_mut() {
            batch::add_refusals(body, &refused);
        }
        reply
    }

    /// Answers from an index that trails its table.
    async fn query(&self, call: &Call, upstream: &Upstream) -> Reply {
        if self.chance.falls(self.rates.stale_index)
            && let Some(older) = self.indexes.older_answer(call)
        {
            self.chance.count(Fault::StaleIndex, 1);
            return older;
        }
        let mut reply = upstream.forward(call).await;
        self.indexes.keep_answer(call, &reply);
        if let Some(body) = reply.success_mut() {
            let is_late = || self.chance.falls(self.rates.late_index);
            let left_out = self.indexes.leave_out_recent(call, body, is_late);
            self.chance.count(Fault::LateIndex, left_out);
        }
        reply
    }

    /// Half of lost answers look like a fault of the service, half like one of the network.
    fn lost(&self) -> Reply {
        if self.chance.falls(0.5) {
            return Reply::Broken;
        }
        let more =
            json!({ "message": "The request processing has failed because of an unknown error" });
        Reply::error(StatusCode::INTERNAL_SERVER_ERROR, FAILED, more)
    }
}

const THROTTLED: &str = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
const CANCELED: &str = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
const CONFLICT: &str = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
const FAILED: &str = "com.amazonaws.dynamodb.v20120810#InternalServerError";
