//! What Kubernetes adds: lists, sets, quantities, URLs, addresses.
//!
//! Source: k8s.io/apiserver `pkg/cel/library`, release-1.33.

use std::{cmp::Ordering, net::IpAddr};

use super::{
    eval::{Budget, NO_OVERLOAD, Outcome},
    value::Val,
};
use crate::quantity;

pub(super) fn call<'a>(name: &str, all: &[&Val<'a>], budget: &mut Budget) -> Option<Outcome<'a>> {
    lists(name, all, budget)
        .or_else(|| sets(name, all, budget))
        .or_else(|| quantities(name, all))
        .or_else(|| urls(name, all))
        .or_else(|| addresses(name, all))
}

fn lists<'a>(name: &str, all: &[&Val<'a>], budget: &mut Budget) -> Option<Outcome<'a>> {
    let items = all.first()?.items()?;
    let weight = all.iter().map(|value| value.weight()).sum();
    if let Err(error) = budget.spend(weight) {
        return Some(Err(error));
    }
    let pick = |wanted: Ordering| {
        let mut best: Option<&Val<'a>> = None;
        for item in &items {
            let is_better = match best {
                None => true,
                Some(best) => match item.order(best) {
                    Some(order) => order == wanted,
                    None => return Err(NO_OVERLOAD.to_owned()),
                },
            };
            if is_better {
                best = Some(item);
            }
        }
        best.cloned().ok_or_else(|| format!("{name} called on empty list"))
    };
    Some(match (name, all) {
        ("isSorted", [_]) => {
            let mut is_sorted = true;
            for pair in items.windows(2) {
                let [a, b] = pair else { continue };
                match a.order(b) {
                    Some(order) => is_sorted &= order != Ordering::Greater,
                    None => return Some(Err(NO_OVERLOAD.to_owned())),
                }
            }
            Ok(Val::Bool(is_sorted))
        }
        ("sum", [_]) => {
            let mut sum = match items.first() {
                Some(Val::Double(_)) => Val::Double(0.0),
                Some(Val::Uint(_)) => Val::Uint(0),
                Some(Val::Duration(_)) => Val::Duration(0),
                _ => Val::Int(0),
            };
            for item in &items {
                let added = super::operators::binary(super::ast::Operator::Add, &sum, item, budget);
                match added {
                    Ok(value) => sum = value,
                    Err(error) => return Some(Err(error)),
                }
            }
            Ok(sum)
        }
        ("min", [_]) => pick(Ordering::Less),
        ("max", [_]) => pick(Ordering::Greater),
        ("indexOf" | "lastIndexOf", [_, wanted]) => {
            let found = match name {
                "indexOf" => items.iter().position(|item| item.equals(wanted)),
                _ => items.iter().rposition(|item| item.equals(wanted)),
            };
            Ok(Val::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
        }
        _ => return None,
    })
}

fn sets<'a>(name: &str, all: &[&Val<'a>], budget: &mut Budget) -> Option<Outcome<'a>> {
    let name = name.strip_prefix("sets.")?;
    let [a, b] = all else { return None };
    let (a, b) = (a.items()?, b.items()?);
    let weight = |items: &[Val<'a>]| items.iter().map(Val::weight).sum::<u64>();
    if let Err(error) = budget.spend(weight(&a).saturating_mul(weight(&b))) {
        return Some(Err(error));
    }
    let within = |a: &[Val<'a>], b: &[Val<'a>]| {
        a.iter().all(|item| b.iter().any(|other| item.equals(other)))
    };
    Some(Ok(Val::Bool(match name {
        "contains" => within(&b, &a),
        "equivalent" => within(&a, &b) && within(&b, &a),
        "intersects" => a.iter().any(|item| b.iter().any(|other| item.equals(other))),
        _ => return None,
    })))
}

