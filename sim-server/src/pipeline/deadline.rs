//! Until when a request must be done.

use sim_api::{duration, status::Status};
use sim_time::SimTime;

use super::request::Call;

/// The deadline; `None` for long-running requests. Source: `filters/request_deadline.go`.
pub(super) fn of(call: &Call) -> Result<Option<SimTime>, Status> {
    if call.info.is_long_running() {
        return Ok(None);
    }
    let limit = call.app.config.request_timeout;
    let limit = match call.query.get("timeout").filter(|text| !text.is_empty()) {
        None => limit,
        Some(text) => match duration::parse(text) {
            Ok(asked) if asked.is_zero() => limit,
            Ok(asked) => asked.min(limit),
            Err(_) => return Err(duration::invalid_timeout(text)),
        },
    };
    Ok(Some(call.received + limit))
}
