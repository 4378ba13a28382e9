//! What flow control knows of a request.

use crate::RequestKind;

/// Who asks and what for. Shared by reference count, since a request keeps it while it waits.
///
/// Source: `RequestDigest` in `pkg/util/flowcontrol/apf_filter.go`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestDigest {
    /// What is asked.
    pub request: RequestInfo,
    /// Who asks, after impersonation.
    pub user: UserInfo,
    /// The query as in the URL, without the question mark. Read for LIST and WATCH only.
    pub query: String,
}

/// What is asked. Source: `pkg/endpoints/request/requestinfo.go`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestInfo {
    /// Whether the path names a resource.
    pub is_resource_request: bool,
    /// The path of the URL.
    pub path: String,
    /// get, list, watch, create …; for other paths the lower-case HTTP method.
    pub verb: String,
    /// Empty for the core group.
    pub api_group: String,
    /// Such as `v1`.
    pub api_version: String,
    /// Empty for cluster scope and all-namespace requests.
    pub namespace: String,
    /// Such as `pods`.
    pub resource: String,
    /// Such as `log`, or empty.
    pub subresource: String,
    /// Name of the object; also that of a `metadata.name` field selector of a LIST.
    pub name: String,
}

/// Who asks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UserInfo {
    /// Name of the user.
    pub name: String,
    /// Groups the user is in.
    pub groups: Vec<String>,
}

impl RequestInfo {
    /// Read-only or mutating.
    pub fn kind(&self) -> RequestKind {
        RequestKind::of_verb(&self.verb)
    }

    /// `resource` or `resource.group`: the key of object counts.
    pub fn group_resource(&self) -> String {
        if self.api_group.is_empty() {
            self.resource.clone()
        } else {
            format!("{}.{}", self.resource, self.api_group)
        }
    }
}
