//! ResourceQuota: what a namespace may use, counted when something is written.
//!
//! The hard limits and what is used of them are in the quota's status. A controller fills them
//! in; the server only adds what it lets in.
//!
//! Source: k8s.io/apiserver `pkg/admission/plugin/resourcequota/controller.go`; recorded 1.33.2.

mod usage;

use jiff::Timestamp;
use serde_json::{Map, Value};

use self::usage::Evaluator;
use super::{
    Cluster,
    amount::{Amount, Amounts, amounts},
    forbidden,
};
use crate::{Resource, meta, status::Result};

/// The quotas as they are to be stored before the object is: those of its namespace that it
/// uses more of.
///
/// # Errors
///
/// 403 when it would be too much, or when a quota needs to be told more.
pub fn charge(
    resource: &Resource,
    subresource: &str,
    old: Option<&Value>,
    object: &Value,
    cluster: &dyn Cluster,
    now: Timestamp,
) -> Result<Vec<Value>> {
    let Some(evaluator) = Evaluator::of(resource, subresource, old.is_none()) else {
        return Ok(Vec::new());
    };
    let quotas = cluster.list("", "resourcequotas", meta::namespace(object));
    if quotas.is_empty() {
        return Ok(Vec::new());
    }
    let refuse = |detail: String| Err(forbidden(resource, object, &detail));
    let mut charged = Vec::new();
    for quota in quotas {
        let hard = amounts(quota.pointer("/status/hard"));
        let used = amounts(quota.pointer("/status/used"));
        let restricted: Vec<&str> =
            hard.keys().map(String::as_str).filter(|name| evaluator.counts(name)).collect();
        if restricted.is_empty() || !evaluator.is_in_scope(&quota, object) {
            continue;
        }
        if let Some(missing) = evaluator.missing(&restricted, object) {
            return refuse(format!("failed quota: {}: must specify {missing}", meta::name(&quota)));
        }
        if restricted.iter().any(|name| !used.contains_key(*name)) {
            return refuse(format!(
                "status unknown for quota: {}, resources: {}",
                meta::name(&quota),
                restricted.join(",")
            ));
        }
        charged.push((quota, hard, used));
    }
    if charged.is_empty() {
        return Ok(Vec::new());
    }
    let mut more = evaluator.usage(object, now);
    if let Some(old) = old {
        let before = evaluator.usage(old, now);
        for (name, amount) in &mut more {
            let rest = *amount - before.get(name).copied().unwrap_or_default();
            *amount = rest.max(Amount::default());
        }
    }
    more.retain(|_, amount| !amount.is_zero());
    let mut quotas = Vec::new();
    for (mut quota, hard, mut used) in charged {
        let requested: Amounts = more
            .iter()
            .filter(|(name, _)| hard.contains_key(*name))
            .map(|(name, amount)| (name.clone(), *amount))
            .collect();
        if requested.is_empty() {
            continue;
        }
        let mut exceeded = Vec::new();
        for (name, amount) in &requested {
            let total = used.get(name).copied().unwrap_or_default() + *amount;
            if hard.get(name).is_some_and(|limit| total > *limit) {
                exceeded.push(name.as_str());
            }
        }
        if !exceeded.is_empty() {
            return refuse(format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                meta::name(&quota),
                print(&requested, &exceeded),
                print(&used, &exceeded),
                print(&hard, &exceeded)
            ));
        }
        super::amount::add(&mut used, &requested);
        let used: Map<String, Value> =
            used.iter().map(|(name, amount)| (name.clone(), amount.to_string().into())).collect();
        if let Some(status) = quota.get_mut("status").and_then(Value::as_object_mut) {
            status.insert("used".into(), used.into());
        }
        quotas.push(quota);
    }
    Ok(quotas)
}

fn print(amounts: &Amounts, names: &[&str]) -> String {
    let parts: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{name}={}", amounts.get(*name)?))).collect();
    parts.join(",")
}
