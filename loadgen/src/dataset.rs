//! The data set of a run: what is listed, and how large it is.

use fixtures::dataset::{Populate, PopulateError, PopulateItem};

/// A data set as a run uses it.
#[derive(Clone, Debug)]
pub struct Dataset {
    populate: Populate,
    listed: usize,
}

impl Dataset {
    /// The data set of a name or of `KIND=COUNT[xSIZE],…`.
    ///
    /// # Errors
    /// When the text is neither; the message names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, PopulateError> {
        let populate = Populate::parse(text)?;
        let bytes = |item: &PopulateItem| item.count * item.object_bytes();
        let sizes = populate.items.iter().map(bytes).enumerate();
        let listed = sizes.max_by_key(|(index, bytes)| (*bytes, usize::MAX - index));
        Ok(Self { listed: listed.map_or(0, |(index, _)| index), populate })
    }

    /// The recorded data set's name, or the text.
    pub fn name(&self) -> String {
        self.populate.name().map_or_else(|| self.populate.to_string(), str::to_owned)
    }

    /// The text that `--populate` takes.
    pub fn spec(&self) -> String {
        self.populate.to_string()
    }

    /// The objects that the storms list: those that take the most bytes.
    pub fn listed(&self) -> &PopulateItem {
        &self.populate.items[self.listed]
    }

    /// The path of that list in [`NAMESPACE`], answered from the watch cache as the recorded ones
    /// were.
    pub fn path(&self) -> String {
        let path = self.listed().spec.collection_path(Some(NAMESPACE));
        format!("{path}?resourceVersion=0")
    }

    /// Bytes of JSON of all objects.
    pub fn json_bytes(&self) -> u64 {
        self.populate.json_bytes()
    }

    /// Bytes of JSON of the list; good to a percent.
    pub fn body_bytes(&self) -> u64 {
        self.listed().count * self.listed().object_bytes()
    }
}

/// Where the objects are, as in the recordings.
pub const NAMESPACE: &str = "load";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_kind_is_listed() {
        let set = Dataset::parse("nodes=100,pods=1000,configmaps=3x1k").unwrap();
        assert_eq!(set.path(), "/api/v1/namespaces/load/pods?resourceVersion=0");
        assert_eq!(set.name(), "nodes=100,pods=1000,configmaps=3x1k");
        assert!((9_300_000..9_600_000).contains(&set.body_bytes()), "{}", set.body_bytes());
    }

    #[test]
    fn a_named_set_keeps_its_name() {
        let set = Dataset::parse("configmaps-1MiB-100").unwrap();
        assert_eq!(set.name(), "configmaps-1MiB-100");
        assert_eq!(set.spec(), "configmaps=100x1Mi");
        assert_eq!(Dataset::parse("nodes=5").unwrap().path(), "/api/v1/nodes?resourceVersion=0");
    }
}
