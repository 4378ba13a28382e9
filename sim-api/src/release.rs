//! What distinguishes the releases: a table of feature gates, the version document, and which
//! discovery versions are served. There is no other `if version >=` than these tables.

mod gates;

use std::{fmt, ops::RangeInclusive};

pub use gates::{FeatureGates, Gate, GateError, Stage};
use serde_json::{Value, json};

/// A minor release of Kubernetes, 1.29 to 1.37. Default: 1.33, the one that was recorded.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Release(u8);

/// The text is not a release that this simulator knows.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown release {0:?}: use 1.{first} to 1.{last}", first = MINORS.start(), last = MINORS.end())]
pub struct UnknownRelease(String);

impl Release {
    /// Parses `1.33`; `v1.33` and `1.33.2` are taken too, the patch is ignored.
    pub fn parse(text: &str) -> Result<Self, UnknownRelease> {
        let unknown = || UnknownRelease(text.to_owned());
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let (major, minor) = (parts.next(), parts.next());
        let minor = minor.and_then(|minor| minor.parse().ok()).ok_or_else(unknown)?;
        let patch_is_number = parts.all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        if major != Some("1") || !MINORS.contains(&minor) || !patch_is_number {
            return Err(unknown());
        }
        Ok(Self(minor))
    }

    /// Every release, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        MINORS.map(Self)
    }

    /// The minor number, such as 33.
    pub fn minor(self) -> u8 {
        self.0
    }

    /// The exact version that this release claims to be, such as `v1.33.2`.
    ///
    /// 1.32 and 1.33 are the recorded patches. For the others it is the latest patch known when
    /// this was written, and 1.37, which is not out, is its first: a label, not a promise that
    /// the patch's behaviour was compared.
    pub fn git_version(self) -> &'static str {
        match self.0 {
            29 => "v1.29.15",
            30 => "v1.30.14",
            31 => "v1.31.14",
            32 => "v1.32.13",
            33 => "v1.33.2",
            34 => "v1.34.2",
            35 => "v1.35.0",
            36 => "v1.36.0",
            _ => "v1.37.0",
        }
    }

    /// The versions of `apidiscovery.k8s.io` that aggregated discovery is served in, best first.
    ///
    /// 1.33 refuses `v2beta1` (recorded); 1.29 knows nothing else (KEP-3352).
    pub fn aggregated_discovery_versions(self) -> &'static [&'static str] {
        match self.0 {
            ..=29 => &["v2beta1"],
            30..=32 => &["v2", "v2beta1"],
            _ => &["v2"],
        }
    }

    /// Whether a watch that begins with the objects there are cannot be a Table.
    ///
    /// Source: the behavioural specification, list-watch 6: 406 in 1.32 and 1.33 only.
    pub fn refuses_watch_list_tables(self) -> bool {
        matches!(self.0, 32..=33)
    }

    /// The document at `/version`.
    pub fn version_document(self) -> Value {
        let minor = self.0.to_string();
        let mut document = json!({ "major": "1", "minor": minor });
        if let Some(object) = document.as_object_mut() {
            // Emulation versions are told of from 1.33 on (KEP-4330).
            if self.0 >= EMULATION_SINCE {
                object.insert("emulationMajor".into(), "1".into());
                object.insert("emulationMinor".into(), minor.into());
                object.insert("minCompatibilityMajor".into(), "1".into());
                object.insert("minCompatibilityMinor".into(), (self.0 - 1).to_string().into());
            }
            for (key, value) in [
                ("gitVersion", self.git_version()),
                ("gitCommit", "lab"),
                ("gitTreeState", "clean"),
                ("buildDate", "1970-01-01T00:00:00Z"),
                ("goVersion", GO_VERSION),
                ("compiler", "gc"),
                ("platform", "linux/amd64"),
            ] {
                object.insert(key.into(), value.into());
            }
        }
        document
    }
}

/// What the recorded 1.33.2 was built with.
const GO_VERSION: &str = "go1.26.8-X:nogreenteagc";

impl Default for Release {
    fn default() -> Self {
        Self(33)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

impl std::str::FromStr for Release {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

const MINORS: RangeInclusive<u8> = 29..=37;
const EMULATION_SINCE: u8 = 33;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_parsed_or_refused() {
        for text in ["1.33", "v1.33", "1.33.2", "v1.33.0"] {
            assert_eq!(Release::parse(text), Ok(Release::default()), "{text}");
        }
        for text in ["1.28", "1.38", "2.33", "1", "", "1.x", "1.33.x", "33"] {
            assert!(Release::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Release::parse("1.5").unwrap_err().to_string(),
            "unknown release \"1.5\": use 1.29 to 1.37"
        );
    }

    #[test]
    fn the_version_document_has_the_recorded_members() {
        let document = Release::default().version_document();
        let keys: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "major",
                "minor",
                "emulationMajor",
                "emulationMinor",
                "minCompatibilityMajor",
                "minCompatibilityMinor",
                "gitVersion",
                "gitCommit",
                "gitTreeState",
                "buildDate",
                "goVersion",
                "compiler",
                "platform"
            ]
        );
        assert_eq!(document["minCompatibilityMinor"], "32");
    }
}
