//! Schedules, as github.com/robfig/cron/v3 reads them.
//!
//! Source: robfig/cron v3.0.1, `parser.go`.

/// What is wrong with a schedule of five fields or a descriptor.
pub(super) fn error(spec: &str) -> Option<String> {
    let spec = match spec.split_once(' ') {
        Some((zone, rest)) if zone.starts_with("TZ=") || zone.starts_with("CRON_TZ=") => {
            rest.trim()
        }
        _ => spec,
    };
    if spec.starts_with('@') {
        return descriptor(spec);
    }
    let fields: Vec<&str> = spec.split_whitespace().collect();
    if fields.len() != BOUNDS.len() {
        let (count, list) = (fields.len(), fields.join(" "));
        return Some(format!("expected exactly 5 fields, found {count}: [{list}]"));
    }
    fields.iter().zip(&BOUNDS).find_map(|(field, bounds)| {
        let mut ranges = field.split(',').filter(|range| !range.is_empty());
        ranges.find_map(|range| bounds.check(range).err())
    })
}

fn descriptor(spec: &str) -> Option<String> {
    const KNOWN: [&str; 7] =
        ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    if KNOWN.contains(&spec) {
        return None;
    }
    let Some(period) = spec.strip_prefix("@every ") else {
        return Some(format!("unrecognized descriptor: {spec}"));
    };
    let error = crate::duration::parse(period).err()?;
    Some(format!("failed to parse duration {spec}: {error}"))
}

/// What a field may hold.
struct Bounds {
    min: i64,
    max: i64,
    /// Names for the numbers from `min` on.
    names: &'static [&'static str],
}

impl Bounds {
    /// `getRange`.
    fn check(&self, range: &str) -> Result<(), String> {
        let steps: Vec<&str> = range.split('/').collect();
        let ends: Vec<&str> = steps[0].split('-').collect();
        let (start, mut end) = match &ends[..] {
            ["*" | "?", ..] => (self.min, self.max),
            [only] => (self.number(only)?, self.number(only)?),
            [first, last] => (self.number(first)?, self.number(last)?),
            [first, ..] => {
                self.number(first)?;
                return Err(format!("too many hyphens: {range}"));
            }
            [] => return Ok(()),
        };
        let step = match &steps[..] {
            [_] => 1,
            [_, step] => {
                let step = number(step)?;
                if ends.len() == 1 {
                    end = self.max;
                }
                step
            }
            _ => return Err(format!("too many slashes: {range}")),
        };
        let (min, max) = (self.min, self.max);
        if start < min {
            return Err(format!("beginning of range ({start}) below minimum ({min}): {range}"));
        }
        if end > max {
            return Err(format!("end of range ({end}) above maximum ({max}): {range}"));
        }
        if start > end {
            return Err(format!(
                "beginning of range ({start}) beyond end of range ({end}): {range}"
            ));
        }
        if step == 0 {
            return Err(format!("step of range should be a positive number: {range}"));
        }
        Ok(())
    }

    fn number(&self, text: &str) -> Result<i64, String> {
        let lower = text.to_lowercase();
        match (self.min..).zip(self.names).find(|(_, name)| **name == lower) {
            Some((number, _)) => Ok(number),
            None => number(text),
        }
    }
}

/// `mustParseInt`.
fn number(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Ok(number) = text.parse::<i64>() else {
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let error = if is_number { "value out of range" } else { "invalid syntax" };
        let quoted = crate::go::quote(text);
        return Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {quoted}: {error}"
        ));
    };
    if number < 0 {
        return Err(format!("negative number ({number}) not allowed: {text}"));
    }
    Ok(number)
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Minute, hour, day of the month, month, day of the week.
const BOUNDS: [Bounds; 5] = [
    Bounds { min: 0, max: 59, names: &[] },
    Bounds { min: 0, max: 23, names: &[] },
    Bounds { min: 1, max: 31, names: &[] },
    Bounds { min: 1, max: 12, names: &MONTHS },
    Bounds { min: 0, max: 6, names: &DAYS },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_by_cron() {
        for fine in
            ["* * * * *", "*/5 0-23/2 1,15 JAN-dec sun", "@daily", "@every 1h30m", "5/3 ? * * *"]
        {
            assert_eq!(error(fine), None, "{fine}");
        }
        for (spec, expected) in [
            ("bad", "expected exactly 5 fields, found 1: [bad]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            (
                "a * * * *",
                "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax",
            ),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("@never", "unrecognized descriptor: @never"),
        ] {
            assert_eq!(error(spec).as_deref(), Some(expected));
        }
    }
}
