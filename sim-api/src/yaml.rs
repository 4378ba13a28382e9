//! Files with several YAML documents, and bodies in the YAML of the real server.

pub(crate) mod go;

use serde_json::Value;

/// A text that is not YAML; the message has line and column.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct YamlError(String);

/// The documents of a text, in order; JSON is YAML too. Empty documents are left out.
///
/// # Errors
///
/// [`YamlError`] when one of them does not parse.
pub fn documents(text: &str) -> Result<Vec<Value>, YamlError> {
    if text.trim_start().starts_with(['{', '[']) {
        // A dump may be large; the JSON parser has no budgets and is many times faster.
        if let Ok(value) = serde_json::from_str(text) {
            return Ok(vec![value]);
        }
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| YamlError(error.to_string().lines().next().unwrap_or_default().into()))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_told_apart() {
        let found = documents("a: 1\n---\n# nothing\n---\nb: [x, 'y']\n").unwrap();
        assert_eq!(found, [json!({ "a": 1 }), json!({ "b": ["x", "y"] })]);
        assert_eq!(documents("{\"a\": 1}").unwrap(), [json!({ "a": 1 })]);
        assert!(documents("a: [1").is_err());
    }
}
