//! LIST as bytes: both encoders, pretty, YAML and gzip.

use serde_json::json;

use crate::{
    client::{Answer, Ask, Client},
    server::{CONFIG_MAPS, Server},
};

const DATA: &str = "--populate=pods=300x2Ki,nodes=3,configmaps=5x100Ki,deployments=4";

/// Collections, pages and selections of [`DATA`].
const PATHS: &[&str] = &[
    "/api/v1/pods",
    "/api/v1/namespaces/load/pods",
    "/api/v1/pods?limit=7",
    "/api/v1/pods?limit=300",
    "/api/v1/pods?labelSelector=app%3Dapp-0",
    "/api/v1/pods?labelSelector=app%3Dnone",
    "/api/v1/pods?fieldSelector=status.phase%3DRunning",
    "/api/v1/namespaces/none/pods",
    "/api/v1/nodes",
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/apis/apps/v1/deployments",
    "/apis/batch/v1/jobs",
];

/// Servers that differ in how they encode, and in nothing that shows.
async fn encoders() -> [Server; 3] {
    let servers = [
        Server::start(&[DATA, "--kubernetes-version=1.32"]).await,
        Server::start(&[DATA, "--kubernetes-version=1.33"]).await,
        Server::start(&[DATA, "--feature-gates=StreamingCollectionEncodingToJSON=false"]).await,
    ];
    // Releases differ in how many objects they make for themselves at their start.
    let mut newest = 0;
    for server in &servers {
        newest = newest.max(server.get(LEASES).await.revision());
    }
    for server in &servers {
        for number in server.get(LEASES).await.revision()..newest {
            let lease = json!({"metadata": {"name": format!("level-{number}")}, "spec": {}});
            assert_eq!(server.post(LEASES, &lease).await.status, 201);
        }
    }
    servers
}

/// Of no path that is compared.
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

async fn from_each(servers: &[Server; 3], ask: impl Fn() -> Ask) -> [Answer; 3] {
    let [buffered, streamed, switched] = servers;
    [buffered.send(ask()).await, streamed.send(ask()).await, switched.send(ask()).await]
}

#[tokio::test]
async fn buffered_and_streamed_bodies_are_equal_byte_for_byte() {
    let servers = encoders().await;
    for path in PATHS {
        let [buffered, streamed, switched] = from_each(&servers, || Ask::get(path)).await;
        assert_eq!(streamed.status, 200, "{path}");
        assert_eq!(streamed.header("content-type"), "application/json");
        assert!(streamed.body == buffered.body && streamed.body == switched.body, "{path}");
        let text = streamed.text();
        assert!(text.starts_with("{\"kind\":\"") && text.ends_with("]}\n"), "{path}");
        assert_eq!(text.matches('\n').count(), 1, "{path}");
        // Valid JSON, in the order of Go's struct.
        let document = streamed.json();
        let members: Vec<&String> = document.as_object().unwrap().keys().collect();
        assert_eq!(members, ["kind", "apiVersion", "metadata", "items"]);
    }
}

#[tokio::test]
async fn an_empty_list_has_items() {
    for server in encoders().await {
        let answer = server.get("/api/v1/namespaces/none/secrets").await;
        let revision = answer.revision();
        assert_eq!(
            answer.text(),
            format!(
                "{{\"kind\":\"SecretList\",\"apiVersion\":\"v1\",\"metadata\":\
                 {{\"resourceVersion\":\"{revision}\"}},\"items\":[]}}\n"
            )
        );
    }
}

#[tokio::test]
async fn pretty_is_the_indented_compact_body() {
    let servers = encoders().await;
    for path in PATHS {
        let compact = servers[1].get(path).await;
        let pretty = sim_api::encode::indent(&compact.body);
        let sign = if path.contains('?') { '&' } else { '?' };
        let asked = format!("{path}{sign}pretty=true");
        let refused = format!("{path}{sign}pretty=false");
        for agent in ["curl/8.5.0", "Wget/1.21", "Mozilla/5.0 (X11)"] {
            let by_agent = || Ask::get(path).header("user-agent", agent);
            for answer in from_each(&servers, by_agent).await {
                assert!(answer.body == pretty, "{path} for {agent}");
            }
            let refused = Ask::get(&refused).header("user-agent", agent);
            assert!(servers[1].send(refused).await.body == compact.body, "{path} for {agent}");
        }
        for answer in from_each(&servers, || Ask::get(&asked)).await {
            assert!(answer.body == pretty, "{path}");
        }
        let other = servers[1].send(Ask::get(path).header("user-agent", "kubectl/v1.33")).await;
        assert!(other.body == compact.body, "{path}");
    }
}

