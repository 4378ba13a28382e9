//! `x-kubernetes-validations`: rules in CEL.
//!
//! Source: k8s.io/apiextensions-apiserver `pkg/apiserver/schema/cel/validation.go` and what
//! `pkg/apis/apiextensions/validation` says of rules, release-1.33.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    field_path::field_path,
    list::Correlated,
    path::Path,
    props::{Props, Rule},
};
use crate::{
    cel::{Budget, Expression, Type, Val, check},
    go,
    status::StatusCause,
};

/// The rules of a schema and those below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    here: Vec<Compiled>,
    items: Option<Box<Self>>,
    additional: Option<Box<Self>>,
    properties: BTreeMap<String, Self>,
}

#[derive(Clone, Debug)]
struct Compiled {
    rule: Rule,
    expression: Result<Expression, String>,
    message: Option<Expression>,
    /// The path that the cause is told of, below the object.
    field: String,
}

impl Rules {
    /// Those of a schema; `None` where there are none.
    pub(super) fn of(schema: &Props) -> Option<Self> {
        let below = |schema: Option<&Props>| schema.and_then(Self::of).map(Box::new);
        let properties: BTreeMap<_, _> = schema
            .properties
            .iter()
            .filter_map(|(name, property)| Some((name.clone(), Self::of(property)?)))
            .collect();
        let rules = Self {
            here: schema.rules.iter().map(|rule| Compiled::new(rule, schema)).collect(),
            items: below(schema.items.as_deref()),
            additional: below(schema.additional_schema()),
            properties,
        };
        let has_any = !rules.here.is_empty()
            || rules.items.is_some()
            || rules.additional.is_some()
            || !rules.properties.is_empty();
        has_any.then_some(rules)
    }

    /// Adds what is wrong with a value. Where it replaces another, a rule that does not speak of
    /// that is not asked of what has not changed.
    pub(super) fn check(
        &self,
        value: &Value,
        old: Option<&Value>,
        schema: &Props,
        path: &Path<'_>,
        causes: &mut Vec<StatusCause>,
    ) {
        let mut walk = Walk { budget: Budget::of_request(), is_over: false, causes };
        walk.value(self, value, old, old == Some(value), schema, path);
    }
}

impl Compiled {
    fn new(rule: &Rule, schema: &Props) -> Self {
        let expression = Expression::parse(&rule.rule).map_err(|problem| problem.show(&rule.rule));
        let message = match rule.message_expression.as_str() {
            "" => None,
            source => Expression::parse(source).ok(),
        };
        let field = match rule.field_path.as_str() {
            "" => String::new(),
            path => field_path(path, schema, true).map(|found| found.text).unwrap_or_default(),
        };
        Self { rule: rule.clone(), expression, message, field }
    }
}

impl Rule {
    /// What is named in errors of the rule itself.
    fn shown(&self) -> &str {
        match self.message.as_str() {
            "" => self.rule.trim(),
            message => message.trim(),
        }
    }

    fn message(&self) -> String {
        match self.message.as_str() {
            "" => format!("failed rule: {}", self.shown()),
            message => message.trim().to_owned(),
        }
    }
}

struct Walk<'a> {
    budget: Budget,
    /// The budget is spent; nothing more is looked at.
    is_over: bool,
    causes: &'a mut Vec<StatusCause>,
}

