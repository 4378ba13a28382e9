//! Values for what an object leaves out. Source: `pkg/apis/flowcontrol/v1/defaults.go`.

use super::{FlowSchema, PriorityLevelConfiguration};

impl FlowSchema {
    /// Fills in what was left out.
    pub fn set_defaults(&mut self) {
        if self.spec.matching_precedence == 0 {
            self.spec.matching_precedence = DEFAULT_MATCHING_PRECEDENCE;
        }
    }
}

impl PriorityLevelConfiguration {
    /// Fills in what was left out.
    pub fn set_defaults(&mut self) {
        if let Some(exempt) = &mut self.spec.exempt {
            exempt.nominal_concurrency_shares.get_or_insert(0);
            exempt.lendable_percent.get_or_insert(0);
        }
        if let Some(limited) = &mut self.spec.limited {
            limited.nominal_concurrency_shares.get_or_insert(DEFAULT_SHARES);
            limited.lendable_percent.get_or_insert(0);
            if let Some(queuing) = &mut limited.limit_response.queuing {
                let defaults = [
                    (&mut queuing.queues, DEFAULT_QUEUES),
                    (&mut queuing.hand_size, DEFAULT_HAND_SIZE),
                    (&mut queuing.queue_length_limit, DEFAULT_QUEUE_LENGTH_LIMIT),
                ];
                for (value, default) in defaults {
                    if *value == 0 {
                        *value = default;
                    }
                }
            }
        }
    }
}

const DEFAULT_MATCHING_PRECEDENCE: i32 = 1000;
pub(super) const DEFAULT_SHARES: i32 = 30;
const DEFAULT_QUEUES: i32 = 64;
const DEFAULT_HAND_SIZE: i32 = 8;
const DEFAULT_QUEUE_LENGTH_LIMIT: i32 = 50;
