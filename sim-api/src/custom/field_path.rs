//! Paths into a schema, as rules and selectable fields name them: `.spec.a['b.c']`.
//!
//! Source: `ValidFieldPath` in k8s.io/apiextensions-apiserver `pkg/apiserver/schema/cel`.

use std::fmt::Write;

use super::props::Props;

/// A path that leads somewhere.
#[derive(Clone, Debug)]
pub(crate) struct FieldPath<'a> {
    /// As a field error prints it, such as `spec.a`.
    pub(crate) text: String,
    /// Its first name.
    pub(crate) root: String,
    /// What is there.
    pub(crate) schema: &'a Props,
}

/// Follows a path from a schema.
///
/// # Errors
///
/// Why it leads nowhere, in the real words.
pub(crate) fn field_path<'a>(
    path: &str,
    schema: &'a Props,
    allows_brackets: bool,
) -> Result<FieldPath<'a>, String> {
    let mut found = FieldPath { text: String::new(), root: String::new(), schema };
    let mut tokens = tokens(path).into_iter();
    let end = || "unexpected end of JSON path".to_owned();
    while let Some(token) = tokens.next() {
        match token {
            "[" => {
                if !allows_brackets {
                    return Err("array notation is not allowed".to_owned());
                }
                let name = tokens.next().ok_or_else(end)?;
                let inner = name
                    .strip_prefix('\'')
                    .and_then(|name| name.strip_suffix('\''))
                    .ok_or_else(|| format!("expected single quoted string but got {name}"))?;
                found.step(&unescape(inner)?)?;
                match tokens.next().ok_or_else(end)? {
                    "]" => {}
                    other => return Err(format!("expected ] but got {other}")),
                }
            }
            "." => {
                let name = tokens.next().ok_or_else(end)?;
                found.step(name)?;
            }
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok(found)
}

impl FieldPath<'_> {
    fn step(&mut self, name: &str) -> Result<(), String> {
        let nowhere = || "does not refer to a valid field".to_owned();
        if self.root.is_empty() {
            name.clone_into(&mut self.root);
        }
        if !self.schema.properties.is_empty() {
            self.schema = self.schema.properties.get(name).ok_or_else(nowhere)?;
            if !self.text.is_empty() {
                self.text.push('.');
            }
            self.text.push_str(name);
        } else {
            self.schema = self.schema.additional_schema().ok_or_else(nowhere)?;
            let _ = write!(self.text, "[{name}]");
        }
        Ok(())
    }
}

/// Dots, brackets, quoted texts, and what is between them.
fn tokens(path: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let bytes = rest.as_bytes();
        let end = match bytes[0] {
            b'.' | b'[' | b']' => 1,
            b'\'' => (1..bytes.len())
                .find(|&at| bytes[at] == b'\'' && bytes[at - 1] != b'\\')
                .map_or(rest.len(), |at| at + 1),
            _ => rest.find(['.', '[', ']']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after;
    }
    tokens
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        plain.push(match chars.next() {
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some(c @ ('\'' | '\\')) => c,
            Some(c) => return Err(format!("invalid string literal: invalid escape char \\{c}")),
            None => break,
        });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_schemas_or_are_refused() {
        let schema = Props::parse(&json!({"type": "object", "properties": {"spec": {
            "type": "object", "properties": {"a": {"type": "string"}, "m": {
                "type": "object", "additionalProperties": {"type": "integer"},
            }},
        }}}))
        .unwrap();
        let text = |path: &str| field_path(path, &schema, true).map(|found| found.text);
        assert_eq!(text(".spec.a"), Ok("spec.a".into()));
        assert_eq!(text(".spec['m']['k.x']"), Ok("spec.m[k.x]".into()));
        assert_eq!(text(".spec.b"), Err("does not refer to a valid field".into()));
        assert_eq!(text(".spec."), Err("unexpected end of JSON path".into()));
        assert_eq!(text("spec"), Err("expected [ or . but got: spec".into()));
        assert!(field_path(".spec['a']", &schema, false).is_err());
    }
}
