//! Where in an object something is, printed only when it is told.

use std::fmt::{self, Write};

/// A place in an object: the steps from its root.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step<'a> {
    Index(usize),
    Key(&'a str),
    Member(&'a str),
    #[default]
    Root,
}

impl Path<'_> {
    /// A whole object.
    pub const ROOT: Self = Self { parent: None, step: Step::Root };

    /// `path.name`.
    pub fn member<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Member(name) }
    }

    /// `path[key]`.
    pub fn key<'a>(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    /// `path[0]`.
    pub fn index(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// Whether it is the whole object.
    pub fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    /// The path as a `field.Path` prints, the whole object as `<nil>`.
    pub fn field(&self) -> String {
        if self.is_root() { "<nil>".to_owned() } else { self.to_string() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(f)?;
        match self.step {
            Step::Root => Ok(()),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
            Step::Member(name) => {
                if !parent.is_root() {
                    f.write_char('.')?;
                }
                f.write_str(name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_as_in_go() {
        let spec = Path::ROOT.member("spec");
        let list = spec.member("list");
        let item = list.index(2);
        assert_eq!(item.member("name").field(), "spec.list[2].name");
        assert_eq!(spec.key("a.b").field(), "spec[a.b]");
        assert_eq!(Path::ROOT.field(), "<nil>");
    }
}
