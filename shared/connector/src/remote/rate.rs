//! What a system says about waiting, in its headers.

use std::time::Duration;

use http::{
    HeaderMap,
    header::{DATE, RETRY_AFTER},
};
use millwright_core::WallTime;

use super::answer::date;
use crate::manifest::{Header, Limits};

/// How long everybody waits when a system says that it is asked too often, and not until when.
pub(super) const UNTOLD: Duration = Duration::from_secs(15);
/// Nobody is kept off longer than this without a look whether the system still means it.
pub(super) const HOLD_MAX: Duration = Duration::from_secs(3600);

/// What was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// How long to wait before this request is made again.
    pub wait: Option<Duration>,
    /// Until when nothing is left of our part of the limit.
    pub used_up_until: Option<WallTime>,
}

/// Reads `Retry-After` and the headers that the manifest names.
pub(super) fn told(limits: &Limits, headers: &HeaderMap, now: WallTime) -> Told {
    let names = &limits.rate_headers;
    let own = names.retry_after.as_ref().and_then(|header| text(headers, header));
    let own = own.and_then(whole_seconds);
    let wait = own.into_iter().chain(retry_after(headers, now)).max();
    let number = |header: &Option<Header>| {
        text(headers, header.as_ref()?)?.split('.').next()?.trim().parse::<u32>().ok()
    };
    let reset = names.reset.as_ref().and_then(|reset| {
        reset.form.read(text(headers, &reset.header)?, now).filter(|until| *until > now)
    });
    let used_up = number(&names.remaining)
        .is_some_and(|remaining| remaining <= reserved(limits, number(&names.limit)));
    Told { wait: wait.map(believed), used_up_until: reset.filter(|_| used_up) }
}

/// As much of a wait as is believed.
pub(super) fn believed(wait: Duration) -> Duration {
    wait.min(HOLD_MAX)
}

/// What we leave to others of a limit that the system names.
fn reserved(limits: &Limits, limit: Option<u32>) -> u32 {
    limit.map_or(0, |limit| limit - limits.share().of(limit).min(limit))
}

/// `Retry-After` in seconds, or as a date compared with the answer's own (RFC 9110, 10.2.3); with our
/// clock where the answer has none.
fn retry_after(headers: &HeaderMap, now: WallTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    whole_seconds(text).or_else(|| {
        let answered = headers.get(DATE).and_then(|at| date(at.to_str().ok()?));
        let wait = date(text)? - answered.unwrap_or(now.millis());
        Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
    })
}

/// Seconds, rounded up where a system counts parts of them.
pub(super) fn whole_seconds(text: &str) -> Option<Duration> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let more = u64::from(part.bytes().any(|byte| byte != b'0'));
    Some(Duration::from_secs(whole.parse::<u64>().ok()?.saturating_add(more)))
}

fn text<'a>(headers: &'a HeaderMap, header: &Header) -> Option<&'a str> {
    headers.get(&header.0)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(yaml: &str) -> Limits {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn told_by(limits: &Limits, headers: &[(&'static str, &str)]) -> (Option<u64>, Option<i64>) {
        let now = WallTime::from_millis(1_800_000_000_000);
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let told = told(limits, &headers.collect(), now);
        let until = told.used_up_until.map(|until| until.millis() - now.millis());
        (told.wait.map(|wait| wait.as_secs()), until)
    }

    #[test]
    fn what_a_system_says_about_waiting_is_read_in_each_form() {
        let plain = limits("{}");
        let of_minute = limits(
            "{rate_headers: {remaining: x-remaining, reset: {header: x-reset, form: seconds}}}",
        );
        let epoch = limits(
            "{rate_headers: {remaining: x-remaining, reset: {header: x-reset, form: epoch_millis}, \
             retry_after: x-wait}}",
        );
        let date = ("date", "Sat, 21 Nov 2026 22:18:55 GMT");
        let later = ("retry-after", "Sat, 21 Nov 2026 22:19:55 GMT");
        let none = ("x-remaining", "0");
        for (limits, headers, expected) in [
            (&plain, vec![("retry-after", "7")], (Some(7), None)),
            (&plain, vec![("retry-after", "7.2")], (Some(8), None)),
            (&plain, vec![date, later], (Some(60), None)),
            (&plain, vec![("retry-after", "Fri, 15 Jan 2027 08:00:30 GMT")], (Some(30), None)),
            (&plain, vec![later], (Some(0), None)),
            (&plain, vec![("retry-after", "soon")], (None, None)),
            (&plain, vec![none, ("x-reset", "30")], (None, None)),
            (&of_minute, vec![none, ("x-reset", "30")], (None, Some(30_000))),
            (&of_minute, vec![("x-remaining", "1"), ("x-reset", "30")], (None, None)),
            (&of_minute, vec![none], (None, None)),
            (&epoch, vec![none, ("x-reset", "1800000000500")], (None, Some(500))),
            (&epoch, vec![none, ("x-reset", "1799999999999")], (None, None)),
            (&epoch, vec![("x-wait", "12"), ("retry-after", "3")], (Some(12), None)),
        ] {
            assert_eq!(told_by(limits, &headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_left_to_others_is_not_used_up_by_us() {
        let limits = limits(
            "{budgets: [{requests: 100, per_seconds: 60, share: 0.8}], rate_headers: {limit: x-limit, \
             remaining: x-remaining, reset: {header: x-reset, form: seconds}}}",
        );
        let of = |remaining: &str| {
            told_by(&limits, &[("x-limit", "100"), ("x-remaining", remaining), ("x-reset", "9")]).1
        };
        assert_eq!((of("21"), of("20"), of("0")), (None, Some(9_000), Some(9_000)));
    }
}
