//! The tokens of a label selector.

/// One token with its text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
}

/// What a token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TokenKind {
    ClosedPar,
    Comma,
    DoesNotExist,
    DoubleEquals,
    EndOfString,
    Equals,
    GreaterThan,
    Identifier,
    In,
    LessThan,
    NotEquals,
    NotIn,
    OpenPar,
}

/// Splits a label selector into tokens; the last is always [`TokenKind::EndOfString`].
///
/// A NUL ends the text, as it does in the real lexer.
pub(super) fn scan(selector: &str) -> Vec<Token<'_>> {
    let text = selector.split('\0').next().unwrap_or_default();
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(WHITESPACE);
    while !rest.is_empty() {
        let (token, after) = match special(rest) {
            Some((kind, length)) => {
                let (text, after) = rest.split_at(length);
                (Token { kind, text }, after)
            }
            None => {
                let end = rest
                    .find(|c| WHITESPACE.contains(&c) || SPECIAL.contains(&c))
                    .unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                let kind = match text {
                    "in" => TokenKind::In,
                    "notin" => TokenKind::NotIn,
                    _ => TokenKind::Identifier,
                };
                (Token { kind, text }, after)
            }
        };
        tokens.push(token);
        rest = after.trim_start_matches(WHITESPACE);
    }
    tokens.push(Token { kind: TokenKind::EndOfString, text: "" });
    tokens
}

fn special(text: &str) -> Option<(TokenKind, usize)> {
    let kind = match text.as_bytes() {
        [b'=', b'=', ..] => return Some((TokenKind::DoubleEquals, 2)),
        [b'!', b'=', ..] => return Some((TokenKind::NotEquals, 2)),
        [b'=', ..] => TokenKind::Equals,
        [b'!', ..] => TokenKind::DoesNotExist,
        [b'(', ..] => TokenKind::OpenPar,
        [b')', ..] => TokenKind::ClosedPar,
        [b',', ..] => TokenKind::Comma,
        [b'>', ..] => TokenKind::GreaterThan,
        [b'<', ..] => TokenKind::LessThan,
        _ => return None,
    };
    Some((kind, 1))
}

const SPECIAL: [char; 7] = ['=', '!', '(', ')', ',', '>', '<'];
const WHITESPACE: [char; 4] = [' ', '\t', '\r', '\n'];
