//! One exchange of the emulated cluster with the server, in memory.

use std::{pin::pin, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Either, Full};
use sim_cluster::{Answer, Frame};

use crate::{
    app::App,
    edge::connection::Connection,
    encode::body::Body,
    pipeline::{
        self,
        request::{RequestBody, User},
    },
};

/// Sends it and reads the whole answer.
pub(super) async fn call(app: Arc<App>, request: sim_cluster::Request) -> Answer {
    let Some(response) = send(app, request).await else { return Answer::default() };
    let (code, retry_after) = head(&response);
    match read(response.into_body()).await {
        Some(body) => Answer { code, retry_after, body },
        None => Answer::default(),
    }
}

/// Sends it and gives away each event, then the end; until nobody takes them.
pub(super) async fn watch<F>(
    app: Arc<App>,
    request: sim_cluster::Request,
    mut take: impl FnMut(Frame) -> F,
) where
    F: Future<Output = bool>,
{
    let end = match send(app, request).await {
        None => Answer::default(),
        Some(response) => {
            let (code, retry_after) = head(&response);
            if code == 200 {
                let mut body = pin!(response.into_body());
                let mut rest = BytesMut::new();
                while let Some(Ok(frame)) = body.frame().await {
                    let Ok(mut data) = frame.into_data() else { continue };
                    while data.has_remaining() {
                        let chunk = data.chunk();
                        rest.extend_from_slice(chunk);
                        let read = chunk.len();
                        data.advance(read);
                    }
                    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                        let line = rest.split_to(end + 1).freeze();
                        if !take(Frame::Event(line)).await {
                            return;
                        }
                    }
                }
                Answer { code, ..Answer::default() }
            } else {
                let body = read(response.into_body()).await.unwrap_or_default();
                Answer { code, retry_after, body }
            }
        }
    };
    take(Frame::End(end)).await;
}

async fn send(app: Arc<App>, request: sim_cluster::Request) -> Option<Response<Body>> {
    let sim_cluster::Request { identity, method, path, accept, content_type, body } = request;
    let mut groups = identity.groups.clone();
    groups.push("system:authenticated".to_owned());
    let user = User { name: identity.user.clone(), groups, ..User::default() };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, accept)
        .header(header::USER_AGENT, HeaderValue::from_str(&identity.user_agent).ok()?);
    if !content_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    let body: RequestBody = Either::Right(Full::new(body));
    let request = request.body(body).ok()?;
    let connection = Arc::new(Connection::within(user));
    Some(pipeline::handle(app, connection, request).await)
}

fn head(response: &Response<Body>) -> (u16, Option<u32>) {
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    (response.status().as_u16(), retry_after)
}

/// The body; `None` when it was cut.
async fn read(body: Body) -> Option<Bytes> {
    let collected = body.collect().await.ok()?;
    let mut buffer = collected.aggregate();
    Some(buffer.copy_to_bytes(buffer.remaining()))
}
