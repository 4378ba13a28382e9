//! When to ask again, as client-go decides it.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

/// How long the server asks to wait, where client-go would: a 429 or any 5xx whose header is a
/// whole number of seconds.
///
/// Source: `checkWait`, k8s.io/client-go `rest/with_retry.go`.
pub(crate) fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return None;
    }
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Repeats after a Retry-After: `maxRetries` of client-go's `rest.Request`.
pub(crate) const MAX_RETRIES: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_with_whole_seconds_are_waited_for() {
        let wait = |code: u16, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            retry_after(StatusCode::from_u16(code).unwrap(), &headers)
        };
        assert_eq!(wait(429, "1"), Some(Duration::from_secs(1)));
        assert_eq!(wait(503, "7"), Some(Duration::from_secs(7)));
        assert_eq!(wait(404, "1"), None);
        assert_eq!(wait(429, "1.5"), None);
        assert_eq!(wait(429, "Mon, 23 Nov 2026 00:00:00 GMT"), None);
        assert_eq!(retry_after(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new()), None);
    }
}
