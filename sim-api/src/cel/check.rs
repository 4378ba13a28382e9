//! Types, as far as a schema tells them: what cel-go refuses before anything is evaluated.

use super::{
    Expression, Problem,
    ast::{Expr, Loop, LoopKind, Node, Operator},
    functions,
    value::{Val, unescape},
};
use crate::custom::Props;

/// What is known of a value before there is one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type<'a> {
    Any,
    Bool,
    Bytes,
    Double,
    Duration,
    Int,
    List(Box<Self>),
    Map(Box<Self>),
    Null,
    /// An object with just these members; a whole resource has a few more.
    Object(&'a Props, bool),
    Optional(Box<Self>),
    Text,
    Time,
    Uint,
}

impl<'a> Type<'a> {
    /// Of the values that a schema describes.
    pub(crate) fn of(schema: &'a Props, is_root: bool) -> Self {
        if schema.int_or_string {
            return Self::Any;
        }
        match (schema.kind.as_str(), schema.format.as_str()) {
            ("boolean", _) => Self::Bool,
            ("integer", _) => Self::Int,
            ("number", _) => Self::Double,
            ("string", "byte") => Self::Bytes,
            ("string", "date" | "date-time" | "datetime") => Self::Time,
            ("string", "duration") => Self::Duration,
            ("string", _) => Self::Text,
            ("array", _) => match &schema.items {
                Some(items) => Self::List(Box::new(Self::of(items, false))),
                None => Self::Any,
            },
            ("object", _) if !schema.properties.is_empty() => {
                Self::Object(schema, is_root || schema.embedded_resource)
            }
            ("object", _) => match schema.additional_schema() {
                Some(values) => Self::Map(Box::new(Self::of(values, false))),
                None if is_root => Self::Object(schema, true),
                None => Self::Any,
            },
            _ => Self::Any,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Any => "dyn".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Double => "double".to_owned(),
            Self::Duration => "google.protobuf.Duration".to_owned(),
            Self::Int => "int".to_owned(),
            Self::List(element) => format!("list({})", element.name()),
            Self::Map(value) => format!("map(string, {})", value.name()),
            Self::Null => "null".to_owned(),
            Self::Object(..) => "object".to_owned(),
            Self::Optional(inner) => format!("optional_type({})", inner.name()),
            Self::Text => "string".to_owned(),
            Self::Time => "google.protobuf.Timestamp".to_owned(),
            Self::Uint => "uint".to_owned(),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Double | Self::Int | Self::Uint)
    }

    /// Whether a value of this type may be one of the other.
    fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::List(a), Self::List(b))
            | (Self::Map(a), Self::Map(b))
            | (Self::Optional(a), Self::Optional(b)) => a.fits(b),
            (Self::Null, other) | (other, Self::Null) => {
                !matches!(other, Self::Bool | Self::Bytes | Self::Text) && !other.is_number()
            }
            (Self::Object(..), Self::Object(..) | Self::Map(_))
            | (Self::Map(_), Self::Object(..)) => true,
            (a, b) => a == b,
        }
    }
}

/// The type of an expression over values of these types.
///
/// # Errors
///
/// The first thing that cannot be.
pub(crate) fn check<'a>(
    expression: &'a Expression,
    this: Type<'a>,
    old: Option<Type<'a>>,
) -> Result<Type<'a>, Problem> {
    let mut names = vec![("self", this)];
    names.extend(old.map(|old| ("oldSelf", old)));
    Checker { names }.check(&expression.root)
}

struct Checker<'a> {
    names: Vec<(&'a str, Type<'a>)>,
}

type Checked<'a> = Result<Type<'a>, Problem>;

