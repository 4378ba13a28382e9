//! Objects from and to the served versions: v1 and, up to 1.31, v1beta3.
//!
//! The versions differ in one field: in v1beta3 the shares of a limited level are no pointer, so
//! that 0 means "not set"; an annotation tells a wanted 0 apart.

use serde_json::{Value, json};

use super::{FlowSchema, PriorityLevelConfiguration, defaults::DEFAULT_SHARES};

/// Present on v1beta3 objects whose zero shares are wanted, with any value.
///
/// Source: `flowcontrol.PriorityLevelPreserveZeroConcurrencySharesKey`.
pub const PRESERVE_ZERO_SHARES_ANNOTATION: &str =
    "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";

/// Reads a FlowSchema of either version and fills in the defaults.
pub fn flow_schema_from_json(value: Value) -> Result<FlowSchema, serde_json::Error> {
    let mut schema: FlowSchema = serde_json::from_value(value)?;
    schema.set_defaults();
    Ok(schema)
}

/// Reads a PriorityLevelConfiguration and fills in the defaults. Read as v1beta3 when its
/// `apiVersion` says so, else as v1.
pub fn priority_level_from_json(
    value: Value,
) -> Result<PriorityLevelConfiguration, serde_json::Error> {
    let v1beta3 = value.get("apiVersion").and_then(Value::as_str) == Some(V1BETA3);
    let mut level: PriorityLevelConfiguration = serde_json::from_value(value)?;
    if v1beta3 {
        level.convert_from_v1beta3();
    }
    level.set_defaults();
    Ok(level)
}

impl FlowSchema {
    /// The object as JSON of `version` (`v1` or `v1beta3`).
    pub fn to_json(&self, version: &str) -> Result<Value, serde_json::Error> {
        typed(serde_json::to_value(self)?, "FlowSchema", version)
    }
}

impl PriorityLevelConfiguration {
    /// The object as JSON of `version` (`v1` or `v1beta3`).
    pub fn to_json(&self, version: &str) -> Result<Value, serde_json::Error> {
        let mut level = self.clone();
        if version == "v1beta3" {
            level.convert_to_v1beta3();
        }
        typed(serde_json::to_value(level)?, "PriorityLevelConfiguration", version)
    }

    fn convert_from_v1beta3(&mut self) {
        let wanted_zero = self.metadata.annotations.remove(PRESERVE_ZERO_SHARES_ANNOTATION);
        if let Some(limited) = &mut self.spec.limited
            && limited.nominal_concurrency_shares.unwrap_or(0) == 0
        {
            let shares = if wanted_zero.is_some() { 0 } else { DEFAULT_SHARES };
            limited.nominal_concurrency_shares = Some(shares);
        }
    }

    fn convert_to_v1beta3(&mut self) {
        let shares = self.spec.limited.as_ref().and_then(|l| l.nominal_concurrency_shares);
        if shares == Some(0) {
            let key = PRESERVE_ZERO_SHARES_ANNOTATION.to_owned();
            self.metadata.annotations.insert(key, String::new());
        }
    }
}

fn typed(object: Value, kind: &str, version: &str) -> Result<Value, serde_json::Error> {
    let mut typed = json!({ "apiVersion": format!("{GROUP}/{version}"), "kind": kind });
    if let (Value::Object(typed), Value::Object(object)) = (&mut typed, object) {
        typed.extend(object);
    }
    Ok(typed)
}

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
const V1BETA3: &str = "flowcontrol.apiserver.k8s.io/v1beta3";

#[cfg(test)]
mod tests {
    use super::*;

    fn level(version: &str, shares: Value, annotations: Value) -> PriorityLevelConfiguration {
        priority_level_from_json(json!({
            "apiVersion": format!("{GROUP}/{version}"),
            "metadata": {"name": "x", "annotations": annotations},
            "spec": {"type": "Limited", "limited": {
                "nominalConcurrencyShares": shares, "limitResponse": {"type": "Reject"}}},
        }))
        .unwrap()
    }

    fn shares(level: &PriorityLevelConfiguration) -> i32 {
        level.spec.limited.as_ref().unwrap().nominal_concurrency_shares.unwrap()
    }

    #[test]
    fn zero_shares_mean_zero_in_v1_and_the_default_in_v1beta3() {
        assert_eq!(shares(&level("v1", json!(0), Value::Null)), 0);
        assert_eq!(shares(&level("v1", Value::Null, Value::Null)), 30);
        assert_eq!(shares(&level("v1beta3", json!(0), Value::Null)), 30);
        let wanted = json!({ PRESERVE_ZERO_SHARES_ANNOTATION: "" });
        assert_eq!(shares(&level("v1beta3", json!(0), wanted)), 0);
    }

    #[test]
    fn wanted_zero_shares_survive_a_round_trip_through_v1beta3() {
        let v1 = level("v1", json!(0), Value::Null);
        let back = priority_level_from_json(v1.to_json("v1beta3").unwrap()).unwrap();
        assert_eq!(back, v1);
    }
}
