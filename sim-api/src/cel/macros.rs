//! Calls that are no functions: they bind names.

use super::{
    Problem,
    ast::{Expr, Loop, LoopKind, Node},
};

/// `name(args)`.
pub(super) fn global(at: usize, name: String, mut args: Vec<Expr>) -> Result<Node, Problem> {
    if name == "has" && args.len() == 1 {
        return match args.remove(0).node {
            Node::Select { of, field, .. } => Ok(Node::Has(of, field)),
            _ => Err(Problem::new(at, "invalid argument to has() macro")),
        };
    }
    Ok(Node::Call { target: None, name, args })
}

/// `target.name(args)`.
pub(super) fn member(
    at: usize,
    target: Expr,
    name: String,
    args: Vec<Expr>,
) -> Result<Node, Problem> {
    let is_cel = matches!(&target.node, Node::Ident(found) if found == "cel");
    let kind = match (name.as_str(), args.len()) {
        ("bind", 3) if is_cel => LoopKind::Bind,
        ("all", 2 | 3) => LoopKind::All,
        ("exists", 2 | 3) => LoopKind::Exists,
        ("exists_one", 2) | ("existsOne", 2 | 3) => LoopKind::ExistsOne,
        ("filter", 2) => LoopKind::Filter,
        ("map", 2 | 3) => LoopKind::Map,
        ("optMap", 2) => LoopKind::OptMap,
        ("optFlatMap", 2) => LoopKind::OptFlatMap,
        ("transformList", 3 | 4) => LoopKind::TransformList,
        ("transformMap", 3 | 4) => LoopKind::TransformMap,
        _ => return Ok(Node::Call { target: Some(Box::new(target)), name, args }),
    };
    let count = args.len();
    let mut args = args.into_iter();
    let mut ident = || match args.next().map(|arg| (arg.at, arg.node)) {
        Some((_, Node::Ident(name))) => Ok(name),
        Some((at, _)) => Err(Problem::new(at, "argument must be a simple name")),
        None => Err(Problem::new(at, "argument must be a simple name")),
    };
    let has_two = match kind {
        LoopKind::TransformList | LoopKind::TransformMap => true,
        LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => count == 3,
        _ => false,
    };
    let first = ident()?;
    let second = if has_two { Some(ident()?) } else { None };
    let rest: Vec<Expr> = args.collect();
    let mut rest = rest.into_iter();
    let (range, filter, body) = match (kind, rest.next(), rest.next()) {
        (LoopKind::Bind, Some(value), Some(body)) => (value, None, body),
        (_, Some(filter), Some(body)) => (target, Some(filter), body),
        (_, Some(body), None) => (target, None, body),
        _ => return Err(Problem::new(at, "invalid macro")),
    };
    Ok(Node::Loop(Box::new(Loop { kind, range, names: (first, second), filter, body })))
}
