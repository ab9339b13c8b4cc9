//! Metrics of what happens often: one line each, which Lambda's log turns into metrics without a call.

use millwright_core::{Clock, WallTime};
use serde_json::{Map, Value, json};

use crate::{alarm::NAMESPACE, logs::on_aws};

/// What a value counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Milliseconds.
    Milliseconds,
}

/// A value that was measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// The metric's name.
    pub name: &'static str,
    /// What it counts in.
    pub unit: Unit,
    /// The value.
    pub value: u64,
}

/// Tells values of one thing: as metrics under the dimension, and under none, which sums up all things.
/// On AWS only; CloudWatch keeps, and charges for, one metric per name and value of the dimension.
#[expect(clippy::print_stdout, reason = "Lambda takes metrics from standard output")]
pub fn measure(dimension: (&str, &str), values: &[Measured]) {
    if on_aws() {
        println!("{}", line(dimension, values, Clock::system().wall()));
    }
}

/// One line (CloudWatch, "Specification: embedded metric format").
fn line((name, of): (&str, &str), values: &[Measured], now: WallTime) -> Value {
    let metric = |one: &Measured| {
        let unit = match one.unit {
            Unit::Count => "Count",
            Unit::Milliseconds => "Milliseconds",
        };
        json!({"Name": one.name, "Unit": unit})
    };
    let metrics: Vec<Value> = values.iter().map(metric).collect();
    let directive = json!({
        "Namespace": NAMESPACE,
        "Dimensions": [[name], []],
        "Metrics": metrics,
    });
    let mut line = Map::new();
    let about = json!({"Timestamp": now.millis(), "CloudWatchMetrics": [directive]});
    line.insert("_aws".to_owned(), about);
    line.insert(name.to_owned(), json!(of));
    line.extend(values.iter().map(|one| (one.name.to_owned(), json!(one.value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_under_their_dimension_and_for_all_together() {
        let values = [
            Measured { name: "Attempts", unit: Unit::Count, value: 1 },
            Measured { name: "Latency", unit: Unit::Milliseconds, value: 12 },
        ];
        let line = line(("endpoint", "ep_1"), &values, WallTime::from_millis(1_700_000_000_000));
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Millwright",
                    "Dimensions": [["endpoint"], []],
                    "Metrics": [
                        {"Name": "Attempts", "Unit": "Count"},
                        {"Name": "Latency", "Unit": "Milliseconds"},
                    ],
                }],
            },
            "endpoint": "ep_1",
            "Attempts": 1,
            "Latency": 12,
        });
        assert_eq!(line, expected);
    }
}
