//! Leader election: a lease that is taken and renewed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;

/// Takes the lease and renews it for ever. Source: client-go `leaderelection`, defaults of the
/// control plane: 15 s long, tried again every 2 s.
pub(crate) async fn hold(client: Client, namespace: &'static str, name: &'static str) {
    let world = client.world().clone();
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    let own = format!("{path}/{name}");
    let mut held: Option<Value> = None;
    loop {
        let now = world.micro_time();
        let written = match held.take() {
            Some(mut lease) => {
                lease["spec"]["renewTime"] = json!(now);
                client.update(own.clone(), &lease).await
            }
            None => match client.get(own.clone()).await {
                Ok(mut lease) => {
                    lease["spec"]["holderIdentity"] = json!("apisim");
                    lease["spec"]["renewTime"] = json!(now);
                    client.update(own.clone(), &lease).await
                }
                Err(failure) if failure.is_not_found() => {
                    let lease = json!({
                        "apiVersion": "coordination.k8s.io/v1",
                        "kind": "Lease",
                        "metadata": {"name": name, "namespace": namespace},
                        "spec": {
                            "holderIdentity": "apisim",
                            "leaseDurationSeconds": 15,
                            "acquireTime": now,
                            "renewTime": now,
                            "leaseTransitions": 0,
                        },
                    });
                    client.create(path.clone(), &lease).await
                }
                Err(failure) => Err(failure),
            },
        };
        held = written.ok();
        world.sleep(Duration::from_secs(2)).await;
    }
}
