use serde_json::json;

use super::*;

fn of(api_version: &str, kind: &str) -> Typed {
    Schema::of_kind(api_version, kind)
}

fn at(typed: &Typed, path: &str) -> TypeRef {
    path.split('.').fold(typed.root, |place, name| match typed.schema.list(place) {
        Some((element, _)) => typed.schema.member(element, name).unwrap(),
        None => typed.schema.member(place, name).unwrap(),
    })
}

#[test]
fn lists_are_told_apart_by_their_keys() {
    let pod = of("v1", "Pod");
    let keys = |path: &str| match pod.schema.list(at(&pod, path)).unwrap().1 {
        ListType::Map(keys) => keys.join(","),
        ListType::Set => "=".to_owned(),
        ListType::Atomic => String::new(),
    };
    assert_eq!(keys("spec.containers.ports"), "containerPort,protocol");
    assert_eq!(keys("spec.topologySpreadConstraints"), "topologyKey,whenUnsatisfiable");
    assert_eq!(keys("metadata.finalizers"), "=");
    assert_eq!(keys("spec.tolerations"), "");
    let deployment = of("apps/v1", "Deployment");
    assert!(deployment.schema.is_atomic(at(&deployment, "spec.selector")));
    assert!(!deployment.schema.is_atomic(at(&deployment, "spec.template")));
}

#[test]
fn every_type_of_the_table_is_understood() {
    let schema = Schema::builtin();
    let any = schema.types.iter().skip(1).filter(|found| **found == Type::Any).count();
    assert_eq!(any, 0, "a name has no type");
    for place in schema.types.iter().filter_map(|found| match found {
        Type::Struct(fields) => Some(fields),
        _ => None,
    }) {
        for field in &place.fields {
            assert_eq!(place.field(&field.name), Some(field));
        }
    }
    assert!(schema.kinds.len() > 60, "{} kinds", schema.kinds.len());
    let table = crate::ResourceTable::for_release(crate::Release::default());
    for resource in table.iter().filter(|resource| resource.is_stored()) {
        let root = schema.root(resource.api_version(), &resource.kind);
        assert!(root.is_some(), "{} {}", resource.api_version(), resource.kind);
    }
}

#[test]
fn an_object_is_printed_as_go_does() {
    let deployment = of("apps/v1", "Deployment");
    assert_eq!(
        deployment.zero(),
        json!({
            "metadata": {"creationTimestamp": null},
            "spec": {
                "selector": null,
                "template": {"metadata": {"creationTimestamp": null}, "spec": {"containers": null}},
                "strategy": {},
            },
            "status": {},
        })
    );
    let service = of("v1", "Service");
    let found = service.canonical(json!({
        "status": null, "nosuch": 1, "kind": "Service",
        "spec": {"ports": [{"port": 1, "targetPort": "x", "name": ""}], "selector": {}, "type": "",
                 "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
    }));
    assert_eq!(
        crate::encode::to_json(&found),
        br#"{"kind":"Service","metadata":{"creationTimestamp":null},"spec":{"ports":[{"protocol":"TCP","port":1,"targetPort":"x"}],"sessionAffinityConfig":{"clientIP":{"timeoutSeconds":0}}},"status":{"loadBalancer":{}}}"#
    );
}

#[test]
fn a_structural_schema_becomes_types() {
    let schema = Schema::from_structural(
        "ex.com/v1",
        "Widget",
        &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "parts": {"type": "array", "x-kubernetes-list-type": "map",
                      "x-kubernetes-list-map-keys": ["id"],
                      "items": {"type": "object", "properties": {"id": {"type": "string"}}}},
        }}}}),
    );
    let root = schema.root("ex.com/v1", "Widget").unwrap();
    let typed = Typed { schema: Arc::new(schema), root };
    let parts = at(&typed, "spec.parts");
    assert_eq!(typed.schema.list(parts).unwrap().1, &ListType::Map(vec!["id".into()]));
    assert_eq!(typed.schema.member(at(&typed, "spec"), "nosuch"), None);
    let found = typed.canonical(json!({"spec": {"size": 0, "free": {"a": {}}, "nosuch": 1}}));
    // Pruning is not its business.
    assert_eq!(found["spec"], json!({"size": 0, "free": {"a": {}}, "nosuch": 1}));
}
