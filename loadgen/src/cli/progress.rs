//! A bar on a terminal, a plain line now and then where there is none. Always on stderr.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far something is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// With a total, a bar; without one, a spinner.
    pub(super) fn new(total: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| match total {
            Some(total) => ProgressBar::new(total).with_style(style(BAR)),
            None => ProgressBar::new_spinner().with_style(style(SPINNER)),
        });
        Self { bar, last_line: Mutex::new(Instant::now()) }
    }

    /// `done` of the total; `text` says more.
    pub(super) fn at(&self, done: u64, text: String) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(text);
            return;
        }
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            eprintln!("{text}");
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants that parse")
}

const BAR: &str = "{bar:30} {pos}/{len} {msg}";
const SPINNER: &str = "{spinner} {msg}";
const LINE_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_templates_parse() {
        style(BAR);
        style(SPINNER);
    }
}
