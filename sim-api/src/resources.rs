//! The resources that a release serves.
//!
//! [`ResourceTable`] is built from one static table (`resources/table.rs`) whose rows say since when and
//! until when a resource is served. A [`Resource`] owns its strings, so that a
//! CustomResourceDefinition can make one too.
//!
//! # Several versions of one resource
//!
//! Two rows with one [`storage_key`](Resource::storage_key) are two views of the same objects:
//! `events` in the core group and in `events.k8s.io`, `horizontalpodautoscalers` in
//! `autoscaling/v1` and `/v2`. The store keeps the shape of the row whose
//! [`conversion`](Resource::conversion) is [`Conversion::None`]; the other is converted by
//! [`crate::encode`] when it is read and written, so its bytes cannot be streamed as stored.

use std::{borrow::Cow, sync::Arc};

use crate::{Release, aggregation::Remote, custom::Custom};

mod table;

/// One resource of one API version, such as `deployments` of `apps/v1`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: Str,
    /// The version, such as `v1`.
    pub version: Str,
    /// The name in a path, such as `deployments`.
    pub plural: Str,
    /// The name of one, such as `deployment`.
    pub singular: Str,
    /// The kind, such as `Deployment`.
    pub kind: Str,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Other names that kubectl takes.
    pub short_names: Vec<Str>,
    /// The groups of resources that it is in, such as `all`.
    pub categories: Vec<Str>,
    /// The verbs that discovery tells of, sorted.
    pub verbs: Vec<Str>,
    /// The subresources, sorted by name.
    pub subresources: Vec<Subresource>,
    /// The field labels that its own conversion function knows; `None` for the kinds that have
    /// none and know just `metadata.name` and `metadata.namespace`.
    pub selectable_fields: Option<Vec<Str>>,
    /// Whether the server counts `metadata.generation`.
    pub counts_generation: bool,
    /// Whether PUT on a name that is free creates the object.
    pub creates_on_update: bool,
    /// Whether an update may leave out the resourceVersion.
    pub updates_unconditionally: bool,
    /// How its objects differ from what the store keeps.
    pub conversion: Conversion,
    /// `group/version/kind` of what is stored, for the storage version's hash in discovery;
    /// empty for virtual resources that store nothing.
    pub stored_as: Str,
    /// What its CustomResourceDefinition says of its objects, if it has one.
    pub custom: Option<Arc<Custom>>,
    list_kind: String,
    api_version: String,
    storage_key: String,
    prefix: Arc<[u8]>,
}

/// A subresource, such as `status` of `deployments`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subresource {
    /// The last part of its path.
    pub name: Str,
    /// The group of its kind; empty where it is the resource's own kind's, or the core group.
    pub group: Str,
    /// The version of its kind; empty as for `group`.
    pub version: Str,
    /// What is sent and received.
    pub kind: Str,
    /// The verbs that discovery tells of, sorted.
    pub verbs: Vec<Str>,
}

/// How a version's objects differ from what the store keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conversion {
    /// `autoscaling/v1`, kept as `v2`.
    AutoscalingV1,
    /// A custom resource that was written in another version or by another schema: it is kept
    /// as it was written, and read by this version's schema.
    Custom,
    /// `events.k8s.io/v1`, kept as core `v1`.
    EventsV1,
    /// Kept as it is but for kind and apiVersion.
    None,
}

/// Text that is static for the built-in resources.
pub type Str = Cow<'static, str>;

/// A group with its versions, the preferred one first.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The name; empty for the core group.
    pub name: &'a str,
    /// The versions and their resources, sorted by name.
    pub versions: Vec<(&'a str, Vec<&'a Arc<Resource>>)>,
}

/// Every resource of a release.
#[derive(Clone, Debug)]
pub struct ResourceTable {
    /// In the order of discovery.
    resources: Vec<Arc<Resource>>,
    /// The same, sorted by group, version and plural.
    sorted: Vec<Arc<Resource>>,
    /// Versions that somebody else should serve, who cannot be reached.
    unavailable: Vec<Remote>,
}

impl ResourceTable {
    /// The built-in resources of `release`, those that it serves by default.
    pub fn for_release(release: Release) -> Self {
        let resources: Vec<_> = table::rows(release.minor()).map(Arc::new).collect();
        let mut sorted = resources.clone();
        sorted.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        Self { resources, sorted, unavailable: Vec::new() }
    }

    /// These resources and the custom ones, which must be sorted by group, newest version first
    /// and plural. Where a built-in resource has the same path, it stays.
    #[must_use]
    pub fn with_custom(&self, custom: impl IntoIterator<Item = Arc<Resource>>) -> Self {
        let mut resources = self.resources.clone();
        resources.extend(custom.into_iter().filter(|resource| {
            self.lookup(&resource.group, &resource.version, &resource.plural).is_none()
        }));
        let mut sorted = resources.clone();
        sorted.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        Self { resources, sorted, unavailable: self.unavailable.clone() }
    }

