use proptest::prelude::*;
use serde_json::json;

use super::*;

fn check(schema: &Value, value: &Value, expected: &[&str]) {
    check_update(schema, value, None, expected);
}

fn check_update(schema: &Value, value: &Value, old: Option<&Value>, expected: &[&str]) {
    let schema = Props::parse(schema).unwrap();
    let patterns = Patterns::of(&schema);
    let causes = match old {
        None => on_create(value, &schema, &patterns),
        old => on_update(value, old, &schema, &patterns, &Path::ROOT),
    };
    let texts: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    assert_eq!(texts, expected, "{value}");
}

fn spec(schema: Value) -> Value {
    json!({"type": "object", "properties": {"spec": schema}})
}

#[test]
fn single_values_are_told_as_recorded() {
    let replicas = spec(json!({"type": "integer", "minimum": 0, "maximum": 5}));
    check(
        &replicas,
        &json!({"spec": -1}),
        &["spec: Invalid value: -1: spec in body should be greater than or equal to 0"],
    );
    check(
        &replicas,
        &json!({"spec": "x"}),
        &["spec: Invalid value: \"string\": spec in body must be of type integer: \"string\""],
    );
    check(
        &replicas,
        &json!({"spec": 6.5}),
        &[
            "spec: Invalid value: \"number\": spec in body must be of type integer: \"number\"",
            "spec: Invalid value: 6.5: spec in body should be less than or equal to 5",
        ],
    );
    check(&replicas, &json!({"spec": 3.0}), &[]);
    check(
        &spec(json!({"type": "string", "enum": ["S", "M"]})),
        &json!({"spec": "XXL"}),
        &["spec: Unsupported value: \"XXL\": supported values: \"S\", \"M\""],
    );
    let text = spec(json!({"type": "string", "maxLength": 3, "minLength": 2, "pattern": "^a"}));
    check(&text, &json!({"spec": "abcd"}), &["spec: Too long: may not be more than 3 bytes"]);
    check(
        &text,
        &json!({"spec": "a"}),
        &["spec: Invalid value: \"a\": spec in body should be at least 2 chars long"],
    );
    check(
        &text,
        &json!({"spec": "ba"}),
        &["spec: Invalid value: \"ba\": spec in body should match '^a'"],
    );
    check(
        &spec(json!({"type": "string", "format": "ipv4"})),
        &json!({"spec": "x"}),
        &["spec: Invalid value: \"x\": spec in body must be of type ipv4: \"x\""],
    );
    check(
        &spec(json!({"x-kubernetes-int-or-string": true})),
        &json!({"spec": true}),
        &[
            "spec: Invalid value: \"boolean\": spec in body must be of type integer,string: \"boolean\"",
        ],
    );
    check(
        &spec(json!({"type": "string"})),
        &json!({"spec": null}),
        &["spec: Invalid value: \"null\": spec in body must be of type string: \"null\""],
    );
    check(&spec(json!({"type": "string", "nullable": true})), &json!({"spec": null}), &[]);
}

#[test]
fn lists_and_objects_are_told_as_the_real_server_tells_them() {
    check(
        &spec(
            json!({"type": "array", "maxItems": 1, "items": {"type": "object", "required": ["a"]}}),
        ),
        &json!({"spec": [{}, {"a": 1}]}),
        &["spec[0].a: Required value", "spec: Too many: 2: must have at most 1 items"],
    );
    check(
        &spec(json!({"type": "object", "minProperties": 2})),
        &json!({"spec": {"a": 1}}),
        &["spec: Invalid value: 1: spec in body should have at least 2 properties"],
    );
    check(&json!({"type": "object", "required": ["spec"]}), &json!({}), &["spec: Required value"]);
}

#[test]
fn alternatives_are_told_of_the_whole() {
    check(
        &spec(json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]})),
        &json!({"spec": {"a": 1, "b": 2}}),
        &[
            "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found 2 valid alternatives",
        ],
    );
    check(
        &spec(json!({"type": "object", "not": {"required": ["a"]}})),
        &json!({"spec": {"a": 1}}),
        &["<nil>: Invalid value: \"\": \"spec\" must not validate the schema (not)"],
    );
    check(
        &spec(json!({"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})),
        &json!({"spec": {}}),
        &[
            "<nil>: Invalid value: \"\": \"spec\" must validate at least one schema (anyOf)",
            "spec.a: Required value",
        ],
    );
}

#[test]
fn what_has_not_changed_may_stay_wrong() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "old": {"type": "string", "maxLength": 1},
        "new": {"type": "string", "maxLength": 1},
    }}}});
    check_update(
        &schema,
        &json!({"spec": {"old": "long", "new": "long"}}),
        Some(&json!({"spec": {"old": "long", "new": "x"}})),
        &["spec.new: Too long: may not be more than 1 bytes"],
    );
}

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(WORDS.to_vec()).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let key = prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

const WORDS: &[&str] = &[
    "type",
    "object",
    "array",
    "string",
    "integer",
    "properties",
    "items",
    "additionalProperties",
    "default",
    "enum",
    "pattern",
    "^a+$",
    "required",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "format",
    "date",
    "byte",
    "x-kubernetes-list-type",
    "map",
    "set",
    "x-kubernetes-list-map-keys",
    "a",
    "b",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string",
    "nullable",
    "minimum",
    "x-kubernetes-validations",
    "rule",
    "self.a == oldSelf.a",
    "multipleOf",
    "maxItems",
    "metadata",
    "x-kubernetes-embedded-resource",
    "spec",
    "maxLength",
    "fieldPath",
    ".a",
];

proptest! {
    #[test]
    fn any_schema_and_any_object_have_an_outcome(
        schema in any_json(), object in any_json(), old in any_json(),
    ) {
        use crate::crd;

        let Some(props) = Props::parse(&schema) else { return Ok(()) };
        crd::schema::errors(&props, true, &Path::ROOT);
        let patterns = Patterns::of(&props);
        on_create(&object, &props, &patterns);
        on_update(&object, Some(&old), &props, &patterns, &Path::ROOT);
        prop_assert!(on_update(&object, Some(&object), &props, &patterns, &Path::ROOT).is_empty());
        let mut read = object.clone();
        crate::custom::coerce::default(&mut read, &props);
        crate::custom::coerce::prune(&mut read, &props);
        crate::custom::coerce::drop_nulls(&mut read, Some(&props));
        let before = read.clone();
        prop_assert!(crate::custom::coerce::prune(&mut read, &props).is_empty());
        prop_assert_eq!(&read, &before);
        list::duplicates(&read, &props);
        if let Some(rules) = crate::custom::rules::Rules::of(&props) {
            rules.check(&read, Some(&old), &props, &Path::ROOT, &mut Vec::new());
        }
    }
}
