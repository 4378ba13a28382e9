//! Sharing seats among levels: fair between a lower and an upper bound each.

use thiserror::Error;

/// One claimant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AllocationItem {
    /// What it would like, in seats; not below `lower_bound`. Below 0.001 it counts as that.
    pub target: f64,
    /// The least it gets.
    pub lower_bound: f64,
    /// The most it gets.
    pub upper_bound: f64,
}

/// Why there is no allocation.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum AllocationError {
    /// An item's bounds or target contradict each other.
    #[error("item {0} has a negative bound, crossed bounds or a target below its lower bound")]
    BadItem(usize),
    /// The lower bounds take more than there is.
    #[error("lower bounds sum to {0}, more than the required sum")]
    LowerBoundsTooHigh(f64),
    /// The upper bounds leave some over.
    #[error("upper bounds sum to {0}, less than the required sum")]
    UpperBoundsTooLow(f64),
}

/// The allocation whose sum is `required_sum` and in which every item gets p × target, kept within
/// its bounds, for one p that all share. Returns the allocations and p.
///
/// The sum grows with p: as long as no bound begins or stops to hold, by the sum of the targets of
/// the items between their bounds. So p is found by walking up the sorted bounds (each divided by
/// its item's target), from the least one, to the segment in which the sum is reached. Where the
/// sum is reached for a whole range of p, the least p is returned.
///
/// Source: `pkg/util/flowcontrol/conc_alloc.go`.
pub fn allocate(
    required_sum: u32,
    items: &[AllocationItem],
) -> Result<(Vec<f64>, f64), AllocationError> {
    let required = f64::from(required_sum);
    let relative = items.iter().enumerate().map(relative).collect::<Result<Vec<_>, _>>()?;
    let low: f64 = items.iter().map(|item| item.lower_bound).sum();
    let high: f64 = items.iter().map(|item| item.upper_bound).sum();
    if low - required > EPSILON {
        return Err(AllocationError::LowerBoundsTooHigh(low));
    }
    if required - high > EPSILON {
        return Err(AllocationError::UpperBoundsTooLow(high));
    }
    if required_sum == 0 {
        return Ok((vec![0.0; items.len()], 0.0));
    }
    if required - low < EPSILON {
        let p = relative.iter().map(|r| r.lower).fold(f64::from(f32::MAX), f64::min);
        return Ok((items.iter().map(|item| item.lower_bound).collect(), p));
    }
    if high - required < EPSILON {
        let p = relative.iter().map(|r| r.upper).fold(0.0, f64::max);
        return Ok((items.iter().map(|item| item.upper_bound).collect(), p));
    }
    let p = walk(required, low, &relative);
    let share = |(item, r): (&AllocationItem, &Relative)| {
        (p * r.target).min(item.upper_bound).max(item.lower_bound)
    };
    Ok((items.iter().zip(&relative).map(share).collect(), p))
}

/// Bounds in multiples of the target.
struct Relative {
    target: f64,
    lower: f64,
    upper: f64,
}

fn relative((index, item): (usize, &AllocationItem)) -> Result<Relative, AllocationError> {
    let ordered = 0.0 <= item.lower_bound
        && item.lower_bound <= item.upper_bound
        && item.lower_bound <= item.target;
    if !ordered {
        return Err(AllocationError::BadItem(index));
    }
    let target = item.target.max(MIN_TARGET);
    Ok(Relative { target, lower: item.lower_bound / target, upper: item.upper_bound / target })
}

fn walk(required: f64, low: f64, relative: &[Relative]) -> f64 {
    // Without any bound in force the answer is direct, and free of the walk's rounding.
    let target_sum: f64 = relative.iter().map(|r| r.target).sum();
    let unbounded = required / target_sum;
    if relative.iter().all(|r| r.lower <= unbounded && unbounded <= r.upper) {
        return unbounded;
    }
    // At a lower bound an item begins to grow with p, at an upper bound it stops.
    let mut bounds: Vec<(f64, f64)> =
        relative.iter().flat_map(|r| [(r.lower, r.target), (r.upper, -r.target)]).collect();
    bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut sum = low;
    let mut p = 0.0;
    let mut growing = 0_usize;
    let mut growing_targets = 0.0;
    for (bound, target) in bounds {
        if growing > 0 {
            let answer = p + (required - sum) / growing_targets;
            if answer <= bound {
                return answer;
            }
            sum += (bound - p) * growing_targets;
        }
        p = bound;
        growing_targets += target;
        if target > 0.0 {
            growing += 1;
        } else {
            growing -= 1;
        }
        if growing == 0 {
            growing_targets = 0.0;
        }
        if sum >= required {
            break;
        }
    }
    p
}

/// `MinTarget`: keeps idle levels from dividing by zero.
const MIN_TARGET: f64 = 0.001;

/// `epsilon`: sums this close are equal.
const EPSILON: f64 = 1e-7;

#[cfg(test)]
mod tests {
    use super::*;

    fn item(target: f64, lower_bound: f64, upper_bound: f64) -> AllocationItem {
        AllocationItem { target, lower_bound, upper_bound }
    }

    #[test]
    fn shares_what_the_bounds_leave() {
        let items = [item(10.0, 5.0, 12.0), item(20.0, 0.0, 100.0)];
        let (allocs, p) = allocate(40, &items).unwrap();
        assert_eq!(allocs, [12.0, 28.0]);
        assert!((p - 1.4).abs() < 1e-12);
    }

    #[test]
    fn says_why_there_is_no_allocation() {
        assert_eq!(
            allocate(1, &[item(5.0, 5.0, 6.0)]),
            Err(AllocationError::LowerBoundsTooHigh(5.0))
        );
        assert_eq!(
            allocate(9, &[item(5.0, 5.0, 6.0)]),
            Err(AllocationError::UpperBoundsTooLow(6.0))
        );
        assert_eq!(allocate(5, &[item(4.0, 5.0, 6.0)]), Err(AllocationError::BadItem(0)));
    }
}
