//! What the real kube-apiserver was recorded to do, and which recorded run is nearest to one here.
//!
//! The runs are those of [`fixtures::recorded::LIST_MEMORY_CSV`]. A figure from here is never
//! computed: it stands in the recording, or is the difference of two that do.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::{Deserialize, Serialize};

/// One recorded run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Version of the kube-apiserver, such as `1.33.2`.
    pub version: String,
    /// The data set by the name that `--dataset` takes, such as `pods-9kB-5000`.
    pub dataset: String,
    /// What the run asked for and how.
    pub shape: ListShape,
    /// Read rate of each client as recorded, such as `5MB/s`, or `fast`.
    pub speed: String,
    /// VmHWM of the run less the RSS before it, MiB.
    pub growth_mib: f64,
    /// Median time to the last byte, ms; none where the clients were cut off before it.
    pub p50_ms: Option<f64>,
    /// Median time to the first byte of the body, ms; none where it was not recorded.
    pub ttfb_p50_ms: Option<f64>,
}

/// The traits by which one LIST storm resembles another.
#[derive(Clone, Debug, PartialEq)]
pub struct ListShape {
    /// Plural of the kind, such as `pods`.
    pub plural: String,
    /// Objects in the list.
    pub objects: u64,
    /// Bytes of JSON of one.
    pub object_bytes: u64,
    /// LISTs in flight.
    pub concurrency: u64,
    /// Whether the readers were held back.
    pub slow: bool,
    /// Whether gzip was asked for.
    pub gzip: bool,
}

/// The recorded run that stands beside one measured here.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Nearest {
    /// Version of the real kube-apiserver.
    pub version: String,
    /// Data set, concurrency, encoding and speed of the recorded run.
    pub shape: String,
    /// Whether that shape is the one asked for: same data set, concurrency, encoding, and slow or
    /// fast as here.
    pub same_shape: bool,
    /// VmHWM of the run less the RSS before it, MiB.
    pub growth_mib: f64,
    /// The same as a multiple of concurrency × uncompressed JSON; none where the body's size was
    /// not recorded.
    pub in_flight_multiple: Option<f64>,
    /// Median time to the last byte, ms; none where it was not recorded.
    pub p50_ms: Option<f64>,
    /// Median time to the first byte of the body, ms; none where it was not recorded.
    pub ttfb_p50_ms: Option<f64>,
}

/// The real version whose recordings stand for a profile.
///
/// Two were recorded: the last before streamed LISTs and the first with them.
pub fn recorded_version(profile: &str) -> Option<&'static str> {
    FAMILIES.iter().find(|(known, _)| *known == profile).map(|(_, version)| *version)
}

/// For each of `profiles` the nearest recorded run, all of one shape where there is one that is
/// near enough and was recorded for all.
pub fn nearest(profiles: &[String], shape: &ListShape) -> Vec<Option<Nearest>> {
    nearest_in(runs(), profiles, shape)
}

/// What ten slow curl clients made the real kube-apiserver do, if that was recorded for `profile`.
///
/// The user agent implies `pretty`, and a pretty answer is not streamed. One run; the same ten
/// requests under another user agent are [`CURL_OTHERS_MIB`].
pub fn nearest_curl(profile: &str, shape: &ListShape) -> Option<Nearest> {
    let recorded = ListShape {
        plural: "pods".to_owned(),
        objects: 5_000,
        object_bytes: 9_408,
        concurrency: 10,
        slow: true,
        gzip: false,
    };
    let distance = distance(shape, &recorded).filter(|distance| *distance <= TOO_FAR_FOR_CURL)?;
    (recorded_version(profile)? == "1.33.2").then(|| Nearest {
        version: "1.33.2".to_owned(),
        shape: "pods-9kB-5000, 10 x curl, 5MB/s".to_owned(),
        same_shape: distance < SAME,
        growth_mib: CURL_MIB,
        in_flight_multiple: None,
        p50_ms: None,
        ttfb_p50_ms: None,
    })
}

