//! What differs between Kubernetes releases.

use std::fmt;

/// A minor release of Kubernetes 1, from 1.29 to 1.37.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Release(u8);

impl Release {
    /// The oldest release known.
    pub const OLDEST: Self = Self(29);
    /// The newest release known.
    pub const NEWEST: Self = Self(37);

    /// Release 1.`minor`, if it is known.
    pub const fn new(minor: u8) -> Option<Self> {
        if minor >= Self::OLDEST.0 && minor <= Self::NEWEST.0 { Some(Self(minor)) } else { None }
    }

    /// The number after the dot.
    pub const fn minor(self) -> u8 {
        self.0
    }

    /// All known releases, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (Self::OLDEST.0..=Self::NEWEST.0).map(Self)
    }

    /// How flow control behaves in this release, every feature gate at its default.
    pub const fn profile(self) -> FlowProfile {
        let minor = self.0;
        FlowProfile {
            release: self,
            borrowing: if minor >= 31 { Borrowing::ExemptApart } else { Borrowing::ExemptTogether },
            list_routing: match minor {
                ..=30 => ListRouting::BeforeConsistentReads,
                31..=32 => ListRouting::ConsistentReads,
                _ => ListRouting::Delegator,
            },
            consistent_list_from_cache: minor >= 31,
            watch_list: minor == 32 || minor >= 34,
            size_based_list_cost_estimate: minor >= 34,
            legacy_watch_init_priced: minor >= 35,
            retired_flow_schemas: minor < 34,
            v1beta3_served: minor < 32,
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// Flow control of one release. Plain data: any field can be changed, as feature gates do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlowProfile {
    /// The release this started from.
    pub release: Release,
    /// How the adjustment of current limits treats the exempt level.
    pub borrowing: Borrowing,
    /// Which LISTs are priced as reads from etcd.
    pub list_routing: ListRouting,
    /// Feature gate `ConsistentListFromCache`: on since 1.31.
    pub consistent_list_from_cache: bool,
    /// Feature gate `WatchList`: on in 1.32 and since 1.34.
    pub watch_list: bool,
    /// Feature gate `SizeBasedListCostEstimate`: on since 1.34. Off, LISTs cost by object count.
    pub size_based_list_cost_estimate: bool,
    /// A watch that begins at an unset or zero resourceVersion costs as a LIST: since 1.35.
    pub legacy_watch_init_priced: bool,
    /// The FlowSchemas `endpoint-controller` and `workload-leader-election` exist: before 1.34.
    pub retired_flow_schemas: bool,
    /// `flowcontrol.apiserver.k8s.io/v1beta3` is served: before 1.32.
    pub v1beta3_served: bool,
}

/// How the exempt level takes part in borrowing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Borrowing {
    /// Since 1.31: it is given what it used, and the others share what is left.
    ExemptApart,
    /// Up to 1.30: it is one more level in the sharing.
    ExemptTogether,
}

/// When a LIST is priced as a read from etcd.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListRouting {
    /// Up to 1.30.
    BeforeConsistentReads,
    /// 1.31 and 1.32.
    ConsistentReads,
    /// Since 1.33: what the cacher's delegator does without snapshots.
    Delegator,
}
