//! Selectors and lists, as one cell shows them.

use super::read::Reader;

/// A label selector; `<none>` when it has no requirement, `<error>` when one cannot be.
///
/// Source: `FormatLabelSelector` of k8s.io/apimachinery.
pub(super) fn format(selector: Reader<'_>) -> String {
    match requirements(selector) {
        None => "<error>".to_owned(),
        Some(text) if text.is_empty() => NONE.to_owned(),
        Some(text) => text,
    }
}

/// The requirements of a label selector, sorted by key.
pub(super) fn requirements(selector: Reader<'_>) -> Option<String> {
    let labels = selector.members("matchLabels").into_iter();
    let mut parts: Vec<(&str, String)> =
        labels.map(|(key, value)| (key, format!("{key}={}", value.str()))).collect();
    for expression in selector.items("matchExpressions") {
        let key = expression.text("key");
        let mut values = expression.texts("values");
        values.sort_unstable();
        let values = values.join(",");
        let text = match expression.text("operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        };
        parts.push((key, text));
    }
    parts.sort_by_key(|(key, _)| *key);
    Some(join(parts.into_iter().map(|(_, text)| text), ","))
}

/// Labels as `key=value`, sorted; `<none>` when there are none.
pub(super) fn labels(labels: Reader<'_>) -> String {
    let labels = labels.members_here();
    if labels.is_empty() {
        return NONE.to_owned();
    }
    join(labels.into_iter().map(|(key, value)| format!("{key}={}", value.str())), ",")
}

/// The first `max` of the parts, and how many more there are.
pub(super) fn first(parts: &[impl AsRef<str>], max: usize, separator: &str) -> String {
    let shown = join(parts.iter().take(max), separator);
    match parts.len() {
        count if count > max => format!("{shown} + {} more...", count - max),
        _ => shown,
    }
}

pub(super) fn join(parts: impl Iterator<Item = impl AsRef<str>>, separator: &str) -> String {
    let mut text = String::new();
    for (at, part) in parts.enumerate() {
        if at > 0 {
            text.push_str(separator);
        }
        text.push_str(part.as_ref());
    }
    text
}

pub(super) const NONE: &str = "<none>";
pub(super) const UNKNOWN: &str = "<unknown>";
pub(super) const UNSET: &str = "<unset>";
