//! Texts.
//!
//! Source: the CEL specification; cel-go `ext/strings.go`; k8s.io/apiserver `pkg/cel/library/regex.go`.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    eval::{Budget, NO_OVERLOAD, Outcome},
    operators,
    value::Val,
};

pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

pub(super) fn call<'a>(name: &str, all: &[&Val<'a>], budget: &mut Budget) -> Option<Outcome<'a>> {
    Some(match (name, all) {
        ("contains", [Val::Text(a), Val::Text(b)]) => Ok(Val::Bool(a.contains(&**b))),
        ("startsWith", [Val::Text(a), Val::Text(b)]) => Ok(Val::Bool(a.starts_with(&**b))),
        ("endsWith", [Val::Text(a), Val::Text(b)]) => Ok(Val::Bool(a.ends_with(&**b))),
        ("matches", [Val::Text(text), Val::Text(pattern)]) => {
            budget.pattern(pattern, text.len()).map(|regex| Val::Bool(regex.is_match(text)))
        }
        ("find", [Val::Text(text), Val::Text(pattern)]) => budget
            .pattern(pattern, text.len())
            .map(|regex| Val::text(regex.find(text).map_or("", |found| found.as_str()))),
        ("findAll", [Val::Text(text), Val::Text(pattern), rest @ ..]) => {
            let limit = match rest {
                [Val::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
                _ => usize::MAX,
            };
            budget.pattern(pattern, text.len()).map(|regex| {
                let found = regex.find_iter(text).take(limit);
                Val::list(found.map(|found| Val::text(found.as_str())).collect())
            })
        }
        ("charAt", [Val::Text(text), Val::Int(at)]) => {
            let count = text.chars().count();
            match usize::try_from(*at) {
                Ok(at) if at == count => Ok(Val::text("")),
                Ok(at) if at < count => {
                    Ok(Val::text(text.chars().nth(at).map(String::from).unwrap_or_default()))
                }
                _ => Err(format!("index out of range: {at}")),
            }
        }
        ("indexOf" | "lastIndexOf", [Val::Text(text), Val::Text(part), rest @ ..]) => {
            index_of(text, part, rest, name == "lastIndexOf", budget)
        }
        ("lowerAscii", [Val::Text(text)]) => Ok(Val::text(text.to_ascii_lowercase())),
        ("upperAscii", [Val::Text(text)]) => Ok(Val::text(text.to_ascii_uppercase())),
        ("trim", [Val::Text(text)]) => Ok(Val::text(text.trim())),
        ("reverse", [Val::Text(text)]) => Ok(Val::text(text.chars().rev().collect::<String>())),
        ("replace", [Val::Text(text), Val::Text(from), Val::Text(to), rest @ ..]) => {
            replace(text, from, to, rest, budget)
        }
        ("split", [Val::Text(text), Val::Text(by), rest @ ..]) => split(text, by, rest, budget),
        ("join", [list, rest @ ..]) => join(list, rest, budget),
        ("substring", [Val::Text(text), Val::Int(from), rest @ ..]) => substring(text, *from, rest),
        ("format", [Val::Text(text), list]) => format(text, list, budget),
        _ => return None,
    })
}

