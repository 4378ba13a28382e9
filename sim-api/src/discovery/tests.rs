use std::io::Read;

use super::*;

fn get(release: &str, path: &str, accept: &str) -> Option<Result<Answer>> {
    let release = Release::parse(release).unwrap();
    answer(&ResourceTable::for_release(release), release, path, accept)
}

const BOTH: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
                    application/json";

#[test]
fn the_best_known_form_is_sent() {
    for (release, accept, kind, api_version) in [
        ("1.33", BOTH, "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"),
        ("1.29", BOTH, "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2beta1"),
        ("1.33", "application/json", "APIGroupList", "v1"),
        ("1.33", "*/*", "APIGroupList", "v1"),
    ] {
        let answer = get(release, "/apis", accept).unwrap().unwrap();
        assert_eq!(answer.document["kind"], kind);
        assert_eq!(answer.document["apiVersion"], api_version);
        assert_eq!(answer.etag.is_some(), kind == "APIGroupDiscoveryList");
    }
    let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    assert_eq!(get("1.33", "/api", beta).unwrap().unwrap_err().code, 406);
}

#[test]
fn documents_are_had_in_every_form() {
    const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
    let release = Release::default();
    let codec = Codec::for_release(release);
    for path in ["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1"] {
        let answer = get("1.33", path, PROTOBUF).unwrap().unwrap();
        assert_eq!(answer.content_type(), PROTOBUF);
        let decoded = codec.decode(&answer.body(release, false).unwrap(), "", "").unwrap();
        assert_eq!(decoded["kind"], answer.document["kind"]);
        let yaml = get("1.33", path, "application/yaml").unwrap().unwrap();
        assert!(
            yaml.body(release, false).unwrap().starts_with(b"apiVersion: v1\n")
                || path.starts_with("/api")
        );
        assert_eq!(get("1.33", path, "text/html").unwrap().unwrap_err().code, 406);
    }
    let accept = BOTH.replace("application/json", PROTOBUF);
    let answer = get("1.33", "/apis", &accept).unwrap().unwrap();
    assert_eq!(
        answer.content_type(),
        format!("{PROTOBUF};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
    );
    let decoded = codec.decode(&answer.body(release, false).unwrap(), "", "").unwrap();
    assert_eq!(
        decoded["items"][0]["metadata"]["name"],
        answer.document["items"][0]["metadata"]["name"]
    );
}

#[test]
fn an_etag_follows_the_document() {
    let etag = |release, path| get(release, path, BOTH).unwrap().unwrap().etag;
    assert_eq!(etag("1.33", "/apis"), etag("1.33", "/apis"));
    assert_ne!(etag("1.33", "/apis"), etag("1.33", "/api"));
    assert_ne!(etag("1.33", "/apis"), etag("1.34", "/apis"));
}

#[test]
fn unknown_groups_are_not_discoverys_business() {
    for path in ["/apis/nosuch", "/nosuch", "/apis/nosuch/v1", "/API"] {
        assert!(get("1.33", path, "").is_none(), "{path}");
    }
    for path in ["/apis/apps/v9", "/api/v2"] {
        assert_eq!(get("1.33", path, "").unwrap().unwrap_err().code, 404, "{path}");
    }
}

/// The other documents are compared in `tests/recorded.rs`.
#[test]
fn the_index_of_paths_equals_the_recorded_one() {
    let packed = include_bytes!("../../../fixtures/requests/discovery__get_.json.gz");
    let mut recorded = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut recorded).unwrap();
    let recorded: Value = serde_json::from_str(&recorded).unwrap();
    let answer = get("1.33", "", "application/json").unwrap().unwrap();
    assert_eq!(answer.document, recorded["steps"][0]["response"]);
    assert_eq!((&*answer.content_type(), &answer.etag), ("application/json", &None));
}
