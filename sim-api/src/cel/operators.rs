//! Operators.

use std::{cmp::Ordering, sync::Arc};

use jiff::SignedDuration;

use super::{
    ast::Operator,
    eval::{Budget, NO_OVERLOAD, Outcome},
    time,
    value::Val,
};

pub(super) fn binary<'a>(
    operator: Operator,
    left: &Val<'a>,
    right: &Val<'a>,
    budget: &mut Budget,
) -> Outcome<'a> {
    let sizes = left.len().unwrap_or_default() + right.len().unwrap_or_default();
    let compare = |wanted: &[Ordering]| match left.order(right) {
        Some(order) => Ok(Val::Bool(wanted.contains(&order))),
        None if left.double().is_some() && right.double().is_some() => Ok(Val::Bool(false)),
        None => Err(NO_OVERLOAD.to_owned()),
    };
    match operator {
        Operator::Equal | Operator::NotEqual => {
            // Sets and maps are compared each with each.
            let (few, much) = (left.weight().min(right.weight()), left.weight() + right.weight());
            let is_each = left.is_unordered() || matches!(left, Val::Map(_));
            budget.spend(if is_each { few.saturating_mul(much) } else { much / 10 + 1 })?;
            Ok(Val::Bool(left.equals(right) == (operator == Operator::Equal)))
        }
        Operator::Less => compare(&[Ordering::Less]),
        Operator::LessOrEqual => compare(&[Ordering::Less, Ordering::Equal]),
        Operator::Greater => compare(&[Ordering::Greater]),
        Operator::GreaterOrEqual => compare(&[Ordering::Greater, Ordering::Equal]),
        Operator::In => {
            budget.spend(1 + right.weight())?;
            if let Some(items) = right.items() {
                return Ok(Val::Bool(items.iter().any(|item| item.equals(left))));
            }
            match right.is_map() {
                true => Ok(Val::Bool(right.entry(left).is_some())),
                false => Err(NO_OVERLOAD.to_owned()),
            }
        }
        Operator::Add => {
            budget.traverse(sizes)?;
            add(left, right)
        }
        _ => {
            budget.spend(1)?;
            arithmetic(operator, left, right)
        }
    }
}

fn add<'a>(left: &Val<'a>, right: &Val<'a>) -> Outcome<'a> {
    match (left, right) {
        (Val::Text(a), Val::Text(b)) => Ok(Val::text([&**a, &**b].concat())),
        (Val::Bytes(a), Val::Bytes(b)) => Ok(Val::Bytes([&**a, &**b].concat().into())),
        (Val::Time(at), Val::Duration(nanos)) | (Val::Duration(nanos), Val::Time(at)) => at
            .checked_add(SignedDuration::from_nanos(*nanos))
            .map(Val::Time)
            .map_err(|_| "timestamp overflow".to_owned()),
        (Val::Duration(a), Val::Duration(b)) => {
            a.checked_add(*b).map(Val::Duration).ok_or_else(overflow)
        }
        (a, b) => match (a.items(), b.items()) {
            (Some(mut items), Some(mut more)) => {
                items.append(&mut more);
                Ok(Val::List(Arc::new(items)))
            }
            _ => arithmetic(Operator::Add, left, right),
        },
    }
}

fn overflow() -> String {
    "integer overflow".to_owned()
}

fn arithmetic<'a>(operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Outcome<'a> {
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => {
            let (a, b) = (*a, *b);
            let result = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                Operator::Divide if b == 0 => return Err("division by zero".to_owned()),
                Operator::Divide => a.checked_div(b),
                _ if b == 0 => return Err("modulus by zero".to_owned()),
                _ => a.checked_rem(b),
            };
            result.map(Val::Int).ok_or_else(overflow)
        }
        (Val::Uint(a), Val::Uint(b)) => {
            let (a, b) = (*a, *b);
            let result = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                Operator::Divide if b == 0 => return Err("division by zero".to_owned()),
                Operator::Divide => a.checked_div(b),
                _ if b == 0 => return Err("modulus by zero".to_owned()),
                _ => a.checked_rem(b),
            };
            result.map(Val::Uint).ok_or_else(|| "unsigned integer overflow".to_owned())
        }
        (Val::Double(a), Val::Double(b)) => Ok(Val::Double(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide => a / b,
            _ => return Err(NO_OVERLOAD.to_owned()),
        })),
        (Val::Time(a), Val::Time(b)) if operator == Operator::Subtract => {
            let nanos = a.duration_since(*b).as_nanos();
            i64::try_from(nanos).map(Val::Duration).map_err(|_| overflow())
        }
        (Val::Time(at), Val::Duration(nanos)) if operator == Operator::Subtract => at
            .checked_sub(SignedDuration::from_nanos(*nanos))
            .map(Val::Time)
            .map_err(|_| "timestamp overflow".to_owned()),
        (Val::Duration(a), Val::Duration(b)) if operator == Operator::Subtract => {
            a.checked_sub(*b).map(Val::Duration).ok_or_else(overflow)
        }
        _ => Err(NO_OVERLOAD.to_owned()),
    }
}

pub(super) fn negate<'a>(of: &Val<'a>) -> Outcome<'a> {
    match of {
        Val::Int(number) => number.checked_neg().map(Val::Int).ok_or_else(overflow),
        Val::Double(number) => Ok(Val::Double(-number)),
        Val::Duration(nanos) => nanos.checked_neg().map(Val::Duration).ok_or_else(overflow),
        _ => Err(NO_OVERLOAD.to_owned()),
    }
}

/// How a single value is shown: `string(value)`, and keys in errors.
pub(super) fn shown(value: &Val<'_>) -> String {
    match value {
        Val::Bool(flag) => flag.to_string(),
        Val::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Val::Double(number) => number.to_string(),
        Val::Duration(nanos) => time::show_duration(*nanos),
        Val::Int(number) => number.to_string(),
        Val::Ip(ip) => ip.to_string(),
        Val::Cidr(ip, bits) => format!("{ip}/{bits}"),
        Val::Text(text) | Val::Url(text) => text.to_string(),
        Val::Time(at) => at.to_string(),
        Val::Uint(number) => number.to_string(),
        Val::Type(name) => (*name).to_owned(),
        Val::Null => "null".to_owned(),
        value => match (value.items(), value.entries()) {
            (Some(items), _) => {
                let items: Vec<String> = items.iter().map(shown).collect();
                format!("[{}]", items.join(", "))
            }
            (_, Some(entries)) => {
                let entries = entries.iter().map(|(k, v)| format!("{}: {}", shown(k), shown(v)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            _ => value.type_name().to_owned(),
        },
    }
}
