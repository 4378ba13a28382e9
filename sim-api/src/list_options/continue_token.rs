//! The token with which a LIST goes on.

use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::NO_PAD},
};
use serde_json::{Value, json};

use crate::{Status, media_type::read_json, status::Result};

/// Where a paged LIST goes on: base64url of a small JSON object, as the real server has it, so
/// that a token means the same there.
///
/// Source: k8s.io/apiserver `pkg/storage/continue.go`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContinueToken {
    /// The version of the list's first page; negative for a list that goes on at the newest data
    /// after its own version was compacted. Never 0.
    pub rv: i64,
    /// The first key of the next page, relative to the request's namespace: the last key
    /// returned and a NUL.
    pub start: String,
}

impl ContinueToken {
    /// The text of the token.
    pub fn encode(&self) -> String {
        let token = json!({"v": VERSION, "rv": self.rv, "start": self.start});
        ENGINE.encode(crate::encode::to_json(&token))
    }

    /// Reads a token; what is not one is a 400.
    pub fn decode(text: &str) -> Result<Self> {
        Self::read(text).map_err(|error| {
            Status::bad_request(format!(
                "invalid continue token: continue key is not valid: {error}"
            ))
        })
    }

    fn read(text: &str) -> Result<Self, String> {
        let illegal = |at: usize| format!("illegal base64 data at input byte {at}");
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if let Some(at) = text.bytes().position(|byte| !is_digit(byte)) {
            return Err(illegal(at));
        }
        let json = ENGINE.decode(text).map_err(|_| illegal(text.len() / 4 * 4))?;
        let token = read_json(&json)?;
        let member = |key: &str| token.get(key).unwrap_or(&Value::Null);
        let version = member("v").as_str().unwrap_or_default();
        if version != VERSION {
            return Err(format!("server does not recognize this encoded version {version}"));
        }
        let rv = member("rv").as_i64().unwrap_or(0);
        if rv == 0 {
            return Err(format!("incorrect encoded start resourceVersion (version {VERSION})"));
        }
        let start = member("start").as_str().unwrap_or_default();
        if start.is_empty() {
            return Err(format!("encoded start key empty (version {VERSION})"));
        }
        if !is_clean(start) {
            return Err(start.to_owned());
        }
        Ok(Self { rv, start: start.trim_start_matches('/').to_owned() })
    }
}

/// Whether Go's `path.Clean` would leave the path alone, so that it stays below its prefix.
fn is_clean(path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

const VERSION: &str = "meta.k8s.io/v1";

/// Go's RawURLEncoding, which does not mind what the last digit's spare bits hold.
const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD_LENIENT);
const NO_PAD_LENIENT: GeneralPurposeConfig = NO_PAD.with_decode_allow_trailing_bits(true);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_the_real_ones() {
        let token = ContinueToken { rv: 12_345, start: "default/pod-0099\0".into() };
        let text = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTIzNDUsInN0YXJ0IjoiZGVmYXVsdC9wb2QtMDA5OVx1MDAwMCJ9";
        assert_eq!(token.encode(), text);
        assert_eq!(ContinueToken::decode(text).unwrap(), token);
        let token = ContinueToken { rv: -1, ..token };
        assert_eq!(
            token.encode(),
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiZGVmYXVsdC9wb2QtMDA5OVx1MDAwMCJ9"
        );
    }

    #[test]
    fn other_texts_are_refused_as_recorded() {
        let token = |json: &str| ENGINE.encode(json);
        for (text, error) in [
            ("garbage".to_owned(), r"invalid character '\u0081' looking for beginning of value"),
            (
                "eyJ2IjoibWV0YS5rOHMuaW8vdjkiLCJydiI6MSwic3RhcnQiOiJ4In0=".to_owned(),
                "illegal base64 data at input byte 55",
            ),
            (
                token(r#"{"v":"meta.k8s.io/v9","rv":1,"start":"x"}"#),
                "server does not recognize this encoded version meta.k8s.io/v9",
            ),
            (
                token(r#"{"v":"meta.k8s.io/v1","rv":0,"start":"x"}"#),
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (
                token(r#"{"v":"meta.k8s.io/v1","rv":1}"#),
                "encoded start key empty (version meta.k8s.io/v1)",
            ),
            (token(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../x"}"#), "../x"),
        ] {
            let status = ContinueToken::decode(&text).unwrap_err();
            assert_eq!(
                (status.code, status.message),
                (400, format!("invalid continue token: continue key is not valid: {error}"))
            );
        }
    }

    proptest! {
        #[test]
        fn tokens_round_trip(rv in prop_oneof![Just(-1), 1i64..], start in "[a-z0-9-]{1,9}(/[a-z.0-9-]{3,9})?\0?") {
            let token = ContinueToken { rv, start };
            prop_assert_eq!(ContinueToken::decode(&token.encode()).unwrap(), token);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}|[A-Za-z0-9_-]{0,60}") {
            let _ = ContinueToken::decode(&text);
        }
    }
}