impl Walk<'_> {
    fn value(
        &mut self,
        rules: &Rules,
        value: &Value,
        old: Option<&Value>,
        is_unchanged: bool,
        schema: &Props,
        path: &Path<'_>,
    ) {
        if self.is_over || value.is_null() {
            return;
        }
        for compiled in &rules.here {
            self.rule(compiled, value, old, is_unchanged, schema, path);
            if self.is_over {
                return;
            }
        }
        let same = |value: &Value, old: Option<&Value>| match old {
            Some(old) => old == value,
            None => is_unchanged,
        };
        match value {
            Value::Array(items) => {
                let (Some(rules), Some(element)) = (&rules.items, &schema.items) else { return };
                let before = Correlated::new(schema, old);
                for (at, item) in items.iter().enumerate() {
                    let old = before.get(item);
                    let is_same = same(item, old);
                    self.value(rules, item, old, is_same, element, &path.index(at));
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    let old = old.and_then(|old| old.get(name));
                    let is_same = same(value, old);
                    if let Some(property) = schema.properties.get(name) {
                        let Some(rules) = rules.properties.get(name) else { continue };
                        self.value(rules, value, old, is_same, property, &path.member(name));
                    } else if let (Some(rules), Some(additional)) =
                        (&rules.additional, schema.additional_schema())
                    {
                        self.value(rules, value, old, is_same, additional, &path.key(name));
                    }
                }
            }
            _ => {}
        }
    }

    fn rule(
        &mut self,
        compiled: &Compiled,
        value: &Value,
        old: Option<&Value>,
        is_unchanged: bool,
        schema: &Props,
        path: &Path<'_>,
    ) {
        let rule = &compiled.rule;
        let kind = go::quote(&schema.kind);
        let mut say = |detail: &str| {
            self.causes.push(StatusCause::invalid(path.field(), kind.as_str(), detail));
        };
        let expression = match &compiled.expression {
            Ok(expression) => expression,
            Err(error) => {
                say(&format!("rule compile error: compilation failed: {error}"));
                return;
            }
        };
        let is_optional = rule.optional_old_self == Some(true);
        let old = old.filter(|old| !old.is_null());
        if expression.uses_old_self && old.is_none() && !is_optional {
            return;
        }
        let this = Val::of(value, Some(schema));
        let before = old.map(|old| Val::of(old, Some(schema)));
        let before = match is_optional {
            true => Some(Val::Optional(before.map(std::sync::Arc::new))),
            false => before,
        };
        let outcome = expression.evaluate(this.clone(), before.clone(), &mut self.budget);
        let out_of_budget = "validation failed due to running out of cost budget, no further \
                             validation rules will be run";
        match outcome {
            Ok(Val::Bool(true)) => return,
            Ok(_) => {}
            Err(error) => {
                let shown = rule.shown();
                if self.budget.left == 0 {
                    say(out_of_budget);
                    self.is_over = true;
                } else if error.starts_with("no such overload") {
                    say(&format!(
                        "'{error}': call arguments did not match a supported operator, function \
                         or macro signature for rule: {shown}"
                    ));
                } else if error == crate::cel::LIMIT {
                    say(&format!(
                        "'{error}': no further validation rules will be run due to call cost \
                         exceeds limit for rule: {shown}"
                    ));
                    self.is_over = true;
                } else {
                    say(&format!("{error} evaluating rule: {shown}"));
                }
                return;
            }
        }
        if !expression.uses_old_self && is_unchanged {
            return;
        }
        let made = compiled.message.as_ref().and_then(|message| {
            match message.evaluate(this, before, &mut self.budget) {
                Ok(Val::Text(text)) => {
                    let text = text.trim().to_owned();
                    let fits =
                        !text.is_empty() && text.len() <= MESSAGE_MAX && !text.contains('\n');
                    fits.then_some(text)
                }
                _ => None,
            }
        });
        let detail = made.unwrap_or_else(|| rule.message());
        let field = match compiled.field.as_str() {
            "" => path.field(),
            field => path.member(field).field(),
        };
        self.causes.push(match rule.reason.as_deref() {
            Some("FieldValueForbidden") => StatusCause::forbidden(field, &detail),
            Some("FieldValueRequired") => StatusCause::required(field, &detail),
            Some("FieldValueDuplicate") => StatusCause::duplicate(field, kind),
            _ => StatusCause::invalid(field, kind, &detail),
        });
    }
}

/// What is wrong with the rules within a schema.
pub(crate) fn rule_errors(schema: &Props, path: &Path<'_>) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    walk(schema, path, true, None, &mut causes);
    causes
}

fn walk(
    schema: &Props,
    path: &Path<'_>,
    is_root: bool,
    uncorrelated: Option<&str>,
    causes: &mut Vec<StatusCause>,
) {
    let rules_at = path.member("x-kubernetes-validations");
    for (place, rule) in schema.rules.iter().enumerate() {
        let at = rules_at.index(place);
        let this = Type::of(schema, is_root);
        let old = match rule.optional_old_self {
            Some(true) => Type::Optional(Box::new(this.clone())),
            _ => this.clone(),
        };
        let rule_at = at.member("rule").field();
        let refuse = |detail: &str| {
            StatusCause::invalid(
                rule_at.as_str(),
                go_rule(rule),
                &format!("compilation failed: {detail}"),
            )
        };
        let expression = match Expression::parse(&rule.rule) {
            Ok(expression) => expression,
            Err(problem) => {
                causes.push(refuse(&problem.show(&rule.rule)));
                continue;
            }
        };
        match check(&expression, this.clone(), Some(old.clone())) {
            Err(problem) => causes.push(refuse(&problem.show(&rule.rule))),
            Ok(Type::Any | Type::Bool) => {}
            Ok(_) => causes.push(StatusCause::invalid(
                rule_at.as_str(),
                go_rule(rule),
                "cel expression must evaluate to a bool",
            )),
        }
        if expression.uses_old_self {
            if let Some(within) = uncorrelated {
                let detail = format!(
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within \
                     {within}"
                );
                causes.push(StatusCause::invalid_text(rule_at.as_str(), &rule.rule, &detail));
            }
        } else if let Some(optional) = rule.optional_old_self {
            causes.push(StatusCause::invalid(
                at.member("optionalOldSelf").field(),
                optional.to_string(),
                "may not be set if oldSelf is not used in rule",
            ));
        }
        if !rule.message_expression.is_empty() {
            let message_at = at.member("messageExpression").field();
            let checked = Expression::parse(&rule.message_expression).and_then(|expression| {
                check(&expression, this, Some(old))
                    .map(|kind| kind == Type::Text || kind == Type::Any)
            });
            match checked {
                Ok(true) => {}
                Ok(false) => causes.push(StatusCause::invalid(
                    message_at,
                    go_rule(rule),
                    "messageExpression must evaluate to a string",
                )),
                Err(problem) => causes.push(StatusCause::invalid(
                    message_at,
                    go_rule(rule),
                    &format!(
                        "messageExpression compilation failed: {}",
                        problem.show(&rule.message_expression)
                    ),
                )),
            }
        }
    }
    let properties_at = path.member("properties");
    for (name, property) in &schema.properties {
        walk(property, &properties_at.key(name), false, uncorrelated, causes);
    }
    if let Some(additional) = schema.additional_schema() {
        walk(additional, &path.member("additionalProperties"), false, uncorrelated, causes);
    }
    if let Some(items) = &schema.items {
        let here = path.field();
        let within = match schema.list_type.as_deref() {
            Some("map") => uncorrelated,
            _ => uncorrelated.or(Some(&here)),
        };
        walk(items, &path.member("items"), false, within, causes);
    }
}

