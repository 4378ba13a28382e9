//! How a deployment divides its replicas among old and new ReplicaSets; pure.
//! Source: `pkg/controller/deployment/{rolling,util/deployment_util}.go`.

use serde_json::Value;

use crate::object::{number, scaled, text};

/// What the strategy allows, in pods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fence {
    pub(super) surge: i64,
    pub(super) unavailable: i64,
}

impl Fence {
    /// Of a deployment; nothing for Recreate. Both zero become one unavailable.
    pub(super) fn of(deployment: &Value) -> Self {
        let replicas = number(deployment, "/spec/replicas");
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        if text(deployment, "/spec/strategy/type") == "Recreate" {
            return Self { surge: 0, unavailable: 0 };
        }
        let surge = scaled(&rolling["maxSurge"], replicas, "25%", true);
        let unavailable = scaled(&rolling["maxUnavailable"], replicas, "25%", false);
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Self { surge, unavailable: unavailable.min(replicas) }
    }
}

/// Replicas that the new set is to have now.
pub(super) fn new_replicas(wanted: i64, fence: Fence, new: i64, all: i64) -> i64 {
    if new >= wanted {
        return wanted;
    }
    let room = (wanted + fence.surge - all).max(0);
    new + room.min(wanted - new)
}

/// One old set: its replicas and how many of them are available.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Old {
    pub(super) replicas: i64,
    pub(super) available: i64,
}

/// Replicas that the old sets are to have now, oldest first: first those that are not available go,
/// then as many as may be missing.
pub(super) fn old_replicas(wanted: i64, fence: Fence, new: Old, old: &[Old]) -> Vec<i64> {
    let mut after: Vec<i64> = old.iter().map(|old| old.replicas).collect();
    let all: i64 = new.replicas + after.iter().sum::<i64>();
    let least = wanted - fence.unavailable;
    let new_missing = new.replicas - new.available;
    let mut most = all - least - new_missing;
    if most <= 0 {
        return after;
    }
    for (after, old) in after.iter_mut().zip(old) {
        let unhealthy = (old.replicas - old.available).clamp(0, most);
        *after -= unhealthy;
        most -= unhealthy;
    }
    let available: i64 = new.available + old.iter().map(|old| old.available).sum::<i64>();
    let mut spare = available - least;
    for after in &mut after {
        let down = (*after).min(spare.max(0));
        *after -= down;
        spare -= down;
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    const FENCE: Fence = Fence { surge: 1, unavailable: 0 };

    #[test]
    fn a_rollout_goes_up_before_it_goes_down() {
        assert_eq!(new_replicas(3, FENCE, 0, 3), 1);
        assert_eq!(new_replicas(3, FENCE, 1, 4), 1);
        let old = [Old { replicas: 3, available: 3 }];
        let new = Old { replicas: 1, available: 0 };
        assert_eq!(old_replicas(3, FENCE, new, &old), [3]);
        let new = Old { replicas: 1, available: 1 };
        assert_eq!(old_replicas(3, FENCE, new, &old), [2]);
    }

    #[test]
    fn what_is_not_available_goes_first() {
        let fence = Fence { surge: 1, unavailable: 1 };
        let old = [Old { replicas: 2, available: 0 }, Old { replicas: 2, available: 2 }];
        let new = Old { replicas: 0, available: 0 };
        assert_eq!(old_replicas(4, fence, new, &old), [1, 2]);
    }

    #[test]
    fn recreate_has_no_fence() {
        let deployment = serde_json::json!({
            "spec": {"replicas": 4, "strategy": {"type": "Recreate"}}
        });
        assert_eq!(Fence::of(&deployment), Fence { surge: 0, unavailable: 0 });
        let zero = serde_json::json!({"spec": {"replicas": 4, "strategy": {"rollingUpdate":
            {"maxSurge": 0, "maxUnavailable": 0}}}});
        assert_eq!(Fence::of(&zero), Fence { surge: 0, unavailable: 1 });
    }
}
