//! Seats of a level: the limits that its objects give, and the current limit that borrowing makes
//! of them every ten seconds.
//!
//! Source: `finishQueueSetReconfigsLocked` and `updateBorrowingLocked` in
//! `pkg/util/flowcontrol/apf_controller.go`.

use std::time::Duration;

use crate::{
    IntegratorResults,
    allocation::{AllocationError, AllocationItem, allocate},
    api::PriorityLevelConfigurationSpec,
    num,
    release::Borrowing,
};

/// Limits of a level in seats, as its objects and the server's limit give them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SeatLimits {
    /// Its part of the server's seats, by shares; rounded up.
    pub nominal: u32,
    /// What it keeps when the others borrow all they may.
    pub min: u32,
    /// What it has when it borrows all it may.
    pub max: u32,
}

impl SeatLimits {
    /// Limits of a level with `spec` on a server with `server_limit` seats, which all levels share
    /// by `share_sum` shares.
    pub fn new(spec: &PriorityLevelConfigurationSpec, server_limit: u32, share_sum: f64) -> Self {
        let (lendable_percent, borrowing_limit_percent) = match (&spec.limited, &spec.exempt) {
            (Some(limited), _) => (limited.lendable_percent, limited.borrowing_limit_percent),
            (None, Some(exempt)) => (exempt.lendable_percent, None),
            (None, None) => (None, None),
        };
        let server = f64::from(server_limit);
        let nominal = if share_sum > 0.0 {
            num::ceil_to_u32(server * f64::from(shares(spec)) / share_sum)
        } else {
            0
        };
        let percent =
            |percent: i32| num::round_to_u32(f64::from(nominal) * f64::from(percent) / 100.0);
        let lendable = percent(lendable_percent.unwrap_or(0));
        let borrowing = borrowing_limit_percent.map_or(server_limit, percent);
        Self {
            nominal,
            min: nominal.saturating_sub(lendable),
            max: nominal.saturating_add(borrowing),
        }
    }

    /// The widest that an estimator may make a request of a level with queues, so that one request
    /// takes no more than 15 percent of the level nor all that a hand can hold.
    pub fn max_request_seats(self, hand_size: u32) -> u32 {
        let part = num::ceil_to_u32(f64::from(self.nominal) * MAX_REQUEST_PART);
        part.min(self.nominal / hand_size.max(1)).max(1)
    }
}

/// Shares of a level; 0 where they are not set.
pub fn shares(spec: &PriorityLevelConfigurationSpec) -> i32 {
    match (&spec.limited, &spec.exempt) {
        (Some(limited), _) => limited.nominal_concurrency_shares.unwrap_or(0),
        (None, Some(exempt)) => exempt.nominal_concurrency_shares.unwrap_or(0),
        (None, None) => 0,
    }
}

/// What a level's utilisation is measured against: its current limit, or, where that is zero, a
/// tenth of the server's.
pub fn concurrency_denominator(current_limit: u32, server_limit: u32) -> u32 {
    if current_limit > 0 {
        current_limit
    } else {
        num::round_to_u32(f64::from(server_limit) / 10.0).max(1)
    }
}

/// How many seats a level has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeatDemandStats {
    /// Most seats at once in the last period.
    pub high_watermark: u32,
    /// Time-weighted mean of the last period, in seats.
    pub average: f64,
    /// Time-weighted standard deviation of the last period, in seats.
    pub deviation: f64,
    /// Mean plus deviation, followed at once when it rises and with a half-life of about 30 periods
    /// when it falls.
    pub smoothed: f64,
}

impl SeatDemandStats {
    /// Takes in a period. One of no length counts only for the high watermark.
    pub fn update(&mut self, period: IntegratorResults) {
        self.high_watermark = num::round_to_u32(period.max);
        if period.duration_s <= 0.0 {
            return;
        }
        self.average = period.average;
        self.deviation = if period.deviation.is_nan() { 0.0 } else { period.deviation };
        let envelope = self.average + self.deviation;
        let decayed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * envelope;
        self.smoothed = envelope.max(decayed);
    }
}

/// What an adjustment needs of one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelDemand {
    /// The level limits nothing.
    pub exempt: bool,
    /// Its limits.
    pub limits: SeatLimits,
    /// Its demand.
    pub demand: SeatDemandStats,
}

