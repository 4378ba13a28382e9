//! A rule of a role: what it allows.

use serde_json::{Map, Value, json};

use super::Attributes;
use crate::go;

/// One `PolicyRule`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// The verbs; `*` is all.
    pub verbs: Vec<String>,
    /// The API groups; `*` is all.
    pub api_groups: Vec<String>,
    /// `resource`, `resource/subresource`, `*/subresource` or `*`.
    pub resources: Vec<String>,
    /// The names; none is all.
    pub resource_names: Vec<String>,
    /// Paths; a final `*` stands for what follows.
    pub non_resource_urls: Vec<String>,
}

impl Rule {
    /// Reads the `rules` of a role; what is no rule is left out.
    pub(super) fn list(rules: Option<&Value>) -> Vec<Self> {
        rules.and_then(Value::as_array).into_iter().flatten().map(Self::read).collect()
    }

    fn read(rule: &Value) -> Self {
        let texts = |key: &str| -> Vec<String> {
            let items = rule.get(key).and_then(Value::as_array);
            items.into_iter().flatten().filter_map(|item| item.as_str().map(Into::into)).collect()
        };
        Self {
            verbs: texts("verbs"),
            api_groups: texts("apiGroups"),
            resources: texts("resources"),
            resource_names: texts("resourceNames"),
            non_resource_urls: texts("nonResourceURLs"),
        }
    }

    /// The object, with its members in the order of the type.
    pub(super) fn to_value(&self) -> Value {
        let mut members = Map::new();
        members.insert("verbs".into(), json!(self.verbs));
        for (key, items) in [
            ("apiGroups", &self.api_groups),
            ("resources", &self.resources),
            ("resourceNames", &self.resource_names),
            ("nonResourceURLs", &self.non_resource_urls),
        ] {
            if !items.is_empty() {
                members.insert(key.into(), json!(items));
            }
        }
        Value::Object(members)
    }

    /// Whether it allows this.
    ///
    /// Source: `plugin/pkg/auth/authorizer/rbac.RuleAllows`.
    #[must_use]
    pub fn allows(&self, wanted: &Attributes<'_>) -> bool {
        if !has(&self.verbs, wanted.verb) {
            return false;
        }
        if !wanted.is_resource {
            return self.non_resource_urls.iter().any(|url| covers_url(url, wanted.path));
        }
        has(&self.api_groups, wanted.group)
            && self.resources.iter().any(|rule| covers(rule, wanted.resource, wanted.subresource))
            && (self.resource_names.is_empty()
                || self.resource_names.iter().any(|name| name == wanted.name))
    }

    /// Whether whoever has this rule has all of `other`, which is about one thing only.
    ///
    /// Source: `k8s.io/component-helpers/auth/rbac/validation.ruleCovers`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let all = |mine: &[String], theirs: &[String]| {
            mine.iter().any(|item| item == "*") || theirs.iter().all(|item| mine.contains(item))
        };
        let resources = other.resources.iter().all(|theirs| {
            let (resource, sub) = theirs.split_once('/').unwrap_or((theirs, ""));
            self.resources.iter().any(|mine| covers(mine, resource, sub))
        });
        let urls = other
            .non_resource_urls
            .iter()
            .all(|theirs| self.non_resource_urls.iter().any(|mine| covers_url(mine, theirs)));
        let names = match (&self.resource_names[..], &other.resource_names[..]) {
            ([], _) => true,
            (_, []) => false,
            (mine, theirs) => theirs.iter().all(|name| mine.contains(name)),
        };
        all(&self.verbs, &other.verbs)
            && all(&self.api_groups, &other.api_groups)
            && resources
            && urls
            && names
    }

    /// The rule in pieces, each about one verb of one thing.
    ///
    /// Source: `validation.BreakdownRule`.
    pub(super) fn pieces(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let mut pieces = Vec::new();
        for group in &self.api_groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let piece = Self {
                        verbs: one(verb),
                        api_groups: one(group),
                        resources: one(resource),
                        ..Self::default()
                    };
                    if self.resource_names.is_empty() {
                        pieces.push(piece);
                        continue;
                    }
                    pieces.extend(
                        self.resource_names
                            .iter()
                            .map(|name| Self { resource_names: one(name), ..piece.clone() }),
                    );
                }
            }
        }
        for url in &self.non_resource_urls {
            pieces.extend(self.verbs.iter().map(|verb| Self {
                verbs: one(verb),
                non_resource_urls: one(url),
                ..Self::default()
            }));
        }
        pieces
    }

    /// Puts pieces about the same resource together.
    ///
    /// Source: `validation.CompactRules`.
    pub(super) fn compacted(pieces: Vec<Self>) -> Vec<Self> {
        let mut compacted: Vec<Self> = Vec::new();
        for piece in pieces {
            let same = compacted.iter_mut().find(|known| {
                piece.non_resource_urls.is_empty()
                    && known.non_resource_urls.is_empty()
                    && known.api_groups == piece.api_groups
                    && known.resources == piece.resources
                    && known.resource_names == piece.resource_names
            });
            match same {
                Some(known) => known.verbs.extend(piece.verbs),
                None => compacted.push(piece),
            }
        }
        compacted
    }

    /// How an error prints it. Source: `rbacv1helpers.CompactString`.
    pub(super) fn print(&self) -> String {
        let parts: Vec<String> = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ]
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(name, items)| format!("{name}:{}", quoted(items)))
        .collect();
        format!("{{{}}}", parts.join(", "))
    }
}

/// Go's `%q` of a `[]string`.
pub(super) fn quoted(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| go::quote(item)).collect();
    format!("[{}]", items.join(" "))
}

fn has(items: &[String], wanted: &str) -> bool {
    items.iter().any(|item| item == "*" || item == wanted)
}

/// Whether a rule's resource is this one. Source: `rbac.ResourceMatches`.
fn covers(rule: &str, resource: &str, subresource: &str) -> bool {
    if rule == "*" {
        return true;
    }
    match (rule.split_once('/'), subresource) {
        (None, "") => rule == resource,
        (None, _) | (Some(_), "") => false,
        (Some((of, sub)), wanted) => (of == "*" || of == resource) && sub == wanted,
    }
}

/// Whether a rule's path is this one. Source: `rbac.NonResourceURLMatches`.
fn covers_url(rule: &str, path: &str) -> bool {
    if rule == "*" || rule == path {
        return true;
    }
    rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*'))
}
