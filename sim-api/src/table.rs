//! Tables: what `kubectl get` prints, made on the server.
//!
//! A Table has column definitions and one row of cells per object. Both are the kind's, not the
//! version's: `autoscaling/v1` and `/v2` print alike, and so cells are computed from what is
//! stored. The definitions are data (`table/columns.json`), the cells one function per kind
//! (`table/kinds.rs` says which). A kind with neither has its name and when it was created.
//!
//! Tables are always put together as a whole, also where lists stream.
//!
//! Source: k8s.io/kubernetes `pkg/printers/internalversion/printers.go` and k8s.io/apiserver
//! `pkg/endpoints/handlers/response.go` for what is printed; recorded tables of 1.33.2 for names,
//! formats and descriptions of the columns. The descriptions of kinds of which no table was
//! recorded are this project's own.

mod cluster;
mod columns;
mod core;
mod duration;
mod hpa;
mod kinds;
mod network;
mod pods;
mod read;
mod selector;
mod storage;
mod workloads;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sim_store::Object;

pub(crate) use self::columns::text;
pub use self::duration::human_duration;
use self::{columns::Columns, kinds::Print, read::Reader};
use crate::{
    Query, Reason, Release, Resource, Status, convert,
    custom::Custom,
    encode::{self, ListMeta, WatchEventType},
    media_type::MetaVersion,
    partial,
    status::Result,
};

/// A label selector as text, its requirements sorted by key; `None` where one cannot be.
pub(crate) fn selector_text(selector: &Value) -> Option<String> {
    // The time is for ages, of which a selector has none.
    selector::requirements(Reader::new(selector, Timestamp::UNIX_EPOCH))
}

/// How the objects of one resource are printed for one request.
#[derive(Clone, Debug)]
pub struct Table {
    cells: Cells,
    /// Whether rows tell of pods that have ended.
    of_pods: bool,
    is_sorted: bool,
    version: MetaVersion,
    include: IncludeObject,
}

/// Where columns and cells come from.
#[derive(Clone, Debug)]
enum Cells {
    Builtin(&'static Columns, Print),
    Custom(Arc<Custom>),
}

/// What each row shows of its object besides the cells: `?includeObject=`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum IncludeObject {
    /// Its metadata, the default.
    Metadata,
    /// Nothing.
    None,
    /// All of it.
    Object,
}

impl Table {
    /// The table that a query asks for.
    ///
    /// # Errors
    ///
    /// 400 for an `includeObject` that there is not.
    pub fn new(
        resource: &Resource,
        release: Release,
        version: MetaVersion,
        query: &Query,
    ) -> Result<Self> {
        let cells = match &resource.custom {
            Some(custom) => Cells::Custom(Arc::clone(custom)),
            None => Cells::Builtin(columns::of(resource, release), kinds::printer(resource)),
        };
        Ok(Self {
            cells,
            of_pods: resource.is("", "pods"),
            is_sorted: resource.is("flowcontrol.apiserver.k8s.io", "flowschemas"),
            version,
            include: IncludeObject::parse(query.get("includeObject"))?,
        })
    }

    /// A list's table up to and with the bracket that opens its rows.
    ///
    /// After it come the [rows](Self::row), separated by commas, then [`SUFFIX`].
    pub fn prefix(&self, list_meta: &ListMeta) -> Vec<u8> {
        self.head(&list_meta.to_value(), true)
    }

    /// One object's row.
    pub fn row(&self, resource: &Resource, object: &Object, now: Timestamp) -> Result<Vec<u8>> {
        let value = stored(object)?;
        let shown = match self.include {
            IncludeObject::None => b"null".to_vec(),
            IncludeObject::Metadata => partial::of(resource, object, self.version),
            IncludeObject::Object => encode::to_json(&encode::decode(resource, object)?),
        };
        Ok(self.row_of(&value, &shown, now))
    }

    /// The table of one object, without a final newline: the answer to a GET, or the object of a
    /// watch event. Only the first event of a watch tells of the columns.
    pub fn of_object(
        &self,
        resource: &Resource,
        object: &Object,
        now: Timestamp,
        with_columns: bool,
    ) -> Result<Vec<u8>> {
        let list_meta = ListMeta { resource_version: object.revision(), ..ListMeta::default() };
        let mut json = self.head(&list_meta.to_value(), with_columns);
        json.extend_from_slice(&self.row(resource, object, now)?);
        json.extend_from_slice(b"]}");
        Ok(json)
    }

    /// The table of one object that is not in the store.
    pub(crate) fn of_value(&self, resource: &Resource, object: &Value, now: Timestamp) -> Vec<u8> {
        let metadata = object.get("metadata");
        let revision = metadata.and_then(|metadata| metadata.get("resourceVersion"));
        let list_meta = revision.map_or_else(Map::new, |revision| {
            Map::from_iter([("resourceVersion".to_owned(), revision.clone())])
        });
        self.of_values(resource, list_meta, std::slice::from_ref(object), now)
    }

