//! The options of each verb, from query and body, with their validation.
//!
//! Source: k8s.io/apimachinery `pkg/apis/meta/internalversion/validation`,
//! `pkg/apis/meta/v1/validation` (release-1.33); the texts are those of a recorded 1.33.2.

mod continue_token;
mod delete;
mod write;

use serde_json::Value;
use sim_store::{FieldSelector, LabelSelector, Object, StrMap};

pub use self::{
    continue_token::ContinueToken,
    delete::{DeleteOptions, Propagation},
    write::{CreateOptions, FieldValidation, PatchOptions, UpdateOptions},
};
use crate::{
    RequestInfo, Resource, Status, StatusCause, encode, go, meta,
    query::Query,
    release::{FeatureGates, Gate},
    status::Result,
};

/// The options of LIST, WATCH and DELETE of a collection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListOptions {
    /// `labelSelector`.
    pub label_selector: LabelSelector,
    /// `fieldSelector`, with the fields' names in the store.
    pub field_selector: FieldSelector,
    /// `limit`; 0 = no limit. Negative limits are none, too.
    pub limit: usize,
    /// `continue`.
    pub continue_token: Option<ContinueToken>,
    /// `resourceVersion`; `None` = not given.
    pub resource_version: Option<u64>,
    /// `resourceVersionMatch`.
    pub resource_version_match: Option<ResourceVersionMatch>,
    /// `watch`.
    pub watch: bool,
    /// `allowWatchBookmarks`.
    pub allow_watch_bookmarks: bool,
    /// `timeoutSeconds`: how long a watch may last. `None` = not given or not positive.
    pub timeout_seconds: Option<u64>,
    /// `sendInitialEvents`.
    pub send_initial_events: Option<bool>,
}

/// How the resourceVersion of a read is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResourceVersionMatch {
    /// At exactly this version.
    Exact,
    /// At this version or a later one.
    NotOlderThan,
}

/// The state that a LIST reads, by the rows of the routing table (spec section 2.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadFrom {
    /// The newest state once this version is reached.
    AtLeast(u64),
    /// The state at exactly this version.
    Exact(u64),
    /// The newest state.
    Latest,
}

/// Where a WATCH begins (spec section 4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WatchStart {
    /// With the changes after this version.
    After(u64),
    /// With the changes from now on.
    Now,
    /// With the objects that are there.
    State {
        /// The state must be at this version or a later one.
        at_least: u64,
        /// Whether a bookmark says when the state is complete.
        bookmark: bool,
    },
}

/// Which objects a request is about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// By label.
    pub labels: LabelSelector,
    /// By selectable field.
    pub fields: FieldSelector,
    /// By name, where the path has one.
    pub name: Option<Box<str>>,
}

impl Selection {
    /// Whether every object is selected.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty() && self.name.is_none()
    }

    /// Whether an object is selected of which only the metadata can be selected by.
    pub fn matches_metadata(&self, object: &Value) -> bool {
        let (name, namespace) = (meta::name(object), meta::namespace(object));
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
        let labels: StrMap = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect();
        let fields = [("metadata.name", name), ("metadata.namespace", namespace)];
        self.name.as_deref().is_none_or(|wanted| wanted == name)
            && self.labels.matches(&labels)
            && self.fields.matches(&StrMap::from_pairs(fields))
    }

    /// Whether this object is selected.
    pub fn matches(&self, object: &Object) -> bool {
        self.name.as_deref().is_none_or(|name| name == object.name())
            && self.labels.matches(object.labels())
            && self.fields.matches(object.fields())
    }
}

