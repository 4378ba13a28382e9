//! Label selectors: `a=b,c!=d,e in (f,g),!h,i>1`.

use std::{collections::BTreeSet, fmt};

use super::{
    SelectorError, label_syntax,
    lexer::{Token, TokenKind, scan},
};
use crate::StrMap;

/// Requirements on labels, all of which an object must meet; the empty selector matches all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LabelSelector(Vec<LabelRequirement>);

/// One requirement of a [`LabelSelector`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LabelRequirement {
    key: Box<str>,
    operator: LabelOperator,
    /// Sorted, without repeats. One for the equalities and comparisons, none for the existences.
    values: Vec<Box<str>>,
}

/// How a [`LabelRequirement`] compares; Kubernetes' `selection.Operator`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LabelOperator {
    /// `!key`.
    DoesNotExist,
    /// `key==value`, the same as [`Equals`](Self::Equals) but in print.
    DoubleEquals,
    /// `key=value`.
    Equals,
    /// `key`.
    Exists,
    /// `key>1`, on integers.
    GreaterThan,
    /// `key in (a,b)`.
    In,
    /// `key<1`, on integers.
    LessThan,
    /// `key!=value`; an object without the key meets it.
    NotEquals,
    /// `key notin (a,b)`; an object without the key meets it.
    NotIn,
}

impl LabelSelector {
    /// Parses the text form, as in `?labelSelector=`.
    pub fn parse(selector: &str) -> Result<Self, SelectorError> {
        let mut requirements = Parser { tokens: scan(selector), at: 0 }.parse()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self(requirements))
    }

    /// Builds the selector from requirements, as from a metav1.LabelSelector's expressions.
    pub fn from_requirements(requirements: impl IntoIterator<Item = LabelRequirement>) -> Self {
        let mut requirements: Vec<_> = requirements.into_iter().collect();
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self(requirements)
    }

    /// The selector that requires each of `labels` to be as given: `matchLabels`.
    pub fn from_match_labels<'a>(
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SelectorError> {
        labels
            .into_iter()
            .map(|(key, value)| LabelRequirement::new(key, LabelOperator::In, [value]))
            .collect::<Result<Vec<_>, _>>()
            .map(Self::from_requirements)
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &StrMap) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether the selector requires nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[LabelRequirement] {
        &self.0
    }

    /// What is wrong with `key` as a label key, in the real words; empty when nothing is.
    pub fn key_errors(key: &str) -> Vec<String> {
        label_syntax::key_errors(key)
    }

    /// What is wrong with `value` as a label value, in the real words; empty when nothing is.
    pub fn value_errors(value: &str) -> Vec<String> {
        label_syntax::value_errors(value)
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl LabelRequirement {
    /// Checks and builds one requirement; the errors are `labels.NewRequirement`'s.
    pub fn new<'a>(
        key: &str,
        operator: LabelOperator,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SelectorError> {
        let values: BTreeSet<&str> = values.into_iter().collect();
        let mut errors = Vec::new();
        errors.extend(key_error("key", key));
        let count_error = match operator {
            LabelOperator::In | LabelOperator::NotIn if values.is_empty() => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            LabelOperator::Equals | LabelOperator::DoubleEquals | LabelOperator::NotEquals
                if values.len() != 1 =>
            {
                Some("exact-match compatibility requires one single value")
            }
            LabelOperator::Exists | LabelOperator::DoesNotExist if !values.is_empty() => {
                Some("values set must be empty for exists and does not exist")
            }
            LabelOperator::GreaterThan | LabelOperator::LessThan if values.len() != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        };
        if let Some(error) = count_error {
            let list: Vec<String> = values.iter().map(|value| quote(value)).collect();
            errors.push(format!("values: Invalid value: []string{{{}}}: {error}", list.join(", ")));
        }
        let numeric = matches!(operator, LabelOperator::GreaterThan | LabelOperator::LessThan);
        for (at, value) in values.iter().enumerate() {
            if numeric && value.parse::<i64>().is_err() {
                errors.push(format!(
                    "values[{at}]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be \
                     an integer",
                    quote(value)
                ));
            }
        }
        for (at, value) in values.iter().enumerate() {
            let wrong = label_syntax::value_errors(value);
            if !wrong.is_empty() {
                let wrong = wrong.join("; ");
                errors
                    .push(format!("values[{at}][{key}]: Invalid value: {}: {wrong}", quote(value)));
            }
        }
        match &errors[..] {
            [] => Ok(Self {
                key: key.into(),
                operator,
                values: values.into_iter().map(Box::from).collect(),
            }),
            [error] => Err(SelectorError(error.clone())),
            _ => Err(SelectorError(format!("[{}]", errors.join(", ")))),
        }
    }

    /// Whether these labels meet the requirement.
    pub fn matches(&self, labels: &StrMap) -> bool {
        let found = labels.get(&self.key);
        let is_in = |value: &str| self.values.iter().any(|wanted| **wanted == *value);
        match self.operator {
            LabelOperator::In | LabelOperator::Equals | LabelOperator::DoubleEquals => {
                found.is_some_and(is_in)
            }
            LabelOperator::NotIn | LabelOperator::NotEquals => !found.is_some_and(is_in),
            LabelOperator::Exists => found.is_some(),
            LabelOperator::DoesNotExist => found.is_none(),
            LabelOperator::GreaterThan => self.compare(found, |found, wanted| found > wanted),
            LabelOperator::LessThan => self.compare(found, |found, wanted| found < wanted),
        }
    }

    /// The label key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How the label is compared.
    pub fn operator(&self) -> LabelOperator {
        self.operator
    }

    /// The values, sorted.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(AsRef::as_ref)
    }

    fn compare(&self, found: Option<&str>, holds: impl Fn(i64, i64) -> bool) -> bool {
        let wanted = self.values.first().and_then(|value| value.parse().ok());
        let found = found.and_then(|value| value.parse().ok());
        found.zip(wanted).is_some_and(|(found, wanted)| holds(found, wanted))
    }
}

