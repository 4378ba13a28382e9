//! How an answer shows its objects: whole, as metadata alone or as a Table, and in which form.
//!
//! A [`View`] is what Accept and query make of one request. It encodes single objects, the items
//! of a list one at a time, and the events of a watch; who sends them is the caller's business.
//!
//! Source: k8s.io/apiserver `pkg/endpoints/handlers/response.go` and `watch.go`.

mod list;
mod watch;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sim_store::Object;

use crate::{
    Query, Release, Resource, Status, encode,
    media_type::{self, Form, MetaVersion, Projection, Target},
    partial,
    protobuf::Codec,
    status::Result,
    table::Table,
};

/// What a request accepts, before it is known what there is to show.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    release: Release,
    form: Form,
    projection: Option<Projection>,
    pretty: bool,
}

/// How one request's objects are shown.
#[derive(Clone, Debug)]
pub struct View {
    form: Form,
    pretty: bool,
    codec: Codec,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Partial(MetaVersion),
    Table(Box<Table>),
    Whole,
}

impl Wanted {
    /// What the header Accept asks for.
    ///
    /// # Errors
    ///
    /// 406 where nothing of it can be served: custom resources have no protobuf but of their
    /// metadata.
    pub fn negotiate(
        release: Release,
        resource: &Resource,
        accept: &str,
        pretty: bool,
    ) -> Result<Self> {
        let has_protobuf = Codec::for_release(release).has(resource.api_version(), &resource.kind);
        let (form, projection) = media_type::negotiate_projected(accept, &Form::ALL, has_protobuf)?;
        Ok(Self { release, form, projection, pretty })
    }

    /// The view of one object.
    ///
    /// # Errors
    ///
    /// 406 where a list is asked for, 400 for an unknown `includeObject`.
    pub fn object(self, resource: &Resource, query: &Query) -> Result<View> {
        if self.target() == Some(Target::PartialObjectMetadataList) {
            return Err(partial::refuse_object(resource));
        }
        self.view(resource, query)
    }

    /// The view of a list.
    ///
    /// # Errors
    ///
    /// 406 where one object is asked for, 400 for an unknown `includeObject`.
    pub fn list(self, resource: &Resource, query: &Query) -> Result<View> {
        if self.target() == Some(Target::PartialObjectMetadata) {
            return Err(partial::refuse_list(resource));
        }
        self.view(resource, query)
    }

    /// The view of a watch, which may begin with the objects there are.
    ///
    /// # Errors
    ///
    /// As [`object`](Self::object); 406 for YAML, which has no frames, and for a Table of initial
    /// events where the release refuses it.
    pub fn watch(self, resource: &Resource, query: &Query, initial_events: bool) -> Result<View> {
        if self.form == Form::Yaml {
            let forms = [Form::Json, Form::Protobuf];
            return Err(Status::not_acceptable(&forms.map(Form::media_type)));
        }
        if initial_events
            && self.target() == Some(Target::Table)
            && self.release.refuses_watch_list_tables()
        {
            return Err(crate::table::refuse_initial_events());
        }
        self.object(resource, query)
    }

    fn target(self) -> Option<Target> {
        self.projection.map(|projection| projection.target)
    }

    fn view(self, resource: &Resource, query: &Query) -> Result<View> {
        let shape = match self.projection {
            None => Shape::Whole,
            Some(Projection { target: Target::Table, version }) => {
                let table = Table::new(resource, self.release, version, query)?;
                Shape::Table(Box::new(table))
            }
            Some(Projection { version, .. }) => Shape::Partial(version),
        };
        let codec = Codec::for_release(self.release);
        Ok(View { form: self.form, pretty: self.pretty, codec, shape })
    }
}

impl View {
    /// The Content-Type of objects and lists.
    pub fn content_type(&self) -> &'static str {
        self.form.media_type()
    }

    /// Whether objects are shown as they are stored, in compact JSON: then their bytes can be
    /// sent without being looked at.
    pub fn is_as_stored(&self, resource: &Resource) -> bool {
        self.is_compact_json()
            && matches!(self.shape, Shape::Whole)
            && resource.is_storage_version()
    }

    /// The whole body that shows one stored object.
    ///
    /// # Errors
    ///
    /// 500 when what is stored is no JSON.
    pub fn object(&self, resource: &Resource, object: &Object, now: Timestamp) -> Result<Vec<u8>> {
        match &self.shape {
            Shape::Whole if self.is_as_stored(resource) => {
                let (prefix, members) = (resource.object_prefix(), object.members());
                let mut json = Vec::with_capacity(prefix.len() + members.len() + 1);
                json.extend_from_slice(prefix);
                json.extend_from_slice(&members);
                json.push(b'\n');
                Ok(json)
            }
            Shape::Whole => self.whole(&encode::decode(resource, object)?),
            Shape::Partial(version) => self.json(partial::of(resource, object, *version)),
            Shape::Table(table) => self.json(table.of_object(resource, object, now, true)?),
        }
    }

    /// The whole body that shows an object that is not in the store: what a dry run would have
    /// stored.
    ///
    /// # Errors
    ///
    /// 406 where the kind has no protobuf form.
    pub fn value(&self, resource: &Resource, object: &Value, now: Timestamp) -> Result<Vec<u8>> {
        match &self.shape {
            Shape::Whole => self.whole(object),
            Shape::Partial(version) => self.json(partial::value(object, *version)),
            Shape::Table(table) => self.json(table.of_value(resource, object, now)),
        }
    }

    fn is_compact_json(&self) -> bool {
        self.form == Form::Json && !self.pretty
    }

    /// The body of a whole object with its kind and apiVersion.
    fn whole(&self, object: &Value) -> Result<Vec<u8>> {
        body(self.codec, self.form, self.pretty, object)
    }

    /// The body of an object that has been made in JSON, in this view's form.
    fn json(&self, mut json: Vec<u8>) -> Result<Vec<u8>> {
        if self.is_compact_json() {
            json.push(b'\n');
            return Ok(json);
        }
        self.whole(&parse(&json)?)
    }
}

/// The body of any object that has its kind and apiVersion within it, in a form.
///
/// # Errors
///
/// 406 where the kind has no protobuf form.
pub fn body(codec: Codec, form: Form, pretty: bool, object: &Value) -> Result<Vec<u8>> {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    Ok(match form {
        Form::Json if pretty => encode::pretty(object),
        Form::Json => encode::compact(object),
        Form::Yaml => encode::to_yaml(object),
        Form::Protobuf => codec
            .encode(text("apiVersion"), text("kind"), object)
            .map_err(|_| Status::not_acceptable(&Form::ALL.map(Form::media_type)))?,
    })
}

/// The form and the body of an object that is no resource's: a Scale, a review, a discovery
/// document.
///
/// # Errors
///
/// 406 where the client accepts no form that the kind has.
pub fn negotiated(
    release: Release,
    accept: &str,
    pretty: bool,
    object: &Value,
) -> Result<(Form, Vec<u8>)> {
    let form = media_type::negotiate(accept, &Form::ALL)?;
    Ok((form, body(Codec::for_release(release), form, pretty, object)?))
}

fn parse(json: &[u8]) -> Result<Value> {
    let members: Map<String, Value> = serde_json::from_slice(json)
        .map_err(|error| Status::internal(&format!("stored object: {error}")))?;
    Ok(Value::Object(members))
}

#[cfg(test)]
mod tests;
