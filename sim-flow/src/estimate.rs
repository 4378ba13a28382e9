//! How many seats a request needs.
//!
//! Source: `pkg/util/flowcontrol/request/{width,list_work_estimator,mutating_work_estimator}.go`.

mod list_options;
mod object_counts;
mod watch_tracker;

use std::time::Duration;

use list_options::ListOptions;
pub use object_counts::{ObjectCountError, ObjectCounts, ObjectStats};
pub use watch_tracker::{WatchId, WatchTracker};

use crate::{FlowProfile, RequestInfo, SeatSeconds, WorkEstimate, num, release::ListRouting};

/// Estimates the width of requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WorkEstimator {
    /// Release and gates.
    pub profile: FlowProfile,
    /// Whether etcd answers `RequestWatchProgress`, which consistent reads from the cache need.
    /// True for every etcd since 3.4.31 and 3.5.13.
    pub etcd_supports_progress: bool,
}

/// An estimate, and what it was made from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Estimated {
    /// The estimate.
    pub work: WorkEstimate,
    /// Watchers that will hear of a mutation; a sample of `watch_count_samples`.
    pub watch_count: Option<u64>,
}

impl WorkEstimator {
    /// An estimator for a server in front of a recent etcd.
    pub const fn new(profile: FlowProfile) -> Self {
        Self { profile, etcd_supports_progress: true }
    }

    /// The width of a request.
    ///
    /// `request` is `None` where the server could not tell what is asked. `max_seats` is the cap
    /// of the request's level, 0 for none. `stats` and `watch_count` are asked only if needed.
    pub fn estimate(
        &self,
        request: Option<&RequestInfo>,
        query: &str,
        max_seats: u32,
        stats: impl FnOnce(&str) -> Result<ObjectStats, ObjectCountError>,
        watch_count: impl FnOnce() -> u64,
    ) -> Estimated {
        let list_cap = capped(max_seats, self.list_seats_limit());
        let Some(request) = request else {
            // Cannot happen on a real server; then better too many.
            let seats =
                if self.profile.size_based_list_cost_estimate { list_cap } else { MAXIMUM_SEATS };
            return only(WorkEstimate::initial(seats));
        };
        match request.verb.as_str() {
            "list" => only(self.list(request, query, list_cap, stats)),
            "watch" if self.profile.watch_list => only(self.list(request, query, list_cap, stats)),
            "create" | "update" | "patch" | "delete" => {
                mutating(request, capped(max_seats, MAXIMUM_SEATS), watch_count)
            }
            _ => only(WorkEstimate::ONE_SEAT),
        }
    }

    /// Seats of the widest LIST, whatever the level.
    pub const fn list_seats_limit(&self) -> u64 {
        if self.profile.size_based_list_cost_estimate {
            MAXIMUM_SIZE_BASED_LIST_SEATS
        } else {
            MAXIMUM_SEATS
        }
    }

    fn list(
        &self,
        request: &RequestInfo,
        query: &str,
        cap: u64,
        stats: impl FnOnce(&str) -> Result<ObjectStats, ObjectCountError>,
    ) -> WorkEstimate {
        let size_based = self.profile.size_based_list_cost_estimate;
        let single = !request.name.is_empty();
        if single && !size_based {
            return WorkEstimate::ONE_SEAT;
        }
        let Some(options) = ListOptions::parse(query) else {
            return WorkEstimate::initial(cap);
        };
        let watch = request.verb == "watch";
        if watch && !self.prices_init(&options) {
            return WorkEstimate::ONE_SEAT;
        }
        let from_cache = watch || !self.lists_from_etcd(&options);
        let stats = match stats(&request.group_resource()) {
            Ok(stats) => stats,
            Err(ObjectCountError::NotFound) => return WorkEstimate::ONE_SEAT,
            Err(_) if size_based => UNKNOWN_STATS,
            Err(_) => return WorkEstimate::initial(cap),
        };
        let count = stats.count;
        let limit = if 0 < options.limit && options.limit < count { options.limit } else { count };
        let seats = if size_based {
            let size = if stats.average_bytes <= 0 && count != 0 {
                MAX_OBJECT_BYTES
            } else {
                stats.average_bytes
            };
            let loaded = if single {
                1
            } else if from_cache || !options.selects {
                limit
            } else {
                limit.max(count / 2)
            };
            let mut bytes = loaded.saturating_mul(size);
            if from_cache {
                bytes = bytes.min(MAX_BYTES_FROM_CACHE);
            }
            bytes as f64 / BYTES_PER_SEAT
        } else {
            let processed = if from_cache {
                count
            } else if options.selects {
                count.saturating_add(limit)
            } else {
                limit.saturating_mul(2)
            };
            processed as f64 / OBJECTS_PER_SEAT
        };
        let seats = num::trunc_to_i64(seats.ceil()).max(1).unsigned_abs();
        WorkEstimate::initial(seats.min(cap))
    }

