//! Whether a pod may run on a node, and why not; pure.
//! Source: `pkg/scheduler/framework/plugins`.

use serde_json::Value;

use crate::object::{self, expression, list, name, text};

/// Whether a toleration covers a taint. Source: `v1helper.ToleratesTaint`.
pub(crate) fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let (effect, key) = (text(toleration, "/effect"), text(toleration, "/key"));
    if !effect.is_empty() && effect != text(taint, "/effect")
        || !key.is_empty() && key != text(taint, "/key")
    {
        return false;
    }
    match text(toleration, "/operator") {
        "Exists" => true,
        "" | "Equal" => !key.is_empty() && text(toleration, "/value") == text(taint, "/value"),
        _ => false,
    }
}

/// The first taint of these effects that the pod does not tolerate.
pub(super) fn untolerated<'a>(pod: &Value, node: &'a Value, effects: &[&str]) -> Option<&'a Value> {
    list(node, "/spec/taints").iter().find(|taint| {
        effects.contains(&text(taint, "/effect"))
            && !list(pod, "/spec/tolerations").iter().any(|one| tolerates(one, taint))
    })
}

/// nodeSelector and required node affinity.
pub(super) fn selects(pod: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let simple = pod["spec"]["nodeSelector"].as_object().is_none_or(|wanted| {
        wanted.iter().all(|(key, value)| labels[key].as_str().is_some() && labels[key] == *value)
    });
    let terms = pod.pointer(
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
    );
    let Some(terms) = terms.and_then(Value::as_array) else { return simple };
    simple && terms.iter().any(|term| matches_term(term, node))
}

/// A term without expressions matches nothing.
fn matches_term(term: &Value, node: &Value) -> bool {
    let (by_label, by_field) = (list(term, "/matchExpressions"), list(term, "/matchFields"));
    if by_label.is_empty() && by_field.is_empty() {
        return false;
    }
    let label = |rule: &Value| node["metadata"]["labels"][text(rule, "/key")].as_str();
    by_label.iter().all(|rule| expression(rule, label(rule)))
        && by_field
            .iter()
            .all(|rule| rule["key"] == "metadata.name" && expression(rule, Some(name(node))))
}

/// The node that a daemon's pod is meant for; empty when it is for none.
pub(crate) fn meant_for(pod: &Value) -> &str {
    text(
        pod,
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution\
         /nodeSelectorTerms/0/matchFields/0/values/0",
    )
}

/// Whether a daemon should run on the node, and whether it may stay there. Source:
/// `daemon_controller.go` `NodeShouldRunDaemonPod`.
pub(crate) fn daemon(pod: &Value, node: &Value) -> (bool, bool) {
    if !selects(pod, node) {
        return (false, false);
    }
    let wanted = text(pod, "/spec/nodeName");
    if !wanted.is_empty() && wanted != name(node) {
        return (false, false);
    }
    if untolerated(pod, node, &["NoSchedule", "NoExecute"]).is_some() {
        return (false, untolerated(pod, node, &["NoExecute"]).is_none());
    }
    (true, true)
}

/// What a pod asks for: milli-CPUs and bytes. Source: `resource.PodRequests`: the sum of the
/// containers or the largest init container, and the overhead.
pub(super) fn requests(pod: &Value) -> (i64, i64) {
    let of = |container: &Value| {
        let asked = &container["resources"]["requests"];
        (milli(&asked["cpu"]), bytes(&asked["memory"]))
    };
    let mut sum = (0_i64, 0_i64);
    for (cpu, memory) in list(pod, "/spec/containers").iter().map(of) {
        sum = (sum.0.saturating_add(cpu), sum.1.saturating_add(memory));
    }
    for (cpu, memory) in list(pod, "/spec/initContainers").iter().map(of) {
        sum = (sum.0.max(cpu), sum.1.max(memory));
    }
    let overhead = &pod["spec"]["overhead"];
    let overhead = (milli(&overhead["cpu"]), bytes(&overhead["memory"]));
    (sum.0.saturating_add(overhead.0), sum.1.saturating_add(overhead.1))
}

/// A CPU quantity in thousandths.
pub(super) fn milli(value: &Value) -> i64 {
    quantity(value, 1e3)
}

/// A memory quantity in bytes.
pub(super) fn bytes(value: &Value) -> i64 {
    quantity(value, 1.0)
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and no node has more")]
fn quantity(value: &Value, unit: f64) -> i64 {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return 0,
    };
    let split = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let Ok(number) = number.parse::<f64>() else { return 0 };
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0_f64.powi(4),
        _ => 1.0,
    };
    (number * factor * unit).ceil() as i64
}

/// Host ports that a pod takes.
pub(super) fn host_ports(pod: &Value) -> impl Iterator<Item = (i64, String)> + '_ {
    list(pod, "/spec/containers").iter().flat_map(|container| list(container, "/ports")).filter_map(
        |port| {
            let number = object::number(port, "/hostPort");
            let protocol = match text(port, "/protocol") {
                "" => "TCP",
                protocol => protocol,
            };
            (number > 0).then(|| (number, protocol.to_owned()))
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn taints_are_tolerated_as_the_real_ones() {
        let taint = json!({"key": "a", "value": "1", "effect": "NoSchedule"});
        for (toleration, expected) in [
            (json!({"operator": "Exists"}), true),
            (json!({"key": "a", "operator": "Exists"}), true),
            (json!({"key": "a", "value": "1"}), true),
            (json!({"key": "a", "value": "2"}), false),
            (json!({"key": "a", "operator": "Exists", "effect": "NoExecute"}), false),
        ] {
            assert_eq!(tolerates(&toleration, &taint), expected, "{toleration}");
        }
    }

    #[test]
    fn requests_are_summed_and_init_containers_are_a_floor() {
        let pod = json!({"spec": {
            "containers": [
                {"resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}},
                {"resources": {"requests": {"cpu": "0.5"}}},
            ],
            "initContainers": [{"resources": {"requests": {"cpu": 2, "memory": "1M"}}}],
        }});
        assert_eq!(requests(&pod), (2000, 1 << 30));
    }

    #[test]
    fn a_daemon_runs_where_it_is_selected_and_tolerated() {
        let node = json!({"metadata": {"name": "n", "labels": {"a": "b"}}, "spec": {"taints": [
            {"key": "x", "effect": "NoSchedule"}]}});
        assert_eq!(daemon(&json!({"spec": {}}), &node), (false, true));
        let other = json!({"spec": {"nodeSelector": {"a": "c"}}});
        assert_eq!(daemon(&other, &node), (false, false));
        let all = json!({"spec": {"tolerations": [{"operator": "Exists"}]}});
        assert_eq!(daemon(&all, &node), (true, true));
    }
}
