//! The functions of the language itself, and which there are.

use super::{
    ast::{Expr, Node},
    eval::{Budget, NO_OVERLOAD, Outcome},
    kubernetes, operators, strings, time,
    value::Val,
};

/// The type that a name stands for.
pub(super) fn type_of_name(name: &str) -> Option<&'static str> {
    const TYPES: [&str; 11] = [
        "bool",
        "bytes",
        "double",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "type",
        "uint",
        "optional_type",
    ];
    TYPES.into_iter().find(|known| *known == name)
}

/// The whole name of a function whose name has a dot.
pub(super) fn qualified(target: &Expr, name: &str) -> Option<&'static str> {
    let Node::Ident(space) = &target.node else { return None };
    QUALIFIED.into_iter().find(|known| {
        known
            .split_once('.')
            .is_some_and(|(known_space, known_name)| known_space == space && known_name == name)
    })
}

/// Whether there is a function of that name.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name) || QUALIFIED.contains(&name)
}

pub(super) fn call<'a>(
    name: &str,
    receiver: Option<&Val<'a>>,
    args: &[Val<'a>],
    budget: &mut Budget,
) -> Outcome<'a> {
    let traversed: usize =
        receiver.into_iter().chain(args).filter_map(Val::len).fold(0, usize::saturating_add);
    budget.traverse(traversed)?;
    // A function of one value may be called either way.
    let all: Vec<&Val<'a>> = receiver.into_iter().chain(args).collect();
    let none = || Err(NO_OVERLOAD.to_owned());
    if let Some(outcome) = optional(name, &all) {
        return outcome;
    }
    match (name, all.as_slice()) {
        ("size", [value]) => match value.len() {
            Some(len) => Ok(Val::Int(i64::try_from(len).unwrap_or(i64::MAX))),
            None => none(),
        },
        ("type", [value]) => Ok(Val::Type(value.type_name())),
        ("dyn", [value]) => Ok((*value).clone()),
        ("string", [value]) => match value {
            Val::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Val::text(text)),
                Err(_) => Err("invalid UTF-8 in bytes, cannot convert to string".to_owned()),
            },
            value if value.items().is_some() || value.is_map() => none(),
            Val::Null | Val::Optional(_) => none(),
            value => Ok(Val::text(operators::shown(value))),
        },
        ("int", [value]) => int(value),
        ("uint", [value]) => match value {
            Val::Uint(_) => Ok((*value).clone()),
            Val::Text(text) => parse(text, "uint").map(Val::Uint),
            value => match int(value)? {
                Val::Int(number) => u64::try_from(number)
                    .map(Val::Uint)
                    .map_err(|_| "unsigned integer overflow".to_owned()),
                _ => none(),
            },
        },
        ("double", [value]) => match value {
            Val::Text(text) => parse(text, "double").map(Val::Double),
            value => value.double().map(Val::Double).ok_or_else(|| NO_OVERLOAD.to_owned()),
        },
        ("bool", [value]) => match value {
            Val::Bool(_) => Ok((*value).clone()),
            Val::Text(text) => match &**text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Val::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Val::Bool(false)),
                text => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
            },
            _ => none(),
        },
        ("bytes", [value]) => match value {
            Val::Bytes(_) => Ok((*value).clone()),
            Val::Text(text) => Ok(Val::Bytes(text.as_bytes().into())),
            _ => none(),
        },
        ("timestamp", [value]) => match value {
            Val::Time(_) => Ok((*value).clone()),
            Val::Text(text) => text
                .parse()
                .map(Val::Time)
                .map_err(|_| format!("parsing time {text:?} as RFC 3339")),
            Val::Int(seconds) => jiff::Timestamp::from_second(*seconds)
                .map(Val::Time)
                .map_err(|_| "range error".to_owned()),
            _ => none(),
        },
        ("duration", [value]) => match value {
            Val::Duration(_) => Ok((*value).clone()),
            Val::Text(text) => time::parse_duration(text)
                .map(Val::Duration)
                .ok_or_else(|| format!("time: invalid duration {text:?}")),
            _ => none(),
        },
        (name, [Val::Time(at), rest @ ..]) if name.starts_with("get") => {
            let zone = match rest {
                [Val::Text(zone)] => Some(&**zone),
                _ => None,
            };
            time::part(*at, zone, name).map(Val::Int).ok_or_else(|| NO_OVERLOAD.to_owned())
        }
        (name, [Val::Duration(nanos)]) if name.starts_with("get") => {
            time::duration_part(*nanos, name).map(Val::Int).ok_or_else(|| NO_OVERLOAD.to_owned())
        }
        _ => match strings::call(name, &all, budget) {
            Some(outcome) => outcome,
            None => kubernetes::call(name, &all, budget).unwrap_or_else(none),
        },
    }
}

