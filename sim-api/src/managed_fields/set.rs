//! Sets of paths.

use std::collections::BTreeMap;

use super::path::PathElement;
use crate::schema::{Schema, Type, TypeRef};

/// A set of paths, as a tree.
///
/// A node without a path of its own has paths below it; empty nodes do not exist.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Set(BTreeMap<PathElement, Node>);

/// Whether a path is in the set, and the paths below it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Node {
    pub(super) is_member: bool,
    pub(super) below: Set,
}

impl Node {
    pub(super) fn member() -> Self {
        Self { is_member: true, below: Set::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_member && self.below.is_empty()
    }
}

impl Set {
    /// Whether no path is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The set of the paths of field names that are written with dots.
    pub fn of_fields(paths: &[&str]) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.insert(path.split('.').map(|name| PathElement::Field(name.into())));
        }
        set
    }

    /// Adds a path.
    pub fn insert(&mut self, path: impl IntoIterator<Item = PathElement>) {
        let mut path = path.into_iter();
        let Some(first) = path.next() else { return };
        let mut node = self.0.entry(first).or_default();
        for element in path {
            node = node.below.0.entry(element).or_default();
        }
        node.is_member = true;
    }

    /// Adds what is at and below a path element.
    pub(super) fn attach(&mut self, element: PathElement, node: Node) {
        if node.is_empty() {
            return;
        }
        let known = self.0.entry(element).or_default();
        known.is_member |= node.is_member;
        if known.below.is_empty() {
            known.below = node.below;
        } else {
            known.below = known.below.union(&node.below);
        }
    }

    pub(super) fn node(&self, element: &PathElement) -> Option<&Node> {
        self.0.get(element)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = (&PathElement, &Node)> {
        self.0.iter()
    }

    /// The paths that are in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        for (element, node) in &other.0 {
            union.attach(element.clone(), node.clone());
        }
        union
    }

    /// The paths that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.filter_map(|element, node| {
            let other = other.node(element)?;
            Some(Node {
                is_member: node.is_member && other.is_member,
                below: node.below.intersection(&other.below),
            })
        })
    }

    /// The paths that are not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.filter_map(|element, node| {
            Some(match other.node(element) {
                None => node.clone(),
                Some(other) => Node {
                    is_member: node.is_member && !other.is_member,
                    below: node.below.difference(&other.below),
                },
            })
        })
    }

    /// The paths that are neither in the other nor below one that is.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.filter_map(|element, node| match other.node(element) {
            None => Some(node.clone()),
            Some(Node { is_member: true, .. }) => None,
            Some(other) => Some(Node {
                is_member: node.is_member,
                below: node.below.recursive_difference(&other.below),
            }),
        })
    }

    /// Adds the path of every field that has paths below it and that the type names: a struct
    /// goes with its fields.
    #[must_use]
    pub(super) fn with_named_fields(&self, schema: &Schema, type_ref: TypeRef) -> Self {
        let found = schema.resolve(type_ref);
        self.filter_map(|element, node| {
            let (place, is_named) = match (element, found) {
                (PathElement::Field(name), Type::Struct(fields)) => match fields.field(name) {
                    Some(field) => (field.type_ref, true),
                    None => (fields.rest.unwrap_or_default(), false),
                },
                (PathElement::Field(_), Type::Map { element, .. })
                | (PathElement::Key(_), Type::List { element, .. }) => (*element, false),
                _ => (TypeRef::default(), false),
            };
            Some(Node {
                is_member: node.is_member || (is_named && !node.below.is_empty()),
                below: node.below.with_named_fields(schema, place),
            })
        })
    }

    /// Every path, those of one level before those below it.
    pub fn paths(&self) -> Vec<Vec<&PathElement>> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect<'a>(
        &'a self,
        prefix: &mut Vec<&'a PathElement>,
        paths: &mut Vec<Vec<&'a PathElement>>,
    ) {
        for (element, node) in &self.0 {
            if node.is_member {
                let mut path = prefix.clone();
                path.push(element);
                paths.push(path);
            }
        }
        for (element, node) in &self.0 {
            prefix.push(element);
            node.below.collect(prefix, paths);
            prefix.pop();
        }
    }

    fn filter_map(&self, mut change: impl FnMut(&PathElement, &Node) -> Option<Node>) -> Self {
        let nodes = self.0.iter().filter_map(|(element, node)| {
            let node = change(element, node)?;
            (!node.is_empty()).then(|| (element.clone(), node))
        });
        Self(nodes.collect())
    }
}