/// Go's `%#v` of a rule. Where it prints an address there is a fixed one.
fn go_rule(rule: &Rule) -> String {
    let pointer = |is_set: bool, name: &str| match is_set {
        true => format!("(*{name})(0xc000000000)"),
        false => format!("(*{name})(nil)"),
    };
    format!(
        "apiextensions.ValidationRule{{Rule:{}, Message:{}, MessageExpression:{}, Reason:{}, \
         FieldPath:{}, OptionalOldSelf:{}}}",
        go::quote(&rule.rule),
        go::quote(&rule.message),
        go::quote(&rule.message_expression),
        pointer(rule.reason.is_some(), "apiextensions.FieldValueErrorReason"),
        go::quote(&rule.field_path),
        pointer(rule.optional_old_self.is_some(), "bool"),
    )
}

/// Bytes. Source: `MaxEvaluatedMessageExpressionSizeBytes`.
const MESSAGE_MAX: usize = 5 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<String> {
        let schema = Props::parse(schema).unwrap();
        let mut causes = Vec::new();
        Rules::of(&schema).unwrap().check(value, old, &schema, &Path::ROOT, &mut causes);
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    fn spec(rules: &Value) -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object",
            "properties": {"n": {"type": "integer"}, "max": {"type": "integer"}},
            "x-kubernetes-validations": rules}}})
    }

    #[test]
    fn rules_that_fail_are_told() {
        let schema = spec(&json!([
            {"rule": "self.n <= 10", "message": "too many"},
            {"rule": "self.n <= self.max", "messageExpression": "'more than ' + string(self.max)",
                "fieldPath": ".n", "reason": "FieldValueForbidden"},
            {"rule": "self.n >= 0"},
        ]));
        assert_eq!(
            texts(&schema, &json!({"spec": {"n": 11, "max": 5}}), None),
            ["spec: Invalid value: \"object\": too many", "spec.n: Forbidden: more than 5"]
        );
        assert_eq!(
            texts(&schema, &json!({"spec": {"n": -1}}), None),
            [
                "spec: Invalid value: \"object\": no such key: max evaluating rule: self.n <= self.max",
                "spec: Invalid value: \"object\": failed rule: self.n >= 0"
            ]
        );
    }

    #[test]
    fn rules_of_change_see_what_was() {
        let schema = spec(&json!([{"rule": "self.n >= oldSelf.n", "message": "no less"}]));
        let (old, less) = (json!({"spec": {"n": 5}}), json!({"spec": {"n": 4}}));
        assert!(texts(&schema, &less, None).is_empty());
        assert_eq!(texts(&schema, &less, Some(&old)), ["spec: Invalid value: \"object\": no less"]);
        // What has not changed may stay wrong.
        let schema = spec(&json!([{"rule": "self.n > 10"}]));
        assert!(texts(&schema, &old, Some(&old)).is_empty());
        assert_eq!(texts(&schema, &less, Some(&old)).len(), 1);
    }

    #[test]
    fn rules_that_cannot_be_are_refused() {
        let schema = spec(&json!([
            {"rule": "self.nope > 1"}, {"rule": "self.n"}, {"rule": "self.n >"},
            {"rule": "self.n > 1", "optionalOldSelf": true},
        ]));
        let schema = Props::parse(&schema).unwrap();
        let causes = rule_errors(&schema, &Path::ROOT);
        let fields: Vec<_> = causes.iter().map(|cause| cause.field.as_str()).collect();
        let at = "properties[spec].x-kubernetes-validations";
        assert_eq!(
            fields,
            [
                format!("{at}[0].rule"),
                format!("{at}[1].rule"),
                format!("{at}[2].rule"),
                format!("{at}[3].optionalOldSelf")
            ]
        );
        assert!(
            causes[0]
                .message
                .contains("compilation failed: ERROR: <input>:1:5: undefined field 'nope'")
        );
    }
}