fn int<'a>(value: &Val<'a>) -> Outcome<'a> {
    match value {
        Val::Int(_) => Ok(value.clone()),
        Val::Uint(number) => {
            i64::try_from(*number).map(Val::Int).map_err(|_| "integer overflow".to_owned())
        }
        #[expect(clippy::cast_possible_truncation, reason = "within the range")]
        Val::Double(number) if number.abs() < 9.2e18 => Ok(Val::Int(*number as i64)),
        Val::Double(_) => Err("integer overflow".to_owned()),
        Val::Text(text) => parse(text, "int").map(Val::Int),
        Val::Time(at) => Ok(Val::Int(at.as_second())),
        Val::Duration(nanos) => Ok(Val::Int(*nanos)),
        _ => Err(NO_OVERLOAD.to_owned()),
    }
}

fn parse<T: std::str::FromStr>(text: &str, kind: &str) -> Result<T, String> {
    let function = match kind {
        "double" => "ParseFloat",
        "uint" => "ParseUint",
        _ => "ParseInt",
    };
    text.parse().map_err(|_| format!("strconv.{function}: parsing {text:?}: invalid syntax"))
}

fn optional<'a>(name: &str, all: &[&Val<'a>]) -> Option<Outcome<'a>> {
    Some(match (name, all) {
        ("optional.none", []) => Ok(Val::Optional(None)),
        ("optional.of", [value]) => Ok(Val::some((*value).clone())),
        ("optional.ofNonZeroValue", [value]) => Ok(match value.is_zero() {
            true => Val::Optional(None),
            false => Val::some((*value).clone()),
        }),
        ("hasValue", [Val::Optional(inner)]) => Ok(Val::Bool(inner.is_some())),
        ("value", [Val::Optional(inner)]) => inner
            .as_ref()
            .map(|inner| (**inner).clone())
            .ok_or_else(|| "optional.none() dereference".to_owned()),
        ("orValue", [Val::Optional(inner), other]) => Ok(match inner {
            Some(inner) => (**inner).clone(),
            None => (*other).clone(),
        }),
        ("or", [first @ Val::Optional(inner), other]) => Ok(match inner {
            Some(_) => (*first).clone(),
            None => (*other).clone(),
        }),
        _ => return None,
    })
}

const QUALIFIED: [&str; 7] = [
    "optional.none",
    "optional.of",
    "optional.ofNonZeroValue",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "ip.isCanonical",
];

const NAMES: [&str; 91] = [
    "size",
    "type",
    "dyn",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "hasValue",
    "value",
    "orValue",
    "or",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "lowerAscii",
    "upperAscii",
    "replace",
    "split",
    "join",
    "substring",
    "trim",
    "reverse",
    "format",
    "find",
    "findAll",
    "isSorted",
    "sum",
    "min",
    "max",
    "url",
    "isURL",
    "getScheme",
    "getHost",
    "getHostname",
    "getPort",
    "getEscapedPath",
    "getQuery",
    "quantity",
    "isQuantity",
    "sign",
    "isInteger",
    "asInteger",
    "asApproximateFloat",
    "add",
    "sub",
    "isGreaterThan",
    "isLessThan",
    "compareTo",
    "ip",
    "isIP",
    "family",
    "isUnspecified",
    "isLoopback",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isGlobalUnicast",
    "cidr",
    "isCIDR",
    "containsIP",
    "containsCIDR",
    "prefixLength",
    "masked",
    "distinct",
    "flatten",
    "sort",
    "slice",
    "first",
    "last",
    "range",
    "validate",
    "has",
    "all",
    "exists",
];
