//! Work that takes time: what `--service-time` makes a request cost, while it holds its seats.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::request::Call;

/// Least time that requests execute, by verb. Empty: as long as they take here.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceTimes {
    times: Vec<(&'static str, Duration)>,
    /// What those that execute share in turns; `None`: each has a CPU of its own.
    cpus: Option<Arc<Semaphore>>,
}

impl ServiceTimes {
    /// Reads `VERB=TIME,…`, e.g. `list=700ms,get=15ms`; each verb at most once, each time at most
    /// ten minutes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut times: Vec<(&'static str, Duration)> = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (verb, time) =
                part.split_once('=').ok_or_else(|| format!("{part:?} is not VERB=TIME"))?;
            let verb = VERBS.into_iter().find(|known| *known == verb).ok_or_else(|| {
                format!("{verb:?} is no verb with a service time: {}", VERBS.join(", "))
            })?;
            let time =
                sim_api::duration::parse(time).map_err(|error| format!("{verb}: {error}"))?;
            if time > LONGEST {
                return Err(format!("{verb}: at most 10m"));
            }
            if times.iter().any(|(known, _)| *known == verb) {
                return Err(format!("{verb} is given twice"));
            }
            times.push((verb, time));
        }
        Ok(Self { times, cpus: None })
    }

    /// The times become CPU time, of which `cpus` have as many seconds in a second; 0 = no bound.
    pub(crate) fn on_cpus(mut self, cpus: u16) -> Self {
        self.cpus = (cpus > 0).then(|| Arc::new(Semaphore::new(usize::from(cpus))));
        self
    }

    fn of(&self, verb: &str) -> Option<Duration> {
        self.times.iter().find(|(known, _)| *known == verb).map(|(_, time)| *time)
    }
}

/// Executes for as long as the verb is said to take.
pub(super) async fn run(call: &Call) {
    if !call.info.is_resource_request {
        return;
    }
    let paced = &call.app.config.service_times;
    let Some(mut left) = paced.of(call.info.verb) else { return };
    let Some(cpus) = &paced.cpus else { return tokio::time::sleep(left).await };
    // The semaphore is first in, first out: turns go round, as a scheduler's time slices do.
    while !left.is_zero() {
        let slice = left.min(SLICE);
        // Never closed.
        let _turn = cpus.acquire().await;
        tokio::time::sleep(slice).await;
        left -= slice;
    }
}

/// Long beside a timer's millisecond, short beside a LIST.
const SLICE: Duration = Duration::from_millis(25);

const VERBS: [&str; 7] = ["get", "list", "create", "update", "patch", "delete", "deletecollection"];

const LONGEST: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_by_verb() {
        let times = ServiceTimes::parse("list=700ms,get=15ms").unwrap();
        assert_eq!(times.of("list"), Some(Duration::from_millis(700)));
        assert_eq!(times.of("get"), Some(Duration::from_millis(15)));
        assert_eq!(times.of("create"), None);
        assert_eq!(ServiceTimes::parse("").unwrap().of("get"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("list", "VERB=TIME"),
            ("watch=1s", "watch"),
            ("list=soon", "list"),
            ("list=1h", "at most 10m"),
            ("get=1s,get=2s", "twice"),
        ] {
            let error = ServiceTimes::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
