//! The few conversions between integers and floats, with Go's meaning.

/// The integer nearest to `x`, halves away from zero; saturates, and NaN is 0.
#[expect(clippy::cast_possible_truncation, reason = "saturation is the documented result")]
pub(crate) fn round_to_i64(x: f64) -> i64 {
    x.round() as i64
}

/// `x` without its fraction; saturates, and NaN is 0.
#[expect(clippy::cast_possible_truncation, reason = "saturation is the documented result")]
pub(crate) fn trunc_to_i64(x: f64) -> i64 {
    x as i64
}

/// The integer nearest to `x`, halves away from zero, kept within `u32`.
pub(crate) fn round_to_u32(x: f64) -> u32 {
    clamp_u32(round_to_i64(x))
}

/// The least integer not below `x`, kept within `u32`.
pub(crate) fn ceil_to_u32(x: f64) -> u32 {
    clamp_u32(trunc_to_i64(x.ceil()))
}

/// `x` kept within `u32`.
pub(crate) fn clamp_u32(x: i64) -> u32 {
    u32::try_from(x.max(0)).unwrap_or(u32::MAX)
}

/// `length` in nanoseconds, saturating.
pub(crate) fn nanos_i64(length: std::time::Duration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}
