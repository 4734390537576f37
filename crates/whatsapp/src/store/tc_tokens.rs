//! Trusted-contact tokens. One is read for every message that is sent, so what was read is remembered: this store
//! is the only writer as long as the claim holds.

use std::collections::HashMap;

use parking_lot::Mutex;
use storage::Change;
use wacore::store::{error::Result, traits::TcTokenEntry};

use super::{SqlBackend, json, kinds, parsed};

/// Contacts that are remembered, those without a token too. A session that writes to more reads more.
const REMEMBERED: usize = 256;

#[derive(Default)]
pub(super) struct TcTokens {
    seen: Mutex<Seen>,
    /// Held from reading a token until its new form is stored.
    change: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Seen {
    tokens: HashMap<String, Option<TcTokenEntry>>,
    /// Counts the changes: what was read before one must not be remembered after it.
    changes: u64,
}

impl Seen {
    fn remember(&mut self, jid: &str, token: Option<TcTokenEntry>) {
        if self.tokens.len() >= REMEMBERED && !self.tokens.contains_key(jid) {
            self.tokens.clear();
        }
        self.tokens.insert(jid.to_owned(), token);
    }
}

impl SqlBackend {
    pub(super) async fn tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        let changes = {
            let seen = self.tc_tokens.seen.lock();
            if let Some(token) = seen.tokens.get(jid) {
                return Ok(token.clone());
            }
            seen.changes
        };
        let token: Option<TcTokenEntry> = self.get_json(kinds::TC_TOKEN, jid).await?;
        let mut seen = self.tc_tokens.seen.lock();
        if seen.changes == changes {
            seen.remember(jid, token.clone());
        }
        Ok(token)
    }

    /// Stores what `change` makes of a token: another one, none, or, when it gives `None`, no change.
    pub(super) async fn change_tc_token(
        &self,
        jid: &str,
        change: impl FnOnce(Option<TcTokenEntry>) -> Option<Option<TcTokenEntry>> + Send,
    ) -> Result<()> {
        let _only = self.tc_tokens.change.lock().await;
        let Some(token) = change(self.tc_token(jid).await?) else { return Ok(()) };
        let change = match &token {
            Some(token) => Change::Put {
                kind: kinds::TC_TOKEN,
                key: jid.to_owned(),
                value: json(token)?,
                number: token.token_timestamp,
                expires_at: None,
            },
            None => Change::Delete { kind: kinds::TC_TOKEN, key: jid.to_owned() },
        };
        let written = self.write(vec![change]).await;
        let mut seen = self.tc_tokens.seen.lock();
        seen.changes += 1;
        match written {
            Ok(()) => seen.remember(jid, token),
            // What is stored now is not known.
            Err(_) => {
                seen.tokens.remove(jid);
            }
        }
        written
    }

    /// Removes the tokens for which `live` says no; returns how many.
    pub(super) async fn retain_tc_tokens(&self, live: impl Fn(&TcTokenEntry) -> bool + Send) -> Result<u32> {
        let _only = self.tc_tokens.change.lock().await;
        let mut dead = Vec::new();
        for row in self.check(self.state.list(kinds::TC_TOKEN).await)? {
            if !live(&parsed(&row.value)?) {
                dead.push(Change::Delete { kind: kinds::TC_TOKEN, key: row.key });
            }
        }
        let removed = u32::try_from(dead.len()).unwrap_or(u32::MAX);
        let written = self.write(dead).await;
        let mut seen = self.tc_tokens.seen.lock();
        seen.changes += 1;
        seen.tokens.clear();
        written.map(|()| removed)
    }
}
