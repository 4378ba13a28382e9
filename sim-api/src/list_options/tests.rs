use super::*;
use crate::{Release, ResourceTable};

fn pods(release: &str) -> (std::sync::Arc<Resource>, FeatureGates) {
    let release = Release::parse(release).unwrap();
    let table = ResourceTable::for_release(release);
    (table.lookup("", "v1", "pods").unwrap().clone(), FeatureGates::of(release))
}

fn list(query: &str) -> ListOptions {
    let (pods, gates) = pods("1.33");
    ListOptions::parse(&Query::parse(query), &pods, &gates).unwrap()
}

fn watch(release: &str, query: &str) -> WatchStart {
    let (pods, gates) = pods(release);
    ListOptions::parse_watch(&Query::parse(query), &pods, &gates).unwrap().watch_start()
}

#[test]
fn lists_read_from_where_the_routing_table_says() {
    let token = |rv| ContinueToken { rv, start: "a\0".into() }.encode();
    for (query, expected) in [
        (String::new(), ReadFrom::Latest),
        ("limit=5".into(), ReadFrom::Latest),
        ("resourceVersion=0&limit=5".into(), ReadFrom::Latest),
        ("resourceVersion=7".into(), ReadFrom::AtLeast(7)),
        ("resourceVersion=7&limit=5".into(), ReadFrom::Exact(7)),
        (
            "resourceVersion=7&limit=5&resourceVersionMatch=NotOlderThan".into(),
            ReadFrom::AtLeast(7),
        ),
        ("resourceVersion=7&resourceVersionMatch=Exact".into(), ReadFrom::Exact(7)),
        (format!("continue={}", token(9)), ReadFrom::Exact(9)),
        (format!("continue={}&resourceVersion=0", token(-1)), ReadFrom::Latest),
    ] {
        assert_eq!(list(&query).read_from(), expected, "{query}");
    }
}

#[test]
fn a_list_at_version_zero_ignores_its_limit() {
    for (query, expected) in
        [("limit=5", 5), ("limit=5&resourceVersion=0", 0), ("limit=-1", 0), ("&limit=500", 500)]
    {
        assert_eq!(list(query).effective_limit(), expected, "{query}");
    }
}

#[test]
fn watches_begin_where_the_table_says() {
    let bookmarks = "&allowWatchBookmarks=true";
    let initial = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1";
    for (release, query, expected) in [
        ("1.33", String::new(), WatchStart::State { at_least: 0, bookmark: false }),
        (
            "1.33",
            format!("resourceVersion=0{bookmarks}"),
            WatchStart::State { at_least: 0, bookmark: false },
        ),
        ("1.33", "resourceVersion=7".into(), WatchStart::After(7)),
        ("1.32", initial.into(), WatchStart::State { at_least: 0, bookmark: true }),
        (
            "1.34",
            format!("{initial}&resourceVersion=7"),
            WatchStart::State { at_least: 7, bookmark: true },
        ),
        (
            "1.34",
            format!("resourceVersion=0{bookmarks}"),
            WatchStart::State { at_least: 0, bookmark: true },
        ),
        (
            "1.34",
            "sendInitialEvents=false&resourceVersionMatch=NotOlderThan".into(),
            WatchStart::Now,
        ),
    ] {
        assert_eq!(watch(release, &query), expected, "{release} {query}");
    }
}

#[test]
fn fields_are_checked_and_renamed() {
    let options = list("fieldSelector=spec.host%3Dn1,status.phase!%3DFailed");
    assert_eq!(options.field_selector.to_string(), "spec.nodeName=n1,status.phase!=Failed");
    let (pods, gates) = pods("1.33");
    let query = Query::parse("fieldSelector=spec.foo%3D1");
    let status = ListOptions::parse(&query, &pods, &gates).unwrap_err();
    assert_eq!(status.message, "field label not supported: spec.foo");
}

#[test]
fn a_path_with_a_name_selects_that_object() {
    let info = RequestInfo::parse("GET", "/api/v1/watch/namespaces/ns/pods/p", "");
    assert_eq!(ListOptions::default().selection(&info).name.as_deref(), Some("p"));
    assert!(ListOptions::default().selection(&RequestInfo::default()).is_empty());
}

#[test]
fn delete_options_come_from_the_body_or_the_query() {
    let query = Query::parse("gracePeriodSeconds=5&propagationPolicy=Orphan&dryRun=All");
    let options = DeleteOptions::parse(&query, "", b"").unwrap();
    assert_eq!(
        options,
        DeleteOptions {
            dry_run: true,
            grace_period_seconds: Some(5),
            propagation: Some(Propagation::Orphan),
            ..DeleteOptions::default()
        }
    );
    let body = br#"{"kind":"DeleteOptions","gracePeriodSeconds":0,"preconditions":{"uid":"u"}}"#;
    let options = DeleteOptions::parse(&query, "application/json", body).unwrap();
    assert_eq!(
        options,
        DeleteOptions {
            grace_period_seconds: Some(0),
            precondition_uid: Some("u".into()),
            ..DeleteOptions::default()
        }
    );
    let codec = crate::protobuf::Codec::for_release(Release::default());
    let value = serde_json::from_slice(body).unwrap();
    let body = codec.encode("apps/v1", "DeleteOptions", &value).unwrap();
    let protobuf = "application/vnd.kubernetes.protobuf";
    assert_eq!(DeleteOptions::parse(&query, protobuf, &body).unwrap(), options);
    assert_eq!(DeleteOptions::parse(&query, protobuf, b"x").unwrap_err().code, 500);
}

#[test]
fn an_apply_needs_a_manager_and_only_it_may_be_forced() {
    let parse = |query: &str, is_apply| PatchOptions::parse_for(&Query::parse(query), is_apply);
    assert_eq!(
        parse("", true).unwrap_err().message,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for \
         apply patch"
    );
    assert_eq!(parse("fieldManager=m&force=true", true).unwrap().force, Some(true));
    assert_eq!(parse("force=true", false).unwrap_err().code, 422);
}
