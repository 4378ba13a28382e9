//! Feature gates: what each release has switched on, and what may be switched.
//!
//! Source: `pkg/features/kube_features.go` of k8s.io/apiserver on each release branch, as
//! collected in the project's behavioural specification; the error texts are those of
//! k8s.io/component-base `featuregate/feature_gate.go`.

use super::Release;

/// How far a feature is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Off by default.
    Alpha,
    /// On or off by default.
    Beta,
    /// On its way out.
    Deprecated,
    /// Stable.
    Ga,
}

/// The gates of one release, as set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeatureGates {
    release: Release,
    /// In the order of [`Gate::ALL`].
    enabled: Vec<bool>,
}

/// Why a value of `--feature-gates` was refused, in the real words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GateError {
    /// A locked gate was set to other than its default.
    #[error("cannot set feature gate {name} to {value}, feature is locked to {locked}")]
    Locked {
        /// The gate.
        name: String,
        /// What was asked for.
        value: bool,
        /// What it is.
        locked: bool,
    },
    /// An entry is not `name=value`.
    #[error("missing bool value for {0}")]
    MissingValue(String),
    /// No gate of the release has that name.
    #[error("unrecognized feature gate: {0}")]
    Unrecognized(String),
    /// A value is not a boolean.
    #[error(
        "invalid value of {name}={value}, err: strconv.ParseBool: parsing {value:?}: invalid syntax"
    )]
    Value {
        /// The gate.
        name: String,
        /// What was given.
        value: String,
    },
}

impl Stage {
    /// The value of the label `stage` of the metric `kubernetes_feature_enabled`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alpha => "ALPHA",
            Self::Beta => "BETA",
            Self::Deprecated => "DEPRECATED",
            Self::Ga => "",
        }
    }
}

impl FeatureGates {
    /// The defaults of a release.
    pub fn of(release: Release) -> Self {
        let default = |gate: &Gate| gate.spec(release).is_some_and(|spec| spec.default);
        Self { release, enabled: Gate::ALL.iter().map(default).collect() }
    }

    /// Whether the feature is on; a gate that the release does not have is off.
    pub fn enabled(&self, gate: Gate) -> bool {
        self.enabled.get(gate as usize).copied().unwrap_or(false)
    }

    /// Whether large responses may be compressed.
    pub fn compression(&self) -> bool {
        self.enabled(Gate::APIResponseCompression)
    }

    /// Whether JSON lists are encoded item by item.
    pub fn streams_json(&self) -> bool {
        self.enabled(Gate::StreamingCollectionEncodingToJSON)
    }

    /// Applies `A=true,B=false`; nothing is changed when any entry is refused.
    ///
    /// `AllAlpha` and `AllBeta` switch what the entries before and after do not name.
    pub fn set_from_flag(&mut self, flag: &str) -> Result<(), GateError> {
        let mut changed = self.clone();
        let mut named = Vec::new();
        let mut all = Vec::new();
        for entry in flag.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, value) =
                entry.split_once('=').ok_or_else(|| GateError::MissingValue(entry.to_owned()))?;
            let (name, value) = (name.trim(), value.trim());
            let on = parse_bool(value).ok_or_else(|| GateError::Value {
                name: name.to_owned(),
                value: value.to_owned(),
            })?;
            match name {
                "AllAlpha" => all.push((Stage::Alpha, on)),
                "AllBeta" => all.push((Stage::Beta, on)),
                _ => {
                    changed.set(name, on)?;
                    named.push(name);
                }
            }
        }
        for (stage, on) in all {
            for &gate in Gate::ALL {
                let spec = gate.spec(self.release);
                let applies = spec.is_some_and(|spec| spec.stage == stage && !spec.locked);
                if applies && !named.contains(&gate.name()) {
                    changed.enabled[gate as usize] = on;
                }
            }
        }
        *self = changed;
        Ok(())
    }

    /// Every gate of the release: name, stage, whether on. For `kubernetes_feature_enabled`.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Stage, bool)> {
        Gate::ALL.iter().filter_map(|&gate| {
            Some((gate.name(), gate.spec(self.release)?.stage, self.enabled(gate)))
        })
    }

    fn set(&mut self, name: &str, on: bool) -> Result<(), GateError> {
        let known = Gate::ALL
            .iter()
            .find(|gate| gate.name() == name)
            .and_then(|&gate| Some((gate, gate.spec(self.release)?)));
        let Some((gate, spec)) = known else {
            return Err(GateError::Unrecognized(name.to_owned()));
        };
        if spec.locked && on != spec.default {
            let (value, locked) = (on, spec.default);
            return Err(GateError::Locked { name: name.to_owned(), value, locked });
        }
        self.enabled[gate as usize] = on;
        Ok(())
    }
}

/// What a release says of a gate.
#[derive(Clone, Copy)]
struct Spec {
    stage: Stage,
    default: bool,
    locked: bool,
}

/// One letter of a row of the table below.
fn spec(letter: u8) -> Option<Spec> {
    let (stage, default, locked) = match letter {
        b'A' => (Stage::Alpha, false, false),
        b'b' => (Stage::Beta, false, false),
        b'B' => (Stage::Beta, true, false),
        b'd' => (Stage::Deprecated, false, false),
        b'D' => (Stage::Deprecated, false, true),
        b'G' => (Stage::Ga, true, true),
        _ => return None,
    };
    Some(Spec { stage, default, locked })
}

/// Go's `strconv.ParseBool`.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

