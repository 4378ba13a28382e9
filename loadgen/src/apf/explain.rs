//! Where a request goes, and why.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use sim_flow::{
    Distinguisher, Mismatch, RequestDigest, SkippedSchema,
    api::{FlowSchema, PolicyRulesWithSubjects, Subject},
};
use sim_time::SimTime;

use super::{
    Output,
    config::{ConfigArgs, FlowConfig, objects},
    json, print, request,
};
use crate::LoadError;

/// Tell which FlowSchema, priority level, queues and width a request gets, and why
///
/// Nothing is sent on the user's behalf: the objects are read, and the rules applied here.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// The user, e.g. alice or system:serviceaccount:NAMESPACE:NAME
    #[arg(long = "as", visible_alias = "user", value_name = "USER")]
    pub user: String,

    /// A group of the user; may be given several times [default: what authentication adds by the
    /// name]
    #[arg(long = "as-group", visible_alias = "group", value_name = "GROUP")]
    pub groups: Vec<String>,

    /// What is done: get, list, watch, create, update, patch, delete, deletecollection, or an
    /// HTTP method
    #[arg(long, default_value = "get")]
    pub verb: String,

    /// Path and query, e.g. '/api/v1/pods?resourceVersion=0'
    #[arg(long, required_unless_present = "resource", conflicts_with = "resource")]
    pub path: Option<String>,

    /// The resource instead of the path, as kubectl names it: pods, deployments.apps, pods/log
    #[arg(long, value_name = "RESOURCE[.GROUP][/SUBRESOURCE]")]
    pub resource: Option<String>,

    /// Namespace of the resource; cluster scope without it
    #[arg(short = 'n', long, requires = "resource")]
    pub namespace: Option<String>,

    /// Name of the object
    #[arg(long, requires = "resource")]
    pub name: Option<String>,

    /// Query of the request, e.g. limit=500
    #[arg(long, requires = "resource")]
    pub query: Option<String>,

    /// Objects in the cluster, for the width of LISTs, e.g. pods=20000 or pods=20000x2KiB
    /// [default: what a server's metrics say]
    #[arg(long, value_name = "LIST", default_value = "")]
    pub objects: String,

    /// The configuration that decides
    #[command(flatten)]
    pub config: ConfigArgs,

    /// What is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Where a request goes, and why.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Where the objects come from.
    pub origin: String,
    /// The release that decides.
    pub kubernetes_version: String,
    /// The user.
    pub user: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// The verb, as flow control sees it.
    pub verb: String,
    /// `resource[.group][/subresource]`; empty for other paths.
    pub resource: String,
    /// The namespace; empty for cluster scope.
    pub namespace: String,
    /// The path.
    pub path: String,
    /// Long-running requests other than watches do not pass flow control at all.
    pub bypasses: bool,
    /// The schema.
    pub flow_schema: String,
    /// Its precedence.
    pub matching_precedence: i32,
    /// No schema matched, and the catch-all takes it all the same.
    pub unmatched: bool,
    /// Schemas that come before, in order.
    pub skipped: Vec<Skipped>,
    /// The level.
    pub level: LevelState,
    /// `ByUser`, `ByNamespace` or `none`.
    pub distinguisher_method: &'static str,
    /// The flow distinguisher.
    pub flow_distinguisher: String,
    /// Hash of the flow in hexadecimal; none where the level does not tell flows apart.
    pub flow_hash: Option<String>,
    /// The queues of the flow, in the order of dealing.
    pub hand: Vec<u32>,
    /// Seats while it executes.
    pub initial_seats: u64,
    /// Seats in its final phase.
    pub final_seats: u64,
    /// Length of the final phase, in milliseconds.
    pub additional_latency_ms: f64,
    /// Requests alike that the current limit lets execute at once; none where nothing is limited.
    pub at_once: Option<u64>,
    /// What is not known, and changes the figures.
    pub notes: Vec<String>,
}

