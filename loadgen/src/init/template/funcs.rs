//! Functions of sprig and of kube-burner that templates may call.
//!
//! Argument order and results are sprig's. Sizes are bounded, so that a template cannot take all
//! memory.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use gotmpl::{FuncMap, TemplateError, Value};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use sha2::{Digest, Sha256};

type Outcome = Result<Value, TemplateError>;
type Random = Arc<Mutex<Pcg64Mcg>>;

/// All of them.
pub(super) fn all(random: &Random) -> FuncMap {
    let mut map = FuncMap::new();
    numbers(&mut map);
    strings(&mut map);
    lists(&mut map);
    values(&mut map);
    randoms(&mut map, random);
    map
}

fn put(
    map: &mut FuncMap,
    name: &'static str,
    arguments: std::ops::RangeInclusive<usize>,
    f: impl Fn(&[Value]) -> Outcome + Send + Sync + 'static,
) {
    let checked = move |args: &[Value]| {
        if arguments.contains(&args.len()) {
            f(args).map_err(|e| TemplateError::Exec(format!("{name}: {e}")))
        } else {
            Err(wrong(&format!("{name}: {} arguments are too few or too many", args.len())))
        }
    };
    map.insert(name.to_owned(), Arc::new(checked));
}

fn numbers(map: &mut FuncMap) {
    fn fold(args: &[Value], f: fn(i64, i64) -> Option<i64>) -> Outcome {
        let mut numbers = args.iter().map(int);
        let first = numbers.next().ok_or_else(|| wrong("no argument"))??;
        let result = numbers.try_fold(first, |a, b| {
            f(a, b?).ok_or_else(|| wrong("out of range, or a division by zero"))
        })?;
        Ok(Value::Int(result))
    }
    put(map, "add", 1..=64, |a| fold(a, i64::checked_add));
    put(map, "sub", 2..=2, |a| fold(a, i64::checked_sub));
    put(map, "mul", 1..=64, |a| fold(a, i64::checked_mul));
    put(map, "div", 2..=2, |a| fold(a, i64::checked_div));
    put(map, "mod", 2..=2, |a| fold(a, i64::checked_rem));
    put(map, "max", 1..=64, |a| fold(a, |x, y| Some(x.max(y))));
    put(map, "min", 1..=64, |a| fold(a, |x, y| Some(x.min(y))));
    put(map, "add1", 1..=1, |a| {
        int(&a[0])?.checked_add(1).map(Value::Int).ok_or_else(|| wrong("out of range"))
    });
    for name in ["int", "int64", "atoi"] {
        put(map, name, 1..=1, |a| int(&a[0]).map(Value::Int));
    }
    put(map, "GetSubnet24", 1..=1, |a| {
        let [_, b, c, d] =
            u32::try_from(int(&a[0])?).map_err(|_| wrong("not a subnet number"))?.to_be_bytes();
        Ok(text(format!("{}.{c}.{d}.0/24", b.wrapping_add(1))))
    });
}

