use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::custom::Props;

fn run(source: &str, this: &Value, old: Option<&Value>) -> Result<String, String> {
    let expression = Expression::parse(source).map_err(|problem| problem.show(source))?;
    let mut budget = Budget::of_request();
    let outcome =
        expression.evaluate(Val::of(this, None), old.map(|old| Val::of(old, None)), &mut budget)?;
    Ok(operators::shown(&outcome))
}

#[test]
fn expressions_have_the_values_of_the_specification() {
    let this = json!({
        "a": 1, "s": "abc", "l": [3, 1, 2], "m": {"k": "v", "x.y": 1}, "n": null, "b": true,
        "o": [{"name": "x", "v": 1}, {"name": "y", "v": 2}], "__dash": 1, "a-b": 7,
    });
    for (source, value) in [
        ("self.a + 2 * 3 - 4 / 2 % 3", "5"),
        ("self.s.startsWith('a') && self.s.size() == 3", "true"),
        ("self.l.all(x, x > 0) && !self.l.exists(x, x > 3)", "true"),
        ("self.l.exists_one(x, x == 3)", "true"),
        ("self.l.filter(x, x > 1).map(x, x * 2)", "[6, 4]"),
        ("self.l.map(x, x > 1, x + 1)", "[4, 3]"),
        ("has(self.s) && !has(self.none)", "true"),
        ("'k' in self.m && 3 in self.l && !('z' in self.m)", "true"),
        ("self.m['x.y'] == 1 && self.a__dash__b == 7", "true"),
        ("self.o.filter(i, i.name == 'y')[0].v", "2"),
        ("self.b ? 'yes' : 'no'", "yes"),
        ("false && self.none.x || true", "true"),
        ("true || 1 / 0 == 1", "true"),
        ("[1, 2] + [3] == [1, 2, 3]", "true"),
        ("{'a': 1}.a == 1", "true"),
        ("1 == 1.0 && 1u == 1 && 2 > 1.5", "true"),
        ("self.l.sum() == 6 && self.l.min() == 1 && self.l.max() == 3", "true"),
        ("[1, 2, 3].isSorted() && !self.l.isSorted()", "true"),
        ("'a,b,c'.split(',').join('-')", "a-b-c"),
        ("'Hello'.lowerAscii().replace('l', 'L').substring(1, 3)", "eL"),
        ("'%s has %d of %.1f%%'.format(['x', 3, 1.25])", "x has 3 of 1.2%"),
        ("'abc123'.matches('^[a-z]+[0-9]+$') && 'a1b2'.findAll('[0-9]').size() == 2", "true"),
        ("quantity('1Gi').isGreaterThan(quantity('500M')) && isQuantity('1m')", "true"),
        ("url('https://a.example.com:8080/p?q=1').getHostname()", "a.example.com"),
        ("cidr('10.0.0.0/8').containsIP('10.1.2.3') && ip('::1').family() == 6", "true"),
        ("timestamp('2024-02-03T04:05:06Z').getFullYear()", "2024"),
        ("duration('1h30m') > duration('1h') && duration('90s').getSeconds() == 90", "true"),
        ("self.?none.orValue(5) + self.?a.orValue(0)", "6"),
        ("optional.of(3).optMap(x, x + 1).value()", "4"),
        ("sets.contains([1, 2, 3], [2]) && sets.equivalent([1, 1], [1])", "true"),
        ("self.m.all(k, k.size() > 0) && self.l.all(i, v, i >= 0 && v > 0)", "true"),
        ("cel.bind(x, self.a + 1, x * x)", "4"),
        ("size(self.l) == 3 && string(1) == '1' && int('5') == 5", "true"),
        ("type(1) == int && self.n == null", "true"),
        ("r'\\d' == '\\\\d' && '\\u00e9'.size() == 1", "true"),
        ("-self.a == -1 && !!self.b", "true"),
    ] {
        assert_eq!(run(source, &this, None).as_deref(), Ok(value), "{source}");
    }
}

#[test]
fn what_goes_wrong_is_told_as_cel_go_does() {
    let this = json!({"a": 1, "l": []});
    for (source, error) in [
        ("self.x == 1", "no such key: x"),
        ("1 / (self.a - 1)", "division by zero"),
        ("self.l[0]", "index out of bounds: 0"),
        ("self.a + 'x'", "no such overload"),
        ("9223372036854775807 + self.a", "integer overflow"),
    ] {
        assert_eq!(run(source, &this, None), Err(error.to_owned()), "{source}");
    }
    assert_eq!(run("self.a > oldSelf.a", &json!({"a": 2}), Some(&this)), Ok("true".into()));
}

