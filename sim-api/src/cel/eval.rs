//! Evaluation, with a budget.

use std::{collections::BTreeMap, sync::Arc};

use regex::Regex;

use super::{
    ast::{Expr, Loop, LoopKind, Node},
    functions, operators,
    value::Val,
};
use crate::custom::compile_pattern;

/// What evaluations may still cost.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// For all of an object's rules.
    pub(crate) left: u64,
    /// For the rule at hand.
    call: u64,
    /// Patterns that have been compiled on the way.
    patterns: BTreeMap<String, Regex>,
}

impl Budget {
    /// That of one request. Source: `RuntimeCELCostBudget`.
    pub(crate) fn of_request() -> Self {
        Self { left: 10_000_000, call: 0, patterns: BTreeMap::new() }
    }

    /// A pattern, to be looked for in a text of this length. That costs by both lengths, and
    /// much more where the pattern is new: compiling is what takes long.
    pub(super) fn pattern(&mut self, pattern: &str, length: usize) -> Result<Regex, String> {
        self.spend((1 + length as u64 / 10) * (1 + pattern.len() as u64 / 4))?;
        if let Some(known) = self.patterns.get(pattern) {
            return Ok(known.clone());
        }
        self.spend(PER_PATTERN)?;
        let regex = compile_pattern(pattern)?;
        self.patterns.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }

    fn begin(&mut self) {
        self.call = PER_CALL.min(self.left);
    }

    pub(super) fn spend(&mut self, cost: u64) -> Result<(), String> {
        if cost > self.call {
            self.left = self.left.saturating_sub(self.call);
            self.call = 0;
            return Err(LIMIT.to_owned());
        }
        self.call -= cost;
        self.left -= cost;
        Ok(())
    }

    /// A tenth of a step for each element or character that is looked at.
    pub(super) fn traverse(&mut self, count: usize) -> Result<(), String> {
        self.spend(1 + count as u64 / 10)
    }
}

/// What an evaluation that costs too much says.
pub(crate) const LIMIT: &str = "operation cancelled: actual cost limit exceeded";

/// What a new pattern costs; cel-go compiles those that are literals beforehand.
const PER_PATTERN: u64 = 10_000;

/// Source: `PerCallLimit`.
const PER_CALL: u64 = 1_000_000;

pub(super) type Outcome<'a> = Result<Val<'a>, String>;

pub(super) fn evaluate<'a>(
    root: &'a Expr,
    this: Val<'a>,
    old: Option<Val<'a>>,
    budget: &mut Budget,
) -> Outcome<'a> {
    budget.begin();
    let mut scope = Scope { names: vec![("self", this)], budget };
    scope.names.extend(old.map(|old| ("oldSelf", old)));
    scope.eval(root)
}

pub(super) struct Scope<'a, 'b> {
    names: Vec<(&'a str, Val<'a>)>,
    pub(super) budget: &'b mut Budget,
}

