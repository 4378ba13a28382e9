//! Allocation for whole Services.

use serde_json::{Value, json};

use super::{Allocators, PortRange};

fn allocators(ranges: &[&str]) -> Allocators {
    let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
    Allocators::new(&ranges, PortRange::default(), true)
}

fn service(spec: Value) -> Value {
    json!({"metadata": {"name": "x"}, "spec": spec})
}

fn create(allocators: &mut Allocators, spec: Value) -> Result<Value, String> {
    let mut service = service(spec);
    let made = allocators.create(&mut service, &mut |_| 0);
    made.map(|changes| allocators.commit(&changes)).map_err(|status| status.message)?;
    Ok(service["spec"].take())
}

fn update(allocators: &mut Allocators, old: &Value, new: Value) -> Result<Value, String> {
    let (old, mut new) = (service(old.clone()), service(new));
    let made = allocators.update(&old, &mut new, &mut |_| 0);
    made.map(|changes| allocators.commit(&changes)).map_err(|status| status.message)?;
    Ok(new["spec"].take())
}

#[test]
fn a_service_gets_an_address_and_node_ports() {
    let mut all = allocators(&["10.0.0.0/24"]);
    let made = create(
        &mut all,
        json!({"type": "NodePort", "selector": {"app": "a"},
        "ports": [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}),
    )
    .unwrap();
    assert_eq!(
        made,
        json!({"type": "NodePort", "selector": {"app": "a"},
        "ports": [{"port": 53, "protocol": "TCP", "nodePort": 30086},
            {"port": 53, "protocol": "UDP", "nodePort": 30086}],
        "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"],
        "clusterIP": "10.0.0.17", "clusterIPs": ["10.0.0.17"]})
    );
    let taken = json!({"clusterIP": "10.0.0.17", "selector": {"a": "b"}});
    assert_eq!(
        create(&mut all, taken.clone()).unwrap_err(),
        "Service \"x\" is invalid: spec.clusterIPs: Invalid value: []string{\"10.0.0.17\"}: failed \
         to allocate IP 10.0.0.17: provided IP is already allocated"
    );
    assert_eq!(
        create(&mut all, json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 30086}]}))
            .unwrap_err(),
        "Service \"x\" is invalid: spec.ports[0].nodePort: Invalid value: 30086: provided port is \
         already allocated"
    );
    assert_eq!(
        create(&mut all, json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]}))
            .unwrap_err(),
        "Service \"x\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not \
         in the valid range. The range of valid ports is 30000-32767"
    );
    all.release(&service(made));
    assert!(create(&mut all, taken).is_ok());
    assert_eq!(
        create(&mut all, json!({"clusterIP": "1.2.3.4"})).unwrap_err(),
        "Service \"x\" is invalid: spec.clusterIPs: Invalid value: []string{\"1.2.3.4\"}: failed to \
         allocate IP 1.2.3.4: the provided network does not match the current range"
    );
}

#[test]
fn what_failed_half_way_takes_nothing() {
    let mut all = allocators(&["10.0.0.0/30"]);
    for _ in 0..3 {
        let spec = json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 1}]});
        assert!(create(&mut all, spec).is_err());
    }
    assert!(create(&mut all, json!({})).is_ok() && create(&mut all, json!({})).is_ok());
    assert_eq!(
        create(&mut all, json!({})).unwrap_err(),
        "Internal error occurred: failed to allocate a serviceIP: range is full"
    );
}

#[test]
fn headless_services_and_names_have_no_address() {
    let mut all = allocators(&["10.0.0.0/24"]);
    let made = create(&mut all, json!({"clusterIP": "None", "selector": {"a": "b"}})).unwrap();
    assert_eq!(made["clusterIPs"], json!(["None"]));
    assert_eq!(
        (&made["ipFamilies"], &made["ipFamilyPolicy"]),
        (&json!(["IPv4"]), &json!("SingleStack"))
    );
    let bare = create(&mut all, json!({"clusterIP": "None"})).unwrap();
    assert_eq!(
        (&bare["ipFamilies"], &bare["ipFamilyPolicy"]),
        (&json!(["IPv4", "IPv6"]), &json!("RequireDualStack"))
    );
    let name = json!({"type": "ExternalName", "externalName": "ex.com"});
    assert_eq!(create(&mut all, name.clone()).unwrap(), name);
}

#[test]
fn families_must_be_those_of_the_cluster() {
    let mut all = allocators(&["10.0.0.0/24"]);
    assert_eq!(
        create(&mut all, json!({"ipFamilyPolicy": "RequireDualStack"})).unwrap_err(),
        "Service \"x\" is invalid: spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this \
         cluster is not configured for dual-stack services"
    );
    assert_eq!(
        create(&mut all, json!({"ipFamilies": ["IPv6"]})).unwrap_err(),
        "Service \"x\" is invalid: spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on \
         this cluster"
    );
    let mut dual = allocators(&["10.0.0.0/24", "fd00::/108"]);
    let made = create(&mut dual, json!({"ipFamilyPolicy": "PreferDualStack"})).unwrap();
    assert_eq!(made["clusterIPs"], json!(["10.0.0.17", "fd00::101"]));
    let mut single = made.clone();
    single["ipFamilyPolicy"] = "SingleStack".into();
    let single = update(&mut dual, &made, single).unwrap();
    assert_eq!(
        (&single["clusterIPs"], &single["ipFamilies"]),
        (&json!(["10.0.0.17"]), &json!(["IPv4"]))
    );
    assert!(create(&mut dual, json!({"clusterIP": "fd00::101"})).is_ok());
}

#[test]
fn an_update_keeps_what_it_leaves_out_and_gives_back_what_it_gives_up() {
    let mut all = allocators(&["10.0.0.0/24"]);
    let spec = json!({"type": "NodePort", "ports": [{"name": "a", "port": 1}]});
    let made = create(&mut all, spec.clone()).unwrap();
    assert_eq!(update(&mut all, &made, spec).unwrap(), made);
    let mut plain = made.clone();
    plain["type"] = "ClusterIP".into();
    let plain = update(&mut all, &made, plain).unwrap();
    assert_eq!(plain["ports"], json!([{"name": "a", "port": 1}]));
    let again = json!({"type": "NodePort", "ports": [{"port": 9, "nodePort": 30086}]});
    assert!(create(&mut all, again).is_ok());
    let mut name = plain.clone();
    name["type"] = "ExternalName".into();
    let name = update(&mut all, &plain, name).unwrap();
    assert_eq!(name, json!({"type": "ExternalName", "ports": [{"name": "a", "port": 1}]}));
}

#[test]
fn a_local_load_balancer_has_a_port_for_its_health() {
    let mut all = allocators(&["10.0.0.0/24"]);
    let spec = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local",
        "allocateLoadBalancerNodePorts": false, "ports": [{"port": 1}]});
    let made = create(&mut all, spec).unwrap();
    assert_eq!(
        (&made["healthCheckNodePort"], made["ports"][0].get("nodePort")),
        (&json!(30086), None)
    );
    let mut other = made.clone();
    other["healthCheckNodePort"] = 30_087.into();
    assert_eq!(
        update(&mut all, &made, other).unwrap_err(),
        "Service \"x\" is invalid: spec.healthCheckNodePort: Invalid value: 30087: field is \
         immutable"
    );
    let mut cluster = made.clone();
    cluster["externalTrafficPolicy"] = "Cluster".into();
    let cluster = update(&mut all, &made, cluster).unwrap();
    assert_eq!(cluster.get("healthCheckNodePort"), None);
}