impl fmt::Display for LabelRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            LabelOperator::DoesNotExist => write!(f, "!{key}"),
            LabelOperator::DoubleEquals => write!(f, "{key}=={values}"),
            LabelOperator::Equals => write!(f, "{key}={values}"),
            LabelOperator::Exists => f.write_str(key),
            LabelOperator::GreaterThan => write!(f, "{key}>{values}"),
            LabelOperator::In => write!(f, "{key} in ({values})"),
            LabelOperator::LessThan => write!(f, "{key}<{values}"),
            LabelOperator::NotEquals => write!(f, "{key}!={values}"),
            LabelOperator::NotIn => write!(f, "{key} notin ({values})"),
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn parse(mut self) -> Result<Vec<LabelRequirement>, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            let token = self.peek();
            match token.kind {
                TokenKind::Identifier | TokenKind::DoesNotExist => {}
                TokenKind::EndOfString => return Ok(requirements),
                _ => return found(token, ", expected: !, identifier, or 'end of string'"),
            }
            let requirement = self
                .requirement()
                .map_err(|e| SelectorError(format!("unable to parse requirement: {e}")))?;
            requirements.push(requirement);
            let token = self.take();
            match token.kind {
                TokenKind::EndOfString => return Ok(requirements),
                TokenKind::Comma => {
                    let next = self.peek();
                    if !matches!(next.kind, TokenKind::Identifier | TokenKind::DoesNotExist) {
                        return found(next, ", expected: identifier after ','");
                    }
                }
                _ => return found(token, ", expected: ',' or 'end of string'"),
            }
        }
    }

    fn requirement(&mut self) -> Result<LabelRequirement, SelectorError> {
        let mut token = self.take();
        let negated = token.kind == TokenKind::DoesNotExist;
        if negated {
            token = self.take();
        }
        if token.kind != TokenKind::Identifier {
            return found(token, ", expected: identifier");
        }
        let key = token.text;
        if let Some(error) = key_error("<nil>", key) {
            return Err(SelectorError(error));
        }
        let ends = matches!(self.peek().kind, TokenKind::EndOfString | TokenKind::Comma);
        // After `!key` the real parser looks no further; what follows is its caller's problem.
        if negated {
            return LabelRequirement::new(key, LabelOperator::DoesNotExist, []);
        }
        if ends {
            return LabelRequirement::new(key, LabelOperator::Exists, []);
        }
        let operator = self.operator()?;
        let values = match operator {
            LabelOperator::In | LabelOperator::NotIn => self.value_list()?,
            _ => self.exact_value()?,
        };
        LabelRequirement::new(key, operator, values)
    }

    fn operator(&mut self) -> Result<LabelOperator, SelectorError> {
        let token = self.take_raw();
        Ok(match token.kind {
            TokenKind::DoubleEquals => LabelOperator::DoubleEquals,
            TokenKind::Equals => LabelOperator::Equals,
            TokenKind::GreaterThan => LabelOperator::GreaterThan,
            TokenKind::In => LabelOperator::In,
            TokenKind::LessThan => LabelOperator::LessThan,
            TokenKind::NotEquals => LabelOperator::NotEquals,
            TokenKind::NotIn => LabelOperator::NotIn,
            _ => return found(token, ", expected: in, notin, =, ==, !=, gt, lt"),
        })
    }

    fn exact_value(&mut self) -> Result<Vec<&'a str>, SelectorError> {
        if matches!(self.peek().kind, TokenKind::EndOfString | TokenKind::Comma) {
            return Ok(vec![""]);
        }
        let token = self.take();
        match token.kind {
            TokenKind::Identifier => Ok(vec![token.text]),
            _ => found(token, ", expected: identifier"),
        }
    }

    fn value_list(&mut self) -> Result<Vec<&'a str>, SelectorError> {
        let token = self.take();
        if token.kind != TokenKind::OpenPar {
            return found(token, " expected: '('");
        }
        let first = self.peek();
        match first.kind {
            TokenKind::Identifier | TokenKind::Comma => {
                let values = self.identifiers()?;
                if self.take().kind != TokenKind::ClosedPar {
                    return found(first, ", expected: ')'");
                }
                Ok(values)
            }
            TokenKind::ClosedPar => {
                self.take();
                Ok(vec![""])
            }
            _ => found(first, ", expected: ',', ')' or identifier"),
        }
    }

    /// Values up to the closing parenthesis; a missing one between commas is the empty string.
    fn identifiers(&mut self) -> Result<Vec<&'a str>, SelectorError> {
        let mut values = Vec::new();
        loop {
            let token = self.take();
            let next = self.peek();
            match (token.kind, next.kind) {
                (TokenKind::Identifier, TokenKind::Comma) => values.push(token.text),
                (TokenKind::Identifier, TokenKind::ClosedPar) => {
                    values.push(token.text);
                    return Ok(values);
                }
                (TokenKind::Identifier, _) => return found(next, ", expected: ',' or ')'"),
                (TokenKind::Comma, after) => {
                    if values.is_empty() {
                        values.push("");
                    }
                    if after == TokenKind::ClosedPar {
                        values.push("");
                        return Ok(values);
                    }
                    if after == TokenKind::Comma {
                        self.take();
                        values.push("");
                    }
                }
                _ => return found(token, ", expected: ',', or identifier"),
            }
        }
    }

    /// The next token where `in` and `notin` are plain words.
    fn peek(&self) -> Token<'a> {
        let mut token = self.peek_raw();
        if matches!(token.kind, TokenKind::In | TokenKind::NotIn) {
            token.kind = TokenKind::Identifier;
        }
        token
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn take_raw(&mut self) -> Token<'a> {
        let token = self.peek_raw();
        self.at += 1;
        token
    }

    fn peek_raw(&self) -> Token<'a> {
        let end = Token { kind: TokenKind::EndOfString, text: "" };
        self.tokens.get(self.at).copied().unwrap_or(end)
    }
}

