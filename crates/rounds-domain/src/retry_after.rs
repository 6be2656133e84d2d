//! Reading `Retry-After` (RFC 9110, 10.2.3).

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use std::time::Duration;

/// The longest wait that is read at all, so that adding it to a time cannot overflow. What is believed is shorter
/// still, and decided by who asks.
const LONGEST_READ: Duration = Duration::from_hours(24 * 365);

/// How long the answer asks to wait, if it asks in a form that the standard knows: whole seconds, or a date, which is
/// taken relative to the answer's own `Date` (so that a wrong clock on either side does not matter) and to `now` only
/// where there is none. A date in the past is a wait of zero. Anything else is as if it were not there.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only too many digits can fail here.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_READ));
    }
    // By the system's type, because it holds every date that the format can write.
    let until = httpdate::parse_http_date(text).ok()?;
    let since = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?.trim()).ok())
        .unwrap_or_else(|| now.into());
    let wait = until.duration_since(since).unwrap_or(Duration::ZERO);
    Some(wait.min(LONGEST_READ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    /// 1994-11-06 08:49:37 UTC, a moment that the RFC's own examples name.
    const START: Timestamp = Timestamp::constant(784_111_777, 0);

    fn read(retry_after_text: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(retry_after_text).ok()?);
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).ok()?);
        }
        retry_after(&headers, START)
    }

    #[test]
    fn both_forms_are_read() {
        let half_an_hour = Some(Duration::from_mins(30));
        assert_eq!(read("1800", None), half_an_hour);
        assert_eq!(read(" 1800 ", None), half_an_hour);
        assert_eq!(read("Sun, 06 Nov 1994 09:19:37 GMT", None), half_an_hour);
        assert_eq!(read("Sunday, 06-Nov-94 09:19:37 GMT", None), half_an_hour);
        assert_eq!(read("Sun Nov  6 09:19:37 1994", None), half_an_hour);
    }

    #[test]
    fn a_date_is_relative_to_the_answers_own_date() {
        assert_eq!(
            read(
                "Sun, 06 Nov 2033 00:00:10 GMT",
                Some("Sun, 06 Nov 2033 00:00:00 GMT")
            ),
            Some(Duration::from_secs(10))
        );
        assert_eq!(
            read("Sun, 06 Nov 1994 08:49:47 GMT", Some("yesterday")),
            Some(Duration::from_secs(10)),
            "a Date that cannot be read is as none"
        );
    }

    #[test]
    fn absurd_values_stay_harmless() {
        assert_eq!(read("99999999999999999999999999", None), Some(LONGEST_READ));
        assert_eq!(
            read("Fri, 31 Dec 9999 23:59:59 GMT", None),
            Some(LONGEST_READ)
        );
        assert_eq!(
            read("Thu, 01 Jan 1970 00:00:00 GMT", None),
            Some(Duration::ZERO)
        );
        for garbage in ["", "-5", "+5", "1.5", "1e3", "120 s", "soon", "٣", "0x10"] {
            assert_eq!(read(garbage, None), None, "{garbage}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_sends_is_too_much(text in "\\PC{0,40}", date in "[ -~]{0,40}") {
            if let Some(wait) = read(&text, Some(&date)) {
                prop_assert!(wait <= LONGEST_READ);
            }
        }

        #[test]
        fn whole_seconds_are_exact(seconds in 0_u64..31_536_000) {
            prop_assert_eq!(read(&seconds.to_string(), None), Some(Duration::from_secs(seconds)));
        }
    }
}
