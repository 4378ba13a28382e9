//! Counting a request when its last byte has been handed over.

use std::sync::Arc;

use sim_api::{query::Query, request_info::RequestInfo};
use sim_time::SimTime;

use crate::{app::App, metrics::RequestLabels};

/// An open request in the books.
pub(crate) struct Account {
    app: Arc<App>,
    labels: RequestLabels,
    long_running: bool,
    received: SimTime,
}

impl Account {
    pub(crate) fn open(
        app: &Arc<App>,
        info: &RequestInfo,
        query: &Query,
        received: SimTime,
    ) -> Self {
        let known = !info.is_resource_request
            || app
                .served()
                .table
                .lookup(&info.api_group, &info.api_version, &info.resource)
                .is_some();
        let mut labels = RequestLabels::new(info, query.contains("dryRun"));
        if !known {
            // A scan of paths must not make a series each.
            labels.group.clear();
            labels.version.clear();
            labels.resource.clear();
            labels.subresource.clear();
        }
        let long_running = info.is_long_running();
        if long_running {
            app.metrics.longrunning.with_label_values(&labels.plain()).inc();
        }
        Self { app: Arc::clone(app), labels, long_running, received }
    }

    /// The server gave up on it.
    pub(crate) fn terminated(&self, code: u16) {
        let [component, group, resource, scope, subresource, verb, version] = self.labels.plain();
        self.app
            .metrics
            .request_terminations
            .with_label_values(&[
                &code.to_string(),
                component,
                group,
                resource,
                scope,
                subresource,
                verb,
                version,
            ])
            .inc();
    }

    pub(crate) fn close(self, code: u16, bytes: u64, complete: bool) {
        let took = self.app.clock.now().saturating_since(self.received);
        let metrics = &self.app.metrics;
        if self.long_running {
            metrics.longrunning.with_label_values(&self.labels.plain()).dec();
        } else if !complete {
            let [_, group, resource, scope, subresource, verb, version] = self.labels.plain();
            metrics
                .request_aborts
                .with_label_values(&[group, resource, scope, subresource, verb, version])
                .inc();
        }
        metrics.observe(&self.labels, code, self.long_running, took, bytes);
    }
}