fn found<T>(token: Token<'_>, expected: &str) -> Result<T, SelectorError> {
    Err(SelectorError(format!("found '{}'{expected}", token.text)))
}

fn key_error(path: &str, key: &str) -> Option<String> {
    let wrong = label_syntax::key_errors(key);
    (!wrong.is_empty())
        .then(|| format!("{path}: Invalid value: {}: {}", quote(key), wrong.join("; ")))
}

/// Go's `%q`, near enough for what a selector may hold.
fn quote(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_error(selector: &str, message: &str) {
        let error = LabelSelector::parse(selector).expect_err(selector).to_string();
        assert!(error.starts_with(message), "{selector}: {error}");
    }

    fn check_matches(selector: &str, labels: &[(&str, &str)], expected: bool) {
        let labels = StrMap::from_pairs(labels.iter().copied());
        let selector = LabelSelector::parse(selector).unwrap();
        assert_eq!(selector.matches(&labels), expected, "{selector} on {labels:?}");
    }

    #[test]
    fn the_canonical_form_is_sorted_by_key() {
        for (given, canonical) in [
            ("", ""),
            (" b , a==1,a2!=x ", "a==1,a2!=x,b"),
            ("x in (b,a,b),!y,z notin ()", "x in (a,b),!y,z notin ()"),
            ("x in (b,a,b),!y,z notin (,)", "x in (a,b),!y,z notin ()"),
            ("n>1,m<2", "m<2,n>1"),
            ("in=notin", "in=notin"),
            ("a=", "a="),
            ("a in (,b)", "a in (,b)"),
            ("a in (b,,c)", "a in (,b,c)"),
        ] {
            let selector = LabelSelector::parse(given).unwrap();
            assert_eq!(selector.to_string(), canonical, "{given}");
        }
    }

    #[test]
    fn objects_without_the_key_meet_only_the_negations() {
        for (selector, expected) in [
            ("a=1", false),
            ("a!=1", true),
            ("a in (1)", false),
            ("a notin (1)", true),
            ("a", false),
            ("!a", true),
            ("a>0", false),
            ("a<9", false),
        ] {
            check_matches(selector, &[("b", "1")], expected);
        }
        check_matches("a>1,a<3,b in (x,y)", &[("a", "2"), ("b", "y")], true);
        check_matches("a>1", &[("a", "two")], false);
        check_matches("a=", &[("a", "")], true);
    }

    #[test]
    fn errors_are_worded_as_recorded() {
        check_error("=x", "found '=', expected: !, identifier, or 'end of string'");
        check_error(
            "a b",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        );
        check_error("par=ev en", "found 'en', expected: ',' or 'end of string'");
        check_error("par in (even", "unable to parse requirement: found '', expected: ',' or ')'");
        check_error(
            "par@x",
            "unable to parse requirement: <nil>: Invalid value: \"par@x\": name part must consist \
             of alphanumeric characters",
        );
        check_error("a,", "found '', expected: identifier after ','");
        check_error(
            "a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' \
             operators, the value must be an integer",
        );
        // Recorded: an empty list is a list of the empty value.
        let empty = LabelSelector::parse("a in ()").unwrap();
        assert!(empty.matches(&[("a", "")].into_iter().collect()));
        assert!(!empty.matches(&[("a", "b")].into_iter().collect()));
        check_error(
            "a=-",
            "unable to parse requirement: values[0][a]: Invalid value: \"-\": a valid label must",
        );
        check_error(
            "a/b/c",
            "unable to parse requirement: <nil>: Invalid value: \"a/b/c\": a qualified name",
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,30}|[a-c!=<>(), \0]{0,20}") {
            let _ = LabelSelector::parse(&text);
        }

        #[test]
        fn the_canonical_form_parses_to_itself(text in "(!?[a-c]|[a-c](=|==|!=)[a-c]?|[a-c] (not)?in \\([a-c]?(,[a-c]?){0,3}\\)|[a-c][<>][0-9])(,(!?[a-c]|[a-c]!=[a-c])){0,3}") {
            if let Ok(selector) = LabelSelector::parse(&text) {
                let again = LabelSelector::parse(&selector.to_string());
                // `notin ()` is how a lone empty value prints, in the real one too.
                if !selector.to_string().contains("()") {
                    prop_assert_eq!(again, Ok(selector));
                }
            }
        }
    }
}
