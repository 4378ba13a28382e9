//! What a run says while it runs, with the levels of kube-burner's `--log-level`.

use std::sync::Arc;

/// How much a line matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Something went wrong.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What is going on.
    Info,
    /// Every object and every poll.
    Debug,
}

/// Takes the lines; the caller decides where they go.
#[derive(Clone)]
pub struct Log {
    level: Level,
    sink: Sink,
}

type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

impl Log {
    /// A log that passes lines of `level` and above to `sink`.
    pub fn new(level: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        Self { level, sink: Arc::new(sink) }
    }

    fn line(&self, level: Level, text: &dyn AsRef<str>) {
        if level <= self.level {
            (self.sink)(level, text.as_ref());
        }
    }

    pub(super) fn error(&self, text: impl AsRef<str>) {
        self.line(Level::Error, &text);
    }

    pub(super) fn warn(&self, text: impl AsRef<str>) {
        self.line(Level::Warn, &text);
    }

    pub(super) fn info(&self, text: impl AsRef<str>) {
        self.line(Level::Info, &text);
    }

    /// Takes a closure, since there are very many of these and they are mostly not wanted.
    pub(super) fn debug(&self, text: impl FnOnce() -> String) {
        if self.level >= Level::Debug {
            (self.sink)(Level::Debug, &text());
        }
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" | "trace" => Ok(Self::Debug),
            _ => Err(format!("{name:?} is none of error, warn, info, debug")),
        }
    }
}

impl Level {
    /// As it stands in a line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}
