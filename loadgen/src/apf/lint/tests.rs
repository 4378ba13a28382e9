use sim_flow::Release;

use super::*;

fn found(text: &str) -> Vec<Finding> {
    let mut config = FlowConfig::bootstrap(Release::new(33).unwrap(), 600);
    config.overlay(text).unwrap();
    lint(&config, 4, 0.01, false)
}

fn rules(text: &str) -> Vec<(Severity, &'static str)> {
    found(text).into_iter().map(|finding| (finding.severity, finding.rule)).collect()
}

fn schema(name: &str, precedence: u32, level: &str, rule: &str) -> String {
    format!(
        "---\nkind: FlowSchema\nmetadata: {{name: {name}}}\nspec:\n  matchingPrecedence: {precedence}\n  \
         priorityLevelConfiguration: {{name: {level}}}\n  distinguisherMethod: {{type: ByUser}}\n  \
         rules:\n  - subjects: [{{kind: Group, group: {{name: 'system:authenticated'}}}}]\n    {rule}\n"
    )
}

fn level(name: &str, limited: &str) -> String {
    format!(
        "---\nkind: PriorityLevelConfiguration\nmetadata: {{name: {name}}}\n\
         spec: {{type: Limited, limited: {{{limited}}}}}\n"
    )
}

const PODS: &str = "resourceRules: [{verbs: [list], apiGroups: [''], resources: [pods], clusterScope: true, namespaces: ['*']}]";
const QUEUES: &str = "limitResponse: {type: Queue, queuing: {queues: 64, handSize: 6}}";

#[test]
fn the_objects_of_every_release_are_in_order() {
    for release in Release::all() {
        let config = FlowConfig::bootstrap(release, 600);
        assert_eq!(lint(&config, 4, 0.01, false), []);
        // They have their own quirks, of which none is an error.
        let all = lint(&config, 1, 0.01, true);
        assert!(all.iter().all(|f| f.severity == Severity::Warning), "{release}: {all:?}");
    }
}

#[test]
fn a_reference_to_nothing_is_an_error() {
    assert_eq!(
        rules(&schema("a", 500, "nowhere", PODS)),
        [(Severity::Error, "dangling-reference")]
    );
}

#[test]
fn a_broken_level_is_refused_and_dangles() {
    let broken = level("b", "limitResponse: {type: Queue, queuing: {queues: 512, handSize: 8}}");
    let found = rules(&format!("{broken}{}", schema("a", 500, "b", PODS)));
    assert_eq!(
        found,
        [(Severity::Error, "dangling-reference"), (Severity::Error, "invalid-object")]
    );
}

#[test]
fn a_schema_behind_one_that_takes_all_is_unreachable() {
    let wide = schema("wide", 300, "workload-low", &PODS.replace("[list]", "['*']"));
    let narrow = schema("narrow", 500, "workload-high", PODS);
    let found = found(&format!("{wide}{narrow}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].rule, "unreachable-schema");
    assert_eq!(found[0].object, "FlowSchema narrow");
    assert!(found[0].message.contains("wide"), "{found:?}");
}

#[test]
fn a_rule_behind_another_is_shadowed() {
    let two = PODS.replace("}]", "}, {verbs: [get], apiGroups: [''], resources: [nodes], clusterScope: true, namespaces: []}]");
    let wide = schema("wide", 300, "workload-low", &PODS.replace("[list]", "['*']"));
    let found = found(&format!("{wide}{}", schema("narrow", 500, "workload-high", &two)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].severity, found[0].rule), (Severity::Warning, "shadowed-rule"));
    assert_eq!(found[0].field, "spec.rules[0].resourceRules[0]");
}

#[test]
fn a_level_without_seats_is_told() {
    let with = |shares: &str| {
        format!("{}{}", level("b", shares), schema("a", 500, "b", &PODS.replace("list", "get")))
    };
    let none = with(&format!("nominalConcurrencyShares: 0, borrowingLimitPercent: 50, {QUEUES}"));
    assert_eq!(rules(&none), [(Severity::Error, "no-seats")]);
    let borrowed = with(&format!("nominalConcurrencyShares: 0, {QUEUES}"));
    assert_eq!(rules(&borrowed), [(Severity::Warning, "no-seats")]);
    assert_eq!(rules(&with(&format!("nominalConcurrencyShares: 10, {QUEUES}"))), []);
}

#[test]
fn hands_that_few_flows_cover_are_told() {
    let small = "limitResponse: {type: Queue, queuing: {queues: 4, handSize: 2}}";
    let config =
        format!("{}{}", level("b", small), schema("a", 500, "b", &PODS.replace("list", "get")));
    assert_eq!(rules(&config), [(Severity::Warning, "small-hands")]);
}

#[test]
fn the_small_level_without_a_borrowing_limit_is_a_trap() {
    let queues = "limitResponse: {type: Queue, queuing: {queues: 16, handSize: 4}}";
    let with = |borrowing: &str| {
        format!(
            "{}{}",
            level("pod-lists", &format!("nominalConcurrencyShares: 5, {borrowing}{queues}")),
            schema("pod-lists", 500, "pod-lists", PODS)
        )
    };
    let unlimited = found(&with(""));
    let trap = unlimited.iter().find(|finding| finding.rule == "list-trap").unwrap();
    assert_eq!(trap.severity, Severity::Error);
    // As recorded: 2 seats each of 265, where 8 each of 368 had been.
    assert!(trap.message.contains("(2 seats each"), "{}", trap.message);
    assert!(trap.message.contains("(8 each"), "{}", trap.message);
    let bounded = found(&with("borrowingLimitPercent: 0, "));
    assert!(bounded.iter().all(|finding| finding.rule != "list-trap"), "{bounded:?}");
}

#[test]
fn the_same_precedence_is_told() {
    let a = schema("a", 500, "workload-low", PODS);
    let b = schema("b", 500, "workload-low", &PODS.replace("list", "get"));
    assert_eq!(rules(&format!("{a}{b}")), [(Severity::Warning, "same-precedence")]);
}