/// A schema that a request passed by.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The schema.
    pub flow_schema: String,
    /// Its precedence.
    pub matching_precedence: i32,
    /// Why.
    pub reasons: Vec<String>,
}

/// A level, as a request finds it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LevelState {
    /// Its name.
    pub name: String,
    /// `Exempt`, `Reject` or `Queue`.
    pub response: &'static str,
    /// Queues; 0 without.
    pub queues: u32,
    /// Queues of a flow; 0 without.
    pub hand_size: u32,
    /// Requests that one queue holds; 0 without.
    pub queue_length_limit: u32,
    /// NominalCL, in seats.
    pub nominal_limit: u32,
    /// MinCL, in seats.
    pub lower_limit: u32,
    /// MaxCL, in seats.
    pub upper_limit: u32,
    /// CurrentCL, in seats.
    pub current_limit: u32,
    /// Where the current limit comes from: a server's metrics, or an idle server's arithmetic.
    pub current_limit_is: &'static str,
    /// Cap of a request's width, in seats; 0 where the level sets none.
    pub max_seats: u32,
}

/// Explains a request. `resource_request` bypasses are told, too.
pub fn explain(config: &FlowConfig, digest: &RequestDigest) -> Explanation {
    let controller = config.controller(SimTime::ZERO);
    let classified = controller.classify(digest);
    let work = controller.estimate(SimTime::ZERO, digest).work;
    let level = classified.level;
    let name = &level.object().name;
    let live = config.live.as_ref().and_then(|live| live.current.get(name));
    let mut notes = Vec::new();
    let request = &digest.request;
    let counted = config.objects.contains_key(&request.group_resource());
    if matches!(request.verb.as_str(), "list" | "watch") && !counted {
        let resource = request.group_resource();
        notes.push(format!(
            "how many {resource} there are is not known, so the width is that of an unknown \
             resource; --objects {resource}=COUNT tells"
        ));
    }
    if let Some((nominal, of)) = config
        .live
        .as_ref()
        .and_then(|live| live.nominal.get(name))
        .map(|nominal| (*nominal, level.limits().nominal))
        .filter(|(nominal, of)| (nominal - f64::from(*of)).abs() > 0.5)
    {
        notes.push(format!(
            "the server says nominal {nominal}, the arithmetic {of}: its --max-requests-inflight \
             and --max-mutating-requests-inflight are not those given here"
        ));
    }
    let (current_limit, current_limit_is) = match live {
        Some(live) => (whole(*live), "now, by the server's metrics"),
        None => (level.current_limit(), "of an idle server"),
    };
    let (response, queues, hand_size, queue_length_limit) = match level.queues().config().queuing {
        sim_flow::Queuing::Exempt => ("Exempt", 0, 0, 0),
        sim_flow::Queuing::Reject => ("Reject", 0, 0, 0),
        sim_flow::Queuing::Queue { dealer, queue_length_limit } => {
            ("Queue", dealer.deck_size(), dealer.hand_size(), queue_length_limit)
        }
    };
    let limits = level.limits();
    let hashed = queues > 1;
    let schema = config
        .flow_schemas
        .iter()
        .find(|schema| schema.metadata.name == classified.flow_schema.name);
    let group = if request.api_group.is_empty() { "" } else { "." };
    let slash = if request.subresource.is_empty() { "" } else { "/" };
    Explanation {
        origin: config.origin.clone(),
        kubernetes_version: config.release.to_string(),
        user: digest.user.name.clone(),
        groups: digest.user.groups.clone(),
        verb: request.verb.clone(),
        resource: format!(
            "{}{group}{}{slash}{}",
            request.resource, request.api_group, request.subresource
        ),
        namespace: request.namespace.clone(),
        path: request.path.clone(),
        bypasses: bypasses(digest),
        flow_schema: classified.flow_schema.name.clone(),
        matching_precedence: schema.map_or(10_000, |schema| schema.spec.matching_precedence),
        unmatched: classified.unmatched,
        skipped: classified.skipped.iter().map(|skipped| told(skipped, digest)).collect(),
        level: LevelState {
            name: name.clone(),
            response,
            queues,
            hand_size,
            queue_length_limit,
            nominal_limit: limits.nominal,
            lower_limit: limits.min,
            upper_limit: limits.max,
            current_limit,
            current_limit_is,
            max_seats: level.max_seats(),
        },
        distinguisher_method: match classified.method {
            Distinguisher::ByUser => "ByUser",
            Distinguisher::ByNamespace => "ByNamespace",
            Distinguisher::None => "none",
        },
        flow_distinguisher: classified.distinguisher.clone(),
        flow_hash: hashed.then(|| format!("{:016x}", classified.hash)),
        hand: classified.hand.clone(),
        initial_seats: work.initial_seats,
        final_seats: work.final_seats,
        additional_latency_ms: work.additional_latency.as_secs_f64() * 1000.0,
        at_once: (response != "Exempt").then(|| at_once(current_limit, work.max_seats())),
        notes,
    }
}

