//! A stored object: the metadata that the server itself needs, and the encoded bytes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::StrMap;

/// An object ready to be stored, but for its resourceVersion, which only the store can assign.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The namespace; `None` for a cluster-scoped object.
    pub namespace: Option<Box<str>>,
    /// The name within the namespace.
    pub name: Box<str>,
    /// `metadata.labels`, for label selectors.
    pub labels: StrMap,
    /// The selectable fields of the kind, for field selectors.
    pub fields: StrMap,
    /// The object's JSON, led by one comma and without kind and apiVersion where the type is
    /// built in: `,{"metadata":{…,"resourceVersion":"",…},…}`.
    pub body: Vec<u8>,
    /// Index in `body` between the two quotes of `metadata.resourceVersion`.
    pub rv_at: usize,
}

impl Draft {
    /// The key within a collection: `namespace/name`, or `name` for a cluster-scoped object.
    pub fn key(&self) -> Arc<str> {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name).into(),
            None => Arc::from(&*self.name),
        }
    }

    pub(crate) fn into_object(self, key: Arc<str>, revision: u64) -> Object {
        let mut digits = [0; 20];
        let digits = decimal(revision, &mut digits);
        let (head, tail) = self.body.split_at(self.rv_at);
        let name_at = key.len() - self.name.len();
        Object {
            revision,
            labels: self.labels,
            fields: self.fields,
            json: concat([head, digits, tail]),
            name_at: u32::try_from(name_at).unwrap_or(u32::MAX),
            rv_at: u32::try_from(self.rv_at).unwrap_or(u32::MAX),
            kept: OnceLock::new(),
            key,
        }
    }

    /// The object as it would be at a version, without storing it: the last state of one that is
    /// removed instead.
    pub fn at_revision(self, revision: u64) -> Object {
        let key = self.key();
        self.into_object(key, revision)
    }

    /// Whether storing this draft over `object` would change nothing but the resourceVersion.
    pub fn is_same_as(&self, object: &Object) -> bool {
        let (head, tail) = object.around_revision();
        self.body.get(..self.rv_at) == Some(head) && self.body.get(self.rv_at..) == Some(tail)
    }
}

/// One version of one object. Immutable; shared by snapshots, events and responses.
#[derive(Debug)]
pub struct Object {
    key: Arc<str>,
    json: Bytes,
    labels: StrMap,
    fields: StrMap,
    revision: u64,
    name_at: u32,
    rv_at: u32,
    /// See [`Object::kept`].
    kept: OnceLock<Box<Bytes>>,
}

impl Object {
    /// The key within its collection: `namespace/name`, or `name`.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The namespace; `None` for a cluster-scoped object.
    pub fn namespace(&self) -> Option<&str> {
        let end = (self.name_at as usize).checked_sub(1)?;
        self.key.get(..end)
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.key.get(self.name_at as usize..).unwrap_or_default()
    }

    /// The resourceVersion.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// `metadata.labels`.
    pub fn labels(&self) -> &StrMap {
        &self.labels
    }

    /// The selectable fields.
    pub fn fields(&self) -> &StrMap {
        &self.fields
    }

    /// The JSON as stored, led by one comma: what follows an earlier item of a LIST.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// The JSON without the comma: the first item of a LIST.
    pub fn item(&self) -> Bytes {
        self.json.slice(1..)
    }

    /// The JSON after its opening brace, up to and with the closing one: what follows
    /// `{"kind":…,"apiVersion":…,` in a single object or an event.
    pub fn members(&self) -> Bytes {
        self.json.slice(2..)
    }

    /// The same object with another resourceVersion: what a DELETED event carries.
    pub fn at_revision(&self, revision: u64) -> Self {
        let mut digits = [0; 20];
        let digits = decimal(revision, &mut digits);
        let (head, tail) = self.around_revision();
        Self {
            key: Arc::clone(&self.key),
            json: concat([head, digits, tail]),
            labels: self.labels.clone(),
            fields: self.fields.clone(),
            revision,
            name_at: self.name_at,
            rv_at: self.rv_at,
            kept: OnceLock::new(),
        }
    }

    /// Another form of the object, which is kept as long as the object is. `make` is called at
    /// most once, unless two ask at the same time; what it makes is the caller's business, and
    /// must always be the same form.
    ///
    /// # Errors
    ///
    /// Whatever `make` says; then nothing is kept.
    pub fn kept<E>(&self, make: impl FnOnce() -> Result<Bytes, E>) -> Result<Bytes, E> {
        if let Some(kept) = self.kept.get() {
            return Ok(Bytes::clone(kept));
        }
        let made = make()?;
        Ok(Bytes::clone(self.kept.get_or_init(|| Box::new(made))))
    }

    fn around_revision(&self) -> (&[u8], &[u8]) {
        let (head, rest) = self.json.split_at(self.rv_at as usize);
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (head, rest.get(digits..).unwrap_or_default())
    }
}

/// Joins the parts in one allocation of the exact size, so that no slack is kept for years.
fn concat(parts: [&[u8]; 3]) -> Bytes {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    Bytes::from(bytes)
}

fn decimal(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return &buffer[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str) -> Draft {
        let head = format!(",{{\"metadata\":{{\"name\":\"{name}\",\"resourceVersion\":\"");
        let rv_at = head.len();
        Draft {
            namespace: Some("ns".into()),
            name: name.into(),
            labels: StrMap::default(),
            fields: StrMap::default(),
            body: format!("{head}\"}}}}").into_bytes(),
            rv_at,
        }
    }

    #[test]
    fn the_resource_version_is_put_into_the_bytes() {
        let draft = draft("a");
        let key = draft.key();
        let object = draft.clone().into_object(key, 1_234);
        assert_eq!(&object.item()[..], br#"{"metadata":{"name":"a","resourceVersion":"1234"}}"#);
        assert_eq!((object.namespace(), object.name()), (Some("ns"), "a"));
        assert!(draft.is_same_as(&object));
        let later = object.at_revision(u64::MAX);
        assert!(draft.is_same_as(&later));
        assert!(later.json().ends_with(br#""resourceVersion":"18446744073709551615"}}"#));
    }

    #[test]
    fn another_form_is_made_once_for_each_version() {
        let draft = draft("a");
        let object = draft.clone().at_revision(1);
        assert_eq!(object.kept(|| Err(())), Err(()));
        assert_eq!(object.kept(|| Ok::<_, ()>(Bytes::from_static(b"x"))).unwrap(), "x");
        assert_eq!(object.kept(|| Err(())).unwrap(), "x");
        assert_eq!(object.at_revision(2).kept(|| Err(())), Err(()));
    }

    #[test]
    fn a_cluster_scoped_object_has_no_namespace() {
        let mut draft = draft("node-1");
        draft.namespace = None;
        let key = draft.key();
        let object = draft.into_object(key, 1);
        assert_eq!((object.namespace(), object.name()), (None, "node-1"));
    }
}
