//! What the fields of each kind are: types, how lists and maps are merged, and what Go prints
//! even when it is zero.
//!
//! The built-in kinds come from `schema/types.txt`, which `tools/schema` writes by reflection
//! over the Go types of 0.33.2 and the `x-kubernetes-*` extensions of a recorded OpenAPI
//! document. A CustomResourceDefinition's schema is made with [`Schema::from_structural`], and a
//! kind that is in neither is [`Schema::unknown`]: its metadata is typed and the rest is taken
//! as it comes.

mod canonical;
mod parse;
mod restore;
mod strict;
mod structural;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde_json::Value;

use crate::Resource;

/// The types of one or more kinds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    types: Vec<Type>,
    /// Whether objects are kept as they are given, as those of custom resources are, but for
    /// their metadata.
    is_literal: bool,
    kinds: BTreeMap<(Box<str>, Box<str>), TypeRef>,
}

/// A type within its [`Schema`], as a field or element has it.
///
/// The default is [`Type::Any`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TypeRef {
    id: u32,
    /// Whether it is set as a whole though its type alone is not.
    is_atomic: bool,
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Whatever is given: an object is merged by member, anything else is set as a whole.
    Any,
    /// A list.
    List {
        /// What its elements are.
        element: TypeRef,
        /// How two lists are merged.
        list_type: ListType,
    },
    /// An object whose members are not known beforehand.
    Map {
        /// What its values are.
        element: TypeRef,
        /// Whether it is set as a whole.
        is_atomic: bool,
    },
    /// A single value.
    Scalar(Scalar),
    /// An object with fields.
    Struct(Struct),
}

/// The kinds of single values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Boolean,
    /// A list of bytes, written in base64.
    Bytes,
    /// A number, with Go's name for its type.
    Number(&'static str),
    /// An amount, kept in its shortest form.
    Quantity,
    /// A text.
    String,
    /// What has its own way of being read, such as a time or a quantity.
    Untyped,
}

/// `x-kubernetes-list-type`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListType {
    /// The list is set as a whole.
    Atomic,
    /// Elements are told apart by these members.
    Map(Vec<Box<str>>),
    /// Elements are told apart by their value.
    Set,
}

/// An object's fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct {
    /// The type's name, such as `core.v1.Container`.
    pub name: Box<str>,
    /// In the order in which Go prints them.
    pub fields: Vec<Field>,
    /// What a member that is no field is; `None` where there must be none.
    pub rest: Option<TypeRef>,
    /// Whether it is set as a whole.
    pub is_atomic: bool,
    /// Places in `fields`, sorted by name.
    sorted: Vec<u16>,
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name in JSON.
    pub name: Box<str>,
    /// What it holds.
    pub type_ref: TypeRef,
    /// Whether Go keeps a zero apart from nothing at all.
    pub is_pointer: bool,
    /// What Go prints when the field is zero; nothing where it is left out.
    pub zero: Option<Value>,
    /// What a missing member counts as where it is a list's key.
    pub key_default: Option<Value>,
    /// How a strategic merge patch treats it.
    pub patch: PatchStrategy,
}

/// The `patchStrategy` and `patchMergeKey` of a field.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PatchStrategy {
    /// `merge`: lists are merged, not replaced.
    pub merges: bool,
    /// `replace`: the object is replaced, not merged.
    pub replaces: bool,
    /// By what elements are told apart; empty for single values.
    pub merge_key: Box<str>,
}

/// A schema and the type of a whole object within it.
#[derive(Clone, Debug)]
pub struct Typed {
    /// Where the type is found.
    pub schema: Arc<Schema>,
    /// The object's type.
    pub root: TypeRef,
}

