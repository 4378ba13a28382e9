//! Expressions as trees.

use super::value::Val;

/// An expression and where it is told of when it is wrong.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) at: usize,
    /// Levels below it, so that no tree is walked that is too deep.
    pub(super) depth: usize,
    pub(super) node: Node,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    And(Vec<Expr>),
    Binary(Operator, Box<(Expr, Expr)>),
    Call { target: Option<Box<Expr>>, name: String, args: Vec<Expr> },
    Conditional(Box<(Expr, Expr, Expr)>),
    Has(Box<Expr>, String),
    Ident(String),
    Index { of: Box<Expr>, index: Box<Expr>, is_optional: bool },
    List(Vec<(Expr, bool)>),
    Literal(Val<'static>),
    Loop(Box<Loop>),
    Map(Vec<(Expr, Expr, bool)>),
    Negate(Box<Expr>),
    Not(Box<Expr>),
    Or(Vec<Expr>),
    Select { of: Box<Expr>, field: String, is_optional: bool },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Operator {
    Add,
    Divide,
    Equal,
    Greater,
    GreaterOrEqual,
    In,
    Less,
    LessOrEqual,
    Multiply,
    NotEqual,
    Remainder,
    Subtract,
}

impl Operator {
    /// cel-go's name of the function.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Add => "_+_",
            Self::Divide => "_/_",
            Self::Equal => "_==_",
            Self::Greater => "_>_",
            Self::GreaterOrEqual => "_>=_",
            Self::In => "@in",
            Self::Less => "_<_",
            Self::LessOrEqual => "_<=_",
            Self::Multiply => "_*_",
            Self::NotEqual => "_!=_",
            Self::Remainder => "_%_",
            Self::Subtract => "_-_",
        }
    }
}

/// A macro that goes through a list or map, or binds a name.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub(super) kind: LoopKind,
    pub(super) range: Expr,
    /// One name for the element or key, or two for index or key, and value.
    pub(super) names: (String, Option<String>),
    pub(super) filter: Option<Expr>,
    pub(super) body: Expr,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LoopKind {
    All,
    /// `cel.bind(name, value, body)`.
    Bind,
    Exists,
    ExistsOne,
    Filter,
    Map,
    OptFlatMap,
    OptMap,
    TransformList,
    TransformMap,
}

impl Expr {
    pub(super) fn new(at: usize, node: Node) -> Self {
        let mut expr = Self { at, depth: 0, node };
        let below = expr.below().iter().map(|below| below.depth).max();
        expr.depth = below.map_or(0, |depth| depth + 1);
        expr
    }

    /// The expressions that it is made of.
    pub(super) fn below(&self) -> Vec<&Self> {
        match &self.node {
            Node::Ident(_) | Node::Literal(_) => Vec::new(),
            Node::And(parts) | Node::Or(parts) => parts.iter().collect(),
            Node::Binary(_, parts) => vec![&parts.0, &parts.1],
            Node::Call { target, args, .. } => target.as_deref().into_iter().chain(args).collect(),
            Node::Conditional(parts) => vec![&parts.0, &parts.1, &parts.2],
            Node::Has(of, _) | Node::Negate(of) | Node::Not(of) | Node::Select { of, .. } => {
                vec![of]
            }
            Node::Index { of, index, .. } => vec![of, index],
            Node::List(items) => items.iter().map(|(item, _)| item).collect(),
            Node::Loop(found) => {
                let Loop { range, filter, body, .. } = &**found;
                [Some(range), filter.as_ref(), Some(body)].into_iter().flatten().collect()
            }
            Node::Map(entries) => entries.iter().flat_map(|(key, value, _)| [key, value]).collect(),
        }
    }

    /// Whether it speaks of a variable.
    pub(super) fn mentions(&self, name: &str) -> bool {
        matches!(&self.node, Node::Ident(found) if found == name)
            || self.below().iter().any(|below| below.mentions(name))
    }
}
