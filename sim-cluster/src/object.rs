//! Reading and making API objects as JSON.

use std::{fmt, rc::Rc};

use serde_json::{Map, Value, json};

/// Namespace and name; the namespace is empty for what has none.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Key {
    pub(crate) namespace: Rc<str>,
    pub(crate) name: Rc<str>,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    pub(crate) fn of(object: &Value) -> Self {
        Self::new(namespace(object), name(object))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}", self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

pub(crate) fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub(crate) fn version(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or(0)
}

pub(crate) fn generation(object: &Value) -> i64 {
    number(object, "/metadata/generation")
}

pub(crate) fn is_going(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

pub(crate) fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["labels"][name].as_str()
}

pub(crate) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

pub(crate) fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    list(object, "/metadata/finalizers").iter().filter_map(Value::as_str)
}

/// The owner that controls it.
pub(crate) fn controller_of(object: &Value) -> Option<&Value> {
    list(object, "/metadata/ownerReferences").iter().find(|owner| flag(owner, "/controller"))
}

/// Its uid; empty without one.
pub(crate) fn controller_uid(object: &Value) -> &str {
    controller_of(object).map_or("", |owner| text(owner, "/uid"))
}

/// A controller reference to the object.
pub(crate) fn owned_by(api_version: &str, kind: &str, owner: &Value) -> Value {
    json!([{
        "apiVersion": api_version,
        "kind": kind,
        "name": name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// Whether labels match a LabelSelector; an absent one matches nothing.
pub(crate) fn matches(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else { return false };
    let of = |key: &str| labels[key].as_str();
    let simple = selector.get("matchLabels").and_then(Value::as_object);
    let simple = simple.is_none_or(|wanted| {
        wanted.iter().all(|(key, value)| of(key).is_some() && of(key) == value.as_str())
    });
    let none = Vec::new();
    let rules = selector.get("matchExpressions").and_then(Value::as_array).unwrap_or(&none);
    simple && rules.iter().all(|rule| expression(rule, of(text(rule, "/key"))))
}

/// One `matchExpressions` entry against a label's value; node selectors add Gt and Lt.
pub(crate) fn expression(rule: &Value, actual: Option<&str>) -> bool {
    let within = || list(rule, "/values").iter().any(|value| value.as_str() == actual);
    let compare = || {
        let wanted = list(rule, "/values").first().and_then(Value::as_str);
        let wanted: i64 = wanted?.parse().ok()?;
        Some(actual?.parse::<i64>().ok()?.cmp(&wanted))
    };
    match text(rule, "/operator") {
        "In" => actual.is_some() && within(),
        "NotIn" => actual.is_none() || !within(),
        "Exists" => actual.is_some(),
        "DoesNotExist" => actual.is_none(),
        "Gt" => compare().is_some_and(std::cmp::Ordering::is_gt),
        "Lt" => compare().is_some_and(std::cmp::Ordering::is_lt),
        _ => false,
    }
}

/// The condition of that type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").iter().find(|condition| condition["type"] == kind)
}

pub(crate) fn condition_is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// Not finished and not going.
pub(crate) fn is_active(pod: &Value) -> bool {
    !is_finished(pod) && !is_going(pod)
}

pub(crate) fn is_finished(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    condition_is_true(pod, "Ready")
}

/// Sets a field, making the objects on the way. What is in the way and no object is replaced.
pub(crate) fn set(object: &mut Value, path: &[&str], value: Value) {
    let mut at = object;
    for field in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[*field];
    }
    *at = value;
}

/// Puts a condition in place of the one of its type. `lastTransitionTime` stays unless the status
/// changes. Returns whether something changed besides times.
pub(crate) fn set_condition(conditions: &mut Vec<Value>, mut new: Value) -> bool {
    let kind = new["type"].clone();
    let Some(old) = conditions.iter_mut().find(|old| old["type"] == kind) else {
        conditions.push(new);
        return true;
    };
    let same = |field: &str, new: &Value| old.get(field) == new.get(field);
    if same("status", &new) && same("reason", &new) && same("message", &new) {
        return false;
    }
    if old["status"] == new["status"] && old.get("lastTransitionTime").is_some() {
        new["lastTransitionTime"] = old["lastTransitionTime"].clone();
    }
    *old = new;
    true
}

/// FNV-1a, 32 bits. Source: Go's hash/fnv.
pub(crate) fn fnv32a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The hash of a pod template as it stands in names. The real one hashes Go's dump of the struct,
/// this one the JSON: the alphabet and length are alike, the value is not. Source:
/// `pkg/util/hash`, `apimachinery/pkg/util/rand` `SafeEncodeString`.
pub(crate) fn template_hash(template: &Value, collisions: i64) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut text = template.to_string();
    if collisions > 0 {
        text.push_str(&collisions.to_string());
    }
    let digits = fnv32a(text.as_bytes()).to_string();
    digits.bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

/// An int-or-percent of `total`; percentages round up or down. Absent: `default`.
pub(crate) fn scaled(value: &Value, total: i64, default: &str, round_up: bool) -> i64 {
    let percent = |text: &str| {
        let percent: i64 = text.trim_end_matches('%').parse().ok()?;
        let product = percent.checked_mul(total)?;
        Some(if round_up { (product + 99) / 100 } else { product / 100 })
    };
    match value {
        Value::Number(number) => number.as_i64().unwrap_or(0),
        Value::String(text) => percent(text).unwrap_or(0),
        _ => percent(default).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_match_as_the_real_ones() {
        let labels = json!({"app": "web", "tier": "2"});
        for (selector, expected) in [
            (json!({}), true),
            (Value::Null, false),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "db"}}), false),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "no", "operator": "NotIn", "values": ["x"]}]}),
                true,
            ),
            (json!({"matchExpressions": [{"key": "no", "operator": "Exists"}]}), false),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "Gt", "values": ["1"]}]}),
                true,
            ),
        ] {
            assert_eq!(matches(&selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn percentages_round_both_ways() {
        assert_eq!(scaled(&json!("25%"), 10, "25%", true), 3);
        assert_eq!(scaled(&json!("25%"), 10, "25%", false), 2);
        assert_eq!(scaled(&json!(4), 10, "25%", false), 4);
        assert_eq!(scaled(&Value::Null, 8, "25%", false), 2);
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let mut all = vec![json!({"type": "A", "status": "True", "lastTransitionTime": "t0"})];
        let new = json!({"type": "A", "status": "True", "reason": "R", "lastTransitionTime": "t1"});
        assert!(set_condition(&mut all, new.clone()));
        assert_eq!(all[0]["lastTransitionTime"], "t0");
        assert!(!set_condition(&mut all, new));
    }
}
