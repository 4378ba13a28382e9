//! A watch, read line by line while the case goes on.

use std::time::Duration;

use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::{
    sync::watch::{self, Receiver, Sender},
    task::JoinHandle,
    time::timeout,
};

use crate::client::{Client, Ready};

/// What has been received so far.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) status: Option<u16>,
    pub(crate) headers: HeaderMap,
    pub(crate) lines: Vec<Vec<u8>>,
    pub(crate) has_ended: bool,
    pub(crate) error: Option<String>,
}

pub(crate) struct Stream {
    received: Receiver<Received>,
    task: JoinHandle<()>,
}

impl Stream {
    pub(crate) fn open(client: &Client, ready: Ready) -> Self {
        let (sender, received) = watch::channel(Received::default());
        let client = client.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = read(&client, ready, &sender).await {
                sender.send_modify(|received| received.error = Some(error));
            }
        });
        Self { received, task }
    }

    /// Waits until something holds of what is received, or nothing more can come.
    pub(crate) async fn wait(&mut self, seconds: f64, holds: impl Fn(&Received) -> bool) {
        let wait = self.received.wait_for(|received| holds(received) || received.error.is_some());
        // Whether it held is asked afterwards.
        let _ = timeout(Duration::from_secs_f64(seconds), wait).await;
    }

    pub(crate) fn received(&self) -> watch::Ref<'_, Received> {
        self.received.borrow()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(client: &Client, ready: Ready, sender: &Sender<Received>) -> Result<(), String> {
    let (head, mut body) = client.open(ready).await?.into_parts();
    sender.send_modify(|received| {
        received.status = Some(head.status.as_u16());
        received.headers = head.headers;
    });
    let mut line = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        for &byte in frame.data_ref().map(AsRef::as_ref).unwrap_or_default() {
            line.push(byte);
            if byte == b'\n' {
                let line = std::mem::take(&mut line);
                sender.send_modify(|received| received.lines.push(line));
            }
        }
    }
    sender.send_modify(|received| {
        if !line.is_empty() {
            received.lines.push(line);
        }
        received.has_ended = true;
    });
    Ok(())
}
