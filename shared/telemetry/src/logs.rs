//! Logs: JSON on AWS, readable on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// What is logged when nothing else is asked for: ours, and what goes wrong in others' crates.
const DEFAULT_FILTER: &str = "warn,millwright=info";
/// Lambda sets it to `JSON` where the function's log format is JSON.
const FORMAT_VARIABLE: &str = "AWS_LAMBDA_LOG_FORMAT";

/// Begins logging for the process. `RUST_LOG` says what is logged, else `AWS_LAMBDA_LOG_LEVEL`.
/// A second call does nothing, so that several functions may share a process.
pub fn init(service: &str) {
    init_with(service, "");
}

/// As [`init`], with `more` filter directives that hold unless `RUST_LOG` is set.
pub fn init_with(service: &str, more: &str) {
    let variable = |name| std::env::var(name).ok();
    let filter = filter_of(variable("RUST_LOG"), variable("AWS_LAMBDA_LOG_LEVEL"), more);
    let registry = tracing_subscriber::registry().with(EnvFilter::new(filter));
    let layer = tracing_subscriber::fmt::layer();
    let begun = if on_aws() {
        registry.with(layer.json().flatten_event(true).with_span_list(false)).try_init()
    } else {
        let colours = std::io::stderr().is_terminal();
        let layer = layer.with_writer(std::io::stderr).with_ansi(colours).with_target(false);
        registry.with(layer).try_init()
    };
    if begun.is_ok() {
        tracing::debug!(service, version = env!("CARGO_PKG_VERSION"), "logging begins");
    }
}

/// Whether the process runs where logs are read by machines.
pub(crate) fn on_aws() -> bool {
    std::env::var(FORMAT_VARIABLE).is_ok_and(|format| format == "JSON")
}

fn filter_of(rust_log: Option<String>, lambda_level: Option<String>, more: &str) -> String {
    let set = |text: &String| !text.trim().is_empty();
    if let Some(filter) = rust_log.filter(set) {
        return filter;
    }
    let filter = match lambda_level.filter(set) {
        Some(level) => format!("warn,millwright={}", level.to_ascii_lowercase()),
        None => DEFAULT_FILTER.to_owned(),
    };
    if more.is_empty() { filter } else { format!("{filter},{more}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_logged_from_info_and_others_from_warnings() {
        assert_eq!(filter_of(None, None, ""), DEFAULT_FILTER);
        assert_eq!(filter_of(Some(" ".to_owned()), None, ""), DEFAULT_FILTER);
        assert_eq!(filter_of(None, None, "a=off"), format!("{DEFAULT_FILTER},a=off"));
    }

    #[test]
    fn the_log_level_of_lambda_is_followed_and_rust_log_goes_before_it() {
        let level = Some("DEBUG".to_owned());
        assert_eq!(filter_of(None, level.clone(), ""), "warn,millwright=debug");
        assert_eq!(filter_of(Some("trace".to_owned()), level, "a=off"), "trace");
    }

    #[test]
    fn a_second_start_does_no_harm() {
        init("one");
        init("two");
    }
}