impl<'a> Checker<'a> {
    fn check(&mut self, expr: &'a Expr) -> Checked<'a> {
        let at = expr.at;
        match &expr.node {
            Node::Literal(value) => Ok(match value {
                Val::Bool(_) => Type::Bool,
                Val::Bytes(_) => Type::Bytes,
                Val::Double(_) => Type::Double,
                Val::Int(_) => Type::Int,
                Val::Null => Type::Null,
                Val::Text(_) => Type::Text,
                Val::Uint(_) => Type::Uint,
                _ => Type::Any,
            }),
            Node::Ident(name) => self.ident(at, name),
            Node::And(parts) => self.all_bool(at, parts, "_&&_"),
            Node::Or(parts) => self.all_bool(at, parts, "_||_"),
            Node::Not(of) => match self.check(of)? {
                Type::Bool | Type::Any => Ok(Type::Bool),
                other => Err(no_overload(at, "!_", &[other])),
            },
            Node::Negate(of) => match self.check(of)? {
                found @ (Type::Int | Type::Double | Type::Duration | Type::Any) => Ok(found),
                other => Err(no_overload(at, "-_", &[other])),
            },
            Node::Conditional(parts) => {
                let condition = self.check(&parts.0)?;
                let (then, otherwise) = (self.check(&parts.1)?, self.check(&parts.2)?);
                if !condition.fits(&Type::Bool) || !then.fits(&otherwise) {
                    return Err(no_overload(at, "_?_:_", &[condition, then, otherwise]));
                }
                Ok(if then == Type::Null { otherwise } else { then })
            }
            Node::Binary(operator, parts) => {
                let (left, right) = (self.check(&parts.0)?, self.check(&parts.1)?);
                binary(at, *operator, left, right)
            }
            Node::Select { of, field, is_optional } => {
                let of = self.check(of)?;
                let found = select(at, of, field)?;
                Ok(if *is_optional { Type::Optional(Box::new(found)) } else { found })
            }
            Node::Has(of, field) => {
                let of = self.check(of)?;
                select(at, of, field)?;
                Ok(Type::Bool)
            }
            Node::Index { of, index, is_optional } => {
                let (of, _) = (self.check(of)?, self.check(index)?);
                let found = match of {
                    Type::List(element) | Type::Map(element) => *element,
                    Type::Optional(inner) => match *inner {
                        Type::List(element) | Type::Map(element) => Type::Optional(element),
                        _ => Type::Any,
                    },
                    _ => Type::Any,
                };
                Ok(if *is_optional { Type::Optional(Box::new(found)) } else { found })
            }
            Node::List(items) => {
                let mut element = None;
                for (item, is_optional) in items {
                    let found = match (self.check(item)?, is_optional) {
                        (Type::Optional(inner), true) => *inner,
                        (found, _) => found,
                    };
                    element = Some(match element {
                        None => found,
                        Some(known) if known == found => known,
                        Some(_) => Type::Any,
                    });
                }
                Ok(Type::List(Box::new(element.unwrap_or(Type::Any))))
            }
            Node::Map(entries) => {
                for (key, value, _) in entries {
                    self.check(key)?;
                    self.check(value)?;
                }
                Ok(Type::Map(Box::new(Type::Any)))
            }
            Node::Call { target, name, args } => self.call(at, target.as_deref(), name, args),
            Node::Loop(found) => self.run(found),
        }
    }

    fn ident(&self, at: usize, name: &str) -> Checked<'a> {
        if let Some((_, found)) = self.names.iter().rev().find(|(known, _)| *known == name) {
            return Ok(found.clone());
        }
        if functions::type_of_name(name).is_some() {
            return Ok(Type::Any);
        }
        Err(undeclared(at, name))
    }