#[test]
fn types_are_checked_against_the_schema() {
    let schema = Props::parse(&json!({"type": "object", "properties": {
        "n": {"type": "integer"}, "s": {"type": "string"},
        "l": {"type": "array", "items": {"type": "object", "properties": {"v": {"type": "integer"}}}},
        "m": {"type": "object", "additionalProperties": {"type": "integer"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "i": {"x-kubernetes-int-or-string": true},
    }}))
    .unwrap();
    let verdict = |source: &str| {
        let expression = Expression::parse(source).unwrap();
        check(&expression, Type::of(&schema, true), None)
            .map(|found| found == Type::Bool)
            .map_err(|problem| problem.show(source))
    };
    for source in [
        "self.n > 1 && self.s == 'x'",
        "self.l.all(x, x.v > 0)",
        "self.m.exists(k, self.m[k] > 1)",
        "self.free.anything == 1",
        "self.i == 1 || self.i == '1'",
        "self.metadata.name.size() > 3 && self.kind == 'K'",
        "has(self.s) && self.n + 1 > 2.5",
    ] {
        assert_eq!(verdict(source), Ok(true), "{source}");
    }
    assert_eq!(verdict("self.n + 1"), Ok(false));
    for (source, error) in [
        (
            "self.nope == 1",
            "ERROR: <input>:1:5: undefined field 'nope'\n | self.nope == 1\n | ....^",
        ),
        (
            "other == 1",
            "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other == 1\n | ^",
        ),
        (
            "self.s > 1",
            "ERROR: <input>:1:8: found no matching overload for '_>_' applied to '(string, int)'\n | self.s > 1\n | .......^",
        ),
        (
            "self.s.nope()",
            "ERROR: <input>:1:12: undeclared reference to 'nope' (in container '')\n | self.s.nope()\n | ...........^",
        ),
    ] {
        assert_eq!(verdict(source), Err(error.to_owned()), "{source}");
    }
}

#[test]
fn nothing_takes_forever() {
    let this = json!({"l": (0..1000).collect::<Vec<_>>(), "s": "x".repeat(1000)});
    for source in [
        "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, true))))",
        "self.l.map(a, self.l.map(b, self.s + self.s)).size() > 0",
        "self.l.all(a, self.s.matches('(x+x+)+y' + string(a)) || true)",
        "self.l.all(a, self.l.map(b, self.l + self.l).size() > 0)",
    ] {
        assert_eq!(run(source, &this, None), Err(LIMIT.to_owned()), "{source}");
    }
    for source in [
        "(".repeat(100_000),
        "!".repeat(90_000) + "true",
        "[".repeat(50_000),
        format!("1{}", "+1".repeat(40_000)),
        format!("a{}", ".a".repeat(40_000)),
        format!("true{}", "?true:true".repeat(9_000)),
        "-".repeat(90_000),
        "{1:".repeat(30_000),
    ] {
        let _ = run(&source, &this, None);
    }
}

proptest! {
    #[test]
    fn any_text_is_an_expression_or_not(
        source in "[a-z0-9 .()\\[\\]{}?:,+*/%<>=!&|'\"\\\\-]{0,40}",
    ) {
        let _ = run(&source, &json!({"a": 1}), None);
    }

    #[test]
    fn any_words_are_an_expression_or_not(words in prop::collection::vec(
        prop::sample::select(vec![
            "self", ".a", ".", "(", ")", "[", "]", "1", "'x'", "&&", "||", "+", "-", "has(",
            ".all(x,", "x", "?", ":", "in", "!", ".size()", "==", "{", "}", ",", ".?a", "[?0]",
            ".map(x,", "1.5", "2u", "null", ".matches(", ".format([", "quantity(", "b'a'",
        ]), 0..20,
    )) {
        let source = words.concat();
        if let Ok(expression) = Expression::parse(&source) {
            let schema = Props::default();
            let _ = check(&expression, Type::of(&schema, true), None);
        }
        let _ = run(&source, &json!({"a": [1, 2]}), Some(&json!({})));
    }
}
