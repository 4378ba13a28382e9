//! Calls of a run: held back by a token bucket, counted, and their refusals understood.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    LoadError,
    client::{ApiCall, ApiClient, DISCOVERY_ACCEPT},
    rate::TokenBucket,
};

use super::{
    resources::{Discovery, OldList, Resource, Resources, encode, query},
    summary::RequestCount,
};

/// A token bucket with a clock.
pub(super) struct Limiter {
    bucket: Mutex<TokenBucket>,
    origin: Instant,
}

impl Limiter {
    pub(super) fn new(per_s: f32, burst: u32) -> Arc<Self> {
        let bucket = Mutex::new(TokenBucket::new(f64::from(per_s), burst));
        Arc::new(Self { bucket, origin: Instant::now() })
    }

    pub(super) async fn wait(&self) {
        let wait = self
            .bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reserve(self.origin.elapsed());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// Counts the requests of a run by phase, verb, resource and answer.
#[derive(Default)]
pub(super) struct Ledger(Mutex<(usize, Vec<String>, BTreeMap<Key, u64>)>);

type Key = (usize, &'static str, String, String);

impl Ledger {
    /// What is counted from now on belongs to `phase`.
    pub(super) fn enter(&self, phase: &str) {
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ledger.1.iter().position(|name| name == phase);
        ledger.0 = known.unwrap_or_else(|| {
            ledger.1.push(phase.to_owned());
            ledger.1.len() - 1
        });
    }

    fn count(&self, verb: &'static str, resource: String, answer: String) {
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let phase = ledger.0;
        *ledger.2.entry((phase, verb, resource, answer)).or_default() += 1;
    }

    /// All counts, phase by phase in their order.
    pub(super) fn counts(&self) -> Vec<RequestCount> {
        let ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |phase: usize| ledger.1.get(phase).cloned().unwrap_or_default();
        ledger
            .2
            .iter()
            .map(|((phase, verb, resource, answer), count)| RequestCount {
                phase: name(*phase),
                verb: (*verb).to_owned(),
                resource: resource.clone(),
                answer: answer.clone(),
                count: *count,
            })
            .collect()
    }
}

/// Why a call did not do what it should.
#[derive(Debug)]
pub(super) enum CallError {
    /// The server says no.
    Refused {
        /// The status code.
        code: u16,
        /// `reason` of the Status; empty when the answer is not one.
        reason: String,
        /// `message` of the Status, or the start of what came instead.
        message: String,
    },
    /// There is no answer, or none that can be read.
    Failed(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message, .. } => write!(f, "{code}: {message}"),
            Self::Failed(message) => f.write_str(message),
        }
    }
}

impl CallError {
    pub(super) fn is(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }

    /// 409 is also a conflict; only the reason tells.
    pub(super) fn is_already_exists(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason == "AlreadyExists")
    }
}

/// A list, with its items left as they are.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct List {
    pub(super) items: Vec<Value>,
    metadata: ListMeta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListMeta {
    #[serde(rename = "continue")]
    continue_token: String,
}

/// A client with one client-go rate limiter, as each of kube-burner's clients has its own.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) client: ApiClient,
    pub(super) limiter: Arc<Limiter>,
    pub(super) ledger: Arc<Ledger>,
}

impl Api {
    /// The same client behind another limiter.
    pub(super) fn limited(&self, per_s: f32, burst: u32) -> Self {
        Self { limiter: Limiter::new(per_s, burst), ..self.clone() }
    }

    async fn call(
        &self,
        verb: &'static str,
        resource: String,
        call: ApiCall,
    ) -> Result<bytes::Bytes, CallError> {
        self.limiter.wait().await;
        let answer = self.client.call(&call).await.map_err(|error| {
            let kind = match &error {
                LoadError::Broken { kind, .. } => (*kind).to_owned(),
                LoadError::Connect { .. } => "no connection".to_owned(),
                _ => "error".to_owned(),
            };
            self.ledger.count(verb, resource.clone(), kind);
            CallError::Failed(error.to_string())
        })?;
        for _ in 0..answer.waits {
            self.ledger.count(verb, resource.clone(), "429 or 5xx, repeated".to_owned());
        }
        self.ledger.count(verb, resource, answer.code.as_u16().to_string());
        if answer.code.is_success() {
            return Ok(answer.body);
        }
        Err(refusal(answer.code.as_u16(), &answer.body))
    }

    async fn json<T: DeserializeOwned>(
        &self,
        verb: &'static str,
        resource: String,
        call: ApiCall,
    ) -> Result<T, CallError> {
        let path = call.path.clone();
        let body = self.call(verb, resource, call).await?;
        serde_json::from_slice(&body)
            .map_err(|e| CallError::Failed(format!("{path}: the answer is not understood: {e}")))
    }