    /// These resources, and versions of which nothing is known but that they should be there.
    #[must_use]
    pub fn with_unavailable(mut self, remote: &[Remote]) -> Self {
        self.unavailable = remote.to_vec();
        self.unavailable.sort_by_key(|remote| {
            let version = std::cmp::Reverse(remote.version_priority);
            (std::cmp::Reverse(remote.priority), remote.group.clone(), version)
        });
        self
    }

    /// Whether a version is one that somebody else should serve.
    pub fn is_unavailable(&self, group: &str, version: &str) -> bool {
        self.unavailable.iter().any(|remote| remote.group == group && remote.version == version)
    }

    /// The resource at `/apis/group/version/…/plural`.
    pub fn lookup(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        let wanted = (group, version, plural);
        let at = self.sorted.binary_search_by(|found| found.sort_key().cmp(&wanted)).ok()?;
        self.sorted.get(at)
    }

    /// The resource of a kind, such as `apps/v1`, `Deployment`.
    pub fn by_kind(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.resources
            .iter()
            .find(|resource| resource.kind == kind && resource.api_version == api_version)
    }

    /// Whether any version of `group` is served. An unknown group is answered with the plain
    /// text 404, an unknown version or resource of a known group with a Status.
    pub fn has_group(&self, group: &str) -> bool {
        self.resources.iter().any(|resource| resource.group == group)
            || self.unavailable.iter().any(|remote| remote.group == group)
    }

    /// Whether all there is of `group` are custom resources: what is missing there is answered as
    /// if there were no such group.
    pub fn is_custom_group(&self, group: &str) -> bool {
        let mut of_group = self.resources.iter().filter(|resource| resource.group == group);
        of_group.all(|resource| resource.custom.is_some())
    }

    /// The groups in the order of discovery, the core group first.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for resource in &self.resources {
            let at = groups.iter().position(|group| group.name == resource.group);
            let at = at.unwrap_or_else(|| {
                groups.push(Group { name: &resource.group, versions: Vec::new() });
                groups.len() - 1
            });
            let versions = &mut groups[at].versions;
            match versions.iter_mut().find(|(version, _)| *version == resource.version) {
                Some((_, resources)) => resources.push(resource),
                None => versions.push((&resource.version, vec![resource])),
            }
        }
        for remote in &self.unavailable {
            let at = groups.iter().position(|group| group.name == remote.group);
            let at = at.unwrap_or_else(|| {
                groups.push(Group { name: &remote.group, versions: Vec::new() });
                groups.len() - 1
            });
            let versions = &mut groups[at].versions;
            if !versions.iter().any(|(version, _)| *version == remote.version) {
                versions.push((&remote.version, Vec::new()));
            }
        }
        groups
    }

    /// Every resource, in the order of discovery.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.iter()
    }
}

impl Resource {
    /// A resource with only its names; the other members are then filled in.
    pub fn new(group: Str, version: Str, plural: Str, singular: Str, kind: Str) -> Self {
        let api_version = if group.is_empty() {
            version.clone().into_owned()
        } else {
            format!("{group}/{version}")
        };
        let storage_key = group_resource(&group, &plural);
        let prefix = format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","#);
        Self {
            stored_as: format!("{group}/{version}/{kind}").into(),
            list_kind: format!("{kind}List"),
            custom: None,
            group,
            version,
            plural,
            singular,
            kind,
            namespaced: true,
            short_names: Vec::new(),
            categories: Vec::new(),
            verbs: Vec::new(),
            subresources: Vec::new(),
            selectable_fields: None,
            counts_generation: false,
            creates_on_update: false,
            updates_unconditionally: true,
            conversion: Conversion::None,
            api_version,
            storage_key,
            prefix: prefix.into_bytes().into(),
        }
    }

    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// `pods`, `deployments.apps`: how errors and metrics name the resource.
    pub fn group_resource(&self) -> String {
        group_resource(&self.group, &self.plural)
    }

    /// The name of the collection that keeps the objects; shared by the versions of a resource.
    pub fn storage_key(&self) -> &str {
        &self.storage_key
    }

    /// The kind of a list, such as `PodList`.
    pub fn list_kind(&self) -> String {
        self.list_kind.clone()
    }

    /// Sets the kind of a list, which a custom resource may choose.
    pub(crate) fn set_list_kind(&mut self, kind: &str) {
        kind.clone_into(&mut self.list_kind);
    }

    /// `{"kind":"Pod","apiVersion":"v1",`: what a single object's bytes begin with, before the
    /// stored members.
    pub fn object_prefix(&self) -> &Arc<[u8]> {
        &self.prefix
    }

