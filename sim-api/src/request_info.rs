//! What a request is about, from its method, path and query.
//!
//! Source: k8s.io/apiserver `pkg/endpoints/request/requestinfo.go` (RequestInfoFactory),
//! `pkg/server/filters/longrunning.go`, `pkg/endpoints/metrics` (CleanScope), release-1.33.

use sim_store::FieldSelector;

use crate::query::Query;

/// A request taken apart, as authorization, flow control, metrics and the handlers see it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestInfo {
    /// Whether it is about a resource, below `/api/v1` or `/apis/group/version`.
    pub is_resource_request: bool,
    /// The path of the URL.
    pub path: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection` or
    /// `proxy`; for other paths the method in lower case. Empty for a method that is neither.
    pub verb: &'static str,
    /// `api` or `apis`; empty for other paths.
    pub api_prefix: String,
    /// The group; empty for the core group.
    pub api_group: String,
    /// The version.
    pub api_version: String,
    /// The namespace; for the resource `namespaces` the object's own name.
    pub namespace: String,
    /// The resource, plural.
    pub resource: String,
    /// The subresource; empty for none.
    pub subresource: String,
    /// The object's name; for list and watch from `fieldSelector=metadata.name=…`.
    pub name: String,
    /// The path from the resource on, split at slashes.
    pub parts: Vec<String>,
    /// The field selector of a list, watch or deletecollection, as sent.
    pub field_selector: String,
    /// The label selector of a list, watch or deletecollection, as sent.
    pub label_selector: String,
}

impl RequestInfo {
    /// Takes a request apart. `query` is what follows the question mark; never fails.
    pub fn parse(method: &str, path: &str, query: &str) -> Self {
        let mut info = Self { path: path.to_owned(), verb: other_verb(method), ..Self::default() };
        let parts: Vec<&str> = match path.trim_matches('/') {
            "" => Vec::new(),
            path => path.split('/').collect(),
        };
        // Just `/api/v1` or `/apis/apps` is discovery.
        let [prefix, rest @ ..] = &parts[..] else { return info };
        let rest = match (*prefix, rest) {
            ("api", [version, rest @ ..]) if parts.len() >= 3 => {
                info.api_version = (*version).to_owned();
                rest
            }
            ("apis", [group, version, rest @ ..]) if parts.len() >= 4 => {
                info.api_group = (*group).to_owned();
                info.api_version = (*version).to_owned();
                rest
            }
            _ => return info,
        };
        info.api_prefix = (*prefix).to_owned();
        info.is_resource_request = true;
        info.verb = resource_verb(method);
        let rest = match rest {
            ["watch" | "proxy"] => {
                // The real one reports an error here and goes on without a resource.
                return info;
            }
            ["watch", rest @ ..] => {
                info.verb = "watch";
                rest
            }
            ["proxy", rest @ ..] => {
                info.verb = "proxy";
                rest
            }
            rest => rest,
        };
        info.take_resource(rest);
        info.take_options(&Query::parse(query));
        info
    }

    /// Whether the request may take longer than the request timeout, and so is counted neither
    /// against the maximum in flight nor cut at the deadline.
    ///
    /// Source: `BasicLongRunningRequestCheck` as kube-apiserver configures it.
    pub fn is_long_running(&self) -> bool {
        if !self.is_resource_request {
            return self.path.starts_with("/debug/pprof/");
        }
        matches!(self.verb, "watch" | "proxy")
            || LONG_RUNNING_SUBRESOURCES.contains(&self.subresource.as_str())
    }

    /// The label `scope` of the request metrics: `resource` for one object, `namespace` for a
    /// collection in one, `cluster` for any other resource request, empty for other paths.
    pub fn scope(&self) -> &'static str {
        // A create has no name in its path, yet is about one object.
        if !self.name.is_empty() || self.verb == "create" {
            "resource"
        } else if !self.namespace.is_empty() {
            "namespace"
        } else if self.is_resource_request {
            "cluster"
        } else {
            ""
        }
    }

    /// `User "…" cannot …`: the sentence of a 403, for [`crate::Status::forbidden`].
    pub fn forbidden_message(&self, user: &str) -> String {
        let (user, verb) = (crate::go::quote(user), self.verb);
        if !self.is_resource_request {
            return format!("User {user} cannot {verb} path {}", crate::go::quote(&self.path));
        }
        let resource = match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        };
        let place = match self.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {}", crate::go::quote(namespace)),
        };
        format!(
            "User {user} cannot {verb} resource {} in API group {} {place}",
            crate::go::quote(&resource),
            crate::go::quote(&self.api_group)
        )
    }

    fn take_resource(&mut self, parts: &[&str]) {
        let mut parts = parts;
        if let ["namespaces", rest @ ..] = parts {
            if let [namespace, rest @ ..] = rest {
                self.namespace = (*namespace).to_owned();
                // `/namespaces/NAME/status` is the namespace's own subresource.
                if let [next, ..] = rest
                    && !NAMESPACE_SUBRESOURCES.contains(next)
                {
                    parts = rest;
                }
            }
        } else {
            self.namespace = String::new();
        }
        self.parts = parts.iter().map(|&part| part.to_owned()).collect();
        let mut names = parts.iter().map(|&part| part.to_owned());
        self.resource = names.next().unwrap_or_default();
        self.name = names.next().unwrap_or_default();
        // What follows the name below proxy is a path, not a subresource.
        if self.verb != "proxy" {
            self.subresource = names.next().unwrap_or_default();
        }
    }

    fn take_options(&mut self, query: &Query) {
        let is_collection_read = self.name.is_empty() && self.verb == "get";
        if is_collection_read {
            self.verb = if query.flag("watch") { "watch" } else { "list" };
        } else if self.name.is_empty() && self.verb == "delete" {
            self.verb = "deletecollection";
        }
        if matches!(self.verb, "list" | "watch" | "deletecollection") {
            self.field_selector = query.get("fieldSelector").unwrap_or_default().to_owned();
            self.label_selector = query.get("labelSelector").unwrap_or_default().to_owned();
            // A watch or list of one object by its name counts as being about that object.
            if is_collection_read
                && let Ok(selector) = FieldSelector::parse(&self.field_selector)
                && let Some(name) = selector.required("metadata.name")
                && is_path_segment(name)
            {
                self.name = name.to_owned();
            }
        }
    }
}

/// The verb of a path outside the API: the method in lower case; empty for one unknown to HTTP.
fn other_verb(method: &str) -> &'static str {
    const METHODS: [&str; 9] =
        ["connect", "delete", "get", "head", "options", "patch", "post", "put", "trace"];
    METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(method)).unwrap_or_default()
}

fn resource_verb(method: &str) -> &'static str {
    match method {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

/// Whether a name can stand in a path. Source: `IsValidPathSegmentName`.
fn is_path_segment(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '%'])
}

/// Source: `namespaceSubresources`.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

/// Source: `cmd/kube-apiserver/app/options`, long-running subresources.
const LONG_RUNNING_SUBRESOURCES: [&str; 5] = ["attach", "exec", "proxy", "log", "portforward"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `verb group/version namespace resource/subresource name`, `-` for none.
    fn check(method: &str, url: &str, expected: &str) {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let info = RequestInfo::parse(method, path, query);
        let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let resource = match info.subresource.as_str() {
            "" => info.resource.clone(),
            subresource => format!("{}/{subresource}", info.resource),
        };
        let found = [
            dash(info.verb),
            format!("{}/{}", info.api_group, info.api_version),
            dash(&info.namespace),
            dash(&resource),
            dash(&info.name),
        ];
        assert_eq!(found.join(" "), expected, "{method} {url}");
    }

    #[test]
    fn resource_requests_are_taken_apart() {
        check("GET", "/api/v1/pods", "list /v1 - pods -");
        check("GET", "/api/v1/pods?watch", "watch /v1 - pods -");
        check("GET", "/api/v1/pods?watch=false", "list /v1 - pods -");
        check("GET", "/api/v1/namespaces/a/pods/", "list /v1 a pods -");
        check("GET", "/api/v1/namespaces/a/pods/p/log", "get /v1 a pods/log p");
        check("GET", "/api/v1/namespaces/a", "get /v1 a namespaces a");
        check("PUT", "/api/v1/namespaces/a/finalize", "update /v1 a namespaces/finalize a");
        check("GET", "/api/v1/namespaces", "list /v1 - namespaces -");
        check("DELETE", "/api/v1/namespaces/a/pods", "deletecollection /v1 a pods -");
        check("POST", "/apis/apps/v1/namespaces/a/deployments", "create apps/v1 a deployments -");
        check(
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            "patch apps/v1 a deployments/scale d",
        );
        check("GET", "/api/v1/watch/pods", "watch /v1 - pods -");
        check("GET", "/api/v1/proxy/namespaces/a/pods/p/x/y", "proxy /v1 a pods p");
        check("FOO", "/api/v1/pods", "- /v1 - pods -");
        check("HEAD", "/api/v1/nodes/n", "get /v1 - nodes n");
    }

    #[test]
    fn a_selected_name_counts_as_the_name() {
        check("GET", "/api/v1/nodes?fieldSelector=metadata.name%3Dn1", "list /v1 - nodes n1");
        check(
            "GET",
            "/api/v1/nodes?watch=1&fieldSelector=metadata.name%3Dn1",
            "watch /v1 - nodes n1",
        );
        check("GET", "/api/v1/nodes?fieldSelector=metadata.name%3D..", "list /v1 - nodes -");
        check("GET", "/api/v1/nodes?fieldSelector=metadata.name!%3Dn1", "list /v1 - nodes -");
    }

    #[test]
    fn other_paths_keep_their_method() {
        for (method, path, verb) in
            [("GET", "/", "get"), ("POST", "/version", "post"), ("GET", "/apis/apps/v1", "get")]
        {
            let info = RequestInfo::parse(method, path, "");
            assert!(!info.is_resource_request, "{path}");
            assert_eq!((info.verb, info.scope()), (verb, ""));
        }
    }

    #[test]
    fn watches_and_streams_are_long_running() {
        for (path, query, expected) in [
            ("/api/v1/pods", "watch=1", true),
            ("/api/v1/pods", "", false),
            ("/api/v1/namespaces/a/pods/p/exec", "", true),
            ("/debug/pprof/heap", "", true),
            ("/healthz", "watch=1", false),
        ] {
            assert_eq!(
                RequestInfo::parse("GET", path, query).is_long_running(),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn a_refusal_is_worded_as_recorded() {
        let info = RequestInfo::parse("GET", "/api/v1/namespaces/default/configmaps/x", "");
        assert_eq!(
            info.forbidden_message("bob"),
            "User \"bob\" cannot get resource \"configmaps\" in API group \"\" in the namespace \
             \"default\""
        );
        let info = RequestInfo::parse("GET", "/metrics", "");
        assert_eq!(info.forbidden_message("u"), "User \"u\" cannot get path \"/metrics\"");
    }

    proptest! {
        #[test]
        fn any_request_is_taken_apart(
            method in "GET|POST|[A-Z]{0,5}",
            path in "(/|api|apis|v1|namespaces|watch|proxy|pods|[a-z]{1,2}|\\PC){0,12}",
            query in "\\PC{0,20}",
        ) {
            let _ = RequestInfo::parse(&method, &path, &query);
        }
    }
}