#[tokio::test]
async fn gzip_holds_the_same_bytes() {
    let servers = encoders().await;
    for path in PATHS {
        for agent in ["test", "curl/8.5.0"] {
            let ask = || Ask::get(path).header("user-agent", agent);
            let plain = servers[1].send(ask()).await;
            let zipped = || ask().header("accept-encoding", "deflate, gzip");
            for answer in from_each(&servers, zipped).await {
                if plain.body.len() > 128 << 10 {
                    assert!(answer.unzipped() == plain.body, "{path}");
                    assert_eq!(answer.header("vary"), "Accept-Encoding");
                    assert!(answer.body.len() < plain.body.len());
                } else {
                    assert_eq!(answer.header("content-encoding"), "", "{path}");
                    assert_eq!(answer.header("vary"), "");
                    assert!(answer.body == plain.body, "{path}");
                }
            }
        }
    }
}

/// Recorded (list__gzip): only the exact token counts, whatever its quality.
#[tokio::test]
async fn only_the_exact_token_asks_for_gzip() {
    let server = Server::start(&[DATA]).await;
    for (accepted, zipped) in [
        ("gzip", true),
        ("deflate,gzip , br", true),
        ("gzip;q=1.0", false),
        ("gzip;q=0", false),
        ("x-gzip", false),
        ("GZIP", false),
        ("identity", false),
        ("*", false),
        ("", false),
    ] {
        let ask = Ask::get("/api/v1/pods").header("accept-encoding", accepted);
        let answer = server.send(ask).await;
        let encoding = if zipped { "gzip" } else { "" };
        assert_eq!(answer.header("content-encoding"), encoding, "{accepted:?}");
    }
    let off = Server::start(&[DATA, "--feature-gates=APIResponseCompression=false"]).await;
    let answer = off.send(Ask::get("/api/v1/pods").header("accept-encoding", "gzip")).await;
    assert_eq!(answer.header("content-encoding"), "");
}

/// Worked example G11: 131,072 bytes stay plain, one more is compressed.
#[tokio::test]
async fn the_threshold_of_gzip_is_128_kib() {
    for version in ["--kubernetes-version=1.32", "--kubernetes-version=1.33"] {
        let server = Server::start(&[version]).await;
        for (bytes, encoding) in [(131_072, ""), (131_073, "gzip")] {
            for (suffix, of) in [("", "list"), ("&pretty=true", "pretty list")] {
                let path = list_of_size(&server, bytes, suffix).await;
                let zipped = server.send(Ask::get(&path).header("accept-encoding", "gzip")).await;
                assert_eq!(
                    zipped.header("content-encoding"),
                    encoding,
                    "{of} of {bytes} bytes, {version}"
                );
            }
        }
    }
}

/// The path of a list whose plain body has so many bytes.
async fn list_of_size(server: &Server, target: usize, suffix: &str) -> String {
    let mut fill = target - 600;
    for attempt in 0..9 {
        let name = format!("size-{target}-{attempt}-{}", suffix.len());
        server.config_map(&name, &json!({}), &json!({ "k": "x".repeat(fill) })).await;
        let path = format!("{CONFIG_MAPS}?fieldSelector=metadata.name%3D{name}{suffix}");
        let size = server.get(&path).await.body.len();
        if size == target {
            return path;
        }
        fill = fill + target - size;
    }
    panic!("no list of {target} bytes")
}

#[tokio::test]
async fn yaml_says_the_same() {
    let servers = encoders().await;
    for path in ["/api/v1/nodes", "/api/v1/namespaces/none/pods", "/apis/apps/v1/deployments"] {
        let plain = servers[1].get(path).await;
        let yaml = || Ask::get(path).header("accept", "application/yaml");
        for answer in from_each(&servers, yaml).await {
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/yaml"));
            let [document] = &sim_api::yaml::documents(answer.text()).unwrap()[..] else {
                panic!("one document")
            };
            assert_eq!(*document, plain.json(), "{path}");
        }
    }
    let large = || {
        let ask = Ask::get("/api/v1/configmaps").header("accept", "application/yaml");
        ask.header("accept-encoding", "gzip")
    };
    for answer in from_each(&servers, large).await {
        assert_eq!(answer.header("content-type"), "application/yaml");
        assert!(answer.unzipped().starts_with(b"apiVersion: v1\nitems:\n- data:"));
    }
}

#[tokio::test]
async fn all_transports_carry_the_same_bytes() {
    let server = Server::secure(&[DATA], |_| {}).await;
    let mut clients = [
        server.client().await,
        Client::h2c(server.http).await,
        Client::https1(&server.running).await,
        Client::https2(&server.running, true).await,
    ];
    for path in PATHS {
        let expected = server.get(path).await;
        for client in &mut clients {
            assert!(client.send(Ask::get(path)).await.body == expected.body, "{path}");
        }
    }
}
