//! Which storms are run, and what memory they need.

use super::result::Storm;
use crate::dataset::Dataset;

/// What the storms depend on.
#[derive(Clone, Debug)]
pub(super) struct PlanOptions {
    /// LISTs in flight, one fast and one slow storm each.
    pub(super) concurrency: Vec<u64>,
    /// Requests of a fast storm; none is as many as two minutes allow.
    pub(super) requests: Option<u64>,
    /// Shorter storms.
    pub(super) quick: bool,
}

/// The storms in their order: fast from few to many, slow from few to many, gzip, curl.
pub(super) fn storms(options: &PlanOptions, dataset: &Dataset) -> Vec<Storm> {
    let body = dataset.body_bytes().max(1);
    let slow_s = if options.quick { QUICK_SLOW_S } else { SLOW_S };
    let read_rate = Some((body / slow_s).max(MIN_READ_RATE));
    let fast_requests = |concurrency: u64| {
        let rounds = if options.quick { 1 } else { FAST_ROUNDS };
        let many = (concurrency * rounds).max(FEW_REQUESTS);
        let wanted = options.requests.unwrap_or_else(|| many.min(FAST_BYTES / body));
        wanted.max(concurrency)
    };
    let plain = |id: String, concurrency, requests, read_rate| Storm {
        id,
        concurrency,
        requests,
        read_rate,
        gzip: false,
        curl: false,
    };
    let mut storms = Vec::new();
    for &c in &options.concurrency {
        storms.push(plain(format!("{c}-fast"), c, fast_requests(c), None));
    }
    for &c in &options.concurrency {
        storms.push(plain(format!("{c}-slow"), c, c, read_rate));
    }
    // Where the recordings are: ten clients, or the nearest to that.
    let ten = |c: &&u64| c.abs_diff(10);
    let Some(&c) = options.concurrency.iter().min_by_key(ten) else { return storms };
    storms.push(Storm { gzip: true, ..plain(format!("{c}-gzip"), c, c, None) });
    // Indented JSON has more bytes; at twice the rate it still takes about as long.
    let read_rate = read_rate.map(|rate| rate * 2);
    storms.push(Storm { curl: true, ..plain(format!("{c}-slow-curl"), c, c, read_rate) });
    storms
}

/// Memory that the largest storm needs, bytes, and which storm that is.
///
/// A buffered server holds each body in a buffer that doubled while it grew, and the part that it
/// grew from while it copies; indented JSON is up to twice as long. Streamed storms need less; the
/// check must not believe that they will.
pub(super) fn needed_bytes(storms: &[Storm], dataset: &Dataset) -> (u64, String) {
    let body = dataset.body_bytes();
    let of_storm = |storm: &Storm| {
        let body = if storm.curl { body * 2 } else { body };
        storm.concurrency * (body + body / 2 + body.next_power_of_two())
    };
    let largest = storms.iter().max_by_key(|storm| of_storm(storm));
    let loaded = dataset.json_bytes() + dataset.json_bytes() / 2 + PROCESSES_BYTES;
    let storm = largest.map_or(0, of_storm);
    (loaded + storm, largest.map_or_else(String::new, Storm::label))
}

/// Why the run is not begun, if the memory is not there.
pub(super) fn shortage(storms: &[Storm], dataset: &Dataset, available: u64) -> Option<String> {
    let (needed, storm) = needed_bytes(storms, dataset);
    (needed > available).then(|| {
        format!(
            "not enough memory: {} with {storm} LISTs in flight needs about {}, and {} is \
             available; take a smaller --dataset (such as pods-2kB-5000), a smaller --concurrency, \
             or --quick",
            dataset.name(),
            gib(needed),
            gib(available),
        )
    })
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0)
}

/// About what the recorded slow readers took for their bodies.
const SLOW_S: u64 = 5;

const QUICK_SLOW_S: u64 = 2;

/// Below this a socket buffer holds seconds of data, and nobody is slow.
const MIN_READ_RATE: u64 = 64 << 10;

/// Requests per client of a fast storm, as in the recordings.
const FAST_ROUNDS: u64 = 3;

/// So that one client alone gives percentiles at all.
const FEW_REQUESTS: u64 = 8;

/// A fast storm's bytes: two to five seconds on two cores.
const FAST_BYTES: u64 = 2 << 30;

/// loadgen, the server's code and stacks, sockets.
const PROCESSES_BYTES: u64 = 128 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(quick: bool, requests: Option<u64>) -> Vec<Storm> {
        let options = PlanOptions { concurrency: vec![1, 10, 20], requests, quick };
        storms(&options, &Dataset::parse("pods-9kB-5000").unwrap())
    }

    #[test]
    fn the_default_storms_are_those_of_the_recordings() {
        let storms = plan(false, None);
        let labels: Vec<String> = storms.iter().map(Storm::label).collect();
        assert_eq!(
            labels,
            [
                "1 fast",
                "10 fast",
                "20 fast",
                "1 slow",
                "10 slow",
                "20 slow",
                "10 gzip",
                "10 slow curl"
            ]
        );
        let requests: Vec<u64> = storms.iter().map(|storm| storm.requests).collect();
        assert_eq!(requests, [8, 30, 45, 1, 10, 20, 10, 10]);
        let rate = storms[4].read_rate.unwrap();
        assert!((9_000_000..9_800_000).contains(&rate), "{rate}");
    }

    #[test]
    fn a_number_of_requests_is_taken_but_every_client_has_one() {
        let requests: Vec<u64> = plan(false, Some(15)).iter().map(|storm| storm.requests).collect();
        assert_eq!(requests[..3], [15, 15, 20]);
    }

    #[test]
    fn a_shortage_says_what_is_needed() {
        let dataset = Dataset::parse("pods-9kB-5000").unwrap();
        let storms = plan(false, None);
        assert_eq!(shortage(&storms, &dataset, 16 << 30), None);
        assert_eq!(
            shortage(&storms, &dataset, 1 << 30).unwrap(),
            "not enough memory: pods-9kB-5000 with 10 slow curl LISTs in flight needs about 2.8 GiB, \
             and 1.0 GiB is available; take a smaller --dataset (such as pods-2kB-5000), a smaller \
             --concurrency, or --quick"
        );
    }
}
