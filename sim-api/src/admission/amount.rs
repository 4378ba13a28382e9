//! Amounts of resources that are added up and compared.
//!
//! Source: k8s.io/apimachinery `pkg/api/resource/quantity.go` (release-1.33).

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Add, Sub},
};

use serde_json::Value;

use crate::quantity;

/// A quantity, with the format in which it prints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Amount {
    /// In units of 10⁻⁹.
    nanos: i128,
    is_binary: bool,
}

/// Amounts by the resource's name.
pub(super) type Amounts = BTreeMap<String, Amount>;

impl Amount {
    pub(super) fn whole(count: usize) -> Self {
        Self { nanos: count as i128 * NANO, is_binary: false }
    }

    /// `None` where the value is no quantity.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let nanos = quantity::nanos(text)?;
        Some(Self { nanos, is_binary: text.ends_with('i') })
    }

    pub(super) fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// The amount as a number for ratios.
    #[expect(clippy::cast_precision_loss, reason = "as the real server computes a ratio")]
    pub(super) fn as_float(self) -> f64 {
        self.nanos as f64
    }

    #[must_use]
    pub(super) fn max(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.nanos.partial_cmp(&other.nanos)
    }
}

impl Add for Amount {
    type Output = Self;

    /// Zero takes the other's format.
    fn add(self, other: Self) -> Self {
        let is_binary = if self.is_zero() { other.is_binary } else { self.is_binary };
        Self { nanos: self.nanos.saturating_add(other.nanos), is_binary }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let is_binary = if self.is_zero() { other.is_binary } else { self.is_binary };
        Self { nanos: self.nanos.saturating_sub(other.nanos), is_binary }
    }
}

impl fmt::Display for Amount {
    /// The canonical form: as few digits as can be, no fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos;
        if nanos == 0 {
            return f.write_str("0");
        }
        if self.is_binary && nanos.unsigned_abs() >= 1_024 * NANO.unsigned_abs() {
            let mut whole = nanos / NANO;
            if nanos % NANO != 0 {
                whole += nanos.signum();
            }
            let mut suffixes = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
            let mut suffix = "";
            while whole % 1_024 == 0
                && let Some(next) = suffixes.next()
            {
                whole /= 1_024;
                suffix = next;
            }
            return write!(f, "{whole}{suffix}");
        }
        let mut number = nanos;
        let mut suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].into_iter();
        let mut suffix = suffixes.next().unwrap_or_default();
        while number % 1_000 == 0
            && let Some(next) = suffixes.next()
        {
            number /= 1_000;
            suffix = next;
        }
        write!(f, "{number}{suffix}")
    }
}

/// A ResourceList; what is no quantity is left out.
pub(super) fn amounts(list: Option<&Value>) -> Amounts {
    let members = list.and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), Amount::read(value)?))).collect()
}

/// Adds one list to another.
pub(super) fn add(into: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let sum = into.get(name).copied().unwrap_or_default() + *amount;
        into.insert(name.clone(), sum);
    }
}

/// The larger of each.
fn max(into: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let larger = into.get(name).map_or(*amount, |known| known.max(*amount));
        into.insert(name.clone(), larger);
    }
}

/// What a whole pod requests, or is limited to: its containers together, or one of its init
/// containers where that needs more, and the overhead.
///
/// Source: k8s.io/component-helpers `resource/helpers.go`, `PodRequests` and `PodLimits`.
pub(super) fn of_pod(pod: &Value, part: &str) -> Amounts {
    let of = |container: &Value| amounts(container.pointer(&format!("/resources/{part}")));
    let list = |name: &str| {
        pod.pointer(&format!("/spec/{name}")).and_then(Value::as_array).into_iter().flatten()
    };
    let mut total = Amounts::new();
    for container in list("containers") {
        add(&mut total, &of(container));
    }
    let (mut sidecars, mut at_start) = (Amounts::new(), Amounts::new());
    for container in list("initContainers") {
        let mut needs = of(container);
        if container.get("restartPolicy").is_some_and(|policy| policy == "Always") {
            add(&mut total, &needs);
            add(&mut sidecars, &needs);
            needs = sidecars.clone();
        } else {
            add(&mut needs, &sidecars);
        }
        max(&mut at_start, &needs);
    }
    max(&mut total, &at_start);
    let mut overhead = amounts(pod.pointer("/spec/overhead"));
    if part == "limits" {
        overhead.retain(|name, _| total.get(name).is_some_and(|amount| !amount.is_zero()));
    }
    add(&mut total, &overhead);
    total
}

const NANO: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_print_canonically() {
        for (text, expected) in [
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("2000", "2k"),
            ("0", "0"),
            ("1024Mi", "1Gi"),
            ("512", "512"),
            ("1536Ki", "1536Ki"),
            ("100n", "100n"),
        ] {
            assert_eq!(Amount::parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["-9e399", "9e399", "-9999999999Ei"] {
            // As large as can be, and no panic.
            let amount = Amount::parse(text).unwrap();
            assert!(!(amount + amount - Amount::default()).to_string().is_empty());
        }
        let sum = Amount::default() + Amount::parse("512Mi").unwrap();
        assert_eq!((sum + sum).to_string(), "1Gi");
    }

    #[test]
    fn a_pod_needs_what_its_phases_need() {
        let cpu = |amount: &str| json!({"resources": {"requests": {"cpu": amount}}});
        let mut sidecar = cpu("200m");
        sidecar["restartPolicy"] = "Always".into();
        let pod = json!({"spec": {
            "containers": [cpu("100m"), cpu("200m")],
            "initContainers": [sidecar, cpu("1")],
            "overhead": {"cpu": "50m"},
        }});
        assert_eq!(of_pod(&pod, "requests")["cpu"].to_string(), "1250m");
        assert!(of_pod(&pod, "limits").is_empty());
    }
}
