//! What needs a kubelet or a workload behind the server: `log`, `exec`, `attach`, `portforward`
//! and `proxy`.
//!
//! There is none behind this one. What the real server decides before it connects is decided
//! here; the connection itself is refused.
//!
//! Source: `pkg/registry/core/pod/strategy.go`, `LogLocation` and `streamLocation`.

use serde_json::Value;

use crate::{Query, Status, StatusCause, go, meta, status::Result};

/// What the server can say of a pod's subresource without its node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The log of a pod that runs nowhere is empty.
    EmptyLog,
    /// The node of that name would be asked, if it is there.
    Node(String),
}

/// Checks a request for a pod's log or for a stream to it.
///
/// # Errors
///
/// 400 when the container is not named or there is none of that name, or nothing to connect to.
pub fn pod(pod: &Value, subresource: &str, query: &Query) -> Result<Answer> {
    let name = meta::name(pod);
    if subresource == "log" {
        check_log_options(name, query)?;
    }
    if !matches!(subresource, "portforward" | "proxy") {
        check_container(pod, query.get("container").unwrap_or_default())?;
    }
    let node = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
    match (node, subresource) {
        ("", "log") => Ok(Answer::EmptyLog),
        ("", "proxy") => Err(Status::bad_request("address not allowed")),
        ("", _) => Err(Status::bad_request(format!("pod {name} does not have a host assigned"))),
        (node, _) => Ok(Answer::Node(node.to_owned())),
    }
}

/// 501 that says what is missing behind the server.
pub fn refused(group_resource: &str, subresource: &str, name: &str) -> Status {
    Status::not_implemented(&format!(
        "apisim has no kubelets and no running containers: {subresource} of {group_resource} \
         \"{name}\" is not emulated"
    ))
}

/// The options of a log.
///
/// Source: `ValidatePodLogOptions`.
fn check_log_options(name: &str, query: &Query) -> Result<()> {
    let number = |key: &str| match query.get(key) {
        None | Some("") => Ok(None),
        Some(text) => go::parse_int(text).map(Some).map_err(Status::bad_request),
    };
    let mut causes = Vec::new();
    let mut at_least = |key: &str, least: i64, detail: &str| {
        if let Some(given) = number(key)?.filter(|given| *given < least) {
            causes.push(StatusCause::invalid(key, given.to_string(), detail));
        }
        Ok(())
    };
    at_least("tailLines", 0, "must be greater than or equal to 0")?;
    at_least("limitBytes", 1, "must be greater than 0")?;
    if query.get("sinceSeconds").is_some() && query.get("sinceTime").is_some() {
        let detail = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        causes.push(StatusCause::forbidden("", detail));
    } else if let Some(given) = number("sinceSeconds")?.filter(|given| *given < 1) {
        let detail = "must be greater than 0";
        causes.push(StatusCause::invalid("sinceSeconds", given.to_string(), detail));
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("", "PodLogOptions", name, causes))
}

fn check_container(pod: &Value, wanted: &str) -> Result<()> {
    let names = |list: &str| -> Vec<&str> {
        let containers = pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        let names = containers.into_iter().flatten().filter_map(|c| c.get("name")?.as_str());
        names.collect()
    };
    let (containers, inits) = (names("containers"), names("initContainers"));
    let ephemeral = names("ephemeralContainers");
    let name = meta::name(pod);
    if wanted.is_empty() {
        return match containers.len() {
            0 => Err(Status::bad_request(format!(
                "a container name must be specified for pod {name}"
            ))),
            1 => Ok(()),
            _ => {
                let mut detail = format!(
                    "a container name must be specified for pod {name}, choose one of: [{}]",
                    containers.join(" ")
                );
                for (what, names) in [("init", inits), ("ephemeral", ephemeral)] {
                    if !names.is_empty() {
                        detail +=
                            &format!(" or one of the {what} containers: [{}]", names.join(" "));
                    }
                }
                Err(Status::bad_request(detail))
            }
        };
    }
    if [containers, inits, ephemeral].iter().flatten().any(|name| *name == wanted) {
        return Ok(());
    }
    Err(Status::bad_request(format!("container {wanted} is not valid for pod {name}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_be_told_without_a_node_is_told() {
        let one = json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c"}]}});
        let two = json!({"metadata": {"name": "x"},
            "spec": {"nodeName": "n", "containers": [{"name": "c"}, {"name": "d"}]}});
        let ask = |object, what, query| pod(object, what, &Query::parse(query));
        assert_eq!(ask(&one, "log", ""), Ok(Answer::EmptyLog));
        let message = |answer: Result<Answer>| answer.unwrap_err().message;
        assert_eq!(message(ask(&one, "exec", "")), "pod x does not have a host assigned");
        assert_eq!(
            message(ask(&two, "log", "")),
            "a container name must be specified for pod x, choose one of: [c d]"
        );
        assert_eq!(message(ask(&two, "log", "container=e")), "container e is not valid for pod x");
        let error = ask(&one, "log", "tailLines=-1").unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (
                422,
                "PodLogOptions \"x\" is invalid: tailLines: Invalid value: -1: must be greater than \
                 or equal to 0"
            )
        );
        assert_eq!(ask(&two, "log", "container=d"), Ok(Answer::Node("n".to_owned())));
    }
}
