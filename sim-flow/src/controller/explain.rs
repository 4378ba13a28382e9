//! Why a request goes where it goes.

use std::sync::Arc;

use super::{Controller, LevelView, ObjectRef};
use crate::{
    Distinguisher, Estimated, MatchOutcome, Queuing, RequestDigest, api::FlowSchema, flow_hash,
};
use sim_time::SimTime;

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Classified<'a> {
    /// The schema it matches.
    pub flow_schema: Arc<ObjectRef>,
    /// The level it goes to.
    pub level: LevelView<'a>,
    /// The distinguisher method in use; none where the level does not tell flows apart.
    pub method: Distinguisher,
    /// The flow distinguisher; empty where the level does not tell flows apart.
    pub distinguisher: String,
    /// Hash of the flow; 0 where the level does not tell flows apart.
    pub hash: u64,
    /// The queues of the flow, in the order of dealing.
    pub hand: Vec<u32>,
    /// No schema matched: the request falls to the catch-all schema all the same.
    pub unmatched: bool,
    /// The schemas that come earlier, in order, and why they do not match.
    pub skipped: Vec<SkippedSchema<'a>>,
}

/// A schema that a request passed by.
#[derive(Clone, Copy, Debug)]
pub struct SkippedSchema<'a> {
    /// The schema.
    pub schema: &'a FlowSchema,
    /// Why it does not match; one that dangles might.
    pub outcome: MatchOutcome,
    /// It refers to a level that does not exist, so it takes no part.
    pub dangling: bool,
}

impl Controller {
    /// The schema that a request matches: classification alone, without the reasons.
    pub fn matching_flow_schema(&self, digest: &RequestDigest) -> &ObjectRef {
        &self.schemas[self.matching_schema(digest)].object
    }

    /// Where a request would go, and why.
    pub fn classify(&self, digest: &RequestDigest) -> Classified<'_> {
        let index = self.matching_schema(digest);
        let schema = &self.schemas[index];
        let level = &self.levels[schema.level];
        let outcome = schema.schema.spec.outcome(digest);
        let distinguisher = schema.distinguisher.of_request(digest).to_owned();
        let (hash, hand) = match level.queuing {
            Queuing::Queue { dealer, .. } if level.has_flows() => {
                let hash = flow_hash(&schema.object.name, &distinguisher);
                (hash, dealer.deal(hash).cards().to_vec())
            }
            Queuing::Queue { .. } => (0, vec![0]),
            Queuing::Exempt | Queuing::Reject => (0, Vec::new()),
        };
        let precedence =
            |schema: &FlowSchema| (schema.spec.matching_precedence, schema.metadata.name.clone());
        let limit = precedence(&schema.schema);
        fn of<'a>(
            schema: &'a FlowSchema,
            digest: &RequestDigest,
            dangling: bool,
        ) -> SkippedSchema<'a> {
            SkippedSchema { schema, outcome: schema.spec.outcome(digest), dangling }
        }
        let mut skipped: Vec<_> = self.schemas[..index]
            .iter()
            .map(|earlier| of(&earlier.schema, digest, false))
            .collect();
        let dangling = self.skipped.iter().filter(|schema| precedence(schema) < limit);
        skipped.extend(dangling.map(|schema| of(schema, digest, true)));
        skipped.sort_by_key(|skipped| precedence(skipped.schema));
        Classified {
            flow_schema: Arc::clone(&schema.object),
            level: LevelView(level),
            method: schema.distinguisher,
            distinguisher,
            hash,
            hand,
            unmatched: !matches!(outcome, MatchOutcome::Matched { .. }),
            skipped,
        }
    }

    /// The width that a request would be given.
    pub fn estimate(&self, now: SimTime, digest: &RequestDigest) -> Estimated {
        let schema = &self.schemas[self.matching_schema(digest)];
        self.estimator.estimate(
            Some(&digest.request),
            &digest.query,
            self.levels[schema.level].max_seats,
            |resource| self.object_counts.current(now, resource),
            || self.watches.interested(&digest.request),
        )
    }
}
