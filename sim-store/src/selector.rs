//! Label and field selectors: their grammars, their error texts, and matching.
//!
//! Source: k8s.io/apimachinery `pkg/labels/selector.go`, `pkg/fields/selector.go`,
//! `pkg/util/validation/validation.go` (release-1.33). Clients match on the error texts, so they
//! are the real ones word for word, oddities included.

mod field;
mod label;
mod label_syntax;
mod lexer;

pub use field::{FieldOperator, FieldRequirement, FieldSelector};
pub use label::{LabelOperator, LabelRequirement, LabelSelector};

/// Why a selector was refused; its text is the real server's message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub(crate) String);
