//! Numbers that are taken and given back.

use std::collections::BTreeMap;

use super::Draw;

/// The numbers below a size, each free or taken. All steps are O(log n) in the number of gaps.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    /// Free stretches: the first number, and the one after the last.
    free: BTreeMap<u64, u64>,
    size: u64,
    /// Numbers below this are given away only when the others are: who asks for a number by
    /// itself finds a low one free.
    reserved: u64,
}

/// A number was free, and is taken now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Taken;

/// Why a number cannot be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    OutOfRange,
    Taken,
}

/// Nothing is left.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("range is full")]
pub(super) struct Full;

impl Pool {
    pub(super) fn new(size: u64, reserved: u64) -> Self {
        let free = if size > 0 { BTreeMap::from([(0, size)]) } else { BTreeMap::new() };
        Self { free, size, reserved }
    }

    pub(super) fn take(&mut self, number: u64) -> Result<Taken, Refusal> {
        if number >= self.size {
            return Err(Refusal::OutOfRange);
        }
        let Some((&from, &to)) =
            self.free.range(..=number).next_back().filter(|(_, to)| number < **to)
        else {
            return Err(Refusal::Taken);
        };
        self.free.remove(&from);
        if from < number {
            self.free.insert(from, number);
        }
        if number + 1 < to {
            self.free.insert(number + 1, to);
        }
        Ok(Taken)
    }

    pub(super) fn release(&mut self, number: u64) {
        if number >= self.size {
            return;
        }
        let before = self.free.range(..=number).next_back().map(|(&from, &to)| (from, to));
        if before.is_some_and(|(_, to)| number < to) {
            return;
        }
        let from = match before {
            Some((from, to)) if to == number => from,
            _ => number,
        };
        let to = self.free.remove(&(number + 1)).unwrap_or(number + 1);
        self.free.insert(from, to);
    }

    /// The next free number after one that is drawn, those that are not reserved first.
    pub(super) fn take_any(&mut self, draw: Draw<'_>) -> Result<u64, Full> {
        for (from, to) in [(self.reserved, self.size), (0, self.reserved)] {
            if from >= to {
                continue;
            }
            let start = from + draw(to - from).min(to - from - 1);
            let found = self.first_free(start, to).or_else(|| self.first_free(from, start));
            if let Some(number) = found
                && self.take(number).is_ok()
            {
                return Ok(number);
            }
        }
        Err(Full)
    }

    fn first_free(&self, from: u64, to: u64) -> Option<u64> {
        let at = self.free.range(..=from).next_back().filter(|(_, end)| from < **end);
        match at {
            Some(_) if from < to => Some(from),
            _ => self.free.range(from..to).next().map(|(&first, _)| first),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reserved_numbers_go_last() {
        let mut pool = Pool::new(4, 2);
        let mut draw = |_| 0;
        let drawn: Vec<_> = (0..4).map(|_| pool.take_any(&mut draw).unwrap()).collect();
        assert_eq!(drawn, [2, 3, 0, 1]);
        assert_eq!(pool.take_any(&mut draw), Err(Full));
        pool.release(3);
        assert_eq!(pool.take(3), Ok(Taken));
        assert_eq!(pool.take(4), Err(Refusal::OutOfRange));
    }

    proptest! {
        #[test]
        fn a_pool_is_a_set(steps in prop::collection::vec((0..3_u8, 0..20_u64), 0..80)) {
            let mut pool = Pool::new(16, 3);
            let mut taken = BTreeSet::new();
            for (step, number) in steps {
                match step {
                    0 => {
                        let wanted = match number {
                            16.. => Err(Refusal::OutOfRange),
                            _ if taken.insert(number) => Ok(Taken),
                            _ => Err(Refusal::Taken),
                        };
                        prop_assert_eq!(pool.take(number), wanted);
                    }
                    1 => {
                        pool.release(number);
                        taken.remove(&number);
                    }
                    _ => match pool.take_any(&mut |below| number % below) {
                        Ok(found) => prop_assert!(found < 16 && taken.insert(found)),
                        Err(Full) => prop_assert_eq!(taken.len(), 16),
                    },
                }
            }
        }
    }
}
