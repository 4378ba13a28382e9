//! What a person sees while they wait: bars on a terminal, lines elsewhere.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Steps to stderr.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    terminal: bool,
}

/// One step that is going on.
#[derive(Debug)]
pub(super) struct Step {
    bar: Option<ProgressBar>,
    what: String,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: stderr().is_terminal() }
    }

    /// A step of `total` units.
    pub(super) fn step(self, what: impl Into<String>, total: u64) -> Step {
        let what = what.into();
        let bar = self.terminal.then(|| {
            let bar = ProgressBar::new(total.max(1));
            let style = ProgressStyle::with_template("{msg:34} {bar:30} {percent:>3}% {elapsed}");
            if let Ok(style) = style {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_message(what.clone());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Step { bar, what }
    }

    /// A line that stays.
    pub(super) fn line(self, text: &str) {
        // Nobody can be told that nobody can be told.
        let _ = writeln!(stderr(), "{text}");
    }
}

impl Step {
    /// How far it is.
    pub(super) fn at(&self, units: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(units);
        }
    }

    /// The step is over; `result` says how it ended.
    pub(super) fn done(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let _ = writeln!(stderr(), "{:34} {result}", self.what);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
