use std::{collections::BTreeMap, io::Read};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    Codec, decode, encode, envelope,
    table::{Field, Form, Kind, MessageId, Shape, Table},
};
use crate::Release;

/// Objects that the Go types of 0.33.2 were filled with; `tools/protobuf-schema` makes them.
#[test]
fn objects_are_written_and_read_as_go_does() {
    let table = Table::for_release(Release::default());
    let packed = include_bytes!("../../../fixtures/requests/protobuf-vectors.jsonl.gz");
    let mut vectors = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut vectors).unwrap();
    let (mut checked, mut wrong) = (0, Vec::new());
    for line in vectors.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| vector[key].as_str().unwrap();
        let name = format!("{} {} {}", text("apiVersion"), text("kind"), text("mode"));
        let id = table.kind(text("apiVersion"), text("kind")).expect(&name);
        let message = encode::message(table, id, &vector["object"]);
        let digest: String =
            Sha256::digest(&message)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != text("digest") {
            wrong.push(format!("{name}: {} bytes, not {}", message.len(), vector["length"]));
        }
        // As text, so that the order of the members counts.
        let found = decode::message(table, id, &message).expect(&name);
        let (found_text, expected) = (found.to_string(), vector["object"].to_string());
        if found_text != expected {
            wrong.push(format!("{name}: {}", first_difference("", &found, &vector["object"])));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "{} of {checked} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 400, "only {checked}");
}

#[test]
fn a_recorded_body_is_read_and_written_again() {
    // A PUT of a ConfigMap by a client, from the recordings of 1.33.2.
    let body = BASE64_STANDARD
        .decode(
            "azhzAAoPCgJ2MRIJQ29uZmlnTWFwErgBCqUBCgF4EgAaD2ctcHJvdG9idWYtZ2V0cyIAKiRiOGMzNmQ4Mi05\
             MTM0LTQ0MTYtYjg4Yy0zNmFlNGViYjRjZTcyAzY3NjgAQggI1LWS2AYQAIoBUwoGZ29sZGVuEgZVcGRhdGUa\
             AnYxIggI1LWS2AYQADIIRmllbGRzVjE6JwoleyJmOmRhdGEiOnsiLiI6e30sImY6YSI6e30sImY6YiI6e319\
             fUIAEgYKAWESATESBgoBYhIBMhoAIgA=",
        )
        .unwrap();
    let codec = Codec::for_release(Release::default());
    let object = codec.decode(&body, "", "").unwrap();
    assert_eq!(
        object,
        json!({
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {
                "name": "x",
                "namespace": "g-protobuf-gets",
                "uid": "b8c36d82-9134-4416-b88c-36ae4ebb4ce7",
                "resourceVersion": "676",
                "creationTimestamp": object["metadata"]["creationTimestamp"],
                "managedFields": [{
                    "manager": "golden",
                    "operation": "Update",
                    "apiVersion": "v1",
                    "time": object["metadata"]["creationTimestamp"],
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:b": {}}},
                }],
            },
            "data": {"a": "1", "b": "2"},
        })
    );
    assert_eq!(codec.encode("v1", "ConfigMap", &object).unwrap(), body);
}

/// Answers of 1.33.2. A recording has them as lists of number, wire type and value, with
/// placeholders for what differs each time.
#[test]
fn recorded_answers_are_read_and_written_again() {
    let packed = include_bytes!("../../../fixtures/requests/protobuf-answers.jsonl.gz");
    let mut answers = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut answers).unwrap();
    let codec = Codec::for_release(Release::default());
    for line in answers.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let kind = answer["typeMeta"][1][2].as_str().unwrap();
        let api_version = answer["typeMeta"][0][2].as_str().unwrap();
        let message = wire_bytes(&answer["raw"]);
        let body = envelope::seal(api_version, kind, &message);
        let object = codec.decode(&body, "", "").unwrap();
        assert_eq!(codec.encode(api_version, kind, &object).unwrap(), body, "{}", answer["step"]);
        if let Some(json) = answer.get("object") {
            let json = json.to_string().replace("<ts>", RECORDED_TIME);
            let json: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(object, json);
        }
        if kind == "Status" {
            let text = |key: &str| object[key].as_str().unwrap_or_default();
            assert_eq!(text("status"), "Failure");
            assert!(!text("message").is_empty() && object["code"].is_u64());
        }
    }
}