impl<'a> Scope<'a, '_> {
    pub(super) fn eval(&mut self, expr: &'a Expr) -> Outcome<'a> {
        match &expr.node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Ident(name) => {
                self.budget.spend(1)?;
                let mut names = self.names.iter().rev();
                if let Some((_, value)) = names.find(|(known, _)| known == name) {
                    return Ok(value.clone());
                }
                functions::type_of_name(name)
                    .map(Val::Type)
                    .ok_or_else(|| format!("no such attribute(s): {name}"))
            }
            Node::And(parts) => self.any_of(parts, false),
            Node::Or(parts) => self.any_of(parts, true),
            Node::Not(of) => match self.eval(of)? {
                Val::Bool(flag) => Ok(Val::Bool(!flag)),
                _ => Err(NO_OVERLOAD.to_owned()),
            },
            Node::Negate(of) => operators::negate(&self.eval(of)?),
            Node::Conditional(parts) => match self.eval(&parts.0)? {
                Val::Bool(true) => self.eval(&parts.1),
                Val::Bool(false) => self.eval(&parts.2),
                _ => Err(NO_OVERLOAD.to_owned()),
            },
            Node::Binary(operator, parts) => {
                let left = self.eval(&parts.0)?;
                let right = self.eval(&parts.1)?;
                operators::binary(*operator, &left, &right, self.budget)
            }
            Node::Select { of, field, is_optional } => {
                let of = self.eval(of)?;
                self.look_up(&of)?;
                let found = select(&of, field, *is_optional)?;
                if let Val::Bytes(bytes) = &found {
                    // They have just been decoded.
                    self.budget.traverse(bytes.len())?;
                }
                Ok(found)
            }
            Node::Has(of, field) => {
                let of = self.eval(of)?;
                self.look_up(&of)?;
                match of {
                    Val::Optional(None) => Ok(Val::Bool(false)),
                    of if of.is_map() || matches!(of, Val::Optional(_)) => {
                        Ok(Val::Bool(of.member(field).is_some()))
                    }
                    _ => Err(NO_OVERLOAD.to_owned()),
                }
            }
            Node::Index { of, index, is_optional } => {
                let of = self.eval(of)?;
                let index = self.eval(index)?;
                self.look_up(&of)?;
                self::index(&of, &index, *is_optional)
            }
            Node::List(items) => {
                self.budget.spend(10)?;
                let mut values = Vec::with_capacity(items.len());
                for (item, is_optional) in items {
                    match (self.eval(item)?, is_optional) {
                        (Val::Optional(inner), true) => {
                            values.extend(inner.map(|inner| (*inner).clone()));
                        }
                        (value, _) => values.push(value),
                    }
                }
                Ok(Val::list(values))
            }
            Node::Map(entries) => {
                self.budget.spend(30)?;
                let mut values = Vec::with_capacity(entries.len());
                for (key, value, is_optional) in entries {
                    let key = self.eval(key)?;
                    match (self.eval(value)?, is_optional) {
                        (Val::Optional(inner), true) => {
                            values.extend(inner.map(|inner| (key, (*inner).clone())));
                        }
                        (value, _) => values.push((key, value)),
                    }
                }
                Ok(Val::Map(Arc::new(values)))
            }
            Node::Call { target, name, args } => {
                let receiver = match target {
                    // `math.max`, `ip.isCanonical` and the like are names with a dot.
                    Some(target) => match functions::qualified(target, name) {
                        Some(name) => {
                            let args = self.all(args)?;
                            self.budget.spend(1)?;
                            return functions::call(name, None, &args, self.budget);
                        }
                        None => Some(self.eval(target)?),
                    },
                    None => None,
                };
                let args = self.all_lazily(name, args)?;
                self.budget.spend(1)?;
                functions::call(name, receiver.as_ref(), &args, self.budget)
            }
            Node::Loop(found) => self.run(found),
        }
    }

    /// Maps that an expression has made are searched from end to end.
    fn look_up(&mut self, of: &Val<'a>) -> Result<(), String> {
        let entries = match of {
            Val::Map(entries) => entries.len(),
            _ => 0,
        };
        self.budget.traverse(entries)
    }

    fn all(&mut self, args: &'a [Expr]) -> Result<Vec<Val<'a>>, String> {
        args.iter().map(|arg| self.eval(arg)).collect()
    }

    /// What an optional value is replaced by is not looked at where it is not needed; an error in
    /// it does not count then.
    fn all_lazily(&mut self, name: &str, args: &'a [Expr]) -> Result<Vec<Val<'a>>, String> {
        if matches!(name, "or" | "orValue") && args.len() == 1 {
            return Ok(self.all(args).unwrap_or_else(|_| vec![Val::Null]));
        }
        self.all(args)
    }

    /// `&&` and `||`: one part may decide whatever the others are, be they errors.
    fn any_of(&mut self, parts: &'a [Expr], decisive: bool) -> Outcome<'a> {
        let mut error = None;
        for part in parts {
            match self.eval(part) {
                Ok(Val::Bool(flag)) if flag == decisive => return Ok(Val::Bool(decisive)),
                Ok(Val::Bool(_)) => {}
                Ok(_) => error = error.or_else(|| Some(NO_OVERLOAD.to_owned())),
                Err(found) if found == LIMIT => return Err(found),
                Err(found) => error = error.or(Some(found)),
            }
        }
        error.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    /// Evaluates with names bound.
    fn with(
        &mut self,
        found: &'a Loop,
        first: &Val<'a>,
        second: Option<&Val<'a>>,
        expr: &'a Expr,
    ) -> Outcome<'a> {
        let before = self.names.len();
        self.names.push((&found.names.0, first.clone()));
        if let (Some(name), Some(value)) = (&found.names.1, second) {
            self.names.push((name, value.clone()));
        }
        let outcome = self.eval(expr);
        self.names.truncate(before);
        outcome
    }

    fn run(&mut self, found: &'a Loop) -> Outcome<'a> {
        let range = self.eval(&found.range)?;
        match found.kind {
            LoopKind::Bind => return self.with(found, &range, None, &found.body),
            LoopKind::OptMap | LoopKind::OptFlatMap => {
                let Val::Optional(inner) = range else { return Err(NO_OVERLOAD.to_owned()) };
                let Some(inner) = inner else { return Ok(Val::Optional(None)) };
                let value = self.with(found, &inner, None, &found.body)?;
                return Ok(match found.kind {
                    LoopKind::OptMap => Val::some(value),
                    _ => value,
                });
            }
            _ => {}
        }
        let pairs: Vec<(Val<'a>, Option<Val<'a>>)> = match (range.items(), range.entries()) {
            (Some(items), _) if found.names.1.is_some() => {
                (0..).map(Val::Int).zip(items.into_iter().map(Some)).collect()
            }
            (Some(items), _) => items.into_iter().map(|item| (item, None)).collect(),
            (_, Some(entries)) => {
                entries.into_iter().map(|(key, value)| (key, Some(value))).collect()
            }
            _ => return Err(NO_OVERLOAD.to_owned()),
        };
        self.budget.spend(1 + pairs.len() as u64)?;
        match found.kind {
            LoopKind::All => self.decide(found, pairs, false),
            LoopKind::Exists => self.decide(found, pairs, true),
            LoopKind::ExistsOne => {
                let mut count = 0;
                for (first, second) in &pairs {
                    let holds = self.with(found, first, second.as_ref(), &found.body)?;
                    count += usize::from(matches!(holds, Val::Bool(true)));
                }
                Ok(Val::Bool(count == 1))
            }
            _ => self.collect(found, pairs),
        }
    }

    fn decide(
        &mut self,
        found: &'a Loop,
        pairs: Vec<(Val<'a>, Option<Val<'a>>)>,
        decisive: bool,
    ) -> Outcome<'a> {
        let mut error = None;
        for (first, second) in &pairs {
            match self.with(found, first, second.as_ref(), &found.body) {
                Ok(Val::Bool(flag)) if flag == decisive => return Ok(Val::Bool(decisive)),
                Ok(Val::Bool(_)) => {}
                Ok(_) => error = error.or_else(|| Some(NO_OVERLOAD.to_owned())),
                Err(found) if found == LIMIT => return Err(found),
                Err(found) => error = error.or(Some(found)),
            }
        }
        error.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    fn collect(&mut self, found: &'a Loop, pairs: Vec<(Val<'a>, Option<Val<'a>>)>) -> Outcome<'a> {
        let (mut list, mut map) = (Vec::new(), Vec::new());
        for (first, second) in pairs {
            let second = second.as_ref();
            let condition = match found.kind {
                LoopKind::Filter => Some(&found.body),
                _ => found.filter.as_ref(),
            };
            if let Some(condition) = condition {
                match self.with(found, &first, second, condition)? {
                    Val::Bool(true) => {}
                    Val::Bool(false) => continue,
                    _ => return Err(NO_OVERLOAD.to_owned()),
                }
            }
            if found.kind == LoopKind::Filter {
                list.push(first);
                continue;
            }
            let value = self.with(found, &first, second, &found.body)?;
            match found.kind {
                LoopKind::TransformMap => map.push((first, value)),
                _ => list.push(value),
            }
        }
        Ok(match found.kind {
            LoopKind::TransformMap => Val::Map(Arc::new(map)),
            _ => Val::list(list),
        })
    }
}

fn select<'a>(of: &Val<'a>, field: &str, is_optional: bool) -> Outcome<'a> {
    if let Val::Optional(inner) = of {
        let found = inner.as_ref().and_then(|inner| inner.member(field));
        return Ok(Val::Optional(found.map(Arc::new)));
    }
    let found = of.member(field);
    if is_optional {
        return Ok(Val::Optional(found.map(Arc::new)));
    }
    match found {
        Some(value) => Ok(value),
        None if of.is_map() => Err(format!("no such key: {field}")),
        None => Err(NO_OVERLOAD.to_owned()),
    }
}

fn index<'a>(of: &Val<'a>, index: &Val<'a>, is_optional: bool) -> Outcome<'a> {
    if let Val::Optional(inner) = of {
        let Some(inner) = inner else { return Ok(Val::Optional(None)) };
        return self::index(inner, index, true);
    }
    let place = |at: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "whole; out of bounds is none")]
        usize::try_from(at as i64).ok()
    };
    let found = match (of.nth(index.double().and_then(place)), index.double()) {
        (Some(found), Some(at)) if at.fract() == 0.0 => {
            if found.is_none() && !is_optional {
                return Err(format!("index out of bounds: {at}"));
            }
            found
        }
        (Some(_), _) => return Err(NO_OVERLOAD.to_owned()),
        (None, _) if of.is_map() => {
            let found = of.entry(index);
            if found.is_none() && !is_optional {
                return Err(format!("no such key: {}", operators::shown(index)));
            }
            found
        }
        _ => return Err(NO_OVERLOAD.to_owned()),
    };
    Ok(match (found, is_optional) {
        (found, true) => Val::Optional(found.map(Arc::new)),
        (Some(value), false) => value,
        (None, false) => return Err(NO_OVERLOAD.to_owned()),
    })
}

/// Operands that no operator is for.
pub(super) const NO_OVERLOAD: &str = "no such overload";