    /// GET of a path that is no resource.
    pub(super) async fn path(&self, path: &str) -> Result<Value, CallError> {
        self.json("get", path.to_owned(), ApiCall::new(Method::GET, path)).await
    }

    /// All resources of the server: two calls where it has aggregated discovery.
    pub(super) async fn discover(&self) -> Result<Resources, CallError> {
        let mut resources = Resources::default();
        let mut lists = Vec::new();
        for path in ["/api", "/apis"] {
            let mut call = ApiCall::new(Method::GET, path);
            call.accept = DISCOVERY_ACCEPT;
            let found: Discovery = self.json("get", path.to_owned(), call).await?;
            lists.append(&mut found.take(&mut resources));
        }
        for path in lists {
            let call = ApiCall::new(Method::GET, path.as_str());
            let list: OldList = self.json("get", path.clone(), call).await?;
            list.take(&path, &mut resources);
        }
        Ok(resources)
    }

    /// One page of a list; the second value goes into the next call's `continue`.
    pub(super) async fn page(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        pairs: &[(&str, &str)],
    ) -> Result<(List, Option<String>), CallError> {
        let path = resource.path(namespace) + &query(pairs);
        let call = ApiCall::new(Method::GET, path);
        let mut list: List = self.json("list", resource.label(), call).await?;
        let token = std::mem::take(&mut list.metadata.continue_token);
        Ok((list, Some(token).filter(|token| !token.is_empty())))
    }

    /// All objects with these labels, in one answer.
    pub(super) async fn select(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>, CallError> {
        let (list, _) = self.page(resource, namespace, &[("labelSelector", selector)]).await?;
        Ok(list.items)
    }

    pub(super) async fn get(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Value, CallError> {
        let call = ApiCall::new(Method::GET, object_path(resource, namespace, name));
        self.json("get", resource.label(), call).await
    }

    pub(super) async fn create(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<(), CallError> {
        let call = ApiCall::new(Method::POST, resource.path(namespace))
            .with_body("application/json", object.to_string());
        self.call("create", resource.label(), call).await.map(drop)
    }

    pub(super) async fn patch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        patch: (&str, &str, &str),
    ) -> Result<(), CallError> {
        let (content_type, parameters, body) = patch;
        let path = object_path(resource, namespace, name) + parameters;
        let call =
            ApiCall::new(Method::PATCH, path).with_body(content_type, body.as_bytes().to_vec());
        self.call("patch", resource.label(), call).await.map(drop)
    }

    pub(super) async fn delete(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<(), CallError> {
        let call = ApiCall::new(Method::DELETE, object_path(resource, namespace, name))
            .with_body("application/json", r#"{"kind":"DeleteOptions","apiVersion":"v1"}"#);
        self.call("delete", resource.label(), call).await.map(drop)
    }
}

fn object_path(resource: &Resource, namespace: Option<&str>, name: &str) -> String {
    format!("{}/{}", resource.path(namespace), encode(name))
}

fn refusal(code: u16, body: &[u8]) -> CallError {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Status {
        reason: String,
        message: String,
    }
    let status: Status = serde_json::from_slice(body).unwrap_or_default();
    let message = if status.message.is_empty() {
        String::from_utf8_lossy(body).trim().chars().take(200).collect()
    } else {
        status.message
    };
    CallError::Refused { code, reason: status.reason, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_from_a_status_or_from_text() {
        let status = br#"{"kind":"Status","reason":"AlreadyExists","message":"it is there"}"#;
        let error = refusal(409, status);
        assert!(error.is_already_exists() && error.is(409));
        assert_eq!(error.to_string(), "409: it is there");
        assert_eq!(refusal(502, b"bad gateway\n").to_string(), "502: bad gateway");
    }

    #[test]
    fn requests_are_counted_by_phase_in_order() {
        let ledger = Ledger::default();
        ledger.enter("start");
        ledger.count("get", "/version".into(), "200".into());
        ledger.enter("a job");
        ledger.count("create", "pods".into(), "201".into());
        ledger.count("create", "pods".into(), "201".into());
        ledger.enter("start");
        ledger.count("get", "/version".into(), "200".into());
        let counts: Vec<_> =
            ledger.counts().into_iter().map(|c| (c.phase, c.resource, c.count)).collect();
        assert_eq!(
            counts,
            [("start".into(), "/version".into(), 2), ("a job".into(), "pods".to_owned(), 2)]
        );
    }
}
