//! Reads server-sent events as they come.

use std::collections::VecDeque;

use axum::{body::BodyDataStream, http::HeaderMap, response::Response};
use futures::StreamExt as _;
use serde_json::Value;
use tokio::time::timeout;

use super::PATIENCE;

pub(crate) struct EventStream {
    headers: HeaderMap,
    body: BodyDataStream,
    text: String,
    events: VecDeque<ServerEvent>,
}

#[derive(Debug, Clone)]
pub(crate) struct ServerEvent {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl EventStream {
    pub(super) fn new(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.into_data_stream();
        Self { headers: parts.headers, body, text: String::new(), events: VecDeque::new() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The next event; comments are passed over, and are no reason to wait longer. `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<ServerEvent> {
        timeout(PATIENCE, self.read()).await.expect("an event")
    }

    async fn read(&mut self) -> Option<ServerEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let chunk = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                self.events.extend(parsed(block));
                self.text = rest.to_owned();
            }
        }
    }

    /// The names of the next events.
    pub(crate) async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            names.push(self.next().await.unwrap().name);
        }
        names
    }
}

fn parsed(block: &str) -> Option<ServerEvent> {
    let field = |name: &str| {
        block
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim_start().to_owned()))
    };
    let data = field("data")?;
    Some(ServerEvent {
        name: field("event").unwrap_or_default(),
        id: field("id").unwrap_or_default(),
        data: serde_json::from_str(&data).unwrap(),
    })
}
