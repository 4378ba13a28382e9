//! Objects between JSON and the protobuf form of Kubernetes.
//!
//! A body is [`envelope::PREFIX`] and a `runtime.Unknown`: apiVersion, kind and the message. How
//! each message is laid out is data, one table for all kinds and releases (`protobuf/table.rs`);
//! there are no structs of the kinds. [`Codec`] has the messages of one release.
//!
//! # What makes the bytes
//!
//! The real server's code is generated from Go types, and so are its bytes:
//!
//! - Fields come in the order of their numbers. Maps are sorted by key, numbers are never packed.
//! - What is not a pointer in Go is always written: empty strings, zeros, empty messages. What
//!   is a pointer is written when it is set, also when it is set to zero.
//! - Members that JSON has inline, such as a probe's handler, are a message of their own.
//! - Times, quantities, durations and the like have their own messages (`protobuf/special.rs`).
//!
//! # What becomes of absence
//!
//! Decoding gives the JSON that Go would write for the decoded object: a field with `omitempty`
//! that is empty is left out, one without is null, zero or `{}`.
//!
//! Source: `generated.pb.go` of the API's packages and k8s.io/apimachinery
//! `pkg/runtime/serializer/protobuf`.

mod decode;
mod encode;
pub mod envelope;
mod special;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use serde_json::Value;
use sim_store::Object;

pub use self::wire::DecodeError;
use self::{envelope::Unknown, table::Table};
use crate::{Release, Resource, Status, encode::ListMeta, media_type::Form, status};

/// The messages of one release. It is a reference, so it is made when it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    table: &'static Table,
}

/// The kind has no protobuf form: a custom resource, a Table, or of another release.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no protobuf form of {api_version}, Kind={kind}")]
pub struct NoProtobuf {
    /// The apiVersion.
    pub api_version: String,
    /// The kind.
    pub kind: String,
}

impl Codec {
    /// The messages of a release. The first use of a release unpacks its table.
    pub fn for_release(release: Release) -> Self {
        Self { table: Table::for_release(release) }
    }

    /// Whether the kind has a protobuf form.
    pub fn has(self, api_version: &str, kind: &str) -> bool {
        self.table.kind(api_version, kind).is_some()
    }

    /// The object of a body, with kind and apiVersion; where the body has none, these.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], in Go's words.
    pub fn decode(
        self,
        body: &[u8],
        default_api_version: &str,
        default_kind: &str,
    ) -> Result<Value, DecodeError> {
        self.decode_unknown(&envelope::open(body)?, default_api_version, default_kind)
    }

    /// The object of an opened body.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], in Go's words.
    pub fn decode_unknown(
        self,
        unknown: &Unknown<'_>,
        default_api_version: &str,
        default_kind: &str,
    ) -> Result<Value, DecodeError> {
        let or = |text: &str, default: &str| {
            if text.is_empty() { default.to_owned() } else { text.to_owned() }
        };
        let api_version = or(&unknown.api_version, default_api_version);
        let kind = or(&unknown.kind, default_kind);
        let Some(id) = self.table.kind(&api_version, &kind) else {
            return Err(DecodeError::UnknownKind { api_version, kind });
        };
        let object = decode::message(self.table, id, unknown.raw)?;
        Ok(envelope::with_type(object, &api_version, &kind))
    }

    /// The body of an object, envelope included. Kind and apiVersion within `object` are not
    /// looked at.
    ///
    /// # Errors
    ///
    /// [`NoProtobuf`].
    pub fn encode(
        self,
        api_version: &str,
        kind: &str,
        object: &Value,
    ) -> Result<Vec<u8>, NoProtobuf> {
        Ok(envelope::seal(api_version, kind, &self.message(api_version, kind, object)?))
    }

    /// The message of an object without its envelope, which is what an item of a list is.
    ///
    /// # Errors
    ///
    /// [`NoProtobuf`].
    pub fn message(
        self,
        api_version: &str,
        kind: &str,
        object: &Value,
    ) -> Result<Vec<u8>, NoProtobuf> {
        match self.table.kind(api_version, kind) {
            Some(id) => Ok(encode::message(self.table, id, object)),
            None => {
                let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
                Err(NoProtobuf { api_version, kind })
            }
        }
    }

    /// The body of a stored object, in the shape of `resource`'s version.
    ///
    /// # Errors
    ///
    /// 406 where the kind has no protobuf form, 500 when what is stored is no JSON.
    pub fn object(self, resource: &Resource, object: &Object) -> status::Result<Vec<u8>> {
        let message = self.item(resource, object)?;
        Ok(envelope::seal(resource.api_version(), &resource.kind, &message))
    }

    /// The message of a stored object, for a list: put its [`envelope::item_header`] before it.
    ///
    /// # Errors
    ///
    /// As [`object`](Self::object).
    pub fn item(self, resource: &Resource, object: &Object) -> status::Result<Vec<u8>> {
        let value = crate::encode::decode(resource, object)?;
        self.message(resource.api_version(), &resource.kind, &value)
            .map_err(|_| Status::not_acceptable(&Form::ALL.map(Form::media_type)))
    }

    /// The body of a Status.
    pub fn status(self, status: &Status) -> Vec<u8> {
        // Every release has the kind.
        self.encode("v1", "Status", &status.to_value()).unwrap_or_default()
    }

    /// The message of a list's metadata, for [`envelope::list_header`].
    pub fn list_meta(self, metadata: &ListMeta) -> Vec<u8> {
        let id = self.table.list_meta();
        encode::message(self.table, id, &metadata.to_value())
    }
}