impl ListOptions {
    /// The options of a LIST, or of the DELETE of a collection.
    pub fn parse(query: &Query, resource: &Resource, _gates: &FeatureGates) -> Result<Self> {
        let options = Self::read(query)?;
        let given = Given::of(query);
        invalid("ListOptions", validate_list(&given))?;
        let mut options = options.with_fields(query, resource)?;
        options.resource_version_match = given.resource_version_match();
        options.resource_version = given
            .resource_version()
            .map_err(|error| Status::bad_request(format!("invalid resource version: {error}")))?;
        if !given.token.is_empty() {
            let token = ContinueToken::decode(given.token)?;
            if !matches!(given.version, "" | "0") {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            options.continue_token = Some(token);
        }
        Ok(options)
    }

    /// The options of a WATCH.
    pub fn parse_watch(query: &Query, resource: &Resource, gates: &FeatureGates) -> Result<Self> {
        let mut options = Self::read(query)?;
        let mut given = Given::of(query);
        let watch_list = gates.enabled(Gate::WatchList);
        // With the gate on, a watch that asks for nothing gets the new form of what it got before.
        if watch_list
            && options.send_initial_events.is_none()
            && given.matching.is_empty()
            && matches!(given.version, "" | "0")
        {
            options.send_initial_events = Some(true);
            given.matching = NOT_OLDER_THAN;
            given.send_initial_events = true;
        }
        invalid("ListOptions", validate_watch(&given, watch_list))?;
        let mut options = options.with_fields(query, resource)?;
        options.watch = true;
        options.resource_version_match = given.resource_version_match();
        options.resource_version = given.resource_version().map_err(Status::plain_error)?;
        Ok(options)
    }

    /// The state that a LIST reads.
    pub fn read_from(&self) -> ReadFrom {
        if let Some(token) = &self.continue_token {
            return match u64::try_from(token.rv) {
                Ok(revision) => ReadFrom::Exact(revision),
                Err(_) => ReadFrom::Latest,
            };
        }
        match (self.resource_version, self.resource_version_match) {
            (None | Some(0), _) => ReadFrom::Latest,
            (Some(revision), Some(ResourceVersionMatch::Exact)) => ReadFrom::Exact(revision),
            // Without a match, a page at a version is meant at exactly that version.
            (Some(revision), None) if self.limit > 0 => ReadFrom::Exact(revision),
            (Some(revision), _) => ReadFrom::AtLeast(revision),
        }
    }

    /// The limit that counts: a LIST at version 0 is served whole whatever the limit.
    pub fn effective_limit(&self) -> usize {
        let from_cache = self.resource_version == Some(0) && self.continue_token.is_none();
        if from_cache { 0 } else { self.limit }
    }

    /// Where a WATCH begins.
    pub fn watch_start(&self) -> WatchStart {
        let revision = self.resource_version.unwrap_or(0);
        match (self.send_initial_events, revision) {
            (Some(true), at_least) => {
                WatchStart::State { at_least, bookmark: self.allow_watch_bookmarks }
            }
            (Some(false), 0) => WatchStart::Now,
            (None, 0) => WatchStart::State { at_least: 0, bookmark: false },
            (_, revision) => WatchStart::After(revision),
        }
    }

    /// Which objects are meant; `request` adds the name of a path such as `/watch/pods/a`.
    pub fn selection(&self, request: &RequestInfo) -> Selection {
        let name = (!request.name.is_empty()).then(|| request.name.as_str().into());
        let (labels, fields) = (self.label_selector.clone(), self.field_selector.clone());
        Selection { labels, fields, name }
    }

    /// What can be read without knowing the verb; errors are those of parameter conversion.
    fn read(query: &Query) -> Result<Self> {
        let bad = |error: String| Status::bad_request(error);
        let number = |name: &str| match query.get(name) {
            None | Some("") => Ok(0),
            Some(text) => go::parse_int(text).map_err(bad),
        };
        let label_selector = LabelSelector::parse(query.get("labelSelector").unwrap_or_default())
            .map_err(|error| bad(error.to_string()))?;
        // Parsed here for its errors, which come first; the fields are looked at later.
        FieldSelector::parse(query.get("fieldSelector").unwrap_or_default())
            .map_err(|error| bad(error.to_string()))?;
        let timeout = u64::try_from(number("timeoutSeconds")?).ok();
        Ok(Self {
            label_selector,
            limit: usize::try_from(number("limit")?).unwrap_or(0),
            watch: query.flag("watch"),
            allow_watch_bookmarks: query.flag("allowWatchBookmarks"),
            timeout_seconds: timeout.filter(|&seconds| seconds > 0),
            send_initial_events: query
                .contains("sendInitialEvents")
                .then(|| query.flag("sendInitialEvents")),
            ..Self::default()
        })
    }

    fn with_fields(mut self, query: &Query, resource: &Resource) -> Result<Self> {
        let selector = FieldSelector::parse(query.get("fieldSelector").unwrap_or_default())
            .map_err(|error| Status::bad_request(error.to_string()))?;
        self.field_selector =
            selector.transform(|field, value| match encode::selectable_field(resource, field) {
                Some(stored) => Ok((stored.into(), value.into())),
                None => Err(unknown_field(resource, field)),
            })?;
        Ok(self)
    }
}

/// The options of GET.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GetOptions {
    /// `resourceVersion`: the object must be at least as new; `None` = not given.
    pub resource_version: Option<u64>,
}