    /// Whether a watch sends the existing objects first at a price.
    fn prices_init(&self, options: &ListOptions<'_>) -> bool {
        let legacy = matches!(options.resource_version.as_ref(), "" | "0");
        options.send_initial_events || (self.profile.legacy_watch_init_priced && legacy)
    }

    /// Whether a LIST is priced as a read from etcd. What the resource's cache really does, and
    /// whether it has one, plays no part.
    fn lists_from_etcd(&self, options: &ListOptions<'_>) -> bool {
        let version = options.resource_version.as_ref();
        let version_match = options.resource_version_match.as_ref();
        let continues = !options.continue_token.is_empty();
        let limited = options.limit > 0;
        let unknown_match = !matches!(version_match, "" | "NotOlderThan");
        let consistent_from_cache =
            self.profile.consistent_list_from_cache && self.etcd_supports_progress;
        match self.profile.list_routing {
            ListRouting::BeforeConsistentReads => {
                (version.is_empty() && !consistent_from_cache)
                    || continues
                    || (limited && version != "0")
                    || unknown_match
            }
            ListRouting::ConsistentReads => {
                (version.is_empty() && !consistent_from_cache)
                    || continues
                    || unknown_match
                    || (limited && version_match.is_empty() && !matches!(version, "" | "0"))
            }
            ListRouting::Delegator => match version_match {
                "Exact" => true,
                "NotOlderThan" => false,
                "" if continues => true,
                "" if limited && !matches!(version, "" | "0") => true,
                "" if version.is_empty() => !consistent_from_cache,
                "" => false,
                _ => true,
            },
        }
    }
}

/// A mutation is told to its watchers after the client has its answer: a final phase.
fn mutating(request: &RequestInfo, cap: u64, watch_count: impl FnOnce() -> u64) -> Estimated {
    if request.resource == "serviceaccounts" && request.subresource == "token" {
        // Answered from no storage, so nobody watches.
        return only(WorkEstimate::ONE_SEAT);
    }
    let watchers = watch_count();
    let mut work = WorkEstimate::ONE_SEAT;
    if watchers >= WATCHES_PER_SEAT {
        let seats = watchers.div_ceil(WATCHES_PER_SEAT);
        let whole = SeatSeconds::new(seats, EVENT_ADDITIONAL_DURATION);
        work.final_seats = seats.min(cap);
        work.additional_latency = whole.duration_per_seat(work.final_seats);
    }
    Estimated { work, watch_count: Some(watchers) }
}

const fn only(work: WorkEstimate) -> Estimated {
    Estimated { work, watch_count: None }
}

fn capped(max_seats: u32, limit: u64) -> u64 {
    match u64::from(max_seats) {
        0 => limit,
        seats => seats.min(limit),
    }
}

/// `maximumSeatsLimit`.
const MAXIMUM_SEATS: u64 = 10;

/// `maximumListSeatsLimit` with `SizeBasedListCostEstimate`.
const MAXIMUM_SIZE_BASED_LIST_SEATS: u64 = 100;

/// `objectsPerSeat`.
const OBJECTS_PER_SEAT: f64 = 100.0;

/// `bytesPerSeat`. Below this, requests differ by noise; see kubernetes/kubernetes pull 132932.
const BYTES_PER_SEAT: f64 = 100_000.0;

/// Objects from the cache are streamed, so no more than this of them is held at once.
const MAX_BYTES_FROM_CACHE: i64 = 1_000_000;

/// `maxObjectSize`: etcd's own limit, assumed where sizes are not known.
const MAX_OBJECT_BYTES: i64 = 1_500_000;

/// Assumed where the count is too old to be of use.
const UNKNOWN_STATS: ObjectStats =
    ObjectStats { count: 1_000_000_000, average_bytes: MAX_OBJECT_BYTES };

/// `watchesPerSeat`.
const WATCHES_PER_SEAT: u64 = 10;

/// `eventAdditionalDuration`: time of one seat for telling ten watchers.
const EVENT_ADDITIONAL_DURATION: Duration = Duration::from_millis(5);