    /// The table of objects that are not in the store.
    pub(crate) fn of_values(
        &self,
        resource: &Resource,
        list_meta: Map<String, Value>,
        objects: &[Value],
        now: Timestamp,
    ) -> Vec<u8> {
        let mut json = self.head(&Value::Object(list_meta), true);
        for (at, object) in objects.iter().enumerate() {
            let shown = match self.include {
                IncludeObject::None => b"null".to_vec(),
                IncludeObject::Metadata => partial::value(object, self.version),
                IncludeObject::Object => encode::to_json(object),
            };
            let stored = convert::to_storage(resource, object);
            if at > 0 {
                json.push(b',');
            }
            json.extend_from_slice(&self.row_of(&stored, &shown, now));
        }
        json.extend_from_slice(b"]}");
        json
    }

    /// A bookmark is printed too: a row of what nothing prints as.
    pub fn bookmark(
        &self,
        resource: &Resource,
        revision: u64,
        ends_initial_events: bool,
        now: Timestamp,
        with_columns: bool,
    ) -> Vec<u8> {
        let value = encode::bookmark_object(resource, revision, ends_initial_events);
        let shown = match self.include {
            IncludeObject::None => b"null".to_vec(),
            IncludeObject::Metadata => {
                partial::bookmark_object(self.version, value.get("metadata"))
            }
            IncludeObject::Object => encode::to_json(&value),
        };
        let list_meta = ListMeta { resource_version: revision, ..ListMeta::default() };
        let mut json = self.head(&list_meta.to_value(), with_columns);
        json.extend_from_slice(&self.row_of(&value, &shown, now));
        json.extend_from_slice(b"]}");
        encode::watch_frame_of_json(WatchEventType::Bookmark, &json)
    }

    /// Whether the rows of a list have an order other than their names'.
    pub fn is_sorted(&self) -> bool {
        self.is_sorted
    }

    /// Puts objects into the order of their rows: FlowSchemas are printed as they are tried.
    pub fn sort(&self, objects: &mut [Arc<Object>]) {
        objects.sort_by_cached_key(|object| {
            let value = stored(object).unwrap_or_default();
            let precedence = value.pointer("/spec/matchingPrecedence").and_then(Value::as_i64);
            (precedence, object.name().to_owned())
        });
    }

    fn head(&self, metadata: &Value, with_columns: bool) -> Vec<u8> {
        let mut head = format!(
            r#"{{"kind":"Table","apiVersion":"{}","metadata":"#,
            self.version.api_version()
        )
        .into_bytes();
        head.extend_from_slice(&encode::to_json(metadata));
        head.extend_from_slice(b",\"columnDefinitions\":");
        let columns = match &self.cells {
            _ if !with_columns => b"null".as_slice(),
            Cells::Builtin(columns, _) => &columns.json,
            Cells::Custom(custom) => &custom.columns.json,
        };
        head.extend_from_slice(columns);
        head.extend_from_slice(b",\"rows\":[");
        head
    }

    fn row_of(&self, value: &Value, shown: &[u8], now: Timestamp) -> Vec<u8> {
        let reader = Reader::new(value, now);
        let cells = match &self.cells {
            Cells::Builtin(columns, print) => columns.arrange(print(reader)),
            Cells::Custom(custom) => custom.columns.cells(value, now),
        };
        let mut row = b"{\"cells\":".to_vec();
        row.extend_from_slice(&encode::to_json(&Value::Array(cells)));
        if let Some(conditions) = self.conditions(reader) {
            row.extend_from_slice(b",\"conditions\":");
            row.extend_from_slice(&encode::to_json(&conditions));
        }
        row.extend_from_slice(b",\"object\":");
        row.extend_from_slice(shown);
        row.push(b'}');
        row
    }

    fn conditions(&self, object: Reader<'_>) -> Option<Value> {
        if self.of_pods { pods::row_conditions(object) } else { None }
    }
}

impl IncludeObject {
    fn parse(parameter: Option<&str>) -> Result<Self> {
        match parameter {
            None | Some("" | "Metadata") => Ok(Self::Metadata),
            Some("None") => Ok(Self::None),
            Some("Object") => Ok(Self::Object),
            Some(other) => Err(Status::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {}: must \
                 be 'Metadata', 'Object', 'None', or empty",
                crate::go::quote(other)
            ))),
        }
    }
}

/// 406: a watch that begins with the objects there are cannot be a Table.
///
/// Until 1.33; the status code is documented, the real words were not recorded.
pub fn refuse_initial_events() -> Status {
    Status::failure(406, Reason::NotAcceptable, "sendInitialEvents cannot be printed as a Table")
}

/// What a list's table ends with.
pub const SUFFIX: &[u8] = b"]}\n";

/// The object in its stored shape, without kind and apiVersion.
fn stored(object: &Object) -> Result<Value> {
    let members: Map<String, Value> = serde_json::from_slice(&object.item())
        .map_err(|error| Status::internal(&format!("stored object: {error}")))?;
    Ok(Value::Object(members))
}

/// The cells of a row: strings, numbers and booleans.
macro_rules! cells {
    ($($cell:expr),+ $(,)?) => { vec![$(serde_json::Value::from($cell)),+] };
}
use cells;

#[cfg(test)]
mod tests;
