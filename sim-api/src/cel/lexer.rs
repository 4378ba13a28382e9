//! Expressions as tokens.

use super::Problem;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Bytes(Vec<u8>),
    Double(f64),
    End,
    Ident(String),
    Int(u64),
    Sign(&'static str),
    Text(String),
    Uint(u64),
}

/// The tokens, each with its place in characters; the last is [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, Problem> {
    let chars: Vec<char> = source.chars().collect();
    if chars.len() > LENGTH_MAX {
        return Err(Problem::new(0, "expression code point size exceeds limit: size"));
    }
    let mut lexer = Lexer { chars: &chars, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let at = lexer.at;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        tokens.push((at, token));
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(c) = self.peek(0) {
            if c == '/' && self.peek(1) == Some('/') {
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            } else if matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    fn token(&mut self) -> Result<Token, Problem> {
        let Some(c) = self.peek(0) else { return Ok(Token::End) };
        if let Some(token) = self.text()? {
            return Ok(token);
        }
        if c.is_ascii_digit() || (c == '.' && self.peek(1).is_some_and(|c| c.is_ascii_digit())) {
            return self.number();
        }
        if c.is_ascii_alphabetic() || c == '_' {
            let start = self.at;
            while self.peek(0).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
                self.at += 1;
            }
            return Ok(Token::Ident(self.chars[start..self.at].iter().collect()));
        }
        if c == '`' {
            let start = self.at + 1;
            self.at = start;
            while self.peek(0).is_some_and(|c| c != '`') {
                self.at += 1;
            }
            let name = self.chars[start..self.at].iter().collect();
            self.at += 1;
            return Ok(Token::Ident(name));
        }
        for sign in SIGNS {
            if sign.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c)) {
                self.at += sign.len();
                return Ok(Token::Sign(sign));
            }
        }
        let shown = format!("Syntax error: token recognition error at: '{c}'");
        Err(Problem::new(self.at, shown))
    }

    /// A text or bytes, with its prefix and in its quotes.
    fn text(&mut self) -> Result<Option<Token>, Problem> {
        let start = self.at;
        let (mut is_raw, mut is_bytes, mut ahead) = (false, false, 0);
        while let Some(c) = self.peek(ahead) {
            match c {
                'r' | 'R' if !is_raw => is_raw = true,
                'b' | 'B' if !is_bytes => is_bytes = true,
                _ => break,
            }
            ahead += 1;
        }
        let Some(quote) = self.peek(ahead).filter(|c| matches!(c, '\'' | '"')) else {
            return Ok(None);
        };
        self.at += ahead;
        let is_long = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let width = if is_long { 3 } else { 1 };
        self.at += width;
        let (mut text, mut bytes) = (String::new(), Vec::new());
        loop {
            let unclosed = || Problem::new(start, "Syntax error: token recognition error");
            let c = self.peek(0).ok_or_else(unclosed)?;
            if c == quote && (0..width).all(|ahead| self.peek(ahead) == Some(quote)) {
                self.at += width;
                break;
            }
            if c == '\n' && !is_long {
                return Err(unclosed());
            }
            self.at += 1;
            let mut push = |c: char| {
                text.push(c);
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            };
            if c != '\\' || is_raw {
                push(c);
                continue;
            }
            let escape = self.peek(0).ok_or_else(unclosed)?;
            self.at += 1;
            match escape {
                'a' => push('\u{7}'),
                'b' => push('\u{8}'),
                'f' => push('\u{c}'),
                'n' => push('\n'),
                'r' => push('\r'),
                't' => push('\t'),
                'v' => push('\u{b}'),
                '\\' | '\'' | '"' | '`' | '?' => push(escape),
                'x' | 'X' | 'u' | 'U' | '0'..='3' => {
                    let (radix, count) = match escape {
                        'x' | 'X' => (16, 2),
                        'u' => (16, 4),
                        'U' => (16, 8),
                        _ => {
                            self.at -= 1;
                            (8, 3)
                        }
                    };
                    let digits: String = (0..count).filter_map(|ahead| self.peek(ahead)).collect();
                    let bad = || Problem::new(start, "Syntax error: invalid escape");
                    let code = u32::from_str_radix(&digits, radix).map_err(|_| bad())?;
                    self.at += count;
                    if is_bytes && (radix == 8 || count == 2) {
                        bytes.push(u8::try_from(code).map_err(|_| bad())?);
                    } else {
                        push(char::from_u32(code).ok_or_else(bad)?);
                    }
                }
                _ => return Err(Problem::new(start, "Syntax error: invalid escape")),
            }
        }
        Ok(Some(if is_bytes { Token::Bytes(bytes) } else { Token::Text(text) }))
    }

    fn number(&mut self) -> Result<Token, Problem> {
        let start = self.at;
        let wrong = || Problem::new(start, "invalid int literal");
        if self.peek(0) == Some('0') && matches!(self.peek(1), Some('x' | 'X')) {
            self.at += 2;
            let digits = self.take(|c| c.is_ascii_hexdigit());
            let value = u64::from_str_radix(&digits, 16).map_err(|_| wrong())?;
            return Ok(self.unsigned(value));
        }
        let mut text = self.take(|c| c.is_ascii_digit());
        let mut is_double = false;
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            is_double = true;
            self.at += 1;
            text.push('.');
            text.push_str(&self.take(|c| c.is_ascii_digit()));
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            let signed = usize::from(matches!(self.peek(1), Some('+' | '-')));
            if self.peek(1 + signed).is_some_and(|c| c.is_ascii_digit()) {
                is_double = true;
                text.extend((0..=signed).filter_map(|ahead| self.peek(ahead)));
                self.at += 1 + signed;
                text.push_str(&self.take(|c| c.is_ascii_digit()));
            }
        }
        if is_double {
            return text.parse().map(Token::Double).map_err(|_| wrong());
        }
        let value = text.parse().map_err(|_| wrong())?;
        Ok(self.unsigned(value))
    }

    fn unsigned(&mut self, value: u64) -> Token {
        if matches!(self.peek(0), Some('u' | 'U')) {
            self.at += 1;
            return Token::Uint(value);
        }
        Token::Int(value)
    }

    fn take(&mut self, is: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(&is) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }
}

/// Longer ones first.
const SIGNS: [&str; 24] = [
    "&&", "||", "<=", ">=", "==", "!=", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "<", ">",
    "!", "+", "-", "*", "/", "%",
];

/// Characters. Source: `parser.ExpressionSizeCodePointLimit` of cel-go.
const LENGTH_MAX: usize = 100_000;