fn quantities<'a>(name: &str, all: &[&Val<'a>]) -> Option<Outcome<'a>> {
    const NANO: i128 = 1_000_000_000;
    let number = |value: &Val<'a>| match value {
        Val::Quantity(nanos) => Some(*nanos),
        Val::Int(number) => Some(i128::from(*number) * NANO),
        _ => None,
    };
    Some(match (name, all) {
        ("quantity", [Val::Text(text)]) => {
            quantity::nanos(text).map(Val::Quantity).ok_or_else(|| {
                "quantities must match the regular expression \
                 '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                    .to_owned()
            })
        }
        ("isQuantity", [Val::Text(text)]) => Ok(Val::Bool(quantity::nanos(text).is_some())),
        ("sign", [Val::Quantity(nanos)]) => Ok(Val::Int(i64::try_from(nanos.signum()).ok()?)),
        ("isInteger", [Val::Quantity(nanos)]) => Ok(Val::Bool(nanos % NANO == 0)),
        ("asInteger", [Val::Quantity(nanos)]) => match i64::try_from(nanos / NANO) {
            Ok(number) if nanos % NANO == 0 => Ok(Val::Int(number)),
            _ => Err("cannot convert value to integer".to_owned()),
        },
        #[expect(clippy::cast_precision_loss, reason = "approximate by name")]
        ("asApproximateFloat", [Val::Quantity(nanos)]) => {
            Ok(Val::Double(*nanos as f64 / NANO as f64))
        }
        ("add", [Val::Quantity(a), b]) => Ok(Val::Quantity(a.saturating_add(number(b)?))),
        ("sub", [Val::Quantity(a), b]) => Ok(Val::Quantity(a.saturating_sub(number(b)?))),
        ("isGreaterThan", [Val::Quantity(a), b]) => Ok(Val::Bool(*a > number(b)?)),
        ("isLessThan", [Val::Quantity(a), b]) => Ok(Val::Bool(*a < number(b)?)),
        ("compareTo", [Val::Quantity(a), b]) => Ok(Val::Int(match a.cmp(&number(b)?) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        })),
        _ => return None,
    })
}

fn urls<'a>(name: &str, all: &[&Val<'a>]) -> Option<Outcome<'a>> {
    if let (name @ ("url" | "isURL"), [Val::Text(text)]) = (name, all) {
        let is_url = Url::parse(text).is_some();
        return Some(match name {
            "isURL" => Ok(Val::Bool(is_url)),
            _ if is_url => Ok(Val::Url(text.clone())),
            _ => Err(format!(
                "URL parse error during conversion from string: parse {text:?}: invalid URI for request"
            )),
        });
    }
    let [Val::Url(text)] = all else { return None };
    let url = Url::parse(text)?;
    Some(Ok(match name {
        "getScheme" => Val::text(url.scheme),
        "getHost" => Val::text(url.host),
        "getHostname" => Val::text(url.host_and_port().0),
        "getPort" => Val::text(url.host_and_port().1),
        "getEscapedPath" => Val::text(url.path),
        "getQuery" => {
            let mut pairs: Vec<(Val<'a>, Vec<Val<'a>>)> = Vec::new();
            for (key, value) in crate::Query::parse(url.query).iter() {
                let key = Val::text(key);
                match pairs.iter_mut().find(|(known, _)| known.equals(&key)) {
                    Some((_, values)) => values.push(Val::text(value)),
                    None => pairs.push((key, vec![Val::text(value)])),
                }
            }
            let pairs = pairs.into_iter().map(|(key, values)| (key, Val::list(values)));
            Val::Map(std::sync::Arc::new(pairs.collect()))
        }
        _ => return None,
    }))
}

struct Url<'a> {
    scheme: &'a str,
    host: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Url<'a> {
    /// Reads what Go's `url.ParseRequestURI` takes.
    fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() || text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        let (scheme, rest) = match text.strip_prefix('/') {
            Some(_) => ("", text),
            None => {
                let (scheme, rest) = text.split_once(':')?;
                let mut chars = scheme.chars();
                if !chars.next()?.is_ascii_alphabetic()
                    || !chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
                    || !rest.starts_with('/')
                {
                    return None;
                }
                (scheme, rest)
            }
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = match rest.strip_prefix("//").filter(|_| !scheme.is_empty()) {
            None => ("", rest),
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (authority.rsplit_once('@').map_or(authority, |(_, host)| host), path)
            }
        };
        Some(Self { scheme, host, path, query })
    }

    fn host_and_port(&self) -> (&'a str, &'a str) {
        if let Some((host, rest)) = self.host.strip_prefix('[').and_then(|h| h.split_once(']')) {
            return (host, rest.strip_prefix(':').unwrap_or_default());
        }
        self.host.rsplit_once(':').unwrap_or((self.host, ""))
    }
}

