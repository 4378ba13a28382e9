//! Regular expressions of schemas, which are written for Go.
//!
//! Both engines run in linear time and both are bounded in size. What Rust's reads otherwise is
//! rewritten: `\d`, `\w`, `\s` and `\b` are about ASCII in Go, and a class has no operators.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::props::Props;

/// The patterns of a schema, each compiled once.
#[derive(Clone, Debug, Default)]
pub struct Patterns(BTreeMap<String, Regex>);

impl Patterns {
    /// Those of a schema and the schemas below it.
    pub fn of(schema: &Props) -> Self {
        let mut patterns = Self::default();
        patterns.add(schema);
        patterns
    }

    fn add(&mut self, schema: &Props) {
        if !schema.pattern.is_empty()
            && let Ok(regex) = compile(&schema.pattern)
        {
            self.0.insert(schema.pattern.clone(), regex);
        }
        schema.below().for_each(|schema| self.add(schema));
    }

    /// Whether a pattern is found in a text. A pattern that does not compile, which validation
    /// of the CustomResourceDefinition refuses, is never found.
    pub(super) fn matches(&self, pattern: &str, text: &str) -> bool {
        self.0.get(pattern).is_some_and(|regex| regex.is_match(text))
    }
}

/// A pattern as Go reads it.
///
/// # Errors
///
/// Where it is none or too large; the text is near to Go's.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&translate(pattern)).size_limit(SIZE_MAX).build().map_err(|error| {
        let what = error.to_string();
        let last = what.lines().last().unwrap_or_default();
        let last = last.strip_prefix("error: ").unwrap_or(last);
        format!("error parsing regexp: {last}: `{pattern}`")
    })
}

fn translate(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    // Where a class has begun: `]` is itself at its very beginning.
    let mut at_start = false;
    while let Some(c) = chars.next() {
        let first = std::mem::take(&mut at_start);
        match c {
            '\\' => {
                let Some(escaped) = chars.next() else {
                    translated.push('\\');
                    break;
                };
                let class = match escaped {
                    'd' => Some("0-9"),
                    'w' => Some("0-9A-Za-z_"),
                    's' => Some("\\t\\n\\f\\r "),
                    _ => None,
                };
                match (class, escaped) {
                    (Some(class), _) if in_class => {
                        translated.push_str(class);
                        if chars.peek() == Some(&'-') {
                            chars.next();
                            translated.push_str("\\-");
                        }
                    }
                    (Some(class), _) => {
                        translated.push('[');
                        translated.push_str(class);
                        translated.push(']');
                    }
                    (None, 'D') => translated.push_str("[^0-9]"),
                    (None, 'W') => translated.push_str("[^0-9A-Za-z_]"),
                    (None, 'S') => translated.push_str("[^\\t\\n\\f\\r ]"),
                    (None, 'b' | 'B') if !in_class => {
                        translated.push_str("(?-u:\\");
                        translated.push(escaped);
                        translated.push(')');
                    }
                    (None, 'Q') if !in_class => {
                        let mut quoted = String::new();
                        while let Some(c) = chars.next() {
                            if c == '\\' && chars.peek() == Some(&'E') {
                                chars.next();
                                break;
                            }
                            quoted.push(c);
                        }
                        translated.push_str(&regex::escape(&quoted));
                    }
                    (None, escaped) => {
                        translated.push('\\');
                        translated.push(escaped);
                    }
                }
            }
            '[' if !in_class => {
                in_class = true;
                at_start = true;
                translated.push('[');
                if chars.peek() == Some(&'^') {
                    chars.next();
                    translated.push('^');
                }
            }
            '[' if chars.peek() == Some(&':') => {
                // A class by name, such as [:alpha:], is the same in both.
                translated.push('[');
                for c in chars.by_ref() {
                    translated.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' => translated.push_str("\\["),
            ']' if in_class && first => translated.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                translated.push(']');
            }
            '&' | '~' if in_class => {
                translated.push('\\');
                translated.push(c);
            }
            '-' if in_class && (chars.peek() == Some(&'-') || first) => {
                translated.push_str("\\-");
            }
            c => translated.push(c),
        }
    }
    translated
}

/// Bytes of a compiled pattern.
const SIZE_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, text, found) in [
            (r"^\d+$", "123", true),
            (r"^\d+$", "١٢٣", false),
            (r"^[\w-.]+$", "a-b.c", true),
            (r"^[a-z&&b]+$", "&", true),
            (r"^[[a]+$", "[a", true),
            (r"^[]a]+$", "]a", true),
            (r"^[-a]+$", "-a", true),
            (r"\bfoo\b", "a foo b", true),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"^[^/]*$", "a/b", false),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(text), found, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_refused() {
        for pattern in ["(", "[z-a]", "(?=a)", "(((a{1000}){1000}){1000})", r"\"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