impl GetOptions {
    /// The options in a query.
    pub fn parse(query: &Query) -> Result<Self> {
        let resource_version = Given::of(query).resource_version().map_err(Status::plain_error)?;
        Ok(Self { resource_version })
    }
}

/// What is validated as it was sent.
struct Given<'a> {
    version: &'a str,
    matching: &'a str,
    token: &'a str,
    send_initial_events: bool,
}

impl<'a> Given<'a> {
    fn of(query: &'a Query) -> Self {
        let text = |name: &str| query.get(name).unwrap_or_default();
        Self {
            version: text("resourceVersion"),
            matching: text("resourceVersionMatch"),
            token: text("continue"),
            send_initial_events: query.contains("sendInitialEvents"),
        }
    }

    fn resource_version(&self) -> Result<Option<u64>, String> {
        if self.version.is_empty() {
            return Ok(None);
        }
        go::parse_uint(self.version).map(Some).map_err(|error| {
            format!("resourceVersion: Invalid value: {}: {error}", go::quote(self.version))
        })
    }

    fn resource_version_match(&self) -> Option<ResourceVersionMatch> {
        match self.matching {
            EXACT => Some(ResourceVersionMatch::Exact),
            NOT_OLDER_THAN => Some(ResourceVersionMatch::NotOlderThan),
            _ => None,
        }
    }
}

fn validate_list(given: &Given<'_>) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    let field = "resourceVersionMatch";
    let mut forbid = |detail: &str| causes.push(StatusCause::forbidden(field, detail));
    if !given.matching.is_empty() {
        if given.version.is_empty() {
            forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if !given.token.is_empty() {
            forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if !matches!(given.matching, EXACT | NOT_OLDER_THAN) {
            let value = go::quote(given.matching);
            causes.push(StatusCause::not_supported(field, value, &[EXACT, NOT_OLDER_THAN, ""]));
        }
        if given.matching == EXACT && given.version == "0" {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            causes.push(StatusCause::forbidden(field, detail));
        }
    }
    if given.send_initial_events {
        let detail = "sendInitialEvents is forbidden for list";
        causes.push(StatusCause::forbidden("sendInitialEvents", detail));
    }
    causes
}

fn validate_watch(given: &Given<'_>, watch_list: bool) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    let field = "resourceVersionMatch";
    if given.send_initial_events {
        if given.matching != NOT_OLDER_THAN {
            let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            causes.push(StatusCause::forbidden(field, detail));
        }
        if !watch_list {
            let detail = "sendInitialEvents is forbidden for watch unless the WatchList feature \
                          gate is enabled";
            causes.push(StatusCause::forbidden("sendInitialEvents", detail));
        }
    }
    if !given.matching.is_empty() {
        if !given.send_initial_events {
            let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is \
                          provided";
            causes.push(StatusCause::forbidden(field, detail));
        }
        if given.matching != NOT_OLDER_THAN {
            let value = go::quote(given.matching);
            causes.push(StatusCause::not_supported(field, value, &[NOT_OLDER_THAN]));
        }
        if !given.token.is_empty() {
            let detail = "resourceVersionMatch is forbidden when continue is provided";
            causes.push(StatusCause::forbidden(field, detail));
        }
    }
    causes
}

/// The 422 of options that are wrong, if any is.
fn invalid(kind: &str, causes: Vec<StatusCause>) -> Result<()> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("meta.k8s.io", kind, "", causes))
}

/// Kinds with a field label conversion of their own say less than the others.
fn unknown_field(resource: &Resource, field: &str) -> Status {
    Status::bad_request(match &resource.selectable_fields {
        Some(_) => format!("field label not supported: {field}"),
        None => format!(
            "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            go::quote(field)
        ),
    })
}

const EXACT: &str = "Exact";
const NOT_OLDER_THAN: &str = "NotOlderThan";

#[cfg(test)]
mod tests;
