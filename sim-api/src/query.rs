//! The query of a request URL, read as Go's `url.ParseQuery` reads it.

/// The parameters of a query, in the order sent.
///
/// Pairs that do not decode are dropped and the rest is kept, as `URL.Query()` does: an empty
/// pair (`?&limit=500`), a stray `%`, a pair with a semicolon.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses what follows the question mark; never fails.
    pub fn parse(query: &str) -> Self {
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.contains(';'))
            .filter_map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((unescape(key)?, unescape(value)?))
            })
            .collect();
        Self(pairs)
    }

    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of `name`, in the order sent.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether `name` was sent, be it without a value.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All pairs in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A boolean parameter as the API machinery converts it: absent is false, and of what is
    /// sent only `false` and `0` are false, so that a bare `?watch` is true.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value.to_lowercase().as_str(), "false" | "0"))
    }
}

/// `url.QueryUnescape`; bytes that are not UTF-8 become U+FFFD.
fn unescape(text: &str) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            byte => byte,
        });
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_and_broken_pairs_are_skipped() {
        let query = Query::parse("&limit=500&&a=%zz&b=%4&c;d=1&watch&e=x%20y+z&e=2&=v");
        assert_eq!(
            query.iter().collect::<Vec<_>>(),
            [("limit", "500"), ("watch", ""), ("e", "x y z"), ("e", "2"), ("", "v")]
        );
        assert_eq!(query.all("e").collect::<Vec<_>>(), ["x y z", "2"]);
        assert!(query.flag("watch") && !query.flag("none"));
    }

    #[test]
    fn only_false_and_zero_are_false() {
        for (value, expected) in
            [("true", true), ("1", true), ("", true), ("x", true), ("False", false), ("0", false)]
        {
            assert_eq!(Query::parse(&format!("watch={value}")).flag("watch"), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,40}|[&=%+;a0]{0,40}") {
            let _ = Query::parse(&text);
        }
    }
}
