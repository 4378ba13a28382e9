//! Lengths of time in load files, and random ones.

use std::time::Duration;

use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use super::AfterReject;
use crate::units;

/// A length of time: `100ms`.
pub(super) struct Span(pub(super) Duration);

/// A length of time as [`ServiceTime`] has it, `retry-after` or `stop`.
pub(super) struct Pause(pub(super) AfterReject);

/// How long something takes: executing a request, or a client's pause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceTime {
    /// All alike.
    Fixed(Duration),
    /// Exponentially distributed, with this mean.
    Exponential(Duration),
    /// Anything between the two, alike likely.
    Uniform(Duration, Duration),
}

impl ServiceTime {
    /// None at all.
    pub const ZERO: Self = Self::Fixed(Duration::ZERO);

    /// One length of time.
    pub(in crate::apf) fn sample(self, random: &mut Pcg64Mcg) -> Duration {
        match self {
            Self::Fixed(length) => length,
            Self::Exponential(mean) => mean.mul_f64(-(1.0 - unit(random)).ln()),
            Self::Uniform(low, high) => low + (high - low).mul_f64(unit(random)),
        }
    }
}

/// Evenly distributed in [0, 1).
pub(in crate::apf) fn unit(random: &mut Pcg64Mcg) -> f64 {
    // The 53 bits that a float has room for.
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        units::duration(&text).map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Pause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(match value.as_str() {
            Some("retry-after") => AfterReject::RetryAfter,
            Some("stop") => AfterReject::Stop,
            _ => {
                AfterReject::Pause(service_time(&value).map_err(|message| {
                    D::Error::custom(format!("{message}, retry-after or stop"))
                })?)
            }
        }))
    }
}

impl<'de> Deserialize<'de> for ServiceTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        service_time(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn service_time(value: &Value) -> Result<ServiceTime, String> {
    let wrong =
        || "service: must be a duration, {exponential: MEAN} or {uniform: [LOW, HIGH]}".to_owned();
    let length = |value: &Value| match value {
        Value::String(text) => units::duration(text).map_err(|e| format!("service: {e}")),
        _ => Err(wrong()),
    };
    let time = match value {
        Value::Object(map) if map.len() == 1 => {
            let (kind, value) = map.iter().next().ok_or_else(wrong)?;
            match (kind.as_str(), value) {
                ("exponential", mean) => ServiceTime::Exponential(length(mean)?),
                ("uniform", Value::Array(bounds)) if bounds.len() == 2 => {
                    let (low, high) = (length(&bounds[0])?, length(&bounds[1])?);
                    if low > high {
                        return Err("uniform: the bounds are not in order".to_owned());
                    }
                    ServiceTime::Uniform(low, high)
                }
                _ => return Err(wrong()),
            }
        }
        value => ServiceTime::Fixed(length(value)?),
    };
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_times_have_their_mean() {
        let mut random = Pcg64Mcg::new(7);
        for time in [
            ServiceTime::Exponential(Duration::from_millis(80)),
            ServiceTime::Uniform(Duration::from_millis(60), Duration::from_millis(100)),
        ] {
            let sum: Duration = (0..20_000).map(|_| time.sample(&mut random)).sum();
            let mean = sum.as_secs_f64() / 20_000.0;
            assert!((mean - 0.08).abs() < 0.002, "{time:?} {mean}");
        }
    }
}
