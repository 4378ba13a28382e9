use std::collections::BTreeSet;

use super::{schema::Gvk, *};

fn table() -> ResourceTable {
    ResourceTable::for_release(Release::default())
}

fn document(path: &str) -> Value {
    v3_document(&table(), Release::default(), path).unwrap()
}

#[test]
fn every_patchable_kind_says_that_it_takes_field_validation() {
    for resource in table().iter().filter(|resource| resource.has_verb("patch")) {
        let document = document(&format!("/openapi/v3/{}", group_version(resource)));
        let patches = document["paths"].as_object().unwrap().values().map(|item| &item["patch"]);
        let mut of_kind = patches.filter(|patch| {
            patch["x-kubernetes-group-version-kind"] == Gvk::of(resource).to_value()
        });
        assert!(of_kind.clone().count() > 0, "{}", resource.group_resource());
        assert!(of_kind.all(|patch| {
            let parameters = patch["parameters"].as_array().unwrap();
            parameters.iter().any(|parameter| parameter["name"] == "fieldValidation")
        }));
    }
}

/// What `kubectl explain` does: collection, its kind, the schema of the kind.
#[test]
fn kinds_are_found_by_their_collections() {
    for (path, schema) in [
        ("/api/v1/namespaces/{namespace}/pods", "io.k8s.api.core.v1.Pod"),
        ("/api/v1/nodes", "io.k8s.api.core.v1.Node"),
        ("/apis/apps/v1/namespaces/{namespace}/deployments", "io.k8s.api.apps.v1.Deployment"),
        ("/apis/apps/v1/deployments", "io.k8s.api.apps.v1.Deployment"),
    ] {
        let name = path.split('/').skip(1).take(if path.starts_with("/apis") { 3 } else { 2 });
        let name = name.collect::<Vec<_>>().join("/");
        let document = document(&format!("/openapi/v3/{name}"));
        let gvk = &document["paths"][path]["get"]["x-kubernetes-group-version-kind"];
        assert!(gvk["kind"].is_string(), "{path}");
        assert_eq!(
            &document["components"]["schemas"][schema]["x-kubernetes-group-version-kind"][0],
            gvk
        );
    }
}

#[test]
fn operations_are_told_as_the_real_server_tells_them() {
    let document = document("/openapi/v3/apis/apps/v1");
    let object = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"];
    for (method, action, id) in [
        ("get", "get", "readAppsV1NamespacedDeployment"),
        ("put", "put", "replaceAppsV1NamespacedDeployment"),
        ("patch", "patch", "patchAppsV1NamespacedDeployment"),
        ("delete", "delete", "deleteAppsV1NamespacedDeployment"),
    ] {
        assert_eq!(object[method]["x-kubernetes-action"], action);
        assert_eq!(object[method]["operationId"], id);
    }
    let scale = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"];
    assert_eq!(
        scale["get"]["x-kubernetes-group-version-kind"],
        json!({"group": "autoscaling", "kind": "Scale", "version": "v1"})
    );
    let patches = object["patch"]["requestBody"]["content"].as_object().unwrap();
    assert!(patches.contains_key("application/apply-patch+yaml"));
    assert!(patches.contains_key("application/strategic-merge-patch+json"));
}

#[test]
fn references_lead_somewhere_and_ids_are_unique() {
    for release in Release::all() {
        let table = ResourceTable::for_release(release);
        let mut documents = vec![v2_document(&table, release)];
        for name in group_versions(&table) {
            let path = format!("/openapi/v3/{name}");
            documents.push(v3_document(&table, release, &path).unwrap());
        }
        for document in documents {
            let (mut references, mut ids) = (BTreeSet::new(), Vec::new());
            visit(&document, &mut references, &mut ids);
            for reference in references {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            let unique: BTreeSet<_> = ids.iter().collect();
            assert_eq!(unique.len(), ids.len());
        }
    }
}

fn visit<'a>(value: &'a Value, references: &mut BTreeSet<&'a str>, ids: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            for (key, member) in object {
                match (key.as_str(), member.as_str()) {
                    ("$ref", Some(reference)) => drop(references.insert(reference)),
                    ("operationId", Some(id)) => ids.push(id),
                    _ => visit(member, references, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, references, ids)),
        _ => {}
    }
}

#[test]
fn the_index_lists_the_documents() {
    let table = table();
    let index = v3_index(&table);
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
    assert!(url.starts_with("/openapi/v3/apis/apps/v1?hash="));
    for path in ["/openapi/v3/apis/nosuch/v1", "/openapi/v3/api", "/openapi/v3/", "/openapi"] {
        assert!(v3_document(&table, Release::default(), path).is_none(), "{path}");
    }
    let old = ResourceTable::for_release(Release::parse("1.32").unwrap());
    assert_ne!(v3_index(&old)["paths"]["api/v1"], index["paths"]["api/v1"], "pods/resize is new");
}

#[test]
fn schemas_have_the_fields_of_the_types() {
    let v3 = document("/openapi/v3/apis/apps/v1");
    let schema = |name: &str| &v3["components"]["schemas"][name];
    let spec = schema("io.k8s.api.apps.v1.DeploymentSpec");
    assert_eq!(spec["properties"]["replicas"], json!({"type": "integer", "format": "int32"}));
    assert_eq!(
        spec["properties"]["strategy"],
        json!({
            "allOf": [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy"}],
            "x-kubernetes-patch-strategy": "retainKeys",
        })
    );
    let pod = schema("io.k8s.api.core.v1.PodSpec");
    assert_eq!(pod["required"], json!(["containers"]));
    assert_eq!(
        pod["properties"]["containers"],
        json!({
            "type": "array",
            "items": {"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "name",
        })
    );
    assert!(schema("io.k8s.apimachinery.pkg.api.resource.Quantity")["oneOf"].is_array());
    let v2 = v2_document(&table(), Release::default());
    let quantity = &v2["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"];
    assert_eq!(quantity, &json!({"type": "string"}));
}

#[test]
fn the_title_has_the_release() {
    let v2 = v2_document(&table(), Release::default());
    assert_eq!(v2["info"], json!({"title": "Kubernetes", "version": "v1.33.2"}));
    assert_eq!(document("/openapi/v3/api/v1")["info"], v2["info"]);
}

#[test]
fn the_big_document_has_two_forms() {
    for (accept, expected) in [
        ("", Some(V2Form::Json)),
        ("*/*", Some(V2Form::Json)),
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", Some(V2Form::Protobuf)),
        (V2Form::Protobuf.media_type(), Some(V2Form::Protobuf)),
        ("application/vnd.kubernetes.protobuf", None),
    ] {
        assert_eq!(V2Form::negotiate(accept), expected, "{accept}");
    }
    let body = v2(&table(), Release::default(), V2Form::Protobuf);
    assert!(body.starts_with(b"\x0a\x032.0"));
}
