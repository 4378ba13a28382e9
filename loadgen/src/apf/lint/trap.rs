//! A level meant to limit LISTs that lets more of them in than before.
//!
//! A LIST is at most as wide as a part of its level's *nominal* limit, while the level's *current*
//! limit borrows what others lend. So few shares make LISTs narrow, and without a limit on borrowing
//! more of them fit than into the level they came from. Recorded of kube-apiserver 1.32.13 and
//! 1.33.2 (`fixtures/apf-live/apf_cure.json`): a level of 5 shares let 100 LISTs in where 46 had
//! been before, and memory doubled.

use sim_flow::{
    LevelDemand, ObjectStats, Queuing, RequestDigest, SeatDemandStats, adjust,
    api::{FlowSchema, ResourcePolicyRule, Subject, WILDCARD},
};
use sim_time::SimTime;

use super::{
    super::{config::FlowConfig, request},
    Linter, Severity,
};

impl Linter<'_> {
    pub(super) fn trap(&mut self) {
        for schema in &self.config.flow_schemas {
            if !self.of_interest(schema) {
                continue;
            }
            let lists = schema.spec.rules.iter().flat_map(|rules| {
                let subject = rules.subjects.first();
                rules
                    .resource_rules
                    .iter()
                    .filter(|rule| is_for_lists(rule))
                    .map(move |r| (subject, r))
            });
            let Some((Some(subject), rule)) = lists.into_iter().next() else { continue };
            let digest = typical(subject, rule);
            let Some(here) = room(self.config, &digest) else { continue };
            // Something comes before it.
            let level = &schema.spec.priority_level_configuration.name;
            if here.level != *level || here.bounded {
                continue;
            }
            let Some(before) = room(&without(self.config, schema), &digest) else { continue };
            if here.lists <= before.lists {
                continue;
            }
            let message = format!(
                "meant for LISTs, it lets more of them in: {} at once ({} seats each of up to {}) \
                 instead of {} ({} each of up to {}) in {}, since their width follows its {} nominal \
                 seats while its current limit borrows; a borrowingLimitPercent stops that",
                here.lists,
                here.width,
                here.limit,
                before.lists,
                before.width,
                before.limit,
                before.level,
                here.nominal
            );
            let object = ("PriorityLevelConfiguration", level.as_str());
            let field = "spec.limited.borrowingLimitPercent";
            self.add(Severity::Error, "list-trap", object, field, message);
        }
    }
}

/// A rule that is there for LISTs: of all verbs it names list, and besides at the most watch.
fn is_for_lists(rule: &ResourcePolicyRule) -> bool {
    rule.verbs.iter().any(|verb| verb == "list")
        && rule.verbs.iter().all(|verb| verb == "list" || verb == "watch")
}

/// One LIST that the rule is for.
fn typical(subject: &Subject, rule: &ResourcePolicyRule) -> RequestDigest {
    let any = |list: &[String], otherwise: &str| {
        let first = list.first().filter(|first| *first != WILDCARD);
        first.map_or_else(|| otherwise.to_owned(), String::clone)
    };
    let mut digest = RequestDigest::default();
    let user = &mut digest.user;
    if let Some(named) = &subject.user {
        user.name = if named.name == WILDCARD { "somebody".to_owned() } else { named.name.clone() };
        user.groups = request::implied_groups(&user.name);
    } else if let Some(named) = &subject.group {
        user.name = "somebody".to_owned();
        user.groups = request::implied_groups(&user.name);
        user.groups.push(named.name.clone());
    } else if let Some(account) = &subject.service_account {
        let name = if account.name == WILDCARD { "somebody" } else { &account.name };
        user.name = format!("system:serviceaccount:{}:{name}", account.namespace);
        user.groups = request::implied_groups(&user.name);
    }
    let request = &mut digest.request;
    request.is_resource_request = true;
    request.verb = "list".to_owned();
    request.api_group = any(&rule.api_groups, "");
    request.resource = any(&rule.resources, "pods");
    if !rule.cluster_scope {
        request.namespace = any(&rule.namespaces, "default");
    }
    digest.query = "limit=100000000".to_owned();
    digest
}

/// How many LISTs a level can come to run.
struct Room {
    level: String,
    nominal: u32,
    limit: u32,
    width: u64,
    lists: u64,
    /// It borrows nothing, or has no nominal seats to make LISTs narrow.
    bounded: bool,
}

/// Where a huge LIST goes, and how many alike its level runs when nobody else wants seats.
fn room(config: &FlowConfig, digest: &RequestDigest) -> Option<Room> {
    let mut controller = config.controller(SimTime::ZERO);
    let resource = digest.request.group_resource();
    let huge = ObjectStats { count: 1_000_000, average_bytes: 10_000 };
    controller.object_counts_mut().set(SimTime::ZERO, &resource, huge);
    let level = controller.classify(digest).level;
    if level.is_exempt() {
        return None;
    }
    let name = level.object().name.clone();
    let width = controller.estimate(SimTime::ZERO, digest).work.max_seats().max(1);
    let demands: Vec<LevelDemand> = controller
        .levels()
        .map(|other| {
            let seats = if other.object().name == name { config.server_seats } else { 0 };
            let wanted = f64::from(seats);
            LevelDemand {
                exempt: other.is_exempt(),
                limits: other.limits(),
                demand: SeatDemandStats {
                    high_watermark: seats,
                    average: wanted,
                    deviation: 0.0,
                    smoothed: wanted,
                },
            }
        })
        .collect();
    let index = controller.levels().position(|other| other.object().name == name)?;
    let limits = adjust(config.release.profile().borrowing, &demands).current_limits?;
    let limit = *limits.get(index)?;
    let queues = matches!(level.queues().config().queuing, Queuing::Queue { .. });
    let borrows = level.limits().max > level.limits().nominal;
    Some(Room {
        nominal: level.limits().nominal,
        limit,
        width,
        lists: (u64::from(limit) / width).max(u64::from(limit > 0)),
        bounded: !queues || !borrows,
        level: name,
    })
}

fn without(config: &FlowConfig, schema: &FlowSchema) -> FlowConfig {
    let mut config = config.clone();
    config.flow_schemas.retain(|other| other.metadata.name != schema.metadata.name);
    config
}
