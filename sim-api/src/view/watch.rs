//! The events of a watch.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use sim_store::Object;

use super::{Shape, View};
use crate::{
    Resource, Status,
    encode::{self, WATCH_FRAME_SUFFIX, WatchEventType},
    media_type::Form,
    partial,
    protobuf::envelope,
    status::Result,
};

impl View {
    /// The Content-Type of a watch: JSON has none of its own.
    pub fn watch_content_type(&self) -> &'static str {
        match self.form {
            Form::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
            _ => self.content_type(),
        }
    }

    /// A number for events that are the same bytes to every watch with this view of the
    /// resource; `None` where that is not so, such as a Table with its ages.
    pub fn frame_slot(&self, resource: &Resource, kind: WatchEventType) -> Option<u8> {
        let view = match (&self.shape, self.form) {
            (Shape::Whole, _) if !resource.is_storage_version() => return None,
            (Shape::Table(_), _) => return None,
            (Shape::Whole, Form::Protobuf) => 1,
            (Shape::Whole, _) => 0,
            (Shape::Partial(version), form) => {
                2 + 2 * (*version as u8) + u8::from(form == Form::Protobuf)
            }
        };
        Some(view << 3 | kind as u8)
    }

    /// The frame of an event. Of a Table only the first event has the columns.
    ///
    /// # Errors
    ///
    /// 500 when what is stored is no JSON.
    pub fn event(
        &self,
        resource: &Resource,
        kind: WatchEventType,
        object: &Object,
        now: Timestamp,
        is_first: bool,
    ) -> Result<Vec<u8>> {
        if self.form == Form::Protobuf {
            return Ok(envelope::watch_frame(kind.as_str(), &self.object(resource, object, now)?));
        }
        Ok(match &self.shape {
            Shape::Whole if resource.is_storage_version() => {
                let mut frame = encode::watch_frame_prefix(kind, resource);
                let members = object.members();
                frame.reserve_exact(members.len() + WATCH_FRAME_SUFFIX.len());
                frame.extend_from_slice(&members);
                frame.extend_from_slice(WATCH_FRAME_SUFFIX);
                frame
            }
            Shape::Whole => encode::watch_frame(kind, &encode::decode(resource, object)?),
            Shape::Partial(version) => {
                encode::watch_frame_of_json(kind, &partial::of(resource, object, *version))
            }
            Shape::Table(table) => {
                let table = table.of_object(resource, object, now, is_first)?;
                encode::watch_frame_of_json(kind, &table)
            }
        })
    }

    /// The frame of a bookmark.
    pub fn bookmark(
        &self,
        resource: &Resource,
        revision: u64,
        ends_initial_events: bool,
        now: Timestamp,
        is_first: bool,
    ) -> Vec<u8> {
        if self.form == Form::Protobuf {
            return self.protobuf_bookmark(resource, revision, ends_initial_events);
        }
        match &self.shape {
            Shape::Whole => encode::bookmark(resource, revision, ends_initial_events),
            Shape::Partial(version) => partial::bookmark(*version, revision, ends_initial_events),
            Shape::Table(table) => {
                table.bookmark(resource, revision, ends_initial_events, now, is_first)
            }
        }
    }

    /// The frame of an error; the stream ends after it.
    pub fn error_event(&self, status: &Status) -> Vec<u8> {
        let error = WatchEventType::Error;
        match self.form {
            Form::Protobuf => envelope::watch_frame(error.as_str(), &self.codec.status(status)),
            _ => encode::watch_frame(error, &status.to_value()),
        }
    }

    /// As in JSON, but that the empty list which shows the kind is in protobuf too.
    fn protobuf_bookmark(&self, resource: &Resource, revision: u64, ends: bool) -> Vec<u8> {
        let mut object = match &self.shape {
            Shape::Partial(version) => partial::bookmark_value(*version, revision, ends),
            _ => encode::bookmark_object(resource, revision, ends),
        };
        if let Some(blueprint) = object.pointer_mut(BLUEPRINT) {
            let (api_version, kind) = self.list_type(resource);
            // The view was negotiated, so there are such forms, here and below.
            let empty = json!({"metadata": {}});
            let list = self.codec.encode(api_version, &kind, &empty).unwrap_or_default();
            *blueprint = Value::String(BASE64_STANDARD.encode(list));
        }
        let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let body = self.codec.encode(text("apiVersion"), text("kind"), &object).unwrap_or_default();
        envelope::watch_frame(WatchEventType::Bookmark.as_str(), &body)
    }
}

const BLUEPRINT: &str = "/metadata/annotations/kubernetes.io~1initial-events-list-blueprint";
