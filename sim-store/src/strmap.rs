//! A compact, immutable map of short strings: labels, annotations, selectable fields.

use std::fmt;

/// An immutable map from string to string, kept sorted by key in one allocation.
///
/// A stored object carries two of these (labels and selectable fields), so their size decides
/// what an object costs above its JSON: 16 bytes inline, plus the text, plus two bytes an entry
/// for separators. An empty map allocates nothing. Keys and values are joined as
/// `key NUL value NUL`; Kubernetes allows a NUL in neither labels nor field labels, and where a
/// field's value holds one all the same it is dropped.
///
/// Lookup is a linear scan, which for the handful of entries an object has is faster than
/// anything with an index.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub struct StrMap(Box<str>);

impl StrMap {
    /// Builds the map; of two equal keys the later wins.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut entries: Vec<(&str, &str)> = pairs.into_iter().collect();
        if entries.is_empty() {
            return Self::default();
        }
        // Stable, so that of equal keys the last given stays last.
        entries.sort_by_key(|&(key, _)| key);
        let size = entries.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
        let mut packed = String::with_capacity(size);
        for (at, &(key, value)) in entries.iter().enumerate() {
            if entries.get(at + 1).is_some_and(|&(next, _)| next == key) {
                continue;
            }
            push_key(&mut packed, key);
            push(&mut packed, value);
        }
        Self(packed.into_boxed_str())
    }

    /// The value of `key`, if the map has it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|&(found, _)| found == key).map(|(_, value)| value)
    }

    /// Whether the map has `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Entries in order of their key's bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.0.split_terminator(SEPARATOR);
        std::iter::from_fn(move || Some((unpack_key(parts.next()?), parts.next()?)))
    }

    /// How many entries the map has.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether the map has no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes on the heap, without the allocator's own overhead.
    pub fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for StrMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for StrMap {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self::from_pairs(pairs)
    }
}

/// Appends a key: a common one as its code, another as it is, led by [`ESCAPE`] where it could be
/// taken for a code.
fn push_key(packed: &mut String, key: &str) {
    if let Some(code) = COMMON_KEYS.iter().position(|common| *common == key) {
        packed.push(char::from(u8::try_from(code + 1).unwrap_or(u8::MAX)));
        packed.push(SEPARATOR);
        return;
    }
    if key.bytes().next().is_some_and(|byte| (1..=ESCAPE).contains(&byte)) {
        packed.push(char::from(ESCAPE));
    }
    push(packed, key);
}

fn unpack_key(packed: &str) -> &str {
    match packed.as_bytes() {
        [ESCAPE, ..] => &packed[1..],
        [code] if *code < ESCAPE => {
            let index = usize::from(*code).wrapping_sub(1);
            COMMON_KEYS.get(index).copied().unwrap_or(packed)
        }
        _ => packed,
    }
}

/// Keys that nearly every object of a large kind has, kept as one byte each: they make a stored
/// pod about 200 bytes smaller. At most 30, so that the codes stay below [`ESCAPE`].
const COMMON_KEYS: [&str; 16] = [
    "app",
    "metadata.name",
    "metadata.namespace",
    "pod-template-hash",
    "spec.hostNetwork",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.unschedulable",
    "status.nominatedNodeName",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.successful",
    "type",
];

const ESCAPE: u8 = 31;

fn push(packed: &mut String, part: &str) {
    packed.extend(part.chars().filter(|&c| c != SEPARATOR));
    packed.push(SEPARATOR);
}

const SEPARATOR: char = '\0';

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_map_allocates_nothing() {
        let map = StrMap::default();
        assert!(map.is_empty());
        assert_eq!((map.heap_bytes(), map.get("")), (0, None));
        assert_eq!(map, StrMap::from_pairs([]));
    }

    #[test]
    fn common_keys_take_a_byte_and_control_characters_are_not_taken_for_them() {
        let pairs = [("status.phase", "Running"), ("\u{1}", "a"), ("\u{1f}x", "b"), ("\t", "c")];
        let map = StrMap::from_pairs(pairs);
        for (key, value) in pairs {
            assert_eq!(map.get(key), Some(value), "{key:?}");
        }
        assert_eq!(map.get("app"), None);
        assert_eq!(StrMap::from_pairs([("status.phase", "Running")]).heap_bytes(), 10);
    }

    #[test]
    fn empty_keys_and_values_are_kept_and_the_last_of_equal_keys_wins() {
        let map = StrMap::from_pairs([("b", ""), ("", "x"), ("b", "2"), ("a", "")]);
        assert_eq!(map.iter().collect::<Vec<_>>(), [("", "x"), ("a", ""), ("b", "2")]);
        assert_eq!((map.get("a"), map.get("b"), map.get("c")), (Some(""), Some("2"), None));
    }

    proptest! {
        #[test]
        fn a_packed_map_equals_a_tree_map(pairs in prop::collection::vec(("[^\0]{0,6}", "[^\0]{0,6}"), 0..8)) {
            let tree: BTreeMap<_, _> = pairs.iter().cloned().collect();
            let map = StrMap::from_pairs(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            prop_assert_eq!(map.len(), tree.len());
            let unpacked: Vec<_> = map.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(unpacked, tree.into_iter().collect::<Vec<_>>());
        }
    }
}