/// Growth of the real 1.33.2 under ten slow curl clients on `pods-9kB-5000`, MiB.
pub const CURL_MIB: f64 = 3_440.0;

/// Growth of the same server under the same ten requests by another user agent, MiB.
pub const CURL_OTHERS_MIB: f64 = 343.0;

fn nearest_in(runs: &[Run], profiles: &[String], shape: &ListShape) -> Vec<Option<Nearest>> {
    let versions: Vec<Option<&str>> =
        profiles.iter().map(|profile| recorded_version(profile)).collect();
    let known = versions.iter().flatten();
    // Shapes by name, each with its distance and its runs by version.
    let mut shapes: BTreeMap<String, (f64, ByVersion<'_>)> = BTreeMap::new();
    for run in runs {
        if let Some(distance) = distance(shape, &run.shape)
            && distance <= TOO_FAR
        {
            let (nearest, of_shape) = shapes.entry(run.shape_name()).or_default();
            *nearest = distance;
            of_shape.entry(run.version.as_str()).or_default().push(run);
        }
    }
    let best = |wanted: &dyn Fn(&ByVersion<'_>) -> bool| {
        let fitting = shapes.iter().filter(|(_, (_, of_shape))| wanted(of_shape));
        fitting
            .min_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b))
            .map(|(name, (_, runs))| (name.as_str(), runs))
    };
    let common = best(&|of_shape| known.clone().all(|version| of_shape.contains_key(version)));
    let for_version = |version: &str| {
        let (name, of_shape) = common.or_else(|| best(&|runs| runs.contains_key(version)))?;
        let repeats = of_shape.get(version)?;
        Some(merge(name, repeats, shape))
    };
    versions.into_iter().map(|version| version.and_then(for_version)).collect()
}

/// Repeats of one run as one: memory repeats well and is averaged; of times the least stands,
/// since a busy machine only ever adds to them.
fn merge(name: &str, repeats: &[&Run], asked: &ListShape) -> Nearest {
    let least = |value: fn(&Run) -> Option<f64>| {
        repeats.iter().filter_map(|run| value(run)).min_by(f64::total_cmp)
    };
    let growth_mib = repeats.iter().map(|run| run.growth_mib).sum::<f64>() / repeats.len() as f64;
    let first = repeats[0];
    let shape = &first.shape;
    let in_flight = (shape.concurrency * shape.objects * shape.object_bytes) as f64;
    Nearest {
        version: first.version.clone(),
        shape: name.to_owned(),
        same_shape: distance(asked, shape).is_some_and(|distance| distance < SAME),
        growth_mib,
        in_flight_multiple: Some(growth_mib * MIB / in_flight),
        p50_ms: least(|run| run.p50_ms),
        ttfb_p50_ms: least(|run| run.ttfb_p50_ms),
    }
}

/// How unlike two storms are; `None` where they are not comparable at all.
///
/// The weights say what memory follows most: how many LISTs are in flight, then the size of an
/// object (streaming is about objects), then that of the body.
fn distance(a: &ListShape, b: &ListShape) -> Option<f64> {
    let apart = |a: u64, b: u64| (a.max(1) as f64 / b.max(1) as f64).ln().abs();
    (a.gzip == b.gzip).then(|| {
        2.0 * apart(a.concurrency, b.concurrency)
            + apart(a.object_bytes, b.object_bytes)
            + 0.5 * apart(a.objects * a.object_bytes, b.objects * b.object_bytes)
            + if a.slow == b.slow { 0.0 } else { 1.5 }
            + if a.plural == b.plural { 0.0 } else { 0.5 }
    })
}

impl Run {
    fn shape_name(&self) -> String {
        let encoding = if self.shape.gzip { "JSON gzip" } else { "JSON" };
        format!("{}, {} x {encoding}, {}", self.dataset, self.shape.concurrency, self.speed)
    }
}

