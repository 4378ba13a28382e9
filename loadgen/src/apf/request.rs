//! Who asks for what, from a command line or a file.

use sim_api::RequestInfo as Parsed;
use sim_flow::{RequestDigest, RequestInfo, UserInfo};

/// The request that `user` makes with `verb` of `path_and_query`. `verb` is one of Kubernetes
/// (`list`) or of HTTP (`post`).
///
/// # Errors
/// One line with the field, when they do not go together.
pub fn digest(
    user: &str,
    groups: Vec<String>,
    verb: &str,
    path_and_query: &str,
) -> Result<RequestDigest, String> {
    if !path_and_query.starts_with('/') {
        return Err(format!("path: {path_and_query:?} does not start with /"));
    }
    if user.is_empty() {
        return Err("user: is empty".to_owned());
    }
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let mut query = query.to_owned();
    let verb = verb.to_ascii_lowercase();
    let method = match verb.as_str() {
        "get" | "list" | "watch" => "GET",
        "create" | "post" => "POST",
        "update" | "put" => "PUT",
        "patch" => "PATCH",
        "delete" | "deletecollection" => "DELETE",
        "head" => "HEAD",
        "options" => "OPTIONS",
        other => return Err(format!("verb: {other:?} is not a verb of Kubernetes or HTTP")),
    };
    let mut info = Parsed::parse(method, path, &query);
    if verb == "watch" && info.verb == "list" {
        query += if query.is_empty() { "watch=true" } else { "&watch=true" };
        info = Parsed::parse(method, path, &query);
    }
    // `get` is both, and means what the path means.
    let of_kubernetes = !matches!(verb.as_str(), "get" | "post" | "put" | "head" | "options");
    if of_kubernetes && info.verb != verb {
        let (found, path) = (info.verb, path_and_query);
        return Err(format!("verb: {verb}, but {method} of {path} is a {found}"));
    }
    Ok(RequestDigest {
        request: RequestInfo {
            is_resource_request: info.is_resource_request,
            path: info.path,
            verb: info.verb.to_owned(),
            api_group: info.api_group,
            api_version: info.api_version,
            namespace: info.namespace,
            resource: info.resource,
            subresource: info.subresource,
            name: info.name,
        },
        user: UserInfo { name: user.to_owned(), groups },
        query,
    })
}

/// The groups that authentication gives to a user of this name: service accounts and nodes have
/// their own, and everyone but the anonymous is authenticated.
pub fn implied_groups(user: &str) -> Vec<String> {
    if user == "system:anonymous" {
        return vec!["system:unauthenticated".to_owned()];
    }
    let mut groups = Vec::new();
    if let Some((namespace, _)) =
        user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
    {
        groups.push("system:serviceaccounts".to_owned());
        groups.push(format!("system:serviceaccounts:{namespace}"));
    } else if user.starts_with("system:node:") {
        groups.push("system:nodes".to_owned());
    }
    groups.push("system:authenticated".to_owned());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_and_paths_go_together_or_are_refused() {
        let verb = |verb: &str, path: &str| {
            digest("u", Vec::new(), verb, path).map(|digest| digest.request.verb)
        };
        assert_eq!(verb("list", "/api/v1/pods").unwrap(), "list");
        assert_eq!(verb("GET", "/api/v1/pods").unwrap(), "list");
        assert_eq!(verb("watch", "/api/v1/pods?limit=5").unwrap(), "watch");
        assert_eq!(verb("create", "/api/v1/namespaces/a/pods").unwrap(), "create");
        assert_eq!(
            verb("deletecollection", "/api/v1/namespaces/a/pods").unwrap(),
            "deletecollection"
        );
        assert_eq!(verb("post", "/version").unwrap(), "post");
        let error = verb("list", "/api/v1/namespaces/a/pods/b").unwrap_err();
        assert_eq!(error, "verb: list, but GET of /api/v1/namespaces/a/pods/b is a get");
        assert!(verb("fetch", "/api").unwrap_err().starts_with("verb: "));
        assert!(verb("get", "api").unwrap_err().starts_with("path: "));
    }

    #[test]
    fn groups_follow_the_name() {
        assert_eq!(implied_groups("system:anonymous"), ["system:unauthenticated"]);
        assert_eq!(
            implied_groups("system:serviceaccount:kube-system:x"),
            [
                "system:serviceaccounts",
                "system:serviceaccounts:kube-system",
                "system:authenticated"
            ]
        );
        assert_eq!(implied_groups("system:node:a"), ["system:nodes", "system:authenticated"]);
    }
}
