//! Objects from files.

use std::path::Path;

use serde_json::Value;
use sim_flow::api::{
    FlowSchema, ObjectMeta, PriorityLevelConfiguration, flow_schema_from_json,
    priority_level_from_json,
};

use super::FlowConfig;
use crate::LoadError;

impl FlowConfig {
    /// Reads a YAML or JSON file with objects, or Lists of them, and lays them over those that are
    /// there: one of the same kind and name is replaced.
    ///
    /// # Errors
    /// One line with file, object and field.
    pub fn overlay_file(&mut self, path: &Path) -> Result<(), LoadError> {
        let text =
            std::fs::read_to_string(path).map_err(|e| LoadError::file(path, e.to_string()))?;
        self.overlay(&text).map_err(|message| LoadError::file(path, message))?;
        let origin = path.display();
        self.origin = if self.origin.is_empty() {
            origin.to_string()
        } else {
            format!("{}, {origin}", self.origin)
        };
        Ok(())
    }

    /// As [`overlay_file`](Self::overlay_file), with the text.
    ///
    /// # Errors
    /// One line with object and field.
    pub fn overlay(&mut self, text: &str) -> Result<(), String> {
        let documents = sim_api::yaml::documents(text).map_err(|error| error.to_string())?;
        if documents.is_empty() {
            return Err("no object is in it".to_owned());
        }
        documents.into_iter().try_for_each(|document| self.put(document))
    }

    /// Puts one object, or the items of a List, in its place.
    pub(super) fn put(&mut self, mut object: Value) -> Result<(), String> {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        if let (true, Value::Array(items)) = (kind.ends_with("List"), object["items"].take()) {
            let item_kind = kind.trim_end_matches("List");
            return items.into_iter().try_for_each(|mut item| {
                // Items of a typed list do not say their kind.
                if item["kind"].is_null() && item.is_object() {
                    item["kind"] = item_kind.into();
                    item["apiVersion"] = object["apiVersion"].clone();
                }
                self.put(item)
            });
        }
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let at = format!("{kind} {name:?}");
        if name.is_empty() {
            return Err(format!("{kind}: metadata.name: is missing"));
        }
        match kind.as_str() {
            "FlowSchema" => {
                let schema = flow_schema_from_json(object.clone());
                let schema = schema.map_err(|e| explain::<FlowSchema>(&at, &object, &e))?;
                place(&mut self.flow_schemas, schema, |schema| &schema.metadata);
            }
            "PriorityLevelConfiguration" => {
                let level = priority_level_from_json(object.clone());
                let level =
                    level.map_err(|e| explain::<PriorityLevelConfiguration>(&at, &object, &e))?;
                place(&mut self.priority_levels, level, |level| &level.metadata);
            }
            _ => {
                let wanted = "FlowSchema or PriorityLevelConfiguration";
                return Err(format!("{at}: kind: is not {wanted}"));
            }
        }
        Ok(())
    }
}

fn place<T>(objects: &mut Vec<T>, object: T, metadata: impl Fn(&T) -> &ObjectMeta) {
    let same = objects.iter().position(|old| metadata(old).name == metadata(&object).name);
    match same {
        Some(index) => objects[index] = object,
        None => objects.push(object),
    }
}

/// The field that does not fit: the one on the line, in JSON of one field a line, at which reading
/// stops.
fn explain<T: serde::de::DeserializeOwned>(
    at: &str,
    object: &Value,
    error: &serde_json::Error,
) -> String {
    let pretty = serde_json::to_string_pretty(object).unwrap_or_default();
    let Err(error) = serde_json::from_str::<T>(&pretty) else { return format!("{at}: {error}") };
    let line = pretty.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let key = line.trim().strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    match key {
        Some((key, _)) => format!("{at}: {key}: {message}"),
        None => format!("{at}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use sim_flow::Release;

    use super::*;

    #[test]
    fn files_lie_over_the_objects_of_the_release() {
        let mut config = FlowConfig::bootstrap(Release::NEWEST, 600);
        let levels = config.priority_levels.len();
        let text = "\
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: mine}
spec: {type: Limited, limited: {limitResponse: {type: Queue, queuing: {queues: 4, handSize: 2}}}}
---
apiVersion: v1
kind: List
items:
- apiVersion: flowcontrol.apiserver.k8s.io/v1
  kind: PriorityLevelConfiguration
  metadata: {name: system}
  spec: {type: Limited, limited: {limitResponse: {type: Reject}}}
";
        config.overlay(text).unwrap();
        assert_eq!(config.priority_levels.len(), levels + 1);
        let of = |name: &str| {
            let mut levels = config.priority_levels.iter();
            levels.find(|l| l.metadata.name == name).unwrap().spec.limited.as_ref().unwrap()
        };
        assert_eq!(of("mine").limit_response.queuing.as_ref().unwrap().queue_length_limit, 50);
        assert_eq!(of("mine").nominal_concurrency_shares, Some(30));
        assert_eq!(of("system").limit_response.type_, "Reject");
    }

    #[test]
    fn mistakes_name_object_and_field() {
        let error = |text: &str| FlowConfig::empty(Release::NEWEST, 600).overlay(text).unwrap_err();
        assert_eq!(
            error("kind: FlowSchema\nmetadata: {name: a}\nspec: {matchingPrecedence: soon}\n"),
            "FlowSchema \"a\": matchingPrecedence: invalid type: string \"soon\", expected i32"
        );
        assert_eq!(
            error("kind: Pod\nmetadata: {name: a}\n"),
            "Pod \"a\": kind: is not FlowSchema or PriorityLevelConfiguration"
        );
        assert_eq!(error("kind: FlowSchema\n"), "FlowSchema: metadata.name: is missing");
        assert_eq!(error(""), "no object is in it");
    }
}
