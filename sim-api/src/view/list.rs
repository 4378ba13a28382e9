//! Lists, an item at a time.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sim_store::Object;

use super::{Shape, View, parse};
use crate::{
    FeatureGates, Gate, Resource,
    encode::{self, ListMeta},
    media_type::Form,
    partial,
    protobuf::envelope,
    status::Result,
    table,
};

impl View {
    /// Whether the release makes such lists while it sends them: JSON that is not indented and
    /// protobuf, each by its gate, but no Tables.
    pub fn streams(&self, gates: &FeatureGates) -> bool {
        match (self.form, &self.shape) {
            (_, Shape::Table(_)) | (Form::Yaml, _) => false,
            (Form::Json, _) => {
                !self.pretty && gates.enabled(Gate::StreamingCollectionEncodingToJSON)
            }
            (Form::Protobuf, _) => gates.enabled(Gate::StreamingCollectionEncodingToProtobuf),
        }
    }

    /// Whether the items of a list are the stored bytes, which need not be looked at.
    pub fn has_stored_items(&self, resource: &Resource) -> bool {
        self.form != Form::Protobuf
            && matches!(self.shape, Shape::Whole)
            && resource.is_storage_version()
    }

    /// Whether the head of a list tells how many bytes its items have, so that these must be
    /// known before the first is sent.
    pub fn announces_length(&self) -> bool {
        self.form == Form::Protobuf
    }

    /// What a list begins with, up to its first item. `items` is the number of bytes of all
    /// [items](Self::item), where the form [announces it](Self::announces_length).
    pub fn list_head(&self, resource: &Resource, meta: &ListMeta, items: usize) -> Vec<u8> {
        if self.form == Form::Protobuf {
            let (api_version, kind) = self.list_type(resource);
            return envelope::list_header(api_version, &kind, &self.codec.list_meta(meta), items);
        }
        match &self.shape {
            Shape::Whole => encode::list_prefix(resource, meta),
            Shape::Partial(version) => partial::list_prefix(*version, meta),
            Shape::Table(table) => table.prefix(meta),
        }
    }

    /// apiVersion and kind of a list that is no Table.
    pub(super) fn list_type<'a>(&self, resource: &'a Resource) -> (&'a str, String) {
        match &self.shape {
            Shape::Partial(version) => (version.api_version(), partial::LIST_KIND.to_owned()),
            _ => (resource.api_version(), resource.list_kind()),
        }
    }

    /// One item, with what separates it from the one before it. The protobuf of a whole object is
    /// made once and kept with it: that takes longer than all else about a list.
    ///
    /// # Errors
    ///
    /// 500 when what is stored is no JSON.
    pub fn item(
        &self,
        resource: &Resource,
        object: &Object,
        now: Timestamp,
        is_first: bool,
    ) -> Result<Bytes> {
        match (&self.shape, self.form) {
            (Shape::Partial(version), Form::Protobuf) => {
                let value = parse(&partial::of(resource, object, *version))?;
                let message = self.codec.message(version.api_version(), partial::KIND, &value);
                // The release has it: the view was negotiated.
                return Ok(with_header(&message.unwrap_or_default()));
            }
            (_, Form::Protobuf) => {
                let make =
                    || self.codec.item(resource, object).map(|message| with_header(&message));
                return if resource.is_storage_version() { object.kept(make) } else { make() };
            }
            _ => {}
        }
        let mut item = if is_first { Vec::new() } else { vec![b','] };
        match &self.shape {
            Shape::Partial(version) => item.append(&mut partial::of(resource, object, *version)),
            Shape::Table(table) => item.append(&mut table.row(resource, object, now)?),
            Shape::Whole => match encode::list_item_prefix(resource) {
                Some(prefix) if resource.is_storage_version() => {
                    item.extend_from_slice(&prefix);
                    item.extend_from_slice(&object.members());
                }
                Some(_) => {
                    item.append(&mut encode::to_json(&encode::decode(resource, object)?));
                }
                None if resource.is_storage_version() => item.extend_from_slice(&object.item()),
                None => {
                    let mut value = encode::decode(resource, object)?;
                    if let Some(members) = value.as_object_mut() {
                        members.shift_remove("kind");
                        members.shift_remove("apiVersion");
                    }
                    item.append(&mut encode::to_json(&value));
                }
            },
        }
        Ok(item.into())
    }

    /// The whole body of a list of objects that are not in the store.
    ///
    /// # Errors
    ///
    /// 406 where the kind has no protobuf form.
    pub fn values(
        &self,
        resource: &Resource,
        objects: &[Value],
        now: Timestamp,
    ) -> Result<Vec<u8>> {
        if let Shape::Table(table) = &self.shape {
            return self.json(table.of_values(resource, Map::new(), objects, now));
        }
        let (api_version, kind) = self.list_type(resource);
        let item = |object: &Value| match &self.shape {
            Shape::Partial(version) => parse(&partial::value(object, *version)),
            _ => {
                let mut object = object.clone();
                if let Some(members) = object.as_object_mut() {
                    members.retain(|key, _| !matches!(key.as_str(), "kind" | "apiVersion"));
                }
                Ok(object)
            }
        };
        let items = objects.iter().map(item).collect::<Result<Vec<_>>>()?;
        self.whole(&json!({
            "kind": kind,
            "apiVersion": api_version,
            "metadata": {},
            "items": items,
        }))
    }

    /// What a list ends with.
    pub fn list_tail(&self) -> &'static [u8] {
        match (self.form, &self.shape) {
            (Form::Protobuf, _) => envelope::SUFFIX,
            (_, Shape::Table(_)) => table::SUFFIX,
            _ => encode::LIST_SUFFIX,
        }
    }

    /// What becomes of a list that was put together whole: it is indented, or made YAML.
    ///
    /// Indenting makes a second copy, as `MarshalIndent` does; the first is let go.
    pub fn finish_list(&self, body: Bytes) -> Bytes {
        match self.form {
            Form::Yaml => encode::yaml_of_json(&body).into(),
            Form::Json if self.pretty => encode::indent(&body).into(),
            _ => body,
        }
    }

    /// The table whose rows have an order of their own, if this is one.
    pub fn sorts(&self) -> Option<&table::Table> {
        match &self.shape {
            Shape::Table(table) if table.is_sorted() => Some(table),
            _ => None,
        }
    }
}

/// A message as an item of a list.
fn with_header(message: &[u8]) -> Bytes {
    let header = envelope::item_header(message.len());
    let mut item = Vec::with_capacity(header.len() + message.len());
    item.extend_from_slice(&header);
    item.extend_from_slice(message);
    item.into()
}
