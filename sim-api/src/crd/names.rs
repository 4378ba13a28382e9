//! Which names a definition gets, and when it is served.
//!
//! Source: `pkg/controller/status/naming_controller.go` and
//! `pkg/controller/establish/establishing_controller.go` of k8s.io/apiextensions-apiserver.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::conditions;
use crate::go;

/// The definition with the names that it gets beside all others, which `all` has; nothing where
/// that changes nothing.
pub fn accept_names<'a>(
    crd: &Value,
    all: impl Iterator<Item = &'a Value>,
    now: Timestamp,
) -> Option<Value> {
    let group = crd.pointer("/spec/group")?.as_str()?;
    let wanted = crd.pointer("/spec/names")?.as_object()?;
    let none = Map::new();
    let accepted = crd.pointer("/status/acceptedNames").and_then(Value::as_object).unwrap_or(&none);
    if is_same(wanted, accepted) {
        return None;
    }
    let (mut resources, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for other in
        all.filter(|other| other.pointer("/spec/group").and_then(Value::as_str) == Some(group))
    {
        let names = other.pointer("/status/acceptedNames").unwrap_or(&Value::Null);
        let text = |key: &str| names.get(key).and_then(Value::as_str).map(str::to_owned);
        resources.extend(text("plural").into_iter().chain(text("singular")));
        resources.extend(texts(names.get("shortNames")).map(str::to_owned));
        kinds.extend(text("kind").into_iter().chain(text("listKind")));
    }
    let mut got = accepted.clone();
    let mut conflict: Option<(&str, String)> = None;
    let text = |names: &Map<String, Value>, key: &str| -> String {
        names.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut take = |got: &mut Map<String, Value>, key: &str, used: &BTreeSet<String>, reason| {
        let name = text(wanted, key);
        if name != text(accepted, key) && used.contains(&name) {
            conflict = Some((reason, format!("{} is already in use", go::quote(&name))));
        } else {
            got.insert(key.to_owned(), name.into());
        }
    };
    take(&mut got, "plural", &resources, "PluralConflict");
    take(&mut got, "singular", &resources, "SingularConflict");
    let known: BTreeSet<&str> = texts(accepted.get("shortNames")).collect();
    let errors: Vec<String> = texts(wanted.get("shortNames"))
        .filter(|name| !known.contains(name) && resources.contains(*name))
        .map(|name| format!("{} is already in use", go::quote(name)))
        .collect();
    if errors.is_empty() {
        copy(wanted, &mut got, "shortNames");
    }
    let short = match errors.as_slice() {
        [] => None,
        [error] => Some(error.clone()),
        errors => Some(format!("[{}]", errors.join(", "))),
    };
    let take = |got: &mut Map<String, Value>, key: &str, reason| {
        let name = text(wanted, key);
        if name != text(accepted, key) && kinds.contains(&name) {
            Some((reason, format!("{} is already in use", go::quote(&name))))
        } else {
            got.insert(key.to_owned(), name.into());
            None
        }
    };
    let later =
        [take(&mut got, "kind", "KindConflict"), take(&mut got, "listKind", "ListKindConflict")];
    // The last conflict is the one that is told.
    let conflict = later
        .into_iter()
        .rev()
        .flatten()
        .next()
        .or_else(|| short.map(|errors| ("ShortNamesConflict", errors)))
        .or(conflict);
    copy(wanted, &mut got, "categories");

    let mut changed = crd.clone();
    changed["status"]["acceptedNames"] = Value::Object(got);
    match &conflict {
        Some((reason, message)) => {
            conditions::set(&mut changed, "NamesAccepted", "False", reason, message, now);
        }
        None => conditions::set(
            &mut changed,
            "NamesAccepted",
            "True",
            "NoConflicts",
            "no conflicts found",
            now,
        ),
    }
    if !conditions::is(crd, "Established", "True") {
        let (reason, message) = match conflict {
            None => ("Installing", "the initial names have been accepted"),
            Some(_) => ("NotAccepted", "not all names are accepted"),
        };
        conditions::set(&mut changed, "Established", "False", reason, message, now);
    }
    (changed != *crd).then_some(changed)
}

/// The definition as established, once its names are accepted; nothing where it is already.
pub fn establish(crd: &Value, now: Timestamp) -> Option<Value> {
    if !conditions::is(crd, "NamesAccepted", "True") || conditions::is(crd, "Established", "True") {
        return None;
    }
    let mut changed = crd.clone();
    let message = "the initial names have been accepted";
    conditions::set(&mut changed, "Established", "True", "InitialNamesAccepted", message, now);
    Some(changed)
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn copy(from: &Map<String, Value>, to: &mut Map<String, Value>, key: &str) {
    match from.get(key) {
        Some(value) => to.insert(key.to_owned(), value.clone()),
        None => to.shift_remove(key),
    };
}

/// Whether two sets of names are the same; what is empty is as if it were not there.
fn is_same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    ["plural", "singular", "kind", "listKind", "shortNames", "categories"].iter().all(|key| {
        let part = |names: &Map<String, Value>| match names.get(*key) {
            Some(Value::String(text)) if text.is_empty() => Value::Null,
            Some(Value::Array(items)) if items.is_empty() => Value::Null,
            found => found.cloned().unwrap_or_default(),
        };
        part(a) == part(b)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn crd(name: &str, short: &str, kind: &str) -> Value {
        json!({
            "metadata": {"name": format!("{name}.example.com")},
            "spec": {"group": "example.com", "names": {
                "plural": name, "singular": "one", "shortNames": [short], "kind": kind,
                "listKind": format!("{kind}List"),
            }},
            "status": {"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": ["v1"]},
        })
    }

    #[test]
    fn names_are_given_to_who_comes_first() {
        let now = Timestamp::UNIX_EPOCH;
        let first = accept_names(&crd("as", "a", "A"), [].iter(), now).unwrap();
        assert_eq!(first["status"]["acceptedNames"]["plural"], "as");
        assert_eq!(first["status"]["conditions"][0]["reason"], "NoConflicts");
        assert_eq!(first["status"]["conditions"][1]["reason"], "Installing");
        let first = establish(&first, now).unwrap();
        assert_eq!(first["status"]["conditions"][1]["reason"], "InitialNamesAccepted");
        assert!(accept_names(&first, [].iter(), now).is_none() && establish(&first, now).is_none());
        let mut second = crd("bs", "a", "A");
        second["spec"]["names"]["singular"] = "two".into();
        let second = accept_names(&second, [first].iter(), now).unwrap();
        let condition = &second["status"]["conditions"][0];
        assert_eq!(condition["reason"], "ListKindConflict");
        assert_eq!(condition["message"], "\"AList\" is already in use");
        assert!(establish(&second, now).is_none());
    }
}
