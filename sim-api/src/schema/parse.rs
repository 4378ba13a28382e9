//! Reads `types.txt`.
//!
//! ```text
//! kind apps/v1 Deployment apps.v1.Deployment
//! type core.v1.PodSpec
//!  volumes [name]core.v1.Volume @merge,retainKeys:name
//!  containers [name]core.v1.Container !null @merge:name
//! ```
//!
//! A struct that is set as a whole has the word `atomic` behind its name. A field is its name, its type and what is special about it: `!` and what Go prints for its
//! zero, `@` and the patch strategy, `=` and the default of a list's key, `atomic`. A type is a
//! scalar, a struct's name, `[]`, `[=]` or `[KEYS]` before the elements of a list (atomic, set,
//! map), `{}` or `{atomic}` before the values of a map. `*` marks a pointer.
//!
//! The file is part of the program, so what it does not understand it takes for
//! [`Type::Any`]; a test reads every line.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    ANY, Field, ListType, PatchStrategy, Scalar, Schema, Struct, Type, TypeRef, UNKNOWN_KIND,
};

pub(super) fn read(text: &str) -> Schema {
    let mut reader = Reader::default();
    reader.schema.push(Type::Any);
    let (mut name, mut is_atomic) = ("", false);
    let mut fields = Vec::new();
    let mut kinds = Vec::new();
    for line in text.lines() {
        if let Some(field) = line.strip_prefix(' ') {
            fields.extend(reader.field(field));
            continue;
        }
        reader.finish(name, std::mem::take(&mut fields), is_atomic);
        (name, is_atomic) = ("", false);
        let mut words = line.split(' ');
        match words.next() {
            Some("type") => {
                name = words.next().unwrap_or_default();
                is_atomic = words.next() == Some("atomic");
            }
            Some("kind") => kinds.push((words.next(), words.next(), words.next())),
            _ => {}
        }
    }
    reader.finish(name, fields, is_atomic);
    for kind in kinds {
        if let (Some(api_version), Some(kind), Some(name)) = kind {
            let root = reader.named(name);
            reader.schema.kinds.insert((api_version.into(), kind.into()), root);
        }
    }
    let metadata = reader.named("meta.v1.ObjectMeta");
    let string = reader.type_ref("string");
    let mut fields = vec![
        Field::new("kind", string),
        Field::new("apiVersion", string),
        Field::new("metadata", metadata),
    ];
    fields[2].zero = Some(Value::Object(serde_json::Map::new()));
    let unknown = reader.schema.push(Type::Struct(Struct::new(UNKNOWN_KIND, fields, Some(ANY))));
    reader.schema.kinds.insert(("".into(), UNKNOWN_KIND.into()), unknown);
    reader.schema
}

#[derive(Default)]
struct Reader<'a> {
    schema: Schema,
    /// Types by the text that names them, so that each is kept once.
    known: BTreeMap<&'a str, TypeRef>,
}

impl<'a> Reader<'a> {
    fn finish(&mut self, name: &'a str, fields: Vec<Field>, is_atomic: bool) {
        if name.is_empty() {
            return;
        }
        let place = self.named(name);
        if let Some(found) = self.schema.types.get_mut(place.id as usize) {
            *found = Type::Struct(Struct { is_atomic, ..Struct::new(name, fields, None) });
        }
    }

    /// A struct, perhaps one whose fields are yet to come.
    fn named(&mut self, name: &'a str) -> TypeRef {
        if let Some(&known) = self.known.get(name) {
            return known;
        }
        let place = self.schema.push(Type::Any);
        self.known.insert(name, place);
        place
    }

    fn type_ref(&mut self, text: &'a str) -> TypeRef {
        if let Some(&known) = self.known.get(text) {
            return known;
        }
        let found = if let Some((keys, element)) = split(text, '[', ']') {
            let element = self.type_ref(element);
            let list_type = match keys {
                "" => ListType::Atomic,
                "=" => ListType::Set,
                keys => ListType::Map(keys.split(',').map(Into::into).collect()),
            };
            Type::List { element, list_type }
        } else if let Some((atomic, element)) = split(text, '{', '}') {
            Type::Map { element: self.type_ref(element), is_atomic: !atomic.is_empty() }
        } else {
            let scalar = match text {
                "boolean" => Scalar::Boolean,
                "string" => Scalar::String,
                "bytes" => Scalar::Bytes,
                "quantity" => Scalar::Quantity,
                "time" | "microtime" | "duration" | "intorstring" => Scalar::Untyped,
                text => match NUMBERS.iter().find(|number| **number == text) {
                    Some(number) => Scalar::Number(number),
                    None if text == "any" => return ANY,
                    None => return self.named(text),
                },
            };
            Type::Scalar(scalar)
        };
        let place = self.schema.push(found);
        self.known.insert(text, place);
        place
    }

    fn field(&mut self, line: &'a str) -> Option<Field> {
        let mut words = line.split(' ');
        let (name, expression) = (words.next()?, words.next()?);
        let plain = expression.strip_prefix('*');
        let mut field = Field::new(name, self.type_ref(plain.unwrap_or(expression)));
        field.is_pointer = plain.is_some();
        for word in words {
            if word == "atomic" {
                field.type_ref.is_atomic = true;
            } else if let Some(zero) = word.strip_prefix('!') {
                field.zero = serde_json::from_str(zero).ok();
            } else if let Some(default) = word.strip_prefix('=') {
                field.key_default = Some(default.into());
            } else if let Some(patch) = word.strip_prefix('@') {
                let (strategies, key) = patch.split_once(':').unwrap_or((patch, ""));
                let has = |wanted: &str| strategies.split(',').any(|known| known == wanted);
                field.patch = PatchStrategy {
                    merges: has("merge"),
                    replaces: has("replace"),
                    merge_key: key.into(),
                };
            }
        }
        Some(field)
    }
}

/// What is between the brackets that a text begins with, and what follows.
fn split(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    text.strip_prefix(open)?.split_once(close)
}

/// Go's names of the numbers that API types have.
const NUMBERS: [&str; 5] = ["int32", "int64", "int", "uint32", "float64"];