#[test]
fn a_status_is_written_as_recorded() {
    let status = crate::Status::not_found("", "configmaps", "none");
    let recorded = json!([
        [1, 2, [[1, 2, ""], [2, 2, ""], [3, 2, ""]]],
        [2, 2, "Failure"],
        [3, 2, "configmaps \"none\" not found"],
        [4, 2, "NotFound"],
        [5, 2, [[1, 2, "none"], [2, 2, ""], [3, 2, "configmaps"], [5, 0, 0], [6, 2, ""]]],
        [6, 0, 404],
    ]);
    let body = Codec::for_release(Release::default()).status(&status);
    assert_eq!(body, envelope::seal("v1", "Status", &wire_bytes(&recorded)));
}

/// The bytes of a message as a recording lists it.
fn wire_bytes(fields: &Value) -> Vec<u8> {
    let mut writer = super::wire::Writer::new();
    for field in fields.as_array().unwrap().iter().rev() {
        let number = u32::try_from(field[0].as_u64().unwrap()).unwrap();
        match (&field[2], field[1].as_u64()) {
            (Value::String(text), _) if text == "<time>" => {
                let (seconds, _) = super::special::time_parts(&RECORDED_TIME.into()).unwrap();
                let time = json!([[1, 0, seconds], [2, 0, 0]]);
                writer.bytes_field(number, &wire_bytes(&time));
            }
            (Value::String(text), _) => writer.bytes_field(number, text.as_bytes()),
            (Value::Array(_), _) => writer.bytes_field(number, &wire_bytes(&field[2])),
            (value, Some(0)) => writer.varint_field(number, value.as_u64().unwrap()),
            other => panic!("{other:?} is not recorded"),
        }
    }
    writer.into_bytes()
}

const RECORDED_TIME: &str = "2026-11-21T10:15:16Z";

#[test]
fn releases_have_their_own_fields() {
    let pod = json!({"metadata": {"name": "x"}, "spec": {"containers": []}, "status": {}});
    let message = |minor: &str| {
        let codec = Codec::for_release(Release::parse(minor).unwrap());
        codec.message("v1", "Pod", &pod).unwrap()
    };
    // Of the status: observedGeneration, a number that is no pointer, came with 1.33.
    assert_eq!(message("1.33").len() - message("1.32").len(), 3);
    for release in Release::all() {
        let codec = Codec::for_release(release);
        assert!(codec.has("v1", "Pod") && codec.has("apps/v1", "DeleteOptions"), "{release}");
        assert!(!codec.has("meta.k8s.io/v1", "Table") && !codec.has("x.io/v1", "X"));
        for resource in crate::ResourceTable::for_release(release).iter() {
            assert!(codec.has(resource.api_version(), &resource.kind), "{}", resource.kind);
        }
    }
}

#[test]
fn values_of_another_type_are_as_absent() {
    let codec = Codec::for_release(Release::default());
    let right = json!({"metadata": {"name": "x"}, "data": {"a": ""}});
    let wrong = json!({
        "metadata": {"name": "x", "labels": 3, "finalizers": {}, "generation": "2"},
        "data": {"a": []},
        "binaryData": "b",
    });
    assert_eq!(
        codec.message("v1", "ConfigMap", &right).unwrap(),
        codec.message("v1", "ConfigMap", &wrong).unwrap()
    );
}

#[test]
fn objects_within_objects_are_read() {
    let codec = Codec::for_release(Release::default());
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 410});
    let body = codec.encode("v1", "Status", &status).unwrap();
    let frame = envelope::watch_frame("ERROR", &body);
    let id = codec.table.kind("v1", "WatchEvent").unwrap();
    let event = decode::message(codec.table, id, &frame[4..]).unwrap();
    assert_eq!(event, json!({"type": "ERROR", "object": status}));
}

