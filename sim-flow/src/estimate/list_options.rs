//! The options of a LIST or WATCH, as far as its width depends on them.

use std::borrow::Cow;

use crate::query::values;

/// Options of a LIST or WATCH.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct ListOptions<'a> {
    pub(super) limit: i64,
    pub(super) continue_token: Cow<'a, str>,
    pub(super) resource_version: Cow<'a, str>,
    pub(super) resource_version_match: Cow<'a, str>,
    /// There is a label or field selector.
    pub(super) selects: bool,
    pub(super) send_initial_events: bool,
    pub(super) field_selector: Option<Cow<'a, str>>,
}

impl<'a> ListOptions<'a> {
    /// The options, or `None` if the server could not decode them. Of repeated keys the first
    /// counts. Selectors are not looked into: the estimator decodes them as text.
    pub(super) fn parse(query: &'a str) -> Option<Self> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for (key, value) in values(query) {
            if seen.contains(&key) {
                continue;
            }
            match key.as_ref() {
                "limit" => options.limit = value.parse().ok()?,
                "timeoutSeconds" => drop(value.parse::<i64>().ok()?),
                "continue" => options.continue_token = value,
                "resourceVersion" => options.resource_version = value,
                "resourceVersionMatch" => options.resource_version_match = value,
                "labelSelector" => options.selects |= !value.is_empty(),
                "fieldSelector" => {
                    options.selects |= !value.is_empty();
                    options.field_selector = Some(value);
                }
                "sendInitialEvents" => options.send_initial_events = is_true(&value),
                _ => {}
            }
            seen.push(key);
        }
        Some(options)
    }

    /// The value that the field selector demands of `field`, if it demands one.
    pub(super) fn required_field(&self, field: &str) -> Option<String> {
        let selector = self.field_selector.as_deref()?;
        if !is_field_selector(selector) {
            return None;
        }
        field_terms(selector).find_map(|term| match split_term(term)? {
            (name, "=" | "==", value) if name == field => Some(unescape(value)),
            _ => None,
        })
    }
}

/// As the server reads booleans in a query.
fn is_true(value: &str) -> bool {
    !matches!(value.to_ascii_lowercase().as_str(), "false" | "0")
}

/// The terms of a field selector: split at commas that are not escaped.
fn field_terms(selector: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    selector
        .split(move |c| {
            let splits = c == ',' && !escaped;
            escaped = c == '\\' && !escaped;
            splits
        })
        .filter(|term| !term.is_empty())
}

/// Name, operator and value of a term of a field selector.
fn split_term(term: &str) -> Option<(&str, &str, &str)> {
    let at = term.find(['=', '!'])?;
    let (name, rest) = term.split_at(at);
    let operator = ["!=", "==", "="].into_iter().find(|operator| rest.starts_with(operator))?;
    Some((name, operator, &rest[operator.len()..]))
}

fn is_field_selector(selector: &str) -> bool {
    field_terms(selector).all(|term| {
        split_term(term).is_some_and(|(_, _, value)| {
            let mut chars = value.chars();
            while let Some(c) = chars.next() {
                let valid = match c {
                    '\\' => matches!(chars.next(), Some('\\' | ',' | '=')),
                    ',' | '=' => false,
                    _ => true,
                };
                if !valid {
                    return false;
                }
            }
            true
        })
    })
}

fn unescape(value: &str) -> String {
    let mut chars = value.chars();
    let mut text = String::with_capacity(value.len());
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_checked_as_the_server_does() {
        for good in ["", "a=b", "spec.nodeName!=n1,metadata.name==x", "a=b\\,c"] {
            assert!(is_field_selector(good), "{good}");
        }
        for bad in ["a", "==="] {
            assert!(!is_field_selector(bad), "{bad}");
        }
    }

    #[test]
    fn an_exact_term_is_found_among_others() {
        let query = "fieldSelector=status.phase!%3DFailed%2Cspec.nodeName%3Dn1";
        let options = ListOptions::parse(query).unwrap();
        assert_eq!(options.required_field("spec.nodeName").as_deref(), Some("n1"));
        assert_eq!(options.required_field("status.phase"), None);
    }
}
