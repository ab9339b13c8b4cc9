//! What a receiver asks for with its answer, beyond taking the message or not.

use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode, header::RETRY_AFTER};
use millwright_core::{WallTime, from_http_date};
use serde::{Deserialize, Serialize};

/// How long an endpoint that says 429 without saying for how long is left alone.
const PAUSE_UNASKED: Duration = Duration::from_secs(30);
/// The shortest and the longest time that a receiver may ask for.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// By which a receiver steers what it gets (proposed for Standard Webhooks).
const DELIVERY: HeaderName = HeaderName::from_static("webhook-delivery");

/// What a receiver asks for with its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Nothing.
    #[default]
    None,
    /// To be sent nothing more: 410, or the header `webhook-delivery: disable`.
    Disable,
    /// Not to be sent this message again: the header `webhook-delivery: abort-message`.
    AbortMessage,
    /// To be left alone for a while: 429, or 503 with `Retry-After`.
    SlowDown {
        /// For how long from the answer on, between a second and an hour.
        pause: Duration,
    },
}

impl Wish {
    /// What an answer asks for. `now` is when it came: `Retry-After` may name a moment.
    #[must_use]
    pub fn of(status: StatusCode, headers: &HeaderMap, now: WallTime) -> Self {
        let asked = |word: &str| {
            let values = headers.get_all(DELIVERY).into_iter().filter_map(|v| v.to_str().ok());
            values.flat_map(|v| v.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
        };
        if status == StatusCode::GONE || asked("disable") {
            return Self::Disable;
        }
        if asked("abort-message") {
            return Self::AbortMessage;
        }
        let pause = asked_pause(headers, now);
        match (status, pause) {
            (StatusCode::TOO_MANY_REQUESTS, pause) => {
                Self::SlowDown { pause: pause.unwrap_or(PAUSE_UNASKED) }
            }
            (StatusCode::SERVICE_UNAVAILABLE, Some(pause)) => Self::SlowDown { pause },
            _ => Self::None,
        }
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// `Retry-After`, seconds or a date (RFC 9110, section 10.2.3), brought within its limits.
fn asked_pause(headers: &HeaderMap, now: WallTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pause = if digits {
        // More digits than fit are more than the longest time.
        text.parse().map_or(PAUSE_MAX, Duration::from_secs)
    } else {
        WallTime::from_millis(from_http_date(text)?).since(now)
    };
    Some(pause.clamp(PAUSE_MIN, PAUSE_MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// 2023-11-14 22:13:20 UTC.
    const NOW: WallTime = WallTime::from_millis(1_700_000_000_000);

    fn wish(status: u16, headers: &[(&'static str, &str)]) -> Wish {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        Wish::of(StatusCode::from_u16(status).unwrap(), &headers.collect(), NOW)
    }

    fn slow(seconds: u64) -> Wish {
        Wish::SlowDown { pause: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_receiver_that_is_gone_or_says_so_wants_nothing_more() {
        assert_eq!(wish(410, &[]), Wish::Disable);
        for status in [200, 404, 500] {
            assert_eq!(wish(status, &[("webhook-delivery", " Disable ")]), Wish::Disable);
        }
        assert_eq!(wish(404, &[]), Wish::None);
    }

    #[test]
    fn one_message_can_be_refused_for_good() {
        let refused = wish(422, &[("webhook-delivery", "abort-message")]);
        assert_eq!(refused, Wish::AbortMessage);
        let both = wish(422, &[("webhook-delivery", "abort-message, disable")]);
        assert_eq!(both, Wish::Disable);
        assert_eq!(wish(422, &[("webhook-delivery", "carry on")]), Wish::None);
    }

    #[test]
    fn a_429_slows_the_endpoint_and_a_503_only_with_a_time() {
        assert_eq!(wish(429, &[]), slow(30));
        assert_eq!(wish(429, &[("retry-after", "nonsense")]), slow(30));
        assert_eq!(wish(429, &[("retry-after", "120")]), slow(120));
        assert_eq!(wish(503, &[("retry-after", " 120 ")]), slow(120));
        assert_eq!(wish(503, &[]), Wish::None);
        assert_eq!(wish(503, &[("retry-after", "-1")]), Wish::None);
        assert_eq!(wish(500, &[("retry-after", "120")]), Wish::None);
        assert_eq!(wish(200, &[("retry-after", "120")]), Wish::None);
    }

    #[test]
    fn the_time_may_be_a_date() {
        let date = |text| wish(503, &[("retry-after", text)]);
        assert_eq!(date("Tue, 14 Nov 2023 22:15:20 GMT"), slow(120));
        assert_eq!(date("Tue, 14 Nov 2023 22:00:00 GMT"), slow(1), "it has passed");
        assert_eq!(date("Wed, 15 Nov 2023 22:15:20 GMT"), slow(3600), "it is far away");
    }

    #[test]
    fn the_time_is_brought_between_a_second_and_an_hour() {
        for (text, seconds) in
            [("0", 1), ("1", 1), ("3600", 3600), ("3601", 3600), ("99999999999999999999999", 3600)]
        {
            assert_eq!(wish(429, &[("retry-after", text)]), slow(seconds), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_answered_no_pause_is_out_of_its_limits(
            status in 200_u16..600,
            value in "[ -~]{0,30}",
        ) {
            if let Wish::SlowDown { pause } = wish(status, &[("retry-after", &value)]) {
                prop_assert!((PAUSE_MIN..=PAUSE_MAX).contains(&pause));
            }
        }
    }
}
