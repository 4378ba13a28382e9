//! Exchanges recorded from a real kube-apiserver 1.33.2 that change objects: each case is played
//! to the rules of this crate around a map of objects, and every answer must be the recorded
//! one, managedFields included.
//!
//! `fixtures/requests/patches.json.gz` holds the cases. [`NOT_YET`] lists the steps that need
//! rules which are not built yet; a step that starts to pass must leave that list.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{collections::BTreeMap, io::Read};

use flate2::read::GzDecoder;
use serde_json::Value;
use sim_api::{
    Query, Release, RequestInfo, Resource, ResourceTable, Status,
    list_options::{CreateOptions, PatchOptions, UpdateOptions},
    managed_fields::{self, ApplyOptions},
    media_type,
    meta::{self, WriteContext},
    patch::Patch,
};

#[test]
fn changes_equal_the_recorded_ones() {
    let table = ResourceTable::for_release(Release::default());
    let (mut passed, mut wrong) = (0, Vec::new());
    for case in recorded()["cases"].as_array().unwrap() {
        let mut server = Server { table: &table, objects: BTreeMap::new(), revision: 0 };
        for step in case["steps"].as_array().unwrap() {
            let name = format!("{}#{}", case["case"].as_str().unwrap(), step["step"]);
            let found = match server.answer(step) {
                None => continue,
                Some(Ok(object)) => object,
                Some(Err(status)) => status.to_value(),
            };
            let difference = difference("", &found, &step["response"]);
            match (difference, NOT_YET.contains(&&*name)) {
                (None, false) => passed += 1,
                (None, true) => wrong.push(format!("{name} passes now: take it off the list")),
                (Some(_), true) => {}
                (Some(difference), false) => wrong.push(format!("{name}: {difference}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {passed} right\n{}", wrong.len(), wrong.join("\n"));
    assert!(passed > 80, "only {passed} steps");
}

#[test]
fn creations_have_the_recorded_owners() {
    let table = ResourceTable::for_release(Release::default());
    let (mut passed, mut wrong) = (0, Vec::new());
    for step in recorded()["creations"].as_array().unwrap() {
        let name = step["step"].as_str().unwrap();
        let text = |key: &str| step[key].as_str().unwrap();
        let (path, query) = text("path").split_once('?').unwrap_or_else(|| (text("path"), ""));
        let info = RequestInfo::parse("POST", path, query);
        let (group, version) = (&info.api_group, &info.api_version);
        let Some(resource) = table.lookup(group, version, &info.resource) else { continue };
        // A uid that is a placeholder cannot be told apart from the text of a key.
        if !resource.is_stored() || text("body").contains("<uid") {
            continue;
        }
        let context = context(&Query::parse(query), text("userAgent"));
        let body = text("body").as_bytes();
        let object =
            media_type::decode_object(Release::default(), "application/json", body, resource)
                .unwrap();
        let made = meta::prepare_create(resource, &info.namespace, object, &context).unwrap();
        let found = &made["metadata"]["managedFields"];
        match (difference("", found, &step["managedFields"]), NOT_YET.contains(&name)) {
            (None, false) => passed += 1,
            (None, true) => wrong.push(format!("{name} passes now: take it off the list")),
            (Some(_), true) => {}
            (Some(difference), false) => wrong.push(format!("{name}: {difference}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {passed} right\n{}", wrong.len(), wrong.join("\n"));
    assert!(passed > 70, "only {passed} steps");
}

struct Server<'a> {
    table: &'a ResourceTable,
    objects: BTreeMap<String, Value>,
    revision: u64,
}

impl Server<'_> {
    /// The answer to a step; nothing where it is not for this crate to decide.
    fn answer(&mut self, step: &Value) -> Option<Result<Value, Status>> {
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        let (path, query) = text("path").split_once('?').unwrap_or_else(|| (text("path"), ""));
        let info = RequestInfo::parse(text("method"), path, query);
        let resource = self.table.lookup(&info.api_group, &info.api_version, &info.resource)?;
        let resource = resource.clone();
        if !matches!(&*info.subresource, "" | "status") {
            return None;
        }
        let query = Query::parse(query);
        let context = context(&query, text("userAgent"));
        // The objects' versions are placeholders here.
        let body = text("body").replace("<rv", "\u{0}<rv");
        if body.contains('\u{0}') || body.contains("<uid") {
            return self.replay(step, &info);
        }
        Some(self.run(&resource, &info, &query, &context, text("contentType"), body.as_bytes()))
    }

    /// What this server cannot be asked, as its versions are others, is taken as recorded.
    fn replay(&mut self, step: &Value, info: &RequestInfo) -> Option<Result<Value, Status>> {
        if step["status"] == 200 {
            let mut object = step["response"].clone();
            self.revision += 1;
            object["metadata"]["resourceVersion"] = self.revision.to_string().into();
            self.objects.insert(format!("{}/{}", info.resource, info.name), object);
        }
        None
    }

    fn run(
        &mut self,
        resource: &Resource,
        info: &RequestInfo,
        query: &Query,
        context: &WriteContext,
        content_type: &str,
        body: &[u8],
    ) -> Result<Value, Status> {
        let (group, plural) = (&*resource.group, &*resource.plural);
        let key = format!("{}/{}", info.resource, info.name);
        let live = self.objects.get(&key).cloned();
        let missing = || Status::not_found(group, plural, &info.name);
        let made = match info.verb {
            "get" => return live.ok_or_else(missing),
            "create" => {
                CreateOptions::parse(query)?;
                let object =
                    media_type::decode_object(context.release, content_type, body, resource)?;
                meta::prepare_create(resource, &info.namespace, object, context)?
            }
            "update" => {
                UpdateOptions::parse(query)?;
                let new = media_type::decode_object(context.release, content_type, body, resource)?;
                let live = live.ok_or_else(missing)?;
                meta::prepare_update(resource, info, &live, new, context)?
            }
            "patch" => {
                let options = PatchOptions::parse_for(query, Patch::is_apply(content_type))?;
                match Patch::parse(content_type, body, resource)? {
                    Patch::Apply(applied) => {
                        meta::check_applied(resource, info, &applied)?;
                        let apply = ApplyOptions {
                            manager: &options.field_manager,
                            force: options.force.unwrap_or_default(),
                            now: context.now,
                        };
                        let (live, sub) = (live.as_ref(), &info.subresource);
                        let new = managed_fields::apply(resource, sub, live, &applied, &apply)?;
                        match live {
                            None => {
                                let space = &info.namespace;
                                meta::prepare_applied_create(resource, space, new, context)?
                            }
                            Some(live) => {
                                self.check_revision(resource, live, &new)?;
                                meta::prepare_applied_update(resource, info, live, new)?
                            }
                        }
                    }
                    patch => {
                        let live = live.ok_or_else(missing)?;
                        let new = patch.apply(resource, &live)?;
                        self.check_revision(resource, &live, &new)?;
                        meta::prepare_update(resource, info, &live, new, context)?
                    }
                }
            }
            verb => panic!("{verb} is not played"),
        };
        let key = format!("{}/{}", info.resource, meta::name(&made));
        if info.verb == "create" && self.objects.contains_key(&key) {
            return Err(Status::already_exists(group, plural, meta::name(&made)));
        }
        self.store(key, made)
    }

    fn check_revision(&self, resource: &Resource, live: &Value, new: &Value) -> Result<(), Status> {
        let live_revision = meta::expected_revision(live)?;
        match meta::expected_revision(new)? {
            Some(wanted) if Some(wanted) != live_revision => {
                Err(Status::modified(&resource.group, &resource.plural, meta::name(live)))
            }
            _ => Ok(()),
        }
    }

    fn store(&mut self, key: String, mut made: Value) -> Result<Value, Status> {
        if self.objects.get(&key) != Some(&made) {
            self.revision += 1;
            // Other objects have versions too.
            let revision = (self.revision + 100).to_string();
            made["metadata"]["resourceVersion"] = revision.into();
            self.objects.insert(key, made.clone());
        }
        Ok(made)
    }
}

fn context(query: &Query, user_agent: &str) -> WriteContext {
    let agent = user_agent.split('/').next().unwrap_or_default();
    WriteContext {
        now: "2026-01-02T03:04:05Z".parse().unwrap(),
        uid: "11111111-2222-3333-4444-555555555555".parse().unwrap(),
        name_suffix: "bcdfg".into(),
        manager: query.get("fieldManager").unwrap_or(agent).to_owned(),
        release: Release::default(),
    }
}

/// Where two values differ, if they do. What the server makes up is a placeholder.
fn difference(path: &str, found: &Value, expected: &Value) -> Option<String> {
    match (found, expected) {
        (_, Value::String(text)) if text.starts_with('<') && text.ends_with('>') => None,
        (Value::Object(found), Value::Object(expected)) => {
            let keys = found.keys().chain(expected.keys().filter(|key| !found.contains_key(*key)));
            keys.into_iter().find_map(|key| {
                let path = format!("{path}/{key}");
                match (found.get(key), expected.get(key)) {
                    (Some(found), Some(expected)) => difference(&path, found, expected),
                    (Some(found), None) => Some(format!("{path} is {found}, not expected")),
                    (None, expected) => Some(format!("{path} is missing: {expected:?}")),
                }
            })
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            found.iter().zip(expected).enumerate().find_map(|(at, (found, expected))| {
                difference(&format!("{path}/{at}"), found, expected)
            })
        }
        (found, expected) if found == expected => None,
        (found, expected) => Some(format!("{path} is {found}, not {expected}")),
    }
}

fn recorded() -> Value {
    let packed = include_bytes!("../../fixtures/requests/patches.json.gz");
    let mut json = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// Steps that need rules which are not built yet.
const NOT_YET: &[&str] = &[
    "apply__status_and_scale_subresource#4",
    "body__fieldValidation_patch#1",
    "body__fieldValidation_patch#3",
    "body__fieldValidation_patch#4",
    "crud__jobs#9",
    "crud__nodes#0",
    "crud__nodes#2",
    "crud__nodes#3",
    "patch__json_add_replace_remove#19",
    "patch__merge_basic#12",
    "patch__strategic_service_ports#0",
    "patch__strategic_service_ports#2",
    "patch__strategic_service_ports#3",
    "patch__strategic_service_ports#4",
];
