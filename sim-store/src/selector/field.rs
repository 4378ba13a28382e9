//! Field selectors: `metadata.name=a,status.phase!=Running`.

use std::{borrow::Cow, fmt};

use super::SelectorError;
use crate::StrMap;

/// Requirements on selectable fields, all of which an object must meet; empty matches all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FieldSelector(Vec<FieldRequirement>);

/// One requirement of a [`FieldSelector`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldRequirement {
    /// The field's label, such as `spec.nodeName`.
    pub field: Box<str>,
    /// How it is compared.
    pub operator: FieldOperator,
    /// The value, unescaped. A field that an object lacks counts as empty.
    pub value: Box<str>,
}

/// How a [`FieldRequirement`] compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FieldOperator {
    /// `field=value` or `field==value`.
    Equals,
    /// `field!=value`.
    NotEquals,
}

impl FieldSelector {
    /// Parses the text form, as in `?fieldSelector=`.
    ///
    /// Which fields a kind knows is not checked here, see [`transform`](Self::transform).
    pub fn parse(selector: &str) -> Result<Self, SelectorError> {
        let mut terms = split_terms(selector);
        terms.sort_unstable();
        terms
            .into_iter()
            .filter(|term| !term.is_empty())
            .map(|term| {
                let (field, operator, value) = split_term(term).ok_or_else(|| {
                    SelectorError(format!(
                        "invalid selector: '{selector}'; can't understand '{term}'"
                    ))
                })?;
                let value = unescape(value)?.into();
                Ok(FieldRequirement { field: field.into(), operator, value })
            })
            // Nothing compared with nothing requires nothing. Source: `hasTerm.Transform`.
            .filter(|term: &Result<FieldRequirement, _>| {
                term.as_ref().map_or(true, |term| !term.field.is_empty() || !term.value.is_empty())
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The selector that requires one field to equal `value`.
    pub fn one(field: &str, value: &str) -> Self {
        let operator = FieldOperator::Equals;
        Self(vec![FieldRequirement { field: field.into(), operator, value: value.into() }])
    }

    /// Builds the selector from requirements.
    pub fn from_requirements(requirements: impl IntoIterator<Item = FieldRequirement>) -> Self {
        Self(requirements.into_iter().collect())
    }

    /// Whether an object with these selectable fields is selected.
    pub fn matches(&self, fields: &StrMap) -> bool {
        self.0.iter().all(|requirement| {
            let equal = fields.get(&requirement.field).unwrap_or_default() == &*requirement.value;
            equal == (requirement.operator == FieldOperator::Equals)
        })
    }

    /// Whether the selector requires nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that `field` must equal, if the selector says so.
    pub fn required(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|found| found.operator == FieldOperator::Equals && *found.field == *field)
            .map(|found| &*found.value)
    }

    /// The labels of the fields that the selector names, with repeats.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|requirement| &*requirement.field)
    }

    /// The requirements, in the order of their text.
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.0
    }

    /// Renames or refuses fields, as each kind's field label conversion does.
    pub fn transform<E>(
        mut self,
        mut convert: impl FnMut(&str, &str) -> Result<(Box<str>, Box<str>), E>,
    ) -> Result<Self, E> {
        for requirement in &mut self.0 {
            (requirement.field, requirement.value) =
                convert(&requirement.field, &requirement.value)?;
        }
        Ok(self)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let operator = match requirement.operator {
                FieldOperator::Equals => "=",
                FieldOperator::NotEquals => "!=",
            };
            write!(f, "{comma}{}{operator}", requirement.field)?;
            for c in requirement.value.chars() {
                if matches!(c, '\\' | ',' | '=') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// Splits at commas without a backslash before them.
fn split_terms(selector: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in selector.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&selector[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&selector[start..]);
    terms
}

fn split_term(term: &str) -> Option<(&str, FieldOperator, &str)> {
    let at = term.char_indices().map(|(at, _)| at).find(|&at| {
        let rest = &term[at..];
        rest.starts_with("!=") || rest.starts_with('=')
    })?;
    let (field, rest) = term.split_at(at);
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((field, FieldOperator::NotEquals, value));
    }
    let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
    Some((field, FieldOperator::Equals, value))
}

fn unescape(value: &str) -> Result<Cow<'_, str>, SelectorError> {
    if !value.contains(['\\', ',', '=']) {
        return Ok(value.into());
    }
    let invalid_escape = |sequence: String| {
        SelectorError(format!("invalid field selector: invalid escape sequence: {sequence}"))
    };
    let mut unescaped = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => unescaped.push(c),
                Some(c) => return Err(invalid_escape(format!("\\{c}"))),
                None => return Err(invalid_escape("\\".to_owned())),
            },
            // The real message prints the rune as a number.
            ',' | '=' => {
                return Err(SelectorError(format!(
                    "invalid field selector: unescaped character in value: {}",
                    u32::from(c)
                )));
            }
            c => unescaped.push(c),
        }
    }
    Ok(unescaped.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_missing_field_counts_as_empty() {
        let fields = StrMap::from_pairs([("metadata.name", "a"), ("status.phase", "Running")]);
        for (selector, expected) in [
            ("", true),
            ("metadata.name=a", true),
            ("metadata.name==a,status.phase!=Failed", true),
            ("metadata.name!=a", false),
            ("spec.nodeName=", true),
            ("spec.nodeName!=", false),
            (",metadata.name=a,", true),
        ] {
            assert_eq!(
                FieldSelector::parse(selector).unwrap().matches(&fields),
                expected,
                "{selector}"
            );
        }
    }

    #[test]
    fn values_may_escape_commas_equals_signs_and_backslashes() {
        let selector = FieldSelector::parse(r"b=1\,2\=3\\,a!=x").unwrap();
        assert_eq!(selector.required("b"), Some(r"1,2=3\"));
        assert_eq!(selector.required("a"), None);
        assert_eq!(selector.fields().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(selector.to_string(), r"a!=x,b=1\,2\=3\\");
    }

    #[test]
    fn errors_are_worded_as_recorded() {
        for (selector, message) in [
            (
                "metadata.name in (p1)",
                "invalid selector: 'metadata.name in (p1)'; can't understand 'metadata.name in \
                 (p1)'",
            ),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
            ("a=\\", "invalid field selector: invalid escape sequence: \\"),
        ] {
            let error = FieldSelector::parse(selector).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_and_what_is_parsed_round_trips(text in "\\PC{0,30}|[a-b!=\\\\,]{0,20}") {
            if let Ok(selector) = FieldSelector::parse(&text) {
                prop_assert_eq!(FieldSelector::parse(&selector.to_string()), Ok(selector));
            }
        }
    }
}