macro_rules! gates {
    ($($(#[$doc:meta])* $gate:ident = $columns:literal,)*) => {
        /// A feature gate that changes something here.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Gate { $($(#[$doc])* $gate,)* }

        impl Gate {
            /// Every gate, in the order of the enum.
            pub const ALL: &[Self] = &[$(Self::$gate,)*];

            /// The name as in `--feature-gates`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$gate => stringify!($gate),)* }
            }

            /// One letter a release, from 1.29.
            fn columns(self) -> &'static [u8] {
                match self { $(Self::$gate => $columns,)* }
            }
        }
    };
}

impl Gate {
    fn spec(self, release: Release) -> Option<Spec> {
        let at = usize::from(release.minor().checked_sub(*super::MINORS.start())?);
        spec(*self.columns().get(at)?)
    }
}

// A: alpha, off. b: beta, off. B: beta, on. G: stable, locked. d: deprecated, off. D: the same,
// locked. -: absent. Columns: 1.29 … 1.36, and 1.37 as far as it is known.
gates! {
    /// gzip of large responses.
    APIResponseCompression = b"BBBBBBBBB",
    /// Handlers in goroutines of their own.
    APIServingWithRoutine = b"-AAAAAAAA",
    /// The watch cache keeps a B-tree, so a namespaced list touches only its range.
    BtreeWatchCache = b"---BGGGGG",
    /// CBOR on the wire and in storage.
    CBORServingAndStorage = b"---AAAAAA",
    /// Watch events are decoded in parallel.
    ConcurrentWatchObjectDecode = b"--bbbbbbB",
    /// A list without resourceVersion is served from the cache, once that has caught up.
    ConsistentListFromCache = b"AABBBGGGG",
    /// A consistent list does not fall back to etcd when the cache is late.
    ConsistentListFromCacheSkipTimeoutFallback = b"--------A",
    /// The cache compares itself with etcd now and then.
    DetectCacheInconsistency = b"-----BBBB",
    /// Lists from etcd arrive as a stream.
    EtcdRangeStream = b"--------B",
    /// Lists at an older version and later pages are served from snapshots.
    ListFromCacheSnapshot = b"----ABBBB",
    /// LIST and WATCH answer 429 while the cache is not ready.
    ResilientWatchCacheInitialization = b"--BBBGGGG",
    /// Caches use an RPC of their own for watches.
    SeparateCacheWatchRPC = b"BBBBdddDD",
    /// Clients may list and watch a part of the keys.
    ShardedListAndWatch = b"-------AA",
    /// The width of a list is estimated by bytes.
    SizeBasedListCostEstimate = b"-----BBBB",
    /// Lists are encoded item by item, JSON.
    StreamingCollectionEncodingToJSON = b"----BGGGG",
    /// Lists are encoded item by item, protobuf.
    StreamingCollectionEncodingToProtobuf = b"----BGGGG",
    /// The server is not ready before its caches are.
    WatchCacheInitializationPostStartHook = b"--bbbbbBB",
    /// A watch without resourceVersion goes to etcd.
    WatchFromStorageWithoutResourceVersion = b"bbbbDDD--",
    /// A watch may begin with the objects that are there (`sendInitialEvents`).
    WatchList = b"AAABbBBBB",
    /// gzip of such watches.
    WatchListCompression = b"--------B",
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gates(release: &str) -> FeatureGates {
        FeatureGates::of(Release::parse(release).unwrap())
    }

    #[test]
    fn every_row_has_a_column_for_every_release() {
        for gate in Gate::ALL {
            assert_eq!(gate.columns().len(), Release::all().count(), "{}", gate.name());
        }
    }

    #[test]
    fn defaults_follow_the_table() {
        for (release, gate, expected) in [
            ("1.32", Gate::WatchList, true),
            ("1.33", Gate::WatchList, false),
            ("1.34", Gate::WatchList, true),
            ("1.32", Gate::StreamingCollectionEncodingToJSON, false),
            ("1.33", Gate::StreamingCollectionEncodingToJSON, true),
            ("1.30", Gate::ConsistentListFromCache, false),
            ("1.31", Gate::ConsistentListFromCache, true),
        ] {
            assert_eq!(gates(release).enabled(gate), expected, "{release} {}", gate.name());
        }
    }

    #[test]
    fn the_flag_sets_gates_and_refuses_in_the_real_words() {
        let mut set = gates("1.33");
        set.set_from_flag("WatchList=true, StreamingCollectionEncodingToJSON=false,").unwrap();
        assert!(set.enabled(Gate::WatchList));
        assert!(!set.enabled(Gate::StreamingCollectionEncodingToJSON));
        for (flag, message) in [
            ("Nope=true", "unrecognized feature gate: Nope"),
            ("EtcdRangeStream=true", "unrecognized feature gate: EtcdRangeStream"),
            (
                "BtreeWatchCache=false",
                "cannot set feature gate BtreeWatchCache to false, feature is locked to true",
            ),
            ("WatchList", "missing bool value for WatchList"),
            (
                "WatchList=maybe",
                "invalid value of WatchList=maybe, err: strconv.ParseBool: parsing \"maybe\": \
                 invalid syntax",
            ),
        ] {
            let before = set.clone();
            let error = set.set_from_flag(&format!("WatchList=false,{flag}")).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(set, before, "nothing changes when an entry is refused");
        }
    }

    #[test]
    fn all_beta_leaves_named_and_locked_gates_alone() {
        let mut set = gates("1.33");
        set.set_from_flag("AllBeta=false,APIResponseCompression=true").unwrap();
        assert!(set.enabled(Gate::APIResponseCompression) && set.enabled(Gate::BtreeWatchCache));
        assert!(!set.enabled(Gate::ConsistentListFromCache));
    }
}
