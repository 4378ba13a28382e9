//! The Common Expression Language, as rules in CustomResourceDefinitions use it.
//!
//! An [`Expression`] is parsed once and checked against the schema of what it will see; it is
//! then evaluated as often as needed, each time with a budget of steps, so that no expression
//! and no object can hold the server up.
//!
//! # Why this is not one of the crates
//!
//! `cel` 0.15 has no limit on what an evaluation costs, and its parser (ANTLR) none on what it
//! nests; a rule of three nested `all`s over a large list would never end. The language is small;
//! what Kubernetes adds to it (quantities, URLs, CIDRs, unescaped names) would have been ours
//! anyway.
//!
//! # What differs
//!
//! - Costs are counted as cel-go counts them but for details, and what an expression may cost is
//!   not estimated beforehand: a rule that the real server refuses as too expensive is taken.
//! - Types are checked as far as fields, variables, functions and the operands of operators go.
//!   What slips through is an error of the evaluation.
//!
//! Source: the CEL specification; k8s.io/apiserver `pkg/cel/library`; k8s.io/apiextensions-apiserver
//! `pkg/apiserver/schema/cel`, release-1.33.

mod ast;
mod check;
mod eval;
mod functions;
mod kubernetes;
mod lexer;
mod macros;
mod operators;
mod parser;
mod strings;
mod time;
mod value;

use self::ast::Expr;
pub(crate) use self::{
    check::{Type, check},
    eval::{Budget, LIMIT},
    value::Val,
};

/// An expression that has been parsed.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    root: Expr,
    /// Whether it speaks of `oldSelf`.
    pub(crate) uses_old_self: bool,
}

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    /// The place in the expression, in characters.
    at: usize,
    message: String,
}

impl Problem {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// As cel-go prints it: message, line, and a mark below the place.
    pub(crate) fn show(&self, source: &str) -> String {
        let before: Vec<char> = source.chars().take(self.at).collect();
        let line = before.iter().filter(|c| **c == '\n').count();
        let column = before.iter().rev().take_while(|c| **c != '\n').count();
        let text = source.lines().nth(line).unwrap_or_default();
        format!(
            "ERROR: <input>:{}:{}: {}\n | {text}\n | {}^",
            line + 1,
            column + 1,
            self.message,
            ".".repeat(column)
        )
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// Where it is none, or nests too deeply.
    pub(crate) fn parse(source: &str) -> Result<Self, Problem> {
        let root = parser::parse(source)?;
        Ok(Self { uses_old_self: root.mentions("oldSelf"), root })
    }

    /// Its value where `self` and `oldSelf` have these values.
    ///
    /// # Errors
    ///
    /// The text of what went wrong, as cel-go says it.
    pub(crate) fn evaluate<'a>(
        &'a self,
        this: Val<'a>,
        old: Option<Val<'a>>,
        budget: &mut Budget,
    ) -> Result<Val<'a>, String> {
        eval::evaluate(&self.root, this, old, budget)
    }
}

#[cfg(test)]
mod tests;