    /// Whether objects are stored at all; reviews and bindings are not.
    pub fn is_stored(&self) -> bool {
        !self.stored_as.is_empty()
    }

    /// Whether stored bytes are this version's bytes, so that they may be streamed.
    pub fn is_storage_version(&self) -> bool {
        self.conversion == Conversion::None
    }

    /// Whether the resource has this verb.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// The key of an object in its collection: `namespace/name`, or `name`.
    pub fn key(&self, namespace: &str, name: &str) -> String {
        if self.namespaced { format!("{namespace}/{name}") } else { name.to_owned() }
    }

    /// What the keys of a list begin with: `namespace/`, or nothing for all.
    pub fn key_prefix(&self, namespace: &str) -> String {
        if self.namespaced && !namespace.is_empty() {
            format!("{namespace}/")
        } else {
            String::new()
        }
    }

    /// Whether the answer to a deletion is the object, even when it is gone at once. Where it
    /// stays for a while it is the object for every kind.
    ///
    /// Recorded for the kinds listed; source: `ReturnDeletedObject` of each kind's storage.
    pub fn returns_deleted_object(&self) -> bool {
        matches!(
            (&*self.group, &*self.plural),
            ("", "persistentvolumeclaims" | "persistentvolumes" | "pods" | "podtemplates")
                | ("", "resourcequotas" | "serviceaccounts" | "services")
                | ("storage.k8s.io", _)
        )
    }

    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// Whether it is this resource of this group, in whatever version.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    fn sort_key(&self) -> (&str, &str, &str) {
        (&self.group, &self.version, &self.plural)
    }
}

impl Subresource {
    /// Whether the subresource has this verb.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }
}

/// The order of custom resources in discovery: by group, newest version first, by name.
pub fn custom_order(a: &Resource, b: &Resource) -> std::cmp::Ordering {
    let newest = || version_rank(&b.version).cmp(&version_rank(&a.version));
    a.group
        .cmp(&b.group)
        .then_with(newest)
        .then_with(|| a.version.cmp(&b.version))
        .then_with(|| a.plural.cmp(&b.plural))
}

/// How much newer a version is: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`, then all others.
///
/// Source: `CompareKubeAwareVersionStrings`.
fn version_rank(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, stage) = rest.split_at(digits);
    let major = major.parse().ok().filter(|_| !major.starts_with('0'))?;
    if stage.is_empty() {
        return Some((2, major, 0));
    }
    let (stability, minor) = match stage.strip_prefix("beta") {
        Some(minor) => (1, minor),
        None => (0, stage.strip_prefix("alpha")?),
    };
    let minor = minor.parse().ok().filter(|_| !minor.starts_with('0'))?;
    Some((stability, major, minor))
}

fn group_resource(group: &str, plural: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(minor: &str) -> ResourceTable {
        ResourceTable::for_release(Release::parse(minor).unwrap())
    }

    #[test]
    fn resources_are_found_by_path_and_by_kind() {
        let table = table("1.33");
        let deployments = table.lookup("apps", "v1", "deployments").unwrap();
        assert_eq!(deployments.api_version(), "apps/v1");
        assert_eq!(deployments.group_resource(), "deployments.apps");
        assert_eq!(
            &deployments.object_prefix()[..],
            br#"{"kind":"Deployment","apiVersion":"apps/v1","#
        );
        assert!(deployments.has_verb("watch") && deployments.subresource("scale").is_some());
        assert_eq!(table.by_kind("v1", "Pod").unwrap().plural, "pods");
        assert!(table.lookup("apps", "v1beta1", "deployments").is_none());
        assert!(table.has_group("apps") && !table.has_group("nosuch"));
        assert!(!table.lookup("", "v1", "namespaces").unwrap().has_verb("deletecollection"));
    }

    #[test]
    fn releases_differ_as_the_table_says() {
        let resize =
            |minor| table(minor).lookup("", "v1", "pods").unwrap().subresource("resize").is_some();
        assert!(!resize("1.32") && resize("1.33"));
        assert!(
            table("1.31")
                .lookup("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas")
                .is_some()
        );
        assert!(
            table("1.32")
                .lookup("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas")
                .is_none()
        );
        assert!(table("1.33").lookup("resource.k8s.io", "v1", "resourceclaims").is_none());
        assert!(table("1.34").lookup("resource.k8s.io", "v1", "resourceclaims").is_some());
    }

    #[test]
    fn versions_of_one_resource_share_their_storage() {
        let table = table("1.33");
        let core = table.lookup("", "v1", "events").unwrap();
        let new = table.lookup("events.k8s.io", "v1", "events").unwrap();
        assert_eq!(core.storage_key(), new.storage_key());
        assert!(core.is_storage_version() && !new.is_storage_version());
    }
}