/// A request wider than the limit runs alone.
fn at_once(limit: u32, seats: u64) -> u64 {
    match u64::from(limit) / seats.max(1) {
        0 if limit > 0 => 1,
        n => n,
    }
}

fn bypasses(digest: &RequestDigest) -> bool {
    let request = &digest.request;
    let info = sim_api::RequestInfo {
        is_resource_request: request.is_resource_request,
        path: request.path.clone(),
        verb: if request.verb == "proxy" { "proxy" } else { "" },
        subresource: request.subresource.clone(),
        ..sim_api::RequestInfo::default()
    };
    request.verb != "watch" && info.is_long_running()
}

fn told(skipped: &SkippedSchema<'_>, digest: &RequestDigest) -> Skipped {
    let spec = &skipped.schema.spec;
    let mut reasons = Vec::new();
    if skipped.dangling {
        let level = &spec.priority_level_configuration.name;
        reasons.push(format!("it dangles: there is no usable priority level {level:?}"));
    }
    let mismatches = spec.mismatches(digest);
    if mismatches.is_empty() && !skipped.dangling {
        reasons.push("it has no rules".to_owned());
    }
    reasons.extend(mismatches.iter().map(|mismatch| reason(skipped.schema, mismatch, digest)));
    reasons.dedup();
    Skipped {
        flow_schema: skipped.schema.metadata.name.clone(),
        matching_precedence: spec.matching_precedence,
        reasons,
    }
}

fn reason(schema: &FlowSchema, mismatch: &Mismatch, digest: &RequestDigest) -> String {
    let rules = &schema.spec.rules;
    match mismatch {
        Mismatch::Subject { rule } => {
            let wanted = rules.get(*rule).map(wanted).unwrap_or_default();
            format!("rules[{rule}] is for {wanted}")
        }
        Mismatch::Kind { rule, resource_request: true } => {
            format!("rules[{rule}] has no resourceRules, and this is a request on a resource")
        }
        Mismatch::Kind { rule, resource_request: false } => {
            format!("rules[{rule}] has no nonResourceRules, and this is a path without a resource")
        }
        Mismatch::Parts { rule, index, parts } => {
            let list = if digest.request.is_resource_request {
                "resourceRules"
            } else {
                "nonResourceRules"
            };
            let parts: Vec<_> = parts.iter().map(|part| part.as_str()).collect();
            let parts = parts.join(", ");
            format!("rules[{rule}].{list}[{index}] does not cover its {parts}")
        }
    }
}

/// The subjects of an element, in words.
pub(super) fn wanted(rules: &PolicyRulesWithSubjects) -> String {
    let subjects: Vec<_> = rules.subjects.iter().map(subject).collect();
    match &subjects[..] {
        [first, second, third, _, ..] => {
            format!("{first}, {second}, {third} and {} more", subjects.len() - 3)
        }
        few => few.join(", "),
    }
}