    fn all_bool(&mut self, at: usize, parts: &'a [Expr], name: &str) -> Checked<'a> {
        for part in parts {
            let found = self.check(part)?;
            if !found.fits(&Type::Bool) {
                return Err(no_overload(at, name, &[Type::Bool, found]));
            }
        }
        Ok(Type::Bool)
    }

    fn call(
        &mut self,
        at: usize,
        target: Option<&'a Expr>,
        name: &'a str,
        args: &'a [Expr],
    ) -> Checked<'a> {
        let mut types = Vec::new();
        let qualified = target.and_then(|target| functions::qualified(target, name));
        if let Some(target) = target.filter(|_| qualified.is_none()) {
            types.push(self.check(target)?);
        }
        let name = qualified.unwrap_or(name);
        if !functions::is_known(name) {
            return Err(undeclared(at, name));
        }
        for arg in args {
            types.push(self.check(arg)?);
        }
        let takes_text = matches!(
            name,
            "startsWith" | "endsWith" | "matches" | "contains" | "lowerAscii" | "trim" | "split"
        );
        if takes_text && !types.iter().take(2).all(|found| found.fits(&Type::Text)) {
            return Err(no_overload(at, name, &types));
        }
        if name == "size"
            && let [found] = types.as_slice()
            && (found.is_number() || matches!(found, Type::Bool | Type::Object(..)))
        {
            return Err(no_overload(at, name, &types));
        }
        let first = types.first().cloned();
        Ok(match name {
            "size" | "int" | "indexOf" | "lastIndexOf" | "getFullYear" | "getMonth" | "getDate"
            | "getDayOfMonth" | "getDayOfWeek" | "getDayOfYear" | "getHours" | "getMinutes"
            | "getSeconds" | "getMilliseconds" | "sign" | "asInteger" | "compareTo" | "family"
            | "prefixLength" => Type::Int,
            "bool"
            | "contains"
            | "startsWith"
            | "endsWith"
            | "matches"
            | "isSorted"
            | "isURL"
            | "isQuantity"
            | "isInteger"
            | "isGreaterThan"
            | "isLessThan"
            | "isIP"
            | "isCIDR"
            | "containsIP"
            | "containsCIDR"
            | "hasValue"
            | "sets.contains"
            | "sets.equivalent"
            | "sets.intersects"
            | "ip.isCanonical"
            | "isUnspecified"
            | "isLoopback"
            | "isLinkLocalMulticast"
            | "isLinkLocalUnicast"
            | "isGlobalUnicast" => Type::Bool,
            "string" | "charAt" | "lowerAscii" | "upperAscii" | "replace" | "join"
            | "substring" | "trim" | "format" | "find" | "getScheme" | "getHost"
            | "getHostname" | "getPort" | "getEscapedPath" => Type::Text,
            "split" | "findAll" => Type::List(Box::new(Type::Text)),
            "double" | "asApproximateFloat" => Type::Double,
            "uint" => Type::Uint,
            "timestamp" => Type::Time,
            "duration" => Type::Duration,
            "bytes" => Type::Bytes,
            "optional.of" | "optional.ofNonZeroValue" => {
                Type::Optional(Box::new(first.unwrap_or(Type::Any)))
            }
            "value" | "orValue" => match first {
                Some(Type::Optional(inner)) => *inner,
                _ => Type::Any,
            },
            "sum" | "min" | "max" => match first {
                Some(Type::List(element)) => *element,
                _ => Type::Any,
            },
            _ => Type::Any,
        })
    }

