//! The query of a URL, read as Go's `net/url` does.

use std::borrow::Cow;

/// The pairs of a query, decoded. Pairs that cannot be decoded are left out, as are those with a
/// semicolon.
pub(crate) fn values(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')).filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(key)?, decode(value)?))
    })
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let code = digit()? * 16 + digit()?;
                u8::try_from(code).ok()?
            }
            other => other,
        });
    }
    // Go keeps invalid UTF-8; nothing here looks into such a value.
    Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undecodable_pairs_are_left_out() {
        let pairs: Vec<_> = values("a=1%2C2&b=%zz&c+d=&e;f=1&g").collect();
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        assert_eq!(pairs, [("a", "1,2"), ("c d", ""), ("g", "")]);
    }
}
