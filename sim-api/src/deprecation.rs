//! Warnings about kinds that are on their way out.
//!
//! Source: the `APILifecycle…` methods of k8s.io/api and `WarningMessage` of k8s.io/apiserver
//! `pkg/endpoints/deprecation`; recorded of 1.33.2.

use crate::{Release, Resource};

/// A deprecated kind: group, version, kind, since which minor release, what to use instead.
const DEPRECATED: &[(&str, &str, &str, u8, &str)] = &[
    ("", "v1", "ComponentStatus", 19, ""),
    ("", "v1", "Endpoints", 33, "discovery.k8s.io/v1 EndpointSlice"),
];

/// The text with which every answer of a deprecated resource warns.
#[must_use]
pub fn warning(release: Release, resource: &Resource) -> Option<String> {
    let &(_, _, kind, since, instead) = DEPRECATED.iter().find(|(group, version, kind, ..)| {
        resource.group == *group && resource.version == *version && resource.kind == *kind
    })?;
    if release.minor() < since {
        return None;
    }
    let mut text = format!("{} {kind} is deprecated in v1.{since}+", resource.api_version());
    if !instead.is_empty() {
        text.push_str("; use ");
        text.push_str(instead);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResourceTable;

    #[test]
    fn warnings_are_worded_as_recorded() {
        let text = |release: &str, plural| {
            let release = Release::parse(release).unwrap();
            let table = ResourceTable::for_release(release);
            warning(release, table.lookup("", "v1", plural).unwrap())
        };
        assert_eq!(
            text("1.33", "endpoints").unwrap(),
            "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
        );
        assert_eq!(text("1.32", "endpoints"), None);
        assert_eq!(text("1.33", "pods"), None);
        let status = text("1.33", "componentstatuses");
        assert_eq!(status.unwrap(), "v1 ComponentStatus is deprecated in v1.19+");
    }
}
