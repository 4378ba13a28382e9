//! Which resources the server has: from a kind to a path.

use std::fmt::Write;

use serde::Deserialize;

/// A resource of the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Resource {
    /// API group; empty for the core group.
    pub(crate) group: String,
    /// The group's preferred version.
    pub(crate) version: String,
    /// Plural name, as in paths.
    pub(crate) name: String,
    /// Kind of its objects.
    pub(crate) kind: String,
    /// Whether its objects live in namespaces.
    pub(crate) namespaced: bool,
}

/// All resources, in the server's order.
#[derive(Debug, Default)]
pub(crate) struct Resources(pub(crate) Vec<Resource>);

impl Resource {
    /// The path of the collection, in one namespace or in all; ends without a slash.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let mut path = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if let Some(namespace) = namespace.filter(|ns| self.namespaced && !ns.is_empty()) {
            path.push_str("/namespaces/");
            path.push_str(&encode(namespace));
        }
        path.push('/');
        path.push_str(&self.name);
        path
    }

    /// `apps/deployments`, as kube-apiserver's audit log and reports have it.
    pub(crate) fn label(&self) -> String {
        if self.group.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.group, self.name)
        }
    }
}

impl Resources {
    /// The resource of a kind in the group of `api_version`; the version itself does not matter,
    /// as kube-burner maps by group and kind.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Result<&Resource, String> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        self.0.iter().find(|r| r.group == group && r.kind == kind).ok_or_else(|| {
            format!("the server has no resource for kind {kind:?} in group {group:?}")
        })
    }

    /// The resource that a person means by `pods`, `deployments.apps` or `Deployment`.
    pub(crate) fn of_name(&self, name: &str) -> Option<&Resource> {
        let (plain, group) = name.split_once('.').map_or((name, None), |(n, g)| (n, Some(g)));
        self.0.iter().find(|r| {
            group.is_none_or(|group| r.group == group)
                && (r.name.eq_ignore_ascii_case(plain) || r.kind.eq_ignore_ascii_case(plain))
        })
    }
}

/// Percent-encodes what may not stand in a query value or a path segment.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    encoded
}

/// A query string with its question mark, or nothing.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(&encode(value));
    }
    text
}

/// What `/api` and `/apis` answer: aggregated discovery, or the old lists of versions and groups.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Discovery {
    Aggregated { items: Vec<AggregatedGroup> },
    Groups { groups: Vec<OldGroup> },
    Versions { versions: Vec<String> },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AggregatedGroup {
    metadata: Named,
    versions: Vec<AggregatedVersion>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AggregatedVersion {
    version: String,
    resources: Vec<AggregatedResource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AggregatedResource {
    resource: String,
    #[serde(default)]
    response_kind: Kind,
    #[serde(default)]
    scope: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kind {
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OldGroup {
    preferred_version: OldVersion,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldVersion {
    group_version: String,
}

/// What `/api/v1` and `/apis/GROUP/VERSION` answer.
#[derive(Debug, Deserialize)]
pub(crate) struct OldList {
    resources: Vec<OldResource>,
}

#[derive(Debug, Deserialize)]
struct OldResource {
    name: String,
    kind: String,
    namespaced: bool,
}

impl Discovery {
    /// Takes the resources into `into`, or says which paths must be asked for them.
    pub(crate) fn take(self, into: &mut Resources) -> Vec<String> {
        match self {
            Self::Aggregated { items } => {
                for group in items {
                    group.take(into);
                }
                Vec::new()
            }
            Self::Groups { groups } => groups
                .into_iter()
                .map(|group| format!("/apis/{}", group.preferred_version.group_version))
                .collect(),
            Self::Versions { versions } => {
                versions.into_iter().map(|version| format!("/api/{version}")).collect()
            }
        }
    }
}

impl AggregatedGroup {
    fn take(self, into: &mut Resources) {
        let group = self.metadata.name;
        // Versions come with the preferred one first; a kind that it lacks is taken from a later.
        for version in self.versions {
            for resource in version.resources {
                let known =
                    |r: &Resource| r.group == group && r.kind == resource.response_kind.kind;
                if !into.0.iter().any(known) {
                    into.0.push(Resource {
                        group: group.clone(),
                        version: version.version.clone(),
                        name: resource.resource,
                        kind: resource.response_kind.kind,
                        namespaced: resource.scope == "Namespaced",
                    });
                }
            }
        }
    }
}

impl OldList {
    /// Takes the resources of the list at `path` into `into`.
    pub(crate) fn take(self, path: &str, into: &mut Resources) {
        let mut parts = path.rsplit('/');
        let version = parts.next().unwrap_or_default();
        let group = if path.starts_with("/apis/") { parts.next().unwrap_or_default() } else { "" };
        // Subresources have a slash in their name.
        for resource in self.resources.into_iter().filter(|r| !r.name.contains('/')) {
            into.0.push(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                name: resource.name,
                kind: resource.kind,
                namespaced: resource.namespaced,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployments() -> Resource {
        Resource {
            group: "apps".into(),
            version: "v1".into(),
            name: "deployments".into(),
            kind: "Deployment".into(),
            namespaced: true,
        }
    }

    #[test]
    fn aggregated_discovery_is_read() {
        let body = json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
                {"resource": "deployments", "scope": "Namespaced",
                 "responseKind": {"group": "", "version": "", "kind": "Deployment"},
                 "subresources": [{"subresource": "scale"}]}]}]},
            {"metadata": {}, "versions": [{"version": "v1", "resources": [
                {"resource": "namespaces", "scope": "Cluster",
                 "responseKind": {"kind": "Namespace"}}]}]}]});
        let mut resources = Resources::default();
        let more = serde_json::from_value::<Discovery>(body).unwrap().take(&mut resources);
        assert!(more.is_empty());
        assert_eq!(resources.of_kind("apps/v1", "Deployment"), Ok(&deployments()));
        assert!(!resources.of_kind("v1", "Namespace").unwrap().namespaced);
        let message = resources.of_kind("v1", "Deployment").unwrap_err();
        assert!(message.contains("Deployment"));
        assert_eq!(resources.of_name("deployments.apps"), Some(&deployments()));
        assert_eq!(resources.of_name("deployment"), Some(&deployments()));
        assert_eq!(resources.of_name("deployments.core"), None);
    }

    #[test]
    fn the_old_form_of_discovery_is_read() {
        let mut resources = Resources::default();
        let versions: Discovery =
            serde_json::from_value(json!({"kind": "APIVersions", "versions": ["v1"]})).unwrap();
        assert_eq!(versions.take(&mut resources), ["/api/v1"]);
        let groups: Discovery = serde_json::from_value(json!({"groups": [
            {"name": "apps", "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}}
        ]}))
        .unwrap();
        assert_eq!(groups.take(&mut resources), ["/apis/apps/v1"]);
        let list: OldList = serde_json::from_value(json!({"resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": []},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true}]}))
        .unwrap();
        list.take("/apis/apps/v1", &mut resources);
        assert_eq!(resources.0, [deployments()]);
    }

    #[test]
    fn paths_and_queries_are_encoded() {
        assert_eq!(deployments().path(Some("a")), "/apis/apps/v1/namespaces/a/deployments");
        assert_eq!(deployments().path(None), "/apis/apps/v1/deployments");
        assert_eq!(
            query(&[("labelSelector", "a=b,c=d"), ("limit", "5")]),
            "?labelSelector=a%3Db%2Cc%3Dd&limit=5"
        );
    }
}