impl Schema {
    /// The schema of the built-in kinds.
    pub fn builtin() -> &'static Arc<Self> {
        static BUILTIN: LazyLock<Arc<Schema>> =
            LazyLock::new(|| Arc::new(parse::read(include_str!("schema/types.txt"))));
        &BUILTIN
    }

    /// The type of a resource's objects.
    pub fn of(resource: &Resource) -> Typed {
        if let Some(custom) = &resource.custom {
            let schema = Arc::clone(custom.types());
            let root = schema.root(resource.api_version(), &resource.kind).unwrap_or(ANY);
            return Typed { schema, root };
        }
        Self::of_kind(resource.api_version(), &resource.kind)
    }

    /// The type of a built-in kind's objects.
    pub fn of_kind(api_version: &str, kind: &str) -> Typed {
        let builtin = Self::builtin();
        match builtin.root(api_version, kind) {
            Some(root) => Typed { schema: Arc::clone(builtin), root },
            None => Self::unknown(),
        }
    }

    /// The type of objects of which nothing but the metadata is known.
    pub fn unknown() -> Typed {
        let builtin = Self::builtin();
        let root = builtin.root("", UNKNOWN_KIND).unwrap_or(ANY);
        Typed { schema: Arc::clone(builtin), root }
    }

    /// The type of a kind's objects.
    pub fn root(&self, api_version: &str, kind: &str) -> Option<TypeRef> {
        self.kinds.get(&(api_version.into(), kind.into())).copied()
    }

    /// What a reference refers to.
    pub fn resolve(&self, type_ref: TypeRef) -> &Type {
        self.types.get(type_ref.id as usize).unwrap_or(&Type::Any)
    }

    /// Whether a value of this type is set and owned as a whole.
    pub fn is_atomic(&self, type_ref: TypeRef) -> bool {
        type_ref.is_atomic
            || match self.resolve(type_ref) {
                Type::Scalar(_)
                | Type::Map { is_atomic: true, .. }
                | Type::List { list_type: ListType::Atomic, .. } => true,
                Type::Struct(fields) => fields.is_atomic,
                _ => false,
            }
    }

    /// What a member of a value of this type is.
    pub fn member(&self, type_ref: TypeRef, name: &str) -> Option<TypeRef> {
        match self.resolve(type_ref) {
            Type::Any => Some(ANY),
            Type::Map { element, .. } => Some(*element),
            Type::Struct(fields) => match fields.field(name) {
                Some(field) => Some(field.type_ref),
                None => fields.rest,
            },
            Type::List { .. } | Type::Scalar(_) => None,
        }
    }

    /// What the elements of a list of this type are, and how it is merged.
    pub fn list(&self, type_ref: TypeRef) -> Option<(TypeRef, &ListType)> {
        match self.resolve(type_ref) {
            Type::List { element, list_type } => Some((*element, list_type)),
            _ => None,
        }
    }

    fn push(&mut self, found: Type) -> TypeRef {
        self.types.push(found);
        TypeRef::new(self.types.len() - 1)
    }
}

impl TypeRef {
    fn new(place: usize) -> Self {
        Self { id: u32::try_from(place).unwrap_or(u32::MAX), is_atomic: false }
    }
}

impl Struct {
    fn new(name: &str, fields: Vec<Field>, rest: Option<TypeRef>) -> Self {
        let mut sorted: Vec<u16> = (0..=u16::MAX).take(fields.len()).collect();
        sorted.sort_by(|&a, &b| fields[usize::from(a)].name.cmp(&fields[usize::from(b)].name));
        Self { name: name.into(), fields, rest, is_atomic: false, sorted }
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let at = self.sorted.binary_search_by(|&at| (*self.fields[usize::from(at)].name).cmp(name));
        self.fields.get(usize::from(*self.sorted.get(at.ok()?)?))
    }
}

impl Field {
    fn new(name: &str, type_ref: TypeRef) -> Self {
        Self {
            name: name.into(),
            type_ref,
            is_pointer: false,
            zero: None,
            key_default: None,
            patch: PatchStrategy::default(),
        }
    }
}

/// The first type of each schema.
const ANY: TypeRef = TypeRef { id: 0, is_atomic: false };

/// The name under which [`Schema::unknown`] is kept among the kinds.
const UNKNOWN_KIND: &str = "?";

#[cfg(test)]
mod tests;