fn addresses<'a>(name: &str, all: &[&Val<'a>]) -> Option<Outcome<'a>> {
    let wrong_ip =
        |text: &str| Err(format!("IP Address {text:?} parse error during conversion from string"));
    Some(match (name, all) {
        ("ip", [Val::Text(text)]) => match text.parse() {
            Ok(ip) => Ok(Val::Ip(ip)),
            Err(_) => wrong_ip(text),
        },
        ("ip", [Val::Cidr(ip, _)]) => Ok(Val::Ip(*ip)),
        ("isIP", [Val::Text(text)]) => Ok(Val::Bool(text.parse::<IpAddr>().is_ok())),
        ("ip.isCanonical", [Val::Text(text)]) => match text.parse::<IpAddr>() {
            Ok(ip) => Ok(Val::Bool(ip.to_string() == **text)),
            Err(_) => wrong_ip(text),
        },
        ("family", [Val::Ip(ip)]) => Ok(Val::Int(if ip.is_ipv4() { 4 } else { 6 })),
        ("isUnspecified", [Val::Ip(ip)]) => Ok(Val::Bool(ip.is_unspecified())),
        ("isLoopback", [Val::Ip(ip)]) => Ok(Val::Bool(ip.is_loopback())),
        ("isLinkLocalMulticast", [Val::Ip(ip)]) => Ok(Val::Bool(match ip {
            IpAddr::V4(ip) => ip.octets().starts_with(&[224, 0, 0]),
            IpAddr::V6(ip) => ip.segments()[0] & 0xff0f == 0xff02,
        })),
        ("isLinkLocalUnicast", [Val::Ip(ip)]) => Ok(Val::Bool(is_link_local(ip))),
        ("isGlobalUnicast", [Val::Ip(ip)]) => Ok(Val::Bool(
            !ip.is_unspecified()
                && !ip.is_loopback()
                && !ip.is_multicast()
                && !is_link_local(ip)
                && !matches!(ip, IpAddr::V4(ip) if ip.is_broadcast()),
        )),
        ("cidr", [Val::Text(text)]) => match parse_cidr(text) {
            Some((ip, bits)) => Ok(Val::Cidr(ip, bits)),
            None => {
                Err(format!("network address parse error during conversion from string: {text:?}"))
            }
        },
        ("isCIDR", [Val::Text(text)]) => Ok(Val::Bool(parse_cidr(text).is_some())),
        ("prefixLength", [Val::Cidr(_, bits)]) => Ok(Val::Int(i64::from(*bits))),
        ("masked", [Val::Cidr(ip, bits)]) => Ok(Val::Cidr(mask(*ip, *bits), *bits)),
        ("containsIP", [Val::Cidr(net, bits), other]) => {
            let ip = match other {
                Val::Ip(ip) => *ip,
                Val::Text(text) => match text.parse() {
                    Ok(ip) => ip,
                    Err(_) => return Some(wrong_ip(text)),
                },
                _ => return None,
            };
            Ok(Val::Bool(contains(*net, *bits, ip)))
        }
        ("containsCIDR", [Val::Cidr(net, bits), other]) => {
            let (ip, inner) = match other {
                Val::Cidr(ip, inner) => (*ip, *inner),
                Val::Text(text) => parse_cidr(text)?,
                _ => return None,
            };
            Ok(Val::Bool(inner >= *bits && contains(*net, *bits, ip)))
        }
        _ => return None,
    })
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn parse_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = text.split_once('/')?;
    let ip: IpAddr = ip.parse().ok()?;
    let max = if ip.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse().ok().filter(|&count| count <= max && !bits.starts_with('+'))?;
    Some((ip, bits))
}

fn mask(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let kept = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((u32::from(ip) & kept).into())
        }
        IpAddr::V6(ip) => {
            let kept = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6((u128::from(ip) & kept).into())
        }
    }
}

fn contains(net: IpAddr, bits: u8, ip: IpAddr) -> bool {
    net.is_ipv4() == ip.is_ipv4() && mask(net, bits) == mask(ip, bits)
}