fn subject(subject: &Subject) -> String {
    match (&subject.user, &subject.group, &subject.service_account) {
        (Some(user), ..) => format!("user {}", user.name),
        (_, Some(group), _) => format!("group {}", group.name),
        (.., Some(account)) => format!("service account {}/{}", account.namespace, account.name),
        _ => format!("an unreadable subject of kind {:?}", subject.kind),
    }
}

pub(super) async fn run(args: &ExplainArgs) -> Result<u8, LoadError> {
    let path = path(args)?;
    let groups = if args.groups.is_empty() {
        request::implied_groups(&args.user)
    } else {
        args.groups.clone()
    };
    let digest = request::digest(&args.user, groups, &args.verb, &path).map_err(|message| {
        // The message begins with the field.
        let (field, message) = message.split_once(": ").unwrap_or(("path", &message));
        let flag = if field == "user" { "--as".to_owned() } else { format!("--{field}") };
        LoadError::usage(flag, message)
    })?;
    let counts =
        objects(&args.objects).map_err(|message| LoadError::usage("--objects", message))?;
    let mut config = args.config.read().await?;
    config.objects.extend(counts);
    let explanation = explain(&config, &digest);
    print(&match args.output {
        Output::Text => text(&explanation),
        Output::Json => json(&explanation),
    });
    Ok(0)
}

/// The path that the flags spell out.
fn path(args: &ExplainArgs) -> Result<String, LoadError> {
    if let Some(path) = &args.path {
        return Ok(path.clone());
    }
    let resource = args.resource.as_deref().unwrap_or_default();
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (resource, None),
    };
    if resource.is_empty() {
        return Err(LoadError::usage("--resource", "is empty"));
    }
    let by_name = matches!(args.verb.as_str(), "update" | "patch" | "delete" | "get");
    if args.name.is_none() && (by_name || subresource.is_some()) {
        let message = format!("is needed to {} {resource}", args.verb);
        return Err(LoadError::usage("--name", message));
    }
    let mut path = match resource.split_once('.') {
        Some((_, group)) => format!("/apis/{group}/v1"),
        None => "/api/v1".to_owned(),
    };
    let plural = resource.split('.').next().unwrap_or_default();
    // Writing to a String cannot fail.
    if let Some(namespace) = &args.namespace {
        let _ = write!(path, "/namespaces/{namespace}");
    }
    let _ = write!(path, "/{plural}");
    for part in [args.name.as_deref(), subresource].into_iter().flatten() {
        let _ = write!(path, "/{part}");
    }
    if let Some(query) = &args.query {
        let _ = write!(path, "?{query}");
    }
    Ok(path)
}

