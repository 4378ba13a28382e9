//! Conversion between the versions of a resource, to and from the one that is stored.
//!
//! Only two built-in resources are served in versions whose shapes differ. Events convert
//! without loss. `autoscaling/v1` carries what it has no member for in annotations on the real
//! server; here only the CPU target is converted and other metrics are left out of the v1 view,
//! so a PUT through v1 drops them.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::{Resource, resources::Conversion};

/// The object in the shape that is stored.
pub(crate) fn to_storage<'a>(resource: &Resource, object: &'a Value) -> Value {
    let stored: Cow<'a, Value> = Cow::Borrowed(object);
    let mut stored = stored.into_owned();
    if let Some(members) = stored.as_object_mut() {
        match resource.conversion {
            Conversion::Custom | Conversion::None => {}
            Conversion::EventsV1 => {
                rename(members, EVENTS.iter().map(|&(stored, new)| (new, stored)));
            }
            Conversion::AutoscalingV1 => autoscaling_to_v2(members),
        }
    }
    stored
}

/// The stored object in the shape of `resource`'s version.
pub(crate) fn from_storage(resource: &Resource, mut object: Value) -> Value {
    if resource.conversion == Conversion::Custom
        && let Some(custom) = &resource.custom
    {
        custom.show(&mut object);
        return object;
    }
    if let Some(members) = object.as_object_mut() {
        match resource.conversion {
            Conversion::Custom | Conversion::None => {}
            Conversion::EventsV1 => rename(members, EVENTS.iter().copied()),
            Conversion::AutoscalingV1 => autoscaling_to_v1(members),
        }
    }
    object
}

fn rename<'a>(members: &mut Map<String, Value>, names: impl Iterator<Item = (&'a str, &'a str)>) {
    let names: Vec<_> = names.collect();
    let renamed = std::mem::take(members).into_iter().map(|(key, value)| {
        match names.iter().find(|(from, _)| *from == key) {
            Some((_, to)) => ((*to).to_owned(), value),
            None => (key, value),
        }
    });
    *members = renamed.collect();
}

fn autoscaling_to_v2(members: &mut Map<String, Value>) {
    if let Some(spec) = members.get_mut("spec").and_then(Value::as_object_mut)
        && let Some(target) = spec.shift_remove("targetCPUUtilizationPercentage")
    {
        let target = json!({"type": "Utilization", "averageUtilization": target});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        spec.insert("metrics".into(), json!([metric]));
    }
    if let Some(status) = members.get_mut("status").and_then(Value::as_object_mut)
        && let Some(current) = status.shift_remove("currentCPUUtilizationPercentage")
    {
        let current = json!({"averageUtilization": current});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "current": current}});
        status.insert("currentMetrics".into(), json!([metric]));
    }
}

fn autoscaling_to_v1(members: &mut Map<String, Value>) {
    for (member, list, place, name) in [
        ("spec", "metrics", "target", "targetCPUUtilizationPercentage"),
        ("status", "currentMetrics", "current", "currentCPUUtilizationPercentage"),
    ] {
        let Some(part) = members.get_mut(member).and_then(Value::as_object_mut) else { continue };
        let metrics = part.shift_remove(list).unwrap_or_default();
        let cpu = metrics.as_array().into_iter().flatten().find_map(|metric| {
            let resource = metric.get("resource")?;
            let is_cpu = resource.get("name")?.as_str()? == "cpu";
            is_cpu.then(|| resource.get(place)?.get("averageUtilization").cloned()).flatten()
        });
        if let Some(cpu) = cpu {
            part.insert(name.into(), cpu);
        }
        part.shift_remove("behavior");
        part.shift_remove("conditions");
    }
}

/// Members of the core Event, which is stored, and of `events.k8s.io/v1`.
const EVENTS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Release, ResourceTable};

    fn check(group: &str, version: &str, plural: &str, view: &Value, stored: &Value) {
        let table = ResourceTable::for_release(Release::default());
        let resource = table.lookup(group, version, plural).unwrap();
        assert_eq!(&to_storage(resource, view), stored);
        assert_eq!(&from_storage(resource, stored.clone()), view);
    }

    #[test]
    fn versions_convert_both_ways() {
        check(
            "events.k8s.io",
            "v1",
            "events",
            &json!({"metadata": {}, "regarding": {"kind": "Pod"}, "note": "n", "reason": "r"}),
            &json!({"metadata": {}, "involvedObject": {"kind": "Pod"}, "message": "n", "reason": "r"}),
        );
        check(
            "autoscaling",
            "v1",
            "horizontalpodautoscalers",
            &json!({"spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}}),
            &json!({"spec": {"maxReplicas": 3, "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]}}),
        );
        check("", "v1", "pods", &json!({"message": "m"}), &json!({"message": "m"}));
    }
}