#[test]
fn objects_of_every_kind_come_back() {
    let table = Table::for_release(Release::default());
    let bytes = std::cell::Cell::new(0);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) };
    for (api_version, kind, id) in table.kinds() {
        let check = |object: Value| {
            let message = encode::message(table, id, &object);
            bytes.set(bytes.get() + message.len());
            let found = decode::message(table, id, &message).unwrap();
            prop_assert_eq!(found, object);
            Ok(())
        };
        let mut runner = TestRunner::new(config.clone());
        if let Err(error) = runner.run(&any_message(table, id, DEPTH), check) {
            panic!("{api_version} {kind}: {error}");
        }
    }
    assert!(bytes.get() > 1_000_000, "only {} bytes", bytes.get());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, at in 0usize..10_000) {
        let table = Table::for_release(Release::default());
        let kinds: Vec<_> = table.kinds().collect();
        let (.., id) = kinds[at % kinds.len()];
        let _ = decode::message(table, id, &bytes);
        let _ = envelope::open(&[envelope::PREFIX, &bytes].concat());
    }

    #[test]
    fn broken_objects_are_read_or_refused(at in 0usize..10_000, byte: u8) {
        let codec = Codec::for_release(Release::default());
        let pod = json!({
            "metadata": {"name": "x", "labels": {"a": "b"}, "creationTimestamp": null},
            "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]},
        });
        let mut body = codec.encode("v1", "Pod", &pod).unwrap();
        let at = at % body.len();
        body[at] = byte;
        let _ = codec.decode(&body, "v1", "Pod");
        let _ = codec.decode(&body[..at], "v1", "Pod");
    }
}

#[test]
fn depth_is_limited() {
    let codec = Codec::for_release(Release::default());
    // `not` within `not`: field 28 of a schema.
    let mut schema = Vec::new();
    for _ in 0..10_000 {
        let mut outer = envelope::item_header(schema.len());
        outer.splice(..1, [0xe2, 0x01]);
        outer.extend_from_slice(&schema);
        schema = outer;
    }
    let field = |bytes: &[u8], number: u8| {
        let mut outer = envelope::item_header(bytes.len());
        outer[0] = number << 3 | 2;
        outer.extend_from_slice(bytes);
        outer
    };
    // The version's schema, its openAPIV3Schema, within version, spec, definition.
    let message = field(&field(&field(&field(&schema, 1), 4), 7), 2);
    let kind = "CustomResourceDefinition";
    let body = envelope::seal("apiextensions.k8s.io/v1", kind, &message);
    let error = codec.decode(&body, "", "").unwrap_err();
    assert_eq!(error, super::DecodeError::TooDeep);
}

/// Where two values differ.
fn first_difference(at: &str, found: &Value, expected: &Value) -> String {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => a
            .iter()
            .filter(|(key, value)| b.get(*key) != Some(value))
            .map(|(key, value)| first_difference(&format!("{at}/{key}"), value, &b[key]))
            .next()
            .unwrap_or_else(|| format!("{at}: order")),
        (Value::Object(a), Value::Object(b)) => {
            let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            format!("{at}: members {:?}, not {:?}", keys(a), keys(b))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs
                .filter(|(_, (a, b))| a.to_string() != b.to_string())
                .map(|(index, (a, b))| first_difference(&format!("{at}/{index}"), a, b))
                .next()
                .unwrap_or_default()
        }
        _ => format!("{at}: {found}, not {expected}"),
    }
}

