//! The options of create, update and patch.

use super::invalid;
use crate::{Status, StatusCause, go, query::Query, status::Result};

/// What to do about members that a type does not have.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Refuse the request.
    Strict,
    /// Drop them and say so in a Warning header; the default.
    #[default]
    Warn,
}

impl FieldValidation {
    /// What a query asks for, which has been checked.
    pub fn of(query: &Query) -> Self {
        match query.get("fieldValidation") {
            Some("Ignore") => Self::Ignore,
            Some("Strict") => Self::Strict,
            _ => Self::Warn,
        }
    }
}

/// The options of POST.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CreateOptions {
    /// `dryRun=All`: answer as if it were done, and do nothing.
    pub dry_run: bool,
    /// `fieldManager`; empty = from the user agent.
    pub field_manager: String,
    /// `fieldValidation`.
    pub field_validation: FieldValidation,
}

/// The options of PUT.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UpdateOptions {
    /// As in [`CreateOptions`].
    pub dry_run: bool,
    /// As in [`CreateOptions`].
    pub field_manager: String,
    /// As in [`CreateOptions`].
    pub field_validation: FieldValidation,
}

/// The options of PATCH.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PatchOptions {
    /// As in [`CreateOptions`].
    pub dry_run: bool,
    /// As in [`CreateOptions`].
    pub field_manager: String,
    /// As in [`CreateOptions`].
    pub field_validation: FieldValidation,
    /// `force`: an apply takes fields from their other managers.
    pub force: Option<bool>,
}

impl CreateOptions {
    /// The options in a query.
    pub fn parse(query: &Query) -> Result<Self> {
        let (dry_run, field_manager, field_validation) = parse("CreateOptions", query, Vec::new())?;
        Ok(Self { dry_run, field_manager, field_validation })
    }
}

impl UpdateOptions {
    /// The options in a query.
    pub fn parse(query: &Query) -> Result<Self> {
        let (dry_run, field_manager, field_validation) = parse("UpdateOptions", query, Vec::new())?;
        Ok(Self { dry_run, field_manager, field_validation })
    }
}

impl PatchOptions {
    /// The options in a query, for a patch of any type but apply.
    pub fn parse(query: &Query) -> Result<Self> {
        Self::parse_for(query, false)
    }

    /// The options in a query; an apply needs a manager, the others must not be forced.
    pub fn parse_for(query: &Query, is_apply: bool) -> Result<Self> {
        let force = query.contains("force").then(|| query.flag("force"));
        let mut causes = Vec::new();
        if is_apply && query.get("fieldManager").unwrap_or_default().is_empty() {
            causes.push(StatusCause::required("fieldManager", "is required for apply patch"));
        }
        if !is_apply && force.is_some() {
            let detail = "may not be specified for non-apply patch";
            causes.push(StatusCause::forbidden("force", detail));
        }
        let (dry_run, field_manager, field_validation) = parse("PatchOptions", query, causes)?;
        Ok(Self { dry_run, field_manager, field_validation, force })
    }
}

fn parse(
    kind: &str,
    query: &Query,
    mut causes: Vec<StatusCause>,
) -> Result<(bool, String, FieldValidation), Status> {
    let manager = query.get("fieldManager").unwrap_or_default();
    if manager.len() > MANAGER_MAX {
        causes.push(StatusCause::too_long("fieldManager", MANAGER_MAX));
    }
    for (at, c) in manager.char_indices() {
        if c.is_control() {
            let detail = format!("invalid character U+{:04X} (at position {at})", u32::from(c));
            causes.push(StatusCause::invalid_text("fieldManager", manager, &detail));
            break;
        }
    }
    let dry_run = dry_run(query, &mut causes);
    let given = query.get("fieldValidation").unwrap_or_default();
    let validation = match given {
        "Ignore" => FieldValidation::Ignore,
        "Strict" => FieldValidation::Strict,
        "" | "Warn" => FieldValidation::Warn,
        _ => {
            causes.push(StatusCause::not_supported(
                "fieldValidation",
                go::quote(given),
                &["", "Ignore", "Strict", "Warn"],
            ));
            FieldValidation::Warn
        }
    };
    invalid(kind, causes)?;
    Ok((dry_run, manager.to_owned(), validation))
}

/// Whether `dryRun=All` is given; any other value is refused.
pub(super) fn dry_run(query: &Query, causes: &mut Vec<StatusCause>) -> bool {
    let given: Vec<&str> = query.all("dryRun").collect();
    check_dry_run(&given, causes)
}

pub(super) fn check_dry_run(given: &[&str], causes: &mut Vec<StatusCause>) -> bool {
    if given.iter().any(|&value| value != "All") {
        let value = go::string_slice(given);
        causes.push(StatusCause::not_supported("dryRun", value, &["All"]));
    }
    !given.is_empty()
}

/// Bytes. Source: `FieldManagerMaxLength`.
const MANAGER_MAX: usize = 128;
