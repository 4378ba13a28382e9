//! Who a request is from, over TLS and without.

use serde_json::json;

use crate::{
    client::{Answer, Ask, Client},
    server::{CONFIG_MAPS, Server, alice, user},
};

/// What a user who may not use the simulator's controls is told: it names the user.
fn assert_is(answer: &Answer, user: &str) {
    let message = format!("forbidden: User \"{user}\" cannot get path \"/sim/state\"");
    assert_eq!(
        (answer.status, answer.header("x-content-type-options"), answer.json()),
        (
            403,
            "nosniff",
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": "Forbidden", "details": {}, "code": 403,
            })
        )
    );
}

fn assert_unauthorized(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.header("content-type"), answer.json()),
        (
            401,
            "application/json",
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "Unauthorized", "reason": "Unauthorized", "code": 401,
            })
        )
    );
}

fn state() -> Ask {
    Ask::get("/sim/state")
}

#[tokio::test]
async fn credentials_say_who_it_is() {
    let server = Server::secure(&[], |config| {
        config.tokens = vec![alice(), user("root", &["system:masters"])];
    })
    .await;
    let mut admin = Client::https2(&server.running, true).await;
    assert_eq!(admin.send(state()).await.status, 200, "the certificate of the server's own CA");
    for mut client in
        [Client::https1(&server.running).await, Client::https2(&server.running, false).await]
    {
        assert_eq!(client.send(Ask::get("/version")).await.status, 200, "anonymous may read");
        assert_is(&client.send(state()).await, "system:anonymous");
        assert_is(&client.send(state().token("alice")).await, "alice");
        assert_eq!(client.send(state().token("root")).await.status, 200);
        assert_unauthorized(&client.send(Ask::get("/version").token("wrong")).await);
        // What is not a bearer token is nothing.
        for other in ["Basic YWxpY2U6YWxpY2U=", "Bearer ", "alice"] {
            assert_is(
                &client.send(state().header("authorization", other)).await,
                "system:anonymous",
            );
        }
    }
    // Without TLS everyone is an administrator, unless a token says otherwise.
    assert_eq!(server.get("/sim/state").await.status, 200);
    assert_is(&server.send(state().token("alice")).await, "alice");
    assert_unauthorized(&server.send(Ask::get("/version").token("wrong")).await);
    let stop = Ask::new(http::Method::POST, "/sim/stop").token("alice");
    assert_eq!(server.send(stop).await.status, 403);
}

#[tokio::test]
async fn anonymous_requests_can_be_switched_off() {
    let server = Server::secure(&["--anonymous-auth=false"], |config| {
        config.tokens = vec![alice()];
    })
    .await;
    let mut client = Client::https2(&server.running, false).await;
    for path in ["/version", "/healthz", CONFIG_MAPS] {
        assert_unauthorized(&client.send(Ask::get(path)).await);
    }
    assert_eq!(client.send(Ask::get(CONFIG_MAPS).token("alice")).await.status, 200);
}

#[tokio::test]
async fn tokens_are_read_from_a_file() {
    let path = std::env::temp_dir().join(format!("apisim-tokens-{}.csv", std::process::id()));
    let lines = "# token,user,uid,groups\n\nt1,bob,u1,\"devs, system:masters\"\nt2,eve,u2\n";
    std::fs::write(&path, lines).unwrap();
    let flag = format!("--token-auth-file={}", path.display());
    let server = Server::start(&[&flag]).await;
    std::fs::remove_file(&path).unwrap();
    assert_eq!(server.send(state().token("t1")).await.status, 200);
    assert_is(&server.send(state().token("t2")).await, "eve");
}

#[tokio::test]
async fn impersonation_changes_who_it_is() {
    let server = Server::start(&[]).await;
    let mut client = server.client().await;
    let bob = || state().header("impersonate-user", "bob");
    assert_is(&client.send(bob()).await, "bob");
    assert_is(&client.send(bob().header("impersonate-group", "devs")).await, "bob");
    let masters = bob()
        .header("impersonate-group", "devs")
        .header("impersonate-group", "system:masters")
        .header("impersonate-uid", "7")
        .header("impersonate-extra-scopes", "view");
    assert_eq!(client.send(masters).await.status, 200);
    // Recorded (auth__impersonation).
    let nobody = Ask::get(CONFIG_MAPS).header("impersonate-group", "g");
    let answer = client.send(nobody).await;
    assert_eq!(
        (answer.status, answer.header("content-type"), answer.text()),
        (
            500,
            "text/plain; charset=utf-8",
            "Internal Server Error: \"/api/v1/namespaces/default/configmaps\": requested [{Group  \
             g    }] without impersonating a user\n"
        )
    );
}
