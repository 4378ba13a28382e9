use serde_json::{Value, json};

use super::{
    rbac::{Kind, Rbac},
    *,
};
use crate::Release;

fn user(name: &str, groups: &[&str]) -> User {
    let mut groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
    groups.push(AUTHENTICATED.to_owned());
    User { name: name.to_owned(), groups, ..User::default() }
}

fn bootstrapped() -> Rbac {
    let mut rbac = Rbac::default();
    for object in bootstrap::objects(Release::default()) {
        put(&mut rbac, &object);
    }
    rbac
}

fn put(rbac: &mut Rbac, object: &Value) {
    let kind = match object["kind"].as_str().unwrap() {
        "ClusterRole" => Kind::ClusterRole,
        "ClusterRoleBinding" => Kind::ClusterRoleBinding,
        "Role" => Kind::Role,
        _ => Kind::RoleBinding,
    };
    rbac.put(kind, object);
}

fn on(verb: &'static str, resource: &'static str, namespace: &'static str) -> Attributes<'static> {
    Attributes { is_resource: true, verb, resource, namespace, ..Attributes::default() }
}

fn at(path: &'static str) -> Attributes<'static> {
    Attributes { verb: "get", path, ..Attributes::default() }
}

#[test]
fn the_built_in_roles_are_those_of_the_release() {
    let objects = bootstrap::objects(Release::default());
    let count = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).count();
    // Recorded: seven RoleBindings.
    assert_eq!((count("RoleBinding"), count("Role")), (7, 7));
    assert_eq!(count("ClusterRoleBinding"), 12 + count_controllers(&objects));
    let node = objects.iter().find(|object| object["metadata"]["name"] == "system:node").unwrap();
    assert_eq!(
        node["rules"][3],
        json!({"verbs": ["create", "get", "list", "watch"], "apiGroups": [""], "resources": ["nodes"]})
    );
    let newer = bootstrap::objects(Release::parse("1.34").unwrap());
    assert!(newer.len() > objects.len());
}

fn count_controllers(objects: &[Value]) -> usize {
    let is_controller = |object: &&Value| {
        object["kind"] == "ClusterRole"
            && object["metadata"]["name"].as_str().unwrap().starts_with("system:controller:")
    };
    objects.iter().filter(is_controller).count()
}

#[test]
fn rules_decide_as_in_the_real_server() {
    let mut rbac = bootstrapped();
    let bob = user("bob", &["devs"]);
    let decision = rbac.authorize(&bob, &at("/healthz"));
    assert!(decision.allowed);
    assert_eq!(
        decision.reason,
        "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \
         \"system:discovery\" to Group \"system:authenticated\""
    );
    assert!(rbac.authorize(&bob, &at("/apis/apps/v1")).allowed);
    assert!(!rbac.authorize(&bob, &at("/metrics")).allowed);
    assert!(!rbac.authorize(&bob, &on("get", "pods", "n")).allowed);
    put(
        &mut rbac,
        &json!({
            "kind": "RoleBinding", "metadata": {"name": "b", "namespace": "n"},
            "roleRef": {"kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "Group", "name": "devs"}],
        }),
    );
    // `edit` gathers `view` gathers system:aggregate-to-view.
    let decision = rbac.authorize(&bob, &on("get", "pods", "n"));
    assert_eq!(
        decision.reason,
        "RBAC: allowed by RoleBinding \"b/n\" of ClusterRole \"edit\" to Group \"devs\""
    );
    assert!(!rbac.authorize(&bob, &on("get", "pods", "other")).allowed);
    assert!(!rbac.authorize(&bob, &on("get", "pods", "")).allowed);
    let exec = Attributes { subresource: "exec", ..on("create", "pods", "n") };
    assert!(rbac.authorize(&bob, &exec).allowed);
    let status = Attributes { subresource: "status", ..on("update", "pods", "n") };
    assert!(!rbac.authorize(&bob, &status).allowed);
    rbac.remove(Kind::RoleBinding, "n", "b");
    assert!(!rbac.authorize(&bob, &on("get", "pods", "n")).allowed);
}

#[test]
fn a_role_that_is_not_there_is_told_of() {
    let mut rbac = Rbac::default();
    put(
        &mut rbac,
        &json!({
            "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "none"},
            "subjects": [{"kind": "ServiceAccount", "namespace": "n", "name": "a"}],
        }),
    );
    let account = user("system:serviceaccount:n:a", &[]);
    let wanted = on("list", "pods", "y");
    let decision = authorize(&[Mode::Rbac], &rbac, &account, &wanted);
    assert_eq!(
        forbidden(&account, &wanted, &decision.reason).message,
        "pods is forbidden: User \"system:serviceaccount:n:a\" cannot list resource \"pods\" in \
         API group \"\" in the namespace \"y\": RBAC: clusterrole.rbac.authorization.k8s.io \
         \"none\" not found"
    );
}

#[test]
fn names_and_stars_narrow_and_widen() {
    let rule = Rule {
        verbs: vec!["get".into()],
        api_groups: vec!["*".into()],
        resources: vec!["*/scale".into(), "leases".into()],
        resource_names: vec!["x".into()],
        ..Rule::default()
    };
    let lease = Attributes { name: "x", ..on("get", "leases", "n") };
    assert!(rule.allows(&lease) && !rule.allows(&Attributes { name: "y", ..lease }));
    assert!(rule.allows(&Attributes { subresource: "scale", resource: "any", ..lease }));
    assert!(!rule.allows(&Attributes { subresource: "status", ..lease }));
}

#[test]
fn nobody_grants_more_than_they_have() {
    let mut rbac = bootstrapped();
    put(
        &mut rbac,
        &json!({
            "kind": "RoleBinding", "metadata": {"name": "b", "namespace": "n"},
            "roleRef": {"kind": "ClusterRole", "name": "admin"},
            "subjects": [{"kind": "User", "name": "bob"}],
        }),
    );
    let bob = user("bob", &["devs"]);
    let may = |wanted: &Attributes<'_>| rbac.authorize(&bob, wanted).allowed;
    let role = |rules: Value| json!({"metadata": {"name": "r", "namespace": "n"}, "rules": rules});
    let roles = |ask: &mut dyn FnMut(&Rbac)| ask(&rbac);
    let check = |role: &Value| escalation::check(Kind::Role, &bob, "n", (None, role), &may, &roles);
    let held = role(json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]));
    check(&held).unwrap();
    let more = role(json!([
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list", "get"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]));
    assert_eq!(
        check(&more).unwrap_err().message,
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"bob\" (groups=[\"devs\" \
         \"system:authenticated\"]) is attempting to grant RBAC permissions not currently \
         held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"list\" \
         \"get\"]}\n{NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}"
    );
    let binding = |role: &str| {
        json!({
            "metadata": {"name": "c", "namespace": "n"},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [],
        })
    };
    let bind = |role: &str| {
        escalation::check(Kind::RoleBinding, &bob, "n", (None, &binding(role)), &may, &roles)
    };
    bind("view").unwrap();
    assert_eq!(bind("cluster-admin").unwrap_err().code, 403);
    assert_eq!(bind("none").unwrap_err().code, 404);
}

#[test]
fn modes_are_read_or_refused() {
    assert_eq!(Mode::parse_list("RBAC"), Ok(vec![Mode::Rbac]));
    assert_eq!(Mode::parse_list("AlwaysAllow"), Ok(vec![Mode::AlwaysAllow]));
    assert_eq!(Mode::parse_list("Nod").unwrap_err(), "\"Nod\" is not a valid mode");
    assert!(Mode::parse_list("").is_err() && Mode::parse_list("RBAC,RBAC").is_err());
}

#[test]
fn impersonation_asks_for_each_part() {
    let wanted = impersonation::Wanted {
        user: "system:serviceaccount:n:a".into(),
        uid: "u".into(),
        extra: vec![(impersonation::extra_key("Example.com%2Fscope"), vec!["view".into()])],
        ..impersonation::Wanted::default()
    };
    let asked: Vec<_> =
        wanted.attributes().iter().map(|a| (a.resource, a.subresource, a.name)).collect();
    assert_eq!(
        asked,
        [
            ("serviceaccounts", "", "a"),
            ("userextras", "example.com/scope", "view"),
            ("uids", "", "u")
        ]
    );
    let user = wanted.into_user();
    assert_eq!(
        user.groups,
        ["system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated"]
    );
    let nobody = impersonation::Wanted { groups: vec!["g".into()], ..Default::default() };
    assert_eq!(
        nobody.without_user().unwrap(),
        "requested [{Group  g    }] without impersonating a user"
    );
}