/// Outcome of an adjustment.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjustment {
    /// New current limits in the order of the levels; `None` when no allocation exists and the old
    /// limits stay.
    pub current_limits: Option<Vec<u32>>,
    /// Seats each level aimed at. That of an exempt level is its own minimum; the real server's
    /// metric shows some other level's there.
    pub targets: Vec<f64>,
    /// The factor p on the targets; 0 when the levels did not share by targets.
    pub fair_frac: f64,
}

/// Adjusts the current limits of all levels to their demand.
pub fn adjust(rule: Borrowing, levels: &[LevelDemand]) -> Adjustment {
    let nominal_sum: u64 = levels.iter().map(|level| u64::from(level.limits.nominal)).sum();
    let nominal_sum = u32::try_from(nominal_sum).unwrap_or(u32::MAX);
    let min_currents: Vec<u32> = levels.iter().map(|level| min_current(rule, level)).collect();
    let targets: Vec<f64> = levels
        .iter()
        .zip(&min_currents)
        .map(|(level, &min)| match (rule, level.exempt) {
            (Borrowing::ExemptApart, true) => f64::from(min),
            _ => f64::from(min).max(level.demand.smoothed),
        })
        .collect();
    let shares = |level: &LevelDemand| rule == Borrowing::ExemptTogether || !level.exempt;

    if rule == Borrowing::ExemptApart {
        let sum = |exempt, value: fn(&LevelDemand, u32) -> u32| -> i64 {
            let of_kind = levels.iter().zip(&min_currents).filter(|(l, _)| l.exempt == exempt);
            of_kind.map(|(level, &min)| i64::from(value(level, min))).sum()
        };
        let remaining = i64::from(nominal_sum) - sum(true, |_, min_current| min_current);
        let min_sum = sum(false, |level, _| level.limits.min);
        let min_current_sum = sum(false, |_, min_current| min_current);
        if remaining <= min_current_sum {
            let part = if remaining <= min_sum {
                0.0
            } else {
                (remaining - min_sum) as f64 / (min_current_sum - min_sum) as f64
            };
            let limit = |(level, &min_current): (&LevelDemand, &u32)| {
                let min = level.limits.min;
                if level.exempt {
                    min_current
                } else {
                    min + num::round_to_u32(f64::from(min_current - min) * part)
                }
            };
            let current_limits = Some(levels.iter().zip(&min_currents).map(limit).collect());
            return Adjustment { current_limits, targets, fair_frac: 0.0 };
        }
    }

    let items: Vec<AllocationItem> = levels
        .iter()
        .enumerate()
        .filter(|(_, level)| shares(level))
        .map(|(i, level)| AllocationItem {
            target: targets[i],
            lower_bound: min_currents[i].into(),
            upper_bound: level.limits.max.into(),
        })
        .collect();
    match allocate(nominal_sum, &items) {
        Ok((allocs, fair_frac)) => {
            let mut allocs = allocs.into_iter();
            let limit = |(level, &min): (&LevelDemand, &u32)| {
                if shares(level) { allocs.next().map_or(min, num::round_to_u32) } else { min }
            };
            let current_limits = Some(levels.iter().zip(&min_currents).map(limit).collect());
            Adjustment { current_limits, targets, fair_frac }
        }
        Err(
            AllocationError::BadItem(_)
            | AllocationError::LowerBoundsTooHigh(_)
            | AllocationError::UpperBoundsTooLow(_),
        ) => Adjustment { current_limits: None, targets, fair_frac: 0.0 },
    }
}

/// What a level keeps however much the others want: its own demand up to the nominal limit.
fn min_current(rule: Borrowing, level: &LevelDemand) -> u32 {
    let LevelDemand { exempt, limits, demand } = level;
    if *exempt && rule == Borrowing::ExemptApart {
        limits.min.max(demand.high_watermark)
    } else {
        limits.min.max(limits.nominal.min(demand.high_watermark))
    }
}

/// `borrowingAdjustmentPeriod`.
pub const BORROWING_ADJUSTMENT_PERIOD: Duration = Duration::from_secs(10);

/// `seatDemandSmoothingCoefficient`: 30 periods of 10 s halve what is remembered.
const SMOOTHING: f64 = 0.977;

/// Part of a level's nominal seats that one request may take.
const MAX_REQUEST_PART: f64 = 0.15;
