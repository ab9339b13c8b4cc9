//! Alarms: a metric that the deployment has a CloudWatch alarm on, and a line for a person.

use millwright_core::{Clock, WallTime};
use serde_json::{Map, Value, json};

use crate::logs::on_aws;

/// The namespace of all metrics.
pub(crate) const NAMESPACE: &str = "Millwright";

/// Raises the alarm `name` once. On AWS the line is a metric in CloudWatch's embedded metric
/// format, which Lambda's log turns into one without a call; on a terminal it is a plain error.
/// Dimensions have few values each: CloudWatch keeps one metric for every combination.
#[expect(clippy::print_stdout, reason = "Lambda takes metrics from standard output")]
pub fn alarm(name: &str, dimensions: &[(&str, &str)]) {
    if on_aws() {
        println!("{}", metric_line(name, dimensions, Clock::system().wall()));
    }
    let dimensions: Vec<String> = dimensions.iter().map(|(n, v)| format!("{n}={v}")).collect();
    tracing::error!(alarm = name, dimensions = dimensions.join(" "), "alarm");
}

/// One count of `name` (CloudWatch, "Specification: embedded metric format").
fn metric_line(name: &str, dimensions: &[(&str, &str)], now: WallTime) -> Value {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let mut line = Map::new();
    let metric = json!({
        "Namespace": NAMESPACE,
        "Dimensions": [names],
        "Metrics": [{"Name": name, "Unit": "Count"}],
    });
    line.insert(
        "_aws".to_owned(),
        json!({"Timestamp": now.millis(), "CloudWatchMetrics": [metric]}),
    );
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.insert(name.to_owned(), json!(1));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_one_count_in_embedded_metric_format() {
        let now = WallTime::from_millis(1_700_000_000_000);
        let line = metric_line("DeadLetters", &[("queue", "retry")], now);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Millwright",
                    "Dimensions": [["queue"]],
                    "Metrics": [{"Name": "DeadLetters", "Unit": "Count"}],
                }],
            },
            "queue": "retry",
            "DeadLetters": 1,
        });
        assert_eq!(line, expected);
        assert!(!line.to_string().contains('\n'));
    }

    #[test]
    fn an_alarm_without_dimensions_has_one_empty_set_of_them() {
        let line = metric_line("Stuck", &[], WallTime::from_millis(0));
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([[]]));
    }
}
