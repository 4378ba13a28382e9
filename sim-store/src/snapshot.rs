//! A collection at one resourceVersion, and LIST over it.

use std::{ops::Bound, sync::Arc};

use imbl::OrdMap;

use crate::Object;

/// All objects of a collection at one resourceVersion. Cloning is O(1).
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    revision: u64,
    objects: OrdMap<Arc<str>, Arc<Object>>,
}

/// What to take from a snapshot.
#[derive(Clone, Copy)]
pub struct ListQuery<'a> {
    /// Only keys that begin with this: `namespace/`, or empty for all.
    pub prefix: &'a str,
    /// Only keys from this one on, prefix included; as a continue token carries it.
    pub start: Option<&'a str>,
    /// The most objects to return; 0 means all.
    pub limit: usize,
    /// The selectors; `None` takes every object and allows `remaining`.
    pub matches: Option<&'a dyn Fn(&Object) -> bool>,
}

/// One page of a LIST.
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    /// The objects, in key order.
    pub objects: Vec<Arc<Object>>,
    /// The key to continue from, prefix included (the last key and a NUL); `None` on the last page.
    pub next: Option<String>,
    /// How many candidates are left after this page; only without selectors, and with `next`.
    pub remaining: Option<u64>,
    /// Candidates examined.
    pub examined: u64,
}

impl Snapshot {
    pub(crate) fn new(revision: u64, objects: OrdMap<Arc<str>, Arc<Object>>) -> Self {
        Self { revision, objects }
    }

    pub(crate) fn objects(&self) -> &OrdMap<Arc<str>, Arc<Object>> {
        &self.objects
    }

    /// The resourceVersion of the last change in it (of a snapshot of the past: the one asked for).
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The object with this key.
    pub fn get(&self, key: &str) -> Option<&Arc<Object>> {
        self.objects.get(key)
    }

    /// The objects whose key begins with `prefix`, in key order (bytes).
    pub fn range<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<Object>> + 'a {
        self.range_from(prefix, None)
    }

    fn range_from<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + 'a {
        let from = start.map_or(prefix, |start| start.max(prefix));
        self.objects
            .range::<_, str>((Bound::Included(from), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(_, object)| object)
    }

    /// One page.
    ///
    /// `next` is set when the limit was reached before the last candidate, even if no later
    /// candidate matches; then the last page is empty (Source: spec of `GetList` in `cacher.go`).
    pub fn list(&self, query: &ListQuery<'_>) -> ListPage {
        let mut page = ListPage::default();
        let mut candidates = self.range_from(query.prefix, query.start);
        for object in candidates.by_ref() {
            page.examined += 1;
            if query.matches.is_none_or(|matches| matches(object)) {
                page.objects.push(Arc::clone(object));
                if query.limit != 0 && page.objects.len() == query.limit {
                    break;
                }
            }
        }
        if query.limit == 0 || page.objects.len() < query.limit {
            return page;
        }
        let last = page.objects.last().map(|object| format!("{}\0", object.key()));
        if query.matches.is_some() {
            page.next = last.filter(|_| candidates.next().is_some());
        } else {
            let remaining = u64::try_from(candidates.count()).unwrap_or(u64::MAX);
            page.next = last.filter(|_| remaining > 0);
            page.remaining = Some(remaining).filter(|remaining| *remaining > 0);
        }
        page
    }

    /// A cursor over all objects below `prefix`, for a LIST that is streamed: it holds the
    /// snapshot, not the objects' pointers, so it costs the same for ten objects and a million.
    pub fn cursor(&self, prefix: &str) -> ListCursor {
        ListCursor {
            objects: self.objects.clone(),
            prefix: prefix.into(),
            after: None,
            done: false,
        }
    }
}

/// A position in a snapshot.
#[derive(Clone, Debug)]
pub struct ListCursor {
    objects: OrdMap<Arc<str>, Arc<Object>>,
    prefix: Box<str>,
    after: Option<Arc<str>>,
    done: bool,
}

impl ListCursor {
    /// Puts up to `max` of the next objects into `into`; puts none at the end.
    pub fn next_batch(&mut self, max: usize, into: &mut Vec<Arc<Object>>) {
        if self.done {
            return;
        }
        let from = match &self.after {
            Some(key) => Bound::Excluded(&**key),
            None => Bound::Included(&*self.prefix),
        };
        let before = into.len();
        let range = self.objects.range::<_, str>((from, Bound::Unbounded));
        into.extend(
            range
                .take_while(|(key, _)| key.starts_with(&*self.prefix))
                .take(max)
                .map(|(_, object)| Arc::clone(object)),
        );
        self.done = into.len() - before < max;
        if let Some(last) = into.last() {
            self.after = Some(Arc::clone(last.key()));
        }
    }
}
