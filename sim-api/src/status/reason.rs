//! The words of `metav1.StatusReason` and `metav1.CauseType`.

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The word on the wire; empty for an unknown reason, which is not printed.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    /// Why a request failed, for programs; `metav1.StatusReason`.
    Reason {
        /// 409: the name is taken.
        AlreadyExists = "AlreadyExists",
        /// 400.
        BadRequest = "BadRequest",
        /// 409: changed in between, or a precondition does not hold.
        Conflict = "Conflict",
        /// 410: the resourceVersion is older than the oldest kept.
        Expired = "Expired",
        /// 403.
        Forbidden = "Forbidden",
        /// 410.
        Gone = "Gone",
        /// 500.
        InternalError = "InternalError",
        /// 422: the object does not pass validation.
        Invalid = "Invalid",
        /// 405.
        MethodNotAllowed = "MethodNotAllowed",
        /// 406.
        NotAcceptable = "NotAcceptable",
        /// 404.
        NotFound = "NotFound",
        /// 413.
        RequestEntityTooLarge = "RequestEntityTooLarge",
        /// 500: cannot be done now.
        ServerTimeout = "ServerTimeout",
        /// 503.
        ServiceUnavailable = "ServiceUnavailable",
        /// 504.
        Timeout = "Timeout",
        /// 429.
        TooManyRequests = "TooManyRequests",
        /// 401.
        Unauthorized = "Unauthorized",
        /// None is given.
        Unknown = "",
        /// 415.
        UnsupportedMediaType = "UnsupportedMediaType",
    }
}

reasons! {
    /// What sort of wrong one cause is; `metav1.CauseType`.
    CauseReason {
        /// A disruption budget forbids it.
        DisruptionBudget = "DisruptionBudget",
        /// Another manager owns the field.
        FieldManagerConflict = "FieldManagerConflict",
        /// A list has an item twice.
        FieldValueDuplicate = "FieldValueDuplicate",
        /// The field must not be set or changed.
        FieldValueForbidden = "FieldValueForbidden",
        /// The value is wrong.
        FieldValueInvalid = "FieldValueInvalid",
        /// The value refers to something that is not there.
        FieldValueNotFound = "FieldValueNotFound",
        /// The value is not in the list of values.
        FieldValueNotSupported = "FieldValueNotSupported",
        /// The field must be set.
        FieldValueRequired = "FieldValueRequired",
        /// The value is too long.
        FieldValueTooLong = "FieldValueTooLong",
        /// The list has too many elements.
        FieldValueTooMany = "FieldValueTooMany",
        /// The value is of the wrong type.
        FieldValueTypeInvalid = "FieldValueTypeInvalid",
        /// The namespace is being deleted.
        NamespaceTerminating = "NamespaceTerminating",
        /// The version asked for is not reached yet.
        ResourceVersionTooLarge = "ResourceVersionTooLarge",
        /// None is given.
        Unknown = "",
    }
}

impl CauseReason {
    /// How a field error of this sort begins. Source: `util/validation/field/errors.go`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::FieldValueDuplicate => "Duplicate value",
            Self::FieldValueForbidden => "Forbidden",
            Self::FieldValueInvalid | Self::FieldValueTypeInvalid => "Invalid value",
            Self::FieldValueNotFound => "Not found",
            Self::FieldValueNotSupported => "Unsupported value",
            Self::FieldValueRequired => "Required value",
            Self::FieldValueTooLong => "Too long",
            Self::FieldValueTooMany => "Too many",
            Self::DisruptionBudget
            | Self::FieldManagerConflict
            | Self::NamespaceTerminating
            | Self::ResourceVersionTooLarge
            | Self::Unknown => "",
        }
    }
}