fn strings(map: &mut FuncMap) {
    fn one(
        map: &mut FuncMap,
        name: &'static str,
        f: impl Fn(&str) -> String + Send + Sync + 'static,
    ) {
        put(map, name, 1..=1, move |a| Ok(text(f(&string(&a[0])))));
    }
    one(map, "upper", str::to_uppercase);
    one(map, "lower", str::to_lowercase);
    one(map, "trim", |s| s.trim().to_owned());
    one(map, "quote", |s| format!("{s:?}"));
    one(map, "squote", |s| format!("'{s}'"));
    one(map, "toString", str::to_owned);
    one(map, "b64enc", |s| STANDARD.encode(s));
    one(map, "sha256sum", |s| {
        Sha256::digest(s.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    });
    put(map, "b64dec", 1..=1, |a| {
        let bytes = STANDARD.decode(string(&a[0])).map_err(|e| wrong(&e.to_string()))?;
        Ok(text(String::from_utf8_lossy(&bytes).into_owned()))
    });
    put(map, "repeat", 2..=2, |a| {
        let (count, part) = (size(&a[0])?, string(&a[1]));
        if count.saturating_mul(part.len()) > MAX_SIZE {
            return Err(wrong("the result is too long"));
        }
        Ok(text(part.repeat(count)))
    });
    put(map, "replace", 3..=3, |a| Ok(text(string(&a[2]).replace(&string(&a[0]), &string(&a[1])))));
    put(map, "trunc", 2..=2, |a| Ok(text(string(&a[1]).chars().take(size(&a[0])?).collect())));
    put(map, "trimPrefix", 2..=2, |a| {
        let (prefix, s) = (string(&a[0]), string(&a[1]));
        Ok(text(s.strip_prefix(&prefix).unwrap_or(&s).to_owned()))
    });
    put(map, "trimSuffix", 2..=2, |a| {
        let (suffix, s) = (string(&a[0]), string(&a[1]));
        Ok(text(s.strip_suffix(&suffix).unwrap_or(&s).to_owned()))
    });
    put(map, "contains", 2..=2, |a| Ok(Value::Bool(string(&a[1]).contains(&string(&a[0])))));
    put(map, "hasPrefix", 2..=2, |a| Ok(Value::Bool(string(&a[1]).starts_with(&string(&a[0])))));
    put(map, "hasSuffix", 2..=2, |a| Ok(Value::Bool(string(&a[1]).ends_with(&string(&a[0])))));
    for (name, start) in [("indent", ""), ("nindent", "\n")] {
        put(map, name, 2..=2, move |a| {
            let margin = " ".repeat(size(&a[0])?.min(1000));
            let lines: Vec<_> =
                string(&a[1]).split('\n').map(|line| format!("{margin}{line}")).collect();
            Ok(text(format!("{start}{}", lines.join("\n"))))
        });
    }
}

fn lists(map: &mut FuncMap) {
    put(map, "list", 0..=1000, |a| Ok(Value::List(a.into())));
    put(map, "until", 1..=1, |a| steps(0, int(&a[0])?, 1));
    put(map, "untilStep", 3..=3, |a| steps(int(&a[0])?, int(&a[1])?, int(&a[2])?));
    put(map, "seq", 1..=2, |a| {
        let (from, to) = if a.len() == 1 { (1, &a[0]) } else { (int(&a[0])?, &a[1]) };
        let list = steps(from, int(to)?.saturating_add(1), 1)?;
        let parts: Vec<_> = items(&list)?.iter().map(string).collect();
        Ok(text(parts.join(" ")))
    });
    put(map, "join", 2..=2, |a| {
        let parts: Vec<_> = items(&a[1])?.iter().map(string).collect();
        Ok(text(parts.join(&string(&a[0]))))
    });
    put(map, "splitList", 2..=2, |a| {
        let separator = string(&a[0]);
        if separator.is_empty() {
            return Err(wrong("the separator is empty"));
        }
        Ok(Value::List(string(&a[1]).split(&separator).map(|s| text(s.to_owned())).collect()))
    });
    put(map, "first", 1..=1, |a| Ok(items(&a[0])?.first().cloned().unwrap_or(Value::Nil)));
    put(map, "last", 1..=1, |a| Ok(items(&a[0])?.last().cloned().unwrap_or(Value::Nil)));
    put(map, "has", 2..=2, |a| {
        let wanted = string(&a[0]);
        Ok(Value::Bool(items(&a[1])?.iter().any(|item| string(item) == wanted)))
    });
}

fn values(map: &mut FuncMap) {
    put(map, "default", 1..=2, |a| match a.get(1) {
        Some(value) if value.is_truthy() => Ok(value.clone()),
        _ => Ok(a[0].clone()),
    });
    put(map, "empty", 1..=1, |a| Ok(Value::Bool(!a[0].is_truthy())));
    put(map, "ternary", 3..=3, |a| Ok(a[usize::from(!a[2].is_truthy())].clone()));
    put(map, "toJson", 1..=1, |a| Ok(text(to_json(&a[0]).to_string())));
}

fn randoms(map: &mut FuncMap, random: &Random) {
    const DIGITS: &[u8] = b"0123456789";
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const BOTH: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (name, set) in [("randAlphaNum", BOTH), ("randAlpha", LETTERS), ("randNumeric", DIGITS)] {
        let random = Arc::clone(random);
        put(map, name, 1..=1, move |a| {
            let count = size(&a[0])?;
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(text((0..count).map(|_| char::from(set[below(&mut random, set.len())])).collect()))
        });
    }
    for name in ["randInt", "randInteger"] {
        let random = Arc::clone(random);
        put(map, name, 2..=2, move |a| {
            let (low, high) = (int(&a[0])?, int(&a[1])?);
            let width = usize::try_from(high.saturating_sub(low)).unwrap_or(0);
            if width == 0 {
                return Err(wrong("the second number must be larger than the first"));
            }
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            let offset = i64::try_from(below(&mut random, width)).unwrap_or(0);
            Ok(Value::Int(low + offset))
        });
    }
    let random = Arc::clone(random);
    put(map, "uuidv4", 0..=0, move |_| {
        let mut bytes = [0; 16];
        random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        Ok(text(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()))
    });
}

/// A number from 0 up to `end`, which is not 0. Its bias of 2⁻³² and less is nothing for names.
fn below(random: &mut Pcg64Mcg, end: usize) -> usize {
    let end = u64::try_from(end).unwrap_or(u64::MAX);
    usize::try_from(random.next_u64() % end).unwrap_or(0)
}

fn steps(from: i64, to: i64, step: i64) -> Outcome {
    let count = match step {
        0 => 0,
        _ => (i128::from(to) - i128::from(from)) / i128::from(step),
    };
    if count > MAX_SIZE as i128 {
        return Err(wrong("the list is too long"));
    }
    let more = |n: i64| if step > 0 { n < to } else { n > to };
    let mut list = Vec::new();
    let mut next = Some(from);
    while let Some(n) = next.filter(|n| step != 0 && more(*n)) {
        list.push(Value::Int(n));
        next = n.checked_add(step);
    }
    Ok(Value::List(list.into()))
}

fn items(value: &Value) -> Result<&[Value], TemplateError> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(wrong(&format!("{} is not a list", other.type_name()))),
    }
}

