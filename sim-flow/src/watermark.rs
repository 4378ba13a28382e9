//! Highest number of requests seen in the last full second, per request kind.

use std::time::Duration;

use sim_time::SimTime;

/// Which of the two kinds of request the server counts apart.
///
/// Values of the label `request_kind`. Source: `pkg/server/filters/maxinflight.go`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RequestKind {
    /// Every verb other than get, list and watch, those of non-resource requests included.
    Mutating,
    /// The verbs get, list and watch.
    ReadOnly,
}

impl RequestKind {
    /// The kind of a request with this `RequestInfo` verb.
    pub fn of_verb(verb: &str) -> Self {
        match verb {
            "get" | "list" | "watch" => Self::ReadOnly,
            _ => Self::Mutating,
        }
    }

    /// Spelling in the metric label `request_kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mutating => "mutating",
            Self::ReadOnly => "readOnly",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Mutating => 0,
            Self::ReadOnly => 1,
        }
    }
}

/// The gauge behind `apiserver_current_inflight_requests` and `apiserver_current_inqueue_requests`.
///
/// The real server notes the level after every change and once a second publishes the highest
/// noted value, then starts again from zero; a second without any change publishes 0 even while
/// requests run. This type does the same with windows that start at whole seconds of [`SimTime`],
/// so it needs no ticker.
///
/// Source: `requestWatermark` in `pkg/server/filters/maxinflight.go`.
#[derive(Clone, Debug, Default)]
pub struct Watermark {
    kinds: [Window; 2],
}

impl Watermark {
    /// Notes that `count` requests of `kind` are there at `now`.
    pub fn record(&mut self, now: SimTime, kind: RequestKind, count: u32) {
        let window = &mut self.kinds[kind.index()];
        window.roll(now);
        window.running_max = window.running_max.max(count);
    }

    /// The highest count noted in the last full second before `now`.
    pub fn read(&self, now: SimTime, kind: RequestKind) -> u32 {
        let mut window = self.kinds[kind.index()];
        window.roll(now);
        window.published
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Number of whole periods before the window that `running_max` covers.
    index: u64,
    running_max: u32,
    published: u32,
}

impl Window {
    fn roll(&mut self, now: SimTime) {
        let index = now.as_nanos() / PERIOD_NANOS;
        if index <= self.index {
            return;
        }
        self.published = if index == self.index + 1 { self.running_max } else { 0 };
        self.running_max = 0;
        self.index = index;
    }
}

/// `inflightUsageMetricUpdatePeriod` of the real server.
pub const WATERMARK_PERIOD: Duration = Duration::from_secs(1);

const PERIOD_NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_publishes_its_highest_count_and_an_idle_second_zero() {
        let mut mark = Watermark::default();
        mark.record(SimTime::from_millis(100), RequestKind::ReadOnly, 3);
        mark.record(SimTime::from_millis(200), RequestKind::ReadOnly, 1);
        assert_eq!(mark.read(SimTime::from_millis(900), RequestKind::ReadOnly), 0);
        assert_eq!(mark.read(SimTime::from_millis(1100), RequestKind::ReadOnly), 3);
        assert_eq!(mark.read(SimTime::from_millis(1100), RequestKind::Mutating), 0);
        assert_eq!(mark.read(SimTime::from_millis(2100), RequestKind::ReadOnly), 0);
    }

    #[test]
    fn verbs_split_into_kinds() {
        assert_eq!(RequestKind::of_verb("watch"), RequestKind::ReadOnly);
        assert_eq!(RequestKind::of_verb("post"), RequestKind::Mutating);
        assert_eq!(RequestKind::of_verb(""), RequestKind::Mutating);
    }
}