fn runs() -> &'static [Run] {
    static RUNS: OnceLock<Vec<Run>> = OnceLock::new();
    RUNS.get_or_init(|| parse(fixtures::recorded::LIST_MEMORY_CSV))
}

/// The plain LISTs of the recording: whole, from the cache, JSON, flow control off, default gates
/// and GOGC, no profiler.
fn parse(csv: &str) -> Vec<Run> {
    let mut lines = csv.lines();
    let header = fields(lines.next().unwrap_or_default());
    let plain = [
        ("gates", "default"),
        ("encoding", "json"),
        ("paging", "0"),
        ("rv", "0"),
        ("apf", "off"),
        ("gogc", "100"),
    ];
    let mut runs = Vec::new();
    for line in lines {
        let row: BTreeMap<&str, String> =
            header.iter().map(String::as_str).zip(fields(line)).collect();
        let text = |column: &str| row.get(column).map_or("", String::as_str);
        if plain.iter().any(|(column, value)| text(column) != *value) || text("repeat") == "prof" {
            continue;
        }
        runs.extend(run(&text));
    }
    runs
}

/// One row, if it has all its figures.
fn run<'a>(text: &impl Fn(&str) -> &'a str) -> Option<Run> {
    let number = |column: &str| text(column).parse::<f64>().ok();
    let count = |column: &str| text(column).parse::<u64>().ok();
    // A run whose clients were cut off has zeros.
    let time = |column: &str| number(column).filter(|ms| *ms > 0.0);
    let growth_mib = number("rss_peak_mib")? - number("rss_base_mib")?;
    let (dataset, plural) = dataset_name(text("dataset"))?;
    let speed = text("client_speed").to_owned();
    Some(Run {
        version: text("version").to_owned(),
        dataset,
        shape: ListShape {
            plural: plural.to_owned(),
            objects: count("n_objects")?,
            object_bytes: count("object_bytes_json").filter(|bytes| *bytes > 0)?,
            concurrency: count("concurrency")?,
            slow: speed != "fast",
            gzip: text("gzip") == "1",
        },
        speed,
        growth_mib: Some(growth_mib).filter(|growth| *growth > 0.0)?,
        p50_ms: time("p50_ms"),
        ttfb_p50_ms: time("ttfb_p50_ms"),
    })
}

/// `8k-5000` is `pods-9kB-5000`.
fn dataset_name(recorded: &str) -> Option<(String, &'static str)> {
    let (size, objects) = recorded.split_once('-')?;
    let (name, plural) = match size {
        "2k" => ("pods-2kB", "pods"),
        "8k" => ("pods-9kB", "pods"),
        "cm100k" => ("configmaps-100kB", "configmaps"),
        "cm1m" => ("configmaps-1MiB", "configmaps"),
        _ => return None,
    };
    Some((format!("{name}-{objects}"), plural))
}

/// The fields of a CSV line; a quoted one may hold commas and doubled quotes.
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    all.push(field);
    all
}

/// Repeats of one run, by version.
type ByVersion<'a> = BTreeMap<&'a str, Vec<&'a Run>>;

/// Profile and the recorded version that stands for it.
const FAMILIES: [(&str, &str); 9] = [
    ("1.29", "1.32.13"),
    ("1.30", "1.32.13"),
    ("1.31", "1.32.13"),
    ("1.32", "1.32.13"),
    ("1.33", "1.33.2"),
    ("1.34", "1.33.2"),
    ("1.35", "1.33.2"),
    ("1.36", "1.33.2"),
    ("1.37", "1.33.2"),
];

/// Beyond this a run says nothing about the other: e.g. ten times as many LISTs in flight.
const TOO_FAR: f64 = 4.0;

/// Its body was not recorded, so there is no multiple by which a reader could compare: only near
/// shapes then.
const TOO_FAR_FOR_CURL: f64 = 1.0;