/// JSON of a message as Go writes it: what has no `omitempty` is there, what has is not zero.
fn any_message(table: &'static Table, id: MessageId, depth: u32) -> BoxedStrategy<Value> {
    let message = table.message(id);
    match message.shape {
        Shape::Struct => {
            let mut members = vec![];
            let mut inline = vec![];
            for field in &message.fields {
                if let (Form::Inline, Kind::Message(id)) = (field.form, field.kind) {
                    inline.push(any_message(table, id, depth));
                } else {
                    let name = field.json.to_string();
                    let member = any_member(table, field, depth);
                    members.push(member.prop_map(move |value| (name.clone(), value)));
                }
            }
            (members, inline)
                .prop_map(|(members, inline)| {
                    let members =
                        members.into_iter().filter_map(|(name, value)| Some((name, value?)));
                    let mut all: Map<String, Value> = members.collect();
                    for part in inline {
                        all.extend(part.as_object().cloned().unwrap_or_default());
                    }
                    Value::Object(all)
                })
                .boxed()
        }
        Shape::Time => time().boxed(),
        Shape::MicroTime => (time(), 0u32..1_000_000)
            .prop_map(|(time, micros)| {
                let text = time.as_str().unwrap_or_default().trim_end_matches('Z');
                format!("{text}.{micros:06}Z").into()
            })
            .boxed(),
        Shape::Duration => {
            any::<i64>().prop_map(|n| super::special::duration_text(n).into()).boxed()
        }
        Shape::Quantity => "[1-9][0-9]{0,3}(m|Ki|Mi|G)?".prop_map(Value::from).boxed(),
        Shape::IntOrString => {
            prop_oneof![any::<i32>().prop_map(Value::from), ".{0,5}".prop_map(Value::from)].boxed()
        }
        Shape::Raw => raw().boxed(),
        Shape::List => proptest::collection::vec("[a-z]{0,4}".prop_map(Value::from), 0..3)
            .prop_map(Value::Array)
            .boxed(),
        // Schemas are tried with the vectors; here only their other forms.
        Shape::OrBool => any::<bool>().prop_map(Value::from).boxed(),
        Shape::OrArray => Just(json!([{}])).boxed(),
        Shape::OrStrings => Just(json!(["a", "b"])).boxed(),
    }
}

fn any_member(table: &'static Table, field: &Field, depth: u32) -> BoxedStrategy<Option<Value>> {
    let absent = if field.omits_empty { None } else { Some(Value::Null) };
    let message = |id| table.message(id);
    // What may be left out is, once the object is deep.
    if depth == 0 && !matches!(field.form, Form::Plain) {
        return Just(absent).boxed();
    }
    let value = match field.kind {
        Kind::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Bytes => any::<Vec<u8>>().prop_map(|b| BASE64_STANDARD.encode(b).into()).boxed(),
        Kind::Double => any::<i32>().prop_map(|n| (f64::from(n) + 0.5).into()).boxed(),
        Kind::Int32 => any::<i32>().prop_map(Value::from).boxed(),
        Kind::Int64 => any::<i64>().prop_map(Value::from).boxed(),
        Kind::Uint32 => any::<u32>().prop_map(Value::from).boxed(),
        Kind::Uint64 => any::<u64>().prop_map(Value::from).boxed(),
        Kind::String => "\\PC{0,6}".prop_map(Value::from).boxed(),
        Kind::Message(id) => any_message(table, id, depth.saturating_sub(1)),
    };
    let is_struct = matches!(field.kind, Kind::Message(id) if message(id).shape != Shape::List);
    let omits = field.omits_empty;
    match field.form {
        Form::Plain if is_struct => value.prop_map(Some).boxed(),
        Form::Plain => value
            .prop_map(move |value| {
                let zero = match &value {
                    Value::Number(number) => number.as_f64() == Some(0.0),
                    value => [json!(false), json!(""), json!([])].contains(value),
                };
                if omits && zero { None } else { Some(value) }
            })
            .boxed(),
        Form::Pointer => prop_oneof![Just(absent), value.prop_map(Some)].boxed(),
        Form::List => proptest::collection::vec(value, 0..3)
            .prop_map(
                move |items| {
                    if items.is_empty() { absent.clone() } else { Some(Value::Array(items)) }
                },
            )
            .boxed(),
        Form::Map => proptest::collection::btree_map("[a-z]{0,3}", value, 0..3)
            .prop_map(move |members: BTreeMap<String, Value>| {
                let members: Map<_, _> = members.into_iter().collect();
                if members.is_empty() { absent.clone() } else { Some(Value::Object(members)) }
            })
            .boxed(),
        Form::Inline => unreachable!("members of inline messages are those of the outer one"),
    }
}

fn time() -> impl Strategy<Value = Value> {
    (-62_000_000_000i64..253_000_000_000)
        .prop_map(|seconds| super::special::time_text(seconds).map_or(Value::Null, Value::String))
}

fn raw() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![any::<bool>().prop_map(Value::from), "[a-z\"\\\\é]{0,4}".prop_map(Value::from)];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// How deep what may be absent is still generated.
const DEPTH: u32 = 4;
