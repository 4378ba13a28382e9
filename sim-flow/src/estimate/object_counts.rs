//! How many objects each resource has, and how large they are, as last polled.

use std::{collections::BTreeMap, time::Duration};

use sim_time::SimTime;
use thiserror::Error;

/// Objects of one resource.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ObjectStats {
    /// Number in the whole cluster; negative where the last poll failed (since 1.34).
    pub count: i64,
    /// Mean size as stored, in bytes; 0 or less where it is not known.
    pub average_bytes: i64,
}

/// Why there is no current figure.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ObjectCountError {
    /// The resource was never counted, or not for long.
    #[error("object count not found for the given resource")]
    NotFound,
    /// The figure could not be had for another reason.
    #[error("object count is not available")]
    Other,
    /// The last figure is more than three minutes old.
    #[error("object count has gone stale for the given resource")]
    Stale,
}

/// The figures of all resources, by `resource` or `resource.group`.
///
/// Whoever owns the store polls it and calls [`set`](Self::set): each resource once a minute plus
/// up to 1.2 minutes of jitter on the real server.
///
/// Source: `pkg/util/flowcontrol/request/object_count_tracker.go`.
#[derive(Clone, Debug)]
pub struct ObjectCounts {
    started: SimTime,
    keeps_negative: bool,
    entries: BTreeMap<String, (ObjectStats, SimTime)>,
}

impl ObjectCounts {
    /// No figures. `keeps_negative` is whether a failed poll (a negative count) replaces the last
    /// figure: it does with `SizeBasedListCostEstimate`, and was ignored before.
    pub const fn new(now: SimTime, keeps_negative: bool) -> Self {
        Self { started: now, keeps_negative, entries: BTreeMap::new() }
    }

    /// Notes the figures of a resource.
    pub fn set(&mut self, now: SimTime, group_resource: &str, stats: ObjectStats) {
        if stats.count < 0 && !self.keeps_negative {
            return;
        }
        if let Some(entry) = self.entries.get_mut(group_resource) {
            *entry = (stats, now);
        } else {
            self.entries.insert(group_resource.to_owned(), (stats, now));
        }
    }

    /// The figures of a resource; when they are stale, the error comes with them.
    pub fn stats(
        &self,
        now: SimTime,
        group_resource: &str,
    ) -> (ObjectStats, Option<ObjectCountError>) {
        let Some(&(stats, set_at)) = self.entries.get(group_resource) else {
            return (ObjectStats::default(), Some(ObjectCountError::NotFound));
        };
        // Once an hour what was not set during the hour before is dropped.
        let hours = now.saturating_since(self.started).as_secs() / PRUNE_INTERVAL.as_secs();
        let last_prune = self.started + Duration::from_secs(hours * PRUNE_INTERVAL.as_secs());
        if hours > 0 && set_at + PRUNE_INTERVAL < last_prune {
            return (ObjectStats::default(), Some(ObjectCountError::NotFound));
        }
        let stale = now.saturating_since(set_at) > STALE_TOLERATION;
        (stats, stale.then_some(ObjectCountError::Stale))
    }

    /// The figures of a resource if they are current.
    pub fn current(
        &self,
        now: SimTime,
        group_resource: &str,
    ) -> Result<ObjectStats, ObjectCountError> {
        match self.stats(now, group_resource) {
            (stats, None) => Ok(stats),
            (_, Some(error)) => Err(error),
        }
    }
}

/// `pruneInterval`.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// `staleTolerationThreshold`.
const STALE_TOLERATION: Duration = Duration::from_secs(180);