/// Below this two shapes are one: a few bytes an object, or read rates of the same order.
const SAME: f64 = 0.1;

const MIB: f64 = 1_048_576.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(objects: u64, object_bytes: u64, concurrency: u64, slow: bool) -> ListShape {
        let plural = "pods".to_owned();
        ListShape { plural, objects, object_bytes, concurrency, slow, gzip: false }
    }

    fn both() -> Vec<String> {
        vec!["1.32".to_owned(), "1.33".to_owned()]
    }

    #[test]
    fn the_recording_is_read() {
        assert!(runs().len() > 60, "{}", runs().len());
        assert!(runs().iter().all(|run| run.growth_mib < 10_000.0));
    }

    #[test]
    fn a_recorded_shape_is_its_own_nearest() {
        let found = nearest(&both(), &pods(5_000, 9_408, 10, true));
        let [Some(before), Some(after)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((before.version.as_str(), after.version.as_str()), ("1.32.13", "1.33.2"));
        assert_eq!(before.shape, "pods-9kB-5000, 10 x JSON, 5MB/s");
        assert_eq!(before.shape, after.shape);
        assert!(before.same_shape && after.same_shape);
        assert!((before.growth_mib - 1_731.0).abs() < 1.0, "{before:?}");
        assert!((after.growth_mib - 550.0).abs() < 1.0, "{after:?}");
        assert!((before.in_flight_multiple.unwrap() - 3.86).abs() < 0.02, "{before:?}");
    }

    #[test]
    fn both_releases_get_one_shape_and_it_is_named() {
        // One LIST of 5,000 pods of 9.4 kB was not recorded for 1.32.
        let found = nearest(&both(), &pods(5_000, 9_408, 1, false));
        let [Some(before), Some(after)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(before.shape, after.shape);
        assert!(before.shape.contains(", 1 x JSON, fast"), "{before:?}");
        assert!(!before.same_shape);
    }

    #[test]
    fn what_is_too_far_is_not_compared() {
        assert_eq!(nearest(&both(), &pods(5_000, 9_408, 5_000, false)), [None, None]);
        assert_eq!(nearest(&["9.9".to_owned()], &pods(5_000, 9_408, 10, true)), [None]);
    }

    #[test]
    fn repeats_are_one_run() {
        let found = nearest(&["1.32".to_owned()], &pods(5_000, 1_963, 10, true));
        let run = found[0].as_ref().unwrap();
        assert!(run.shape.starts_with("pods-2kB-5000, 10 x JSON, "), "{run:?}");
        assert!((370.0..410.0).contains(&run.growth_mib), "{run:?}");
    }

    #[test]
    fn curl_was_recorded_once() {
        let shape = pods(5_000, 9_408, 10, true);
        assert!(nearest_curl("1.33", &shape).unwrap().same_shape);
        assert_eq!(nearest_curl("1.32", &shape), None);
        assert!(!nearest_curl("1.34", &pods(4_000, 9_408, 10, true)).unwrap().same_shape);
        assert_eq!(nearest_curl("1.33", &pods(5_000, 1_963, 10, true)), None);
    }

    #[test]
    fn a_run_that_was_cut_off_has_memory_but_no_times() {
        let shape = ListShape {
            plural: "configmaps".to_owned(),
            objects: 1_000,
            object_bytes: 100_310,
            concurrency: 10,
            slow: true,
            gzip: false,
        };
        let found = nearest(&both(), &shape);
        let run = found[0].as_ref().unwrap();
        assert!(run.same_shape && run.growth_mib > 1_700.0, "{run:?}");
        assert_eq!((run.p50_ms, run.ttfb_p50_ms), (None, None));
    }

    #[test]
    fn quoted_fields_keep_their_commas() {
        assert_eq!(fields("a,\"{\"\"200\"\": 8, x}\",c"), ["a", "{\"200\": 8, x}", "c"]);
        assert_eq!(fields("a,,"), ["a", "", ""]);
    }
}