    fn run(&mut self, found: &'a Loop) -> Checked<'a> {
        let range = self.check(&found.range)?;
        let (first, second) = match (&range, found.kind) {
            (range, LoopKind::Bind) => (range.clone(), Type::Any),
            (Type::Optional(inner), _) => ((**inner).clone(), Type::Any),
            (Type::List(element), _) if found.names.1.is_some() => (Type::Int, (**element).clone()),
            (Type::List(element), _) => ((**element).clone(), Type::Any),
            (Type::Map(value), _) => (Type::Text, (**value).clone()),
            (Type::Any, _) => (Type::Any, Type::Any),
            (other, _) => {
                let message = format!(
                    "expression of type '{}' cannot be range of a comprehension (must be list, \
                     map, or dynamic)",
                    other.name()
                );
                return Err(Problem::new(found.range.at, message));
            }
        };
        let before = self.names.len();
        self.names.push((&found.names.0, first.clone()));
        self.names.extend(found.names.1.iter().map(|name| (name.as_str(), second.clone())));
        if let Some(filter) = &found.filter {
            self.check(filter)?;
        }
        let body = self.check(&found.body)?;
        self.names.truncate(before);
        Ok(match found.kind {
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => {
                if !body.fits(&Type::Bool) {
                    return Err(no_overload(found.body.at, "_&&_", &[Type::Bool, body]));
                }
                Type::Bool
            }
            LoopKind::Bind | LoopKind::OptFlatMap => body,
            LoopKind::Filter => Type::List(Box::new(first)),
            LoopKind::Map | LoopKind::TransformList => Type::List(Box::new(body)),
            LoopKind::OptMap => Type::Optional(Box::new(body)),
            LoopKind::TransformMap => Type::Map(Box::new(body)),
        })
    }
}

fn binary<'a>(at: usize, operator: Operator, left: Type<'a>, right: Type<'a>) -> Checked<'a> {
    let wrong = |left, right| Err(no_overload(at, operator.name(), &[left, right]));
    let both_numbers = left.is_number() && right.is_number();
    match operator {
        Operator::Equal | Operator::NotEqual => match left.fits(&right) || both_numbers {
            true => Ok(Type::Bool),
            false => wrong(left, right),
        },
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let has_order = |found: &Type<'_>| {
                !matches!(found, Type::List(_) | Type::Map(_) | Type::Object(..) | Type::Null)
            };
            match (left.fits(&right) || both_numbers) && has_order(&left) && has_order(&right) {
                true => Ok(Type::Bool),
                false => wrong(left, right),
            }
        }
        Operator::In => match &right {
            Type::List(element) if !element.fits(&left) => wrong(left, right),
            Type::Any | Type::List(_) | Type::Map(_) => Ok(Type::Bool),
            _ => wrong(left, right),
        },
        _ => {
            let times = [Type::Time, Type::Duration];
            if left == Type::Any || right == Type::Any {
                return Ok(if left == Type::Any { right } else { left });
            }
            if times.contains(&left) && times.contains(&right) {
                return Ok(match (&left, &right, operator) {
                    (Type::Time, Type::Time, Operator::Subtract) => Type::Duration,
                    (Type::Duration, Type::Duration, _) => Type::Duration,
                    _ => Type::Time,
                });
            }
            let adds = operator == Operator::Add
                && matches!(left, Type::Text | Type::Bytes | Type::List(_))
                && left.fits(&right);
            let counts = left.is_number()
                && left == right
                && (operator != Operator::Remainder || left != Type::Double);
            if adds || counts { Ok(left) } else { wrong(left, right) }
        }
    }
}

fn select<'a>(at: usize, of: Type<'a>, field: &str) -> Checked<'a> {
    let undefined = || Problem::new(at, format!("undefined field '{field}'"));
    match of {
        Type::Any => Ok(Type::Any),
        Type::Map(value) => Ok(*value),
        Type::Optional(inner) => {
            select(at, *inner, field).map(|found| Type::Optional(Box::new(found)))
        }
        Type::Object(schema, is_resource) => {
            let name = unescape(field);
            match (schema.properties.get(&name), name.as_str()) {
                (Some(property), "metadata") if is_resource && property.properties.is_empty() => {
                    Ok(Type::Any)
                }
                (Some(property), _) => Ok(Type::of(property, false)),
                (None, "kind" | "apiVersion") if is_resource => Ok(Type::Text),
                (None, "metadata") if is_resource => Ok(Type::Any),
                (None, _) => Err(undefined()),
            }
        }
        other => Err(Problem::new(
            at,
            format!("type '{}' does not support field selection", other.name()),
        )),
    }
}

fn undeclared(at: usize, name: &str) -> Problem {
    Problem::new(at, format!("undeclared reference to '{name}' (in container '')"))
}

fn no_overload(at: usize, name: &str, types: &[Type<'_>]) -> Problem {
    let types: Vec<String> = types.iter().map(Type::name).collect();
    let types = types.join(", ");
    Problem::new(at, format!("found no matching overload for '{name}' applied to '({types})'"))
}
