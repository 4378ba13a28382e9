//! Objects as the server keeps them, made without a server.

use std::sync::Arc;

use anyhow::Context as _;
use fixtures::dataset::Populate;
use jiff::Timestamp;
use sim_api::{Release, Resource, ResourceTable, encode, meta};
use sim_store::Draft;
use uuid::Uuid;

/// The namespace that the objects are in; that of `--populate` too.
pub const NAMESPACE: &str = "load";

/// The drafts of a data set of one kind, such as `pods=1000x2Ki`, in the order of their making,
/// and the kind's resource.
///
/// # Errors
///
/// When the text is no data set, or not of one kind.
pub fn drafts(populate: &str) -> anyhow::Result<(Arc<Resource>, Vec<Draft>)> {
    let set = Populate::parse(populate)?;
    let [item] = &set.items[..] else { anyhow::bail!("{populate:?} has not one kind") };
    let plural = item.spec.plural;
    let table = ResourceTable::for_release(Release::default());
    let resource = table.lookup("", "v1", plural).with_context(|| format!("no {plural} in v1"))?;
    let drafts = set.objects(NAMESPACE, SEED).map(|object| {
        let mut value = serde_json::from_slice(&object.json)?;
        meta::adopt(resource, NAMESPACE, &mut value, Uuid::nil(), Timestamp::UNIX_EPOCH)
            .map_err(|status| anyhow::anyhow!(status.message))?;
        encode::draft(resource, &value).map_err(|status| anyhow::anyhow!(status.message))
    });
    Ok((Arc::clone(resource), drafts.collect::<anyhow::Result<_>>()?))
}

/// The same draft with other content of the same length: what an update brings. The content is for
/// the store, which does not look into it; it may be no JSON any more.
pub fn stamped(draft: &Draft, number: u64) -> Draft {
    let mut draft = draft.clone();
    let stamp = format!("{number:08}");
    if let Some(at) = draft.body.len().checked_sub(2 + stamp.len()).filter(|at| *at > draft.rv_at) {
        draft.body[at..at + stamp.len()].copy_from_slice(stamp.as_bytes());
    }
    draft
}

/// The server's default seed, so that its objects are these.
const SEED: u64 = 1;
