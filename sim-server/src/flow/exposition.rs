//! The engine's metrics in the text format 0.0.4.

use std::fmt::Write;

use sim_flow::{MetricFamily, MetricValue};

/// Families without a series are left out, as the real server's registry does.
pub(super) fn text(families: &[MetricFamily]) -> String {
    let mut text = String::new();
    for family in families {
        let Some(first) = family.series.first() else { continue };
        let kind = match first.value {
            MetricValue::Counter(_) => "counter",
            MetricValue::Gauge(_) => "gauge",
            MetricValue::Histogram(_) => "histogram",
        };
        let name = family.name;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for series in &family.series {
            let labels: Vec<String> =
                series.labels.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
            let labels = labels.join(",");
            match &series.value {
                MetricValue::Counter(value) => line(&mut text, name, &labels, &value.to_string()),
                MetricValue::Gauge(value) => line(&mut text, name, &labels, &value.to_string()),
                MetricValue::Histogram(histogram) => {
                    let comma = if labels.is_empty() { "" } else { "," };
                    let bounds = histogram.bounds().iter().map(f64::to_string);
                    let bounds = bounds.chain(["+Inf".to_owned()]);
                    for (bound, count) in bounds.zip(histogram.cumulative_counts()) {
                        let _ = writeln!(
                            text,
                            "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
                        );
                    }
                    line(&mut text, &format!("{name}_sum"), &labels, &histogram.sum().to_string());
                    let count = histogram.count().to_string();
                    line(&mut text, &format!("{name}_count"), &labels, &count);
                }
            }
        }
    }
    text
}

fn line(text: &mut String, name: &str, labels: &str, value: &str) {
    let _ = if labels.is_empty() {
        writeln!(text, "{name} {value}")
    } else {
        writeln!(text, "{name}{{{labels}}} {value}")
    };
}