fn index_of<'a>(
    text: &str,
    part: &str,
    rest: &[&Val<'a>],
    is_last: bool,
    budget: &mut Budget,
) -> Outcome<'a> {
    let text: Vec<char> = text.chars().collect();
    let part: Vec<char> = part.chars().collect();
    let from = match rest {
        [] if is_last => text.len(),
        [] => 0,
        [Val::Int(at)] => match usize::try_from(*at).ok().filter(|at| *at <= text.len()) {
            Some(at) => at,
            None => return Err(format!("index out of range: {at}")),
        },
        _ => return Err(NO_OVERLOAD.to_owned()),
    };
    budget.spend((text.len() as u64 / 10 + 1) * (part.len() as u64 / 10 + 1))?;
    let is_at = |at: usize| text.get(at..at + part.len()).is_some_and(|found| found == part);
    let found = match is_last {
        true => (0..=from).rev().find(|&at| is_at(at)),
        false => (from..=text.len()).find(|&at| is_at(at)),
    };
    Ok(Val::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

fn replace<'a>(
    text: &str,
    from: &str,
    to: &str,
    rest: &[&Val<'a>],
    budget: &mut Budget,
) -> Outcome<'a> {
    let limit = match rest {
        [Val::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let count = text.matches(from).count().min(limit);
    budget.traverse(text.len() + count.saturating_mul(to.len()))?;
    Ok(Val::text(text.replacen(from, to, limit)))
}

fn split<'a>(text: &str, by: &str, rest: &[&Val<'a>], budget: &mut Budget) -> Outcome<'a> {
    budget.traverse(text.len())?;
    let limit = match rest {
        [Val::Int(limit)] => *limit,
        _ => -1,
    };
    let parts: Vec<String> = match (by, usize::try_from(limit)) {
        (_, Ok(0)) => Vec::new(),
        ("", Ok(limit)) => {
            let chars: Vec<char> = text.chars().collect();
            let (single, rest) = chars.split_at(chars.len().min(limit - 1));
            let mut parts: Vec<String> = single.iter().map(|c| String::from(*c)).collect();
            if !rest.is_empty() {
                parts.push(rest.iter().collect());
            }
            parts
        }
        ("", Err(_)) => text.chars().map(String::from).collect(),
        (by, Ok(limit)) => text.splitn(limit, by).map(str::to_owned).collect(),
        (by, Err(_)) => text.split(by).map(str::to_owned).collect(),
    };
    Ok(Val::list(parts.into_iter().map(Val::text).collect()))
}

fn join<'a>(list: &Val<'a>, rest: &[&Val<'a>], budget: &mut Budget) -> Outcome<'a> {
    let Some(items) = list.items() else { return Err(NO_OVERLOAD.to_owned()) };
    let by = match rest {
        [Val::Text(by)] => &**by,
        _ => "",
    };
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        let Val::Text(text) = item else { return Err(NO_OVERLOAD.to_owned()) };
        budget.traverse(text.len() + by.len())?;
        if at > 0 {
            joined.push_str(by);
        }
        joined.push_str(text);
    }
    Ok(Val::text(joined))
}

fn substring<'a>(text: &str, from: i64, rest: &[&Val<'a>]) -> Outcome<'a> {
    let count = text.chars().count();
    let wrong = |at: i64| format!("index out of range: {at}");
    let to = match rest {
        [Val::Int(to)] => *to,
        _ => i64::try_from(count).unwrap_or(i64::MAX),
    };
    let start = usize::try_from(from).ok().filter(|at| *at <= count).ok_or_else(|| wrong(from))?;
    let end = usize::try_from(to).ok().filter(|at| *at <= count).ok_or_else(|| wrong(to))?;
    if start > end {
        return Err(format!("invalid substring range. start: {start}, end: {end}"));
    }
    Ok(Val::text(text.chars().skip(start).take(end - start).collect::<String>()))
}

/// `"%s has %d".format([a, b])`.
fn format<'a>(text: &str, list: &Val<'a>, budget: &mut Budget) -> Outcome<'a> {
    let Some(items) = list.items() else { return Err(NO_OVERLOAD.to_owned()) };
    let mut items = items.iter();
    let mut done = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            done.push(c);
            continue;
        }
        let mut precision = String::new();
        if chars.peek() == Some(&'.') {
            chars.next();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                precision.push(digit);
            }
        }
        let clause = chars.next().ok_or_else(|| "unexpected end of format string".to_owned())?;
        if clause == '%' {
            done.push('%');
            continue;
        }
        let item = items.next().ok_or_else(|| "index out of range".to_owned())?;
        let places = precision.parse().unwrap_or(6).min(50);
        let piece = match (clause, item) {
            ('s', item) => operators::shown(item),
            ('d', Val::Int(number)) => number.to_string(),
            ('d', Val::Uint(number)) => number.to_string(),
            ('f', item) if item.double().is_some() => {
                format!("{:.places$}", item.double().unwrap_or_default())
            }
            ('e', item) if item.double().is_some() => {
                format!("{:.places$e}", item.double().unwrap_or_default())
            }
            ('x', Val::Int(number)) => format!("{number:x}"),
            ('X', Val::Int(number)) => format!("{number:X}"),
            ('o', Val::Int(number)) => format!("{number:o}"),
            ('b', Val::Int(number)) => format!("{number:b}"),
            ('x', Val::Text(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            _ => return Err("error during formatting: unsupported clause".to_owned()),
        };
        budget.traverse(piece.len())?;
        done.push_str(&piece);
    }
    Ok(Val::text(done))
}
