//! Tokens as expressions.

use super::{
    Problem,
    ast::{Expr, Node, Operator},
    lexer::{self, Token},
    macros,
    value::Val,
};

pub(super) fn parse(source: &str) -> Result<Expr, Problem> {
    let mut parser = Parser { tokens: lexer::tokens(source)?, at: 0, depth: 0 };
    let expr = parser.expr()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("<EOF>")),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

type Parsed = Result<Expr, Problem>;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, token)| token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |(at, _)| *at)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn want(&mut self, sign: &str) -> Result<(), Problem> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(sign)) }
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        let found = match self.peek() {
            Token::End => "<EOF>".to_owned(),
            Token::Sign(sign) => (*sign).to_owned(),
            Token::Ident(name) => name.clone(),
            Token::Text(text) => format!("\"{text}\""),
            Token::Int(number) | Token::Uint(number) => number.to_string(),
            Token::Double(number) => number.to_string(),
            Token::Bytes(_) => "b\"\"".to_owned(),
        };
        let message = format!("Syntax error: mismatched input '{found}' expecting '{wanted}'");
        Problem::new(self.place(), message)
    }

    fn make(&self, at: usize, node: Node) -> Parsed {
        let expr = Expr::new(at, node);
        if expr.depth > DEPTH_MAX { Err(too_deep(at)) } else { Ok(expr) }
    }

    fn expr(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_deep(self.place()));
        }
        let condition = self.or()?;
        let at = self.place();
        let expr = if self.take("?") {
            let then = self.or()?;
            self.want(":")?;
            let otherwise = self.expr()?;
            self.make(at, Node::Conditional(Box::new((condition, then, otherwise))))?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn or(&mut self) -> Parsed {
        let first = self.and()?;
        let at = self.place();
        if !self.is("||") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take("||") {
            parts.push(self.and()?);
        }
        self.make(at, Node::Or(parts))
    }

    fn and(&mut self) -> Parsed {
        let first = self.relation()?;
        let at = self.place();
        if !self.is("&&") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take("&&") {
            parts.push(self.relation()?);
        }
        self.make(at, Node::And(parts))
    }

    fn relation(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("==") => Operator::Equal,
                Token::Sign("!=") => Operator::NotEqual,
                Token::Sign("<") => Operator::Less,
                Token::Sign("<=") => Operator::LessOrEqual,
                Token::Sign(">") => Operator::Greater,
                Token::Sign(">=") => Operator::GreaterOrEqual,
                Token::Ident(name) if name == "in" => Operator::In,
                _ => return Ok(left),
            };
            let at = self.place();
            self.at += 1;
            let right = self.sum()?;
            left = self.make(at, Node::Binary(operator, Box::new((left, right))))?;
        }
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("+") => Operator::Add,
                Token::Sign("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            let at = self.place();
            self.at += 1;
            let right = self.product()?;
            left = self.make(at, Node::Binary(operator, Box::new((left, right))))?;
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("*") => Operator::Multiply,
                Token::Sign("/") => Operator::Divide,
                Token::Sign("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            let at = self.place();
            self.at += 1;
            let right = self.unary()?;
            left = self.make(at, Node::Binary(operator, Box::new((left, right))))?;
        }
    }

    fn unary(&mut self) -> Parsed {
        let at = self.place();
        for sign in ["!", "-"] {
            let mut count = 0;
            while self.take(sign) {
                count += 1;
            }
            if count == 0 {
                continue;
            }
            // The least number has no positive counterpart.
            if sign == "-" && count == 1 && *self.peek() == Token::Int(1 << 63) {
                self.at += 1;
                return self.make(at, Node::Literal(Val::Int(i64::MIN)));
            }
            let inner = Box::new(self.member()?);
            return match (sign, count % 2) {
                (_, 0) => Ok(*inner),
                ("!", _) => self.make(at, Node::Not(inner)),
                _ => self.make(at, Node::Negate(inner)),
            };
        }
        self.member()
    }

    fn member(&mut self) -> Parsed {
        let mut expr = self.primary()?;
        loop {
            let at = self.place();
            if self.take(".") {
                let is_optional = self.take("?");
                let Token::Ident(name) = self.next() else {
                    self.at -= 1;
                    return Err(self.unexpected("IDENTIFIER"));
                };
                let call_at = self.place();
                let node = if !is_optional && self.take("(") {
                    let args = self.args(")")?;
                    macros::member(call_at, expr, name, args)?
                } else {
                    Node::Select { of: Box::new(expr), field: name, is_optional }
                };
                let at =
                    if matches!(node, Node::Call { .. } | Node::Loop(_)) { call_at } else { at };
                expr = self.make(at, node)?;
            } else if self.take("[") {
                let is_optional = self.take("?");
                let index = Box::new(self.expr()?);
                self.want("]")?;
                expr = self.make(at, Node::Index { of: Box::new(expr), index, is_optional })?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let at = self.place();
        let literal = match self.next() {
            Token::Int(value) => {
                Val::Int(i64::try_from(value).map_err(|_| Problem::new(at, "invalid int literal"))?)
            }
            Token::Uint(value) => Val::Uint(value),
            Token::Double(value) => Val::Double(value),
            Token::Text(text) => Val::text(text),
            Token::Bytes(bytes) => Val::Bytes(bytes.into()),
            Token::Ident(name) => return self.named(at, name),
            Token::Sign(".") => {
                let Token::Ident(name) = self.next() else {
                    self.at -= 1;
                    return Err(self.unexpected("IDENTIFIER"));
                };
                return self.named(at, name);
            }
            Token::Sign("(") => {
                let expr = self.expr()?;
                self.want(")")?;
                return Ok(expr);
            }
            Token::Sign("[") => return self.list(at),
            Token::Sign("{") => return self.map(at),
            _ => {
                self.at -= 1;
                return Err(self.unexpected("IDENTIFIER"));
            }
        };
        self.make(at, Node::Literal(literal))
    }

    fn named(&mut self, at: usize, name: String) -> Parsed {
        let node = match name.as_str() {
            "true" => Node::Literal(Val::Bool(true)),
            "false" => Node::Literal(Val::Bool(false)),
            "null" => Node::Literal(Val::Null),
            _ if RESERVED.contains(&name.as_str()) => {
                return Err(Problem::new(at, format!("reserved identifier: {name}")));
            }
            _ => {
                let call_at = self.place();
                if self.take("(") {
                    let args = self.args(")")?;
                    let node = macros::global(call_at, name, args)?;
                    return self.make(call_at, node);
                }
                Node::Ident(name)
            }
        };
        self.make(at, node)
    }

    fn args(&mut self, end: &str) -> Result<Vec<Expr>, Problem> {
        let mut args = Vec::new();
        while !self.take(end) {
            args.push(self.expr()?);
            if !self.take(",") {
                self.want(end)?;
                break;
            }
        }
        Ok(args)
    }

    fn list(&mut self, at: usize) -> Parsed {
        let mut items = Vec::new();
        while !self.take("]") {
            let is_optional = self.take("?");
            items.push((self.expr()?, is_optional));
            if !self.take(",") {
                self.want("]")?;
                break;
            }
        }
        self.make(at, Node::List(items))
    }

    fn map(&mut self, at: usize) -> Parsed {
        let mut entries = Vec::new();
        while !self.take("}") {
            let is_optional = self.take("?");
            let key = self.expr()?;
            self.want(":")?;
            entries.push((key, self.expr()?, is_optional));
            if !self.take(",") {
                self.want("}")?;
                break;
            }
        }
        self.make(at, Node::Map(entries))
    }
}

fn too_deep(at: usize) -> Problem {
    Problem::new(at, format!("expression recursion limit exceeded: {DEPTH_MAX}"))
}

/// Source: the CEL specification's reserved words.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
];

/// Levels of an expression; cel-go's limit of 250 counts its grammar's rules.
const DEPTH_MAX: usize = 120;
