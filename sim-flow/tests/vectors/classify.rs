//! classify.json and bootstrap-*.json: which request goes where, with which objects.

use serde_json::{Value, json};
use sim_flow::{
    Controller, ControllerConfig, Release, RequestDigest, RequestInfo, UserInfo,
    api::{
        FlowSchema, PriorityLevelConfiguration, flow_schema_from_json, priority_level_from_json,
    },
    bootstrap::Bootstrap,
};
use sim_time::SimTime;

use crate::golden::{hash_of, list, replay, str_of};

/// A digest as recorded; absent fields are empty.
pub(crate) fn digest_of(value: &Value) -> RequestDigest {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let groups = list(value, "groups").iter().map(|group| str_of(group).to_owned()).collect();
    RequestDigest {
        request: RequestInfo {
            is_resource_request: value["is_resource"].as_bool().unwrap_or_default(),
            path: text("path"),
            verb: text("verb"),
            api_group: text("api_group"),
            api_version: "v1".to_owned(),
            namespace: text("namespace"),
            resource: text("resource"),
            subresource: text("subresource"),
            name: text("name"),
        },
        user: UserInfo { name: text("user"), groups },
        query: String::new(),
    }
}

fn object(value: &Value) -> Value {
    json!({"metadata": {"name": value["name"]}, "spec": value["spec"]})
}

fn schemas(values: &[Value]) -> Vec<FlowSchema> {
    values.iter().map(|value| flow_schema_from_json(object(value)).unwrap()).collect()
}

fn levels(values: &[Value]) -> Vec<PriorityLevelConfiguration> {
    values.iter().map(|value| priority_level_from_json(object(value)).unwrap()).collect()
}

fn compare(controller: &Controller, cases: &[Value]) -> usize {
    for case in cases {
        let digest = digest_of(&case["in"]);
        let classified = controller.classify(&digest);
        assert_eq!(classified.flow_schema.name, str_of(&case["fs"]), "{case}");
        assert_eq!(classified.level.object().name, str_of(&case["pl"]), "{case}");
        assert_eq!(classified.distinguisher, str_of(&case["distinguisher"]), "{case}");
        assert_eq!(classified.hash, hash_of(&case["hash"]), "{case}");
    }
    cases.len()
}

fn classify(name: &str, minor: u8) {
    replay(name, |golden| {
        let now = SimTime::ZERO;
        let release = Release::new(minor).unwrap();
        let config = ControllerConfig::new(release);
        let bootstrap = Bootstrap::new(release);
        let mut controller = Controller::new(now, config);
        let mut cases = compare(&controller, list(golden, "empty_cases"));

        let mut all_schemas: Vec<_> = bootstrap.flow_schemas().cloned().collect();
        let mut all_levels: Vec<_> = bootstrap.priority_levels().cloned().collect();
        controller.handle_config_change(now, all_schemas.clone(), all_levels.clone());
        cases += compare(&controller, list(golden, "default_cases"));

        all_schemas.extend(schemas(list(golden, "custom_flowschemas")));
        all_levels.extend(levels(list(golden, "custom_levels")));
        controller.handle_config_change(now, all_schemas, all_levels);
        cases += compare(&controller, list(golden, "custom_cases"));

        for status in list(golden, "custom_status") {
            let name = str_of(&status["fs"]);
            let (_, ours) = controller.conditions().iter().find(|(n, _)| n == name).unwrap();
            assert_eq!(json!([ours]), status["conditions"], "{name}");
            cases += 1;
        }
        cases
    });
}

#[test]
fn classify_1_33() {
    classify("classify", 33);
}

#[test]
fn classify_1_37() {
    classify("classify-v0.37.2", 37);
}

/// Every recorded object is there with its class, annotations and spec, in the recorded order.
fn bootstrap(name: &str, minor: u8) {
    replay(name, |golden| {
        let bootstrap = Bootstrap::new(Release::new(minor).unwrap());
        let row = |name: &str, class: &str, annotations: Value, spec: Value| json!({"name": name, "class": class, "annotations": annotations, "spec": spec});
        let schema = |class: &'static str| {
            move |s: &FlowSchema| {
                let meta = &s.metadata;
                row(&meta.name, class, json!(meta.annotations), json!(s.spec))
            }
        };
        let level = |class: &'static str| {
            move |l: &PriorityLevelConfiguration| {
                let meta = &l.metadata;
                row(&meta.name, class, json!(meta.annotations), json!(l.spec))
            }
        };
        let mandatory = bootstrap.mandatory_flow_schemas.iter().map(schema("mandatory"));
        let suggested = bootstrap.suggested_flow_schemas.iter().map(schema("suggested"));
        let our_schemas: Vec<Value> = mandatory.chain(suggested).collect();
        let mandatory = bootstrap.mandatory_priority_levels.iter().map(level("mandatory"));
        let suggested = bootstrap.suggested_priority_levels.iter().map(level("suggested"));
        let our_levels: Vec<Value> = mandatory.chain(suggested).collect();

        let compare = |ours: &[Value], recorded: &[Value]| {
            let mut rest = ours.iter();
            for object in recorded {
                assert!(rest.any(|o| o == object), "not there, or not in this place: {object}");
            }
            recorded.len()
        };
        compare(&our_schemas, list(golden, "flowSchemas"))
            + compare(&our_levels, list(golden, "priorityLevels"))
    });
}

#[test]
fn bootstrap_1_32() {
    bootstrap("bootstrap-v0.32.6", 32);
}

#[test]
fn bootstrap_1_33() {
    bootstrap("bootstrap-v0.33.2", 33);
}

#[test]
fn bootstrap_1_37() {
    bootstrap("bootstrap-v0.37.2", 37);
}