fn text(found: &Explanation) -> String {
    let mut text = String::new();
    let what = if found.resource.is_empty() { &found.path } else { &found.resource };
    let scope = match (found.resource.as_str(), found.namespace.as_str()) {
        ("", _) => String::new(),
        (_, "") => " at cluster scope".to_owned(),
        (_, namespace) => format!(" in namespace {namespace}"),
    };
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:<16}{value}");
    };
    line("request", &format!("{} {what}{scope}", found.verb));
    line("user", &format!("{} (groups {})", found.user, found.groups.join(", ")));
    line("configuration", &format!("{}; rules of {}", found.origin, found.kubernetes_version));
    if found.bypasses {
        line("flow control", "passed by: long-running requests other than watches are not counted");
    }
    let unmatched = if found.unmatched { "; nothing matched" } else { "" };
    line(
        "FlowSchema",
        &format!("{} (precedence {}{unmatched})", found.flow_schema, found.matching_precedence),
    );
    let level = &found.level;
    let queues = match level.response {
        "Exempt" => "exempt: never waits, never refused".to_owned(),
        "Reject" => "no queues: refused where no seat is free".to_owned(),
        _ => format!(
            "{} queues of {}, hand of {}",
            level.queues, level.queue_length_limit, level.hand_size
        ),
    };
    line("priority level", &format!("{} ({queues})", level.name));
    line(
        "limits",
        &format!(
            "current {} ({}), nominal {}, lower {}, upper {}",
            level.current_limit,
            level.current_limit_is,
            level.nominal_limit,
            level.lower_limit,
            level.upper_limit
        ),
    );
    if let Some(hash) = &found.flow_hash {
        let hand: Vec<_> = found.hand.iter().map(u32::to_string).collect();
        line("flow", &format!("{:?} ({})", found.flow_distinguisher, found.distinguisher_method));
        line("hash", hash);
        line("hand", &format!("queues {}", hand.join(", ")));
    } else {
        line("flow", "not told apart here");
    }
    let cap = if level.max_seats > 0 {
        format!("; the level caps it at {}", level.max_seats)
    } else {
        String::new()
    };
    let tail = if found.final_seats > 0 {
        format!(", then {} for {} ms", found.final_seats, found.additional_latency_ms)
    } else {
        String::new()
    };
    line("width", &format!("{} seats{tail}{cap}", found.initial_seats));
    if let Some(at_once) = found.at_once {
        line("at once", &format!("{at_once} alike, by the current limit"));
    }
    for note in &found.notes {
        line("note", note);
    }
    if !found.skipped.is_empty() {
        text.push_str("\nEarlier schemas, and why not:\n");
        for skipped in &found.skipped {
            let _ = writeln!(
                text,
                "  {:>5} {:<32} {}",
                skipped.matching_precedence,
                skipped.flow_schema,
                skipped.reasons.join("; ")
            );
        }
    }
    text
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a seat count")]
fn whole(value: f64) -> u32 {
    value.max(0.0) as u32
}

#[cfg(test)]
mod tests {
    use sim_flow::Release;

    use super::*;

    fn explained(user: &str, verb: &str, path: &str) -> Explanation {
        let mut config = FlowConfig::bootstrap(Release::new(33).unwrap(), 600);
        config.objects.extend(objects("pods=5000x2Ki").unwrap());
        let digest = request::digest(user, request::implied_groups(user), verb, path).unwrap();
        explain(&config, &digest)
    }

    #[test]
    fn a_list_is_as_wide_as_recorded() {
        // Recorded: 8 seats of the 56 that an idle 1.33.2 gives to global-default.
        let found = explained("alice", "list", "/api/v1/pods?resourceVersion=0");
        assert_eq!(found.flow_schema, "global-default");
        assert_eq!((found.level.nominal_limit, found.level.current_limit), (49, 56));
        assert_eq!((found.initial_seats, found.at_once), (8, Some(7)));
        assert_eq!(found.flow_hash.as_deref(), Some("f4de3bd42ccdf6b7"));
        assert_eq!(found.hand, [55, 62, 126, 125, 105, 1]);
        assert_eq!(found.skipped.len(), 11);
    }

    #[test]
    fn every_schema_passed_by_has_a_reason() {
        let found =
            explained("system:serviceaccount:kube-system:job-controller", "get", "/version/x");
        assert!(found.skipped.iter().all(|skipped| !skipped.reasons.is_empty()));
        let probes = found.skipped.iter().find(|s| s.flow_schema == "probes").unwrap();
        assert_eq!(
            probes.reasons,
            ["rules[0].nonResourceRules[0] does not cover its nonResourceURLs"]
        );
    }

    #[test]
    fn long_running_requests_pass_by() {
        let log = explained("alice", "get", "/api/v1/namespaces/a/pods/b/log");
        assert!(log.bypasses);
        assert!(!explained("alice", "watch", "/api/v1/pods").bypasses);
    }
}