/// As sprig's `toInt64`, but what is not a number is an error instead of 0.
fn int(value: &Value) -> Result<i64, TemplateError> {
    let whole = match value {
        #[expect(clippy::cast_possible_truncation, reason = "sprig truncates; `as` saturates")]
        Value::Float(f) => Some(*f as i64),
        Value::Bool(b) => Some(i64::from(*b)),
        Value::Uint(n) => i64::try_from(*n).ok(),
        Value::String(s) => s.trim().parse().ok(),
        other => other.as_int(),
    };
    whole.ok_or_else(|| wrong(&format!("{} is not a whole number", string(value))))
}

fn size(value: &Value) -> Result<usize, TemplateError> {
    let size = usize::try_from(int(value)?).map_err(|_| wrong("must not be negative"))?;
    if size > MAX_SIZE { Err(wrong("too large")) } else { Ok(size) }
}

fn string(value: &Value) -> String {
    value.to_string()
}

fn text(s: String) -> Value {
    Value::String(s.into())
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Uint(n) => (*n).into(),
        Value::Float(f) => (*f).into(),
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Map(map) => map.iter().map(|(k, v)| (k.to_string(), to_json(v))).collect(),
        other => other.to_string().into(),
    }
}

fn wrong(message: &str) -> TemplateError {
    TemplateError::Exec(message.to_owned())
}

/// Characters or items that one call may make: more than an apiserver takes in one object.
const MAX_SIZE: usize = 4 << 20;
