//! The cells of services and what else concerns the network.

use serde_json::Value;

use super::{
    cells,
    read::Reader,
    selector::{self, NONE, UNKNOWN, UNSET, join},
};

pub(super) fn service(service: Reader<'_>) -> Vec<Value> {
    let ip = match service.get("spec.clusterIPs").at(0).str() {
        "" => service.text_or("spec.clusterIP", NONE),
        ip => ip,
    };
    let ports = service.items("spec.ports").map(|port| {
        let (number, protocol) = (port.int("port"), port.text("protocol"));
        match port.int("nodePort") {
            ..=0 => format!("{number}/{protocol}"),
            node_port => format!("{number}:{node_port}/{protocol}"),
        }
    });
    let ports = or_none(join(ports, ","));
    let (name, kind, age) = (service.name(), service.text("spec.type"), service.age());
    let selector = selector::labels(service.get("spec.selector"));
    cells![name, kind, ip, external_ip(service), ports, age, selector]
}

fn external_ip(service: Reader<'_>) -> String {
    let mut ips = match service.text("spec.type") {
        "ClusterIP" | "NodePort" => Vec::new(),
        "LoadBalancer" => load_balancer(service),
        "ExternalName" => return service.text("spec.externalName").to_owned(),
        _ => return UNKNOWN.to_owned(),
    };
    ips.extend(service.texts("spec.externalIPs"));
    match (ips.is_empty(), service.text("spec.type")) {
        (false, _) => ips.join(","),
        (true, "LoadBalancer") => "<pending>".to_owned(),
        (true, _) => NONE.to_owned(),
    }
}

/// The addresses, or host names, of a load balancer, sorted.
fn load_balancer(object: Reader<'_>) -> Vec<&str> {
    let ingress = object.items("status.loadBalancer.ingress");
    let mut addresses: Vec<&str> = ingress
        .map(|it| it.text_or("ip", it.text("hostname")))
        .filter(|address| !address.is_empty())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

pub(super) fn endpoints(object: Reader<'_>) -> Vec<Value> {
    let mut addresses = Vec::new();
    for subset in object.items("subsets") {
        let ips: Vec<&str> = subset.items("addresses").map(|it| it.text("ip")).collect();
        if subset.count("ports") == 0 {
            addresses.extend(ips.iter().map(|&ip| ip.to_owned()));
        }
        for port in subset.items("ports") {
            addresses.extend(ips.iter().map(|ip| host_port(ip, port.int("port"))));
        }
    }
    cells![object.name(), or_none(selector::first(&addresses, 3, ",")), object.age()]
}

/// An IPv6 address stands in brackets.
fn host_port(ip: &str, port: i64) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

pub(super) fn endpoint_slice(slice: Reader<'_>) -> Vec<Value> {
    let ports = slice.items("ports").map(|port| match port.get("port").exists() {
        true => port.int("port").to_string(),
        false => port.some_text("name", "*").to_owned(),
    });
    let ports: Vec<String> = ports.collect();
    let addresses: Vec<&str> =
        slice.items("endpoints").flat_map(|endpoint| endpoint.texts("addresses")).collect();
    cells![
        slice.name(),
        slice.text("addressType"),
        or(selector::first(&ports, 3, ","), UNSET),
        or(selector::first(&addresses, 3, ","), UNSET),
        slice.age(),
    ]
}

pub(super) fn ingress(ingress: Reader<'_>) -> Vec<Value> {
    let ports = if ingress.count("spec.tls") == 0 { "80" } else { "80, 443" };
    cells![
        ingress.name(),
        ingress.some_text("spec.ingressClassName", NONE),
        hosts(ingress),
        load_balancer(ingress).join(","),
        ports,
        ingress.age(),
    ]
}

/// The first three hosts; how many more there are is counted in rules, with a host or without.
fn hosts(ingress: Reader<'_>) -> String {
    let mut shown = Vec::new();
    let mut more = false;
    for rule in ingress.items("spec.rules") {
        more |= shown.len() == HOSTS_MAX;
        if !more && !rule.text("host").is_empty() {
            shown.push(rule.text("host"));
        }
    }
    match (shown.is_empty(), more) {
        (true, _) => "*".to_owned(),
        (false, false) => shown.join(","),
        (false, true) => {
            let rest = ingress.count("spec.rules") - HOSTS_MAX;
            format!("{} + {rest} more...", shown.join(","))
        }
    }
}

pub(super) fn ingress_class(class: Reader<'_>) -> Vec<Value> {
    let parameters = class.get("spec.parameters");
    let (kind, name) = (parameters.text("kind"), parameters.text("name"));
    let shown = match (parameters.exists(), parameters.get("apiGroup").exists()) {
        (false, _) => NONE.to_owned(),
        (true, false) => format!("{kind}/{name}"),
        (true, true) => format!("{kind}.{}/{name}", parameters.text("apiGroup")),
    };
    cells![class.name(), class.text("spec.controller"), shown, class.age()]
}

pub(super) fn network_policy(policy: Reader<'_>) -> Vec<Value> {
    cells![policy.name(), selector::format(policy.get("spec.podSelector")), policy.age()]
}

/// Prints an age too, though there is no column for it.
pub(super) fn ip_address(address: Reader<'_>) -> Vec<Value> {
    let parent = address.get("spec.parentRef");
    let mut shown = match parent.exists() {
        false => NONE.to_owned(),
        true => match parent.text("group") {
            "" => parent.text("resource").to_lowercase(),
            group => format!("{}.{group}", parent.text("resource")).to_lowercase(),
        },
    };
    for part in ["namespace", "name"].map(|part| parent.text(part)) {
        if !part.is_empty() {
            shown.push('/');
            shown.push_str(part);
        }
    }
    cells![address.name(), shown, address.age()]
}

pub(super) fn service_cidr(object: Reader<'_>) -> Vec<Value> {
    cells![object.name(), object.texts("spec.cidrs").join(","), object.age()]
}

fn or_none(text: String) -> String {
    or(text, NONE)
}

fn or(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

const HOSTS_MAX: usize = 3;
