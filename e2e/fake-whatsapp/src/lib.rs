//! WhatsApp's server side, for tests: the unmodified client library links, logs in, sends and receives here.
//!
//! ```no_run
//! # use fake_whatsapp::{FakeWhatsApp, Kick, Options};
//! # use std::time::Duration;
//! # async fn example() -> Result<(), fake_whatsapp::Error> {
//! let server = FakeWhatsApp::start(Options::default()).await?; // free ports on 127.0.0.1
//! // Point a client at `server.chat_url()`, let it show a QR code, then:
//! # let qr = "";
//! let linked = server.scan(Some("628110000001"), qr).await?;
//! let account = server.account(&linked.phone)?;
//! account.wait_connected(1, Duration::from_secs(5)).await?;
//! server.create_account("628110000002").await.say("628110000001", "hello")?;
//! account.kick(linked.device, Kick::Drop);
//! assert!(server.unhandled().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # What is in it
//!
//! One process may run several servers; each has keys, accounts, groups and files of its own. Every account has a
//! simulated phone (device 0) with real Signal state: it reads what is sent to the account, says what a test wants
//! ([`AccountHandle::say`]), hands the app-state keys to new companions, answers retries and takes part in groups. The
//! server itself never reads a message between two companions.
//!
//! What is relayed to a companion stays in its queue until the companion settles it, and comes again at every login until
//! then. What a test needs to count is in the [`Ledger`]: accepted ids with their copies, and for each device how often
//! each id was written to it and settled.
//!
//! WhatsApp's root certificate is a constant of every client, so a client must have its check of the certificate chain
//! turned off (`danger-skip-cert-chain-verify` in whatsapp-rust); all the rest of the chain is as it should be.
//!
//! # Layout
//!
//! `socket` is the wire below the stanzas, `stanza` what is done with each of them, `account` and `groups` what there is,
//! `offline` the queues, `phone` the simulated phones, `faults` what goes wrong on purpose, `control` the same for other
//! processes. A new request goes to `stanza/iq/<namespace>.rs` and into the match in `stanza/iq/mod.rs`; until then it is
//! answered with an empty result, logged as `UNHANDLED` and counted ([`FakeWhatsApp::unhandled`]).
//!
//! # Control API
//!
//! JSON over HTTP on [`FakeWhatsApp::control_url`]; `GET /` lists it.
//!
//! | Route | |
//! |---|---|
//! | `GET /` | This list, and the addresses of the server |
//! | `POST /scan` | `{phone?, qr}`: scan a QR code with the phone of a number, or with a new phone |
//! | `POST /pair-code` | `{phone, code}`: enter a pairing code; waits up to 10 s for a client to ask for one |
//! | `GET /accounts` | Accounts with their devices, connections and counts |
//! | `POST /accounts` | `{phone, push_name?}`: register a number |
//! | `GET /accounts/{phone}` | One account |
//! | `GET /accounts/{phone}/inbox` | What its phone has received |
//! | `GET /accounts/{phone}/receipts` | The receipts its phone has got |
//! | `GET /accounts/{phone}/journal` | Its last stanzas (needs --journal) |
//! | `GET /accounts/{phone}/wait` | `?connected=&received=&text=&settled=&within_ms=`: long-poll for a condition |
//! | `POST /accounts/{phone}/say` | `{to, text, id?, corrupt?}`: send a text from the phone; to is a number or an address |
//! | `POST /accounts/{phone}/read` | `{id}`: the phone reads a message |
//! | `POST /accounts/{phone}/typing` | `{to, on}`: the phone types to somebody |
//! | `POST /accounts/{phone}/kick` | `{kind, device?}`: drop, close, replaced, removed, 401, 409, 429, 503, 515, 516; all companions without device |
//! | `POST /accounts/{phone}/stall` | `{on}`: sockets stay open, nothing is read or written |
//! | `POST /accounts/{phone}/hold` | `{on}`: nothing is relayed to the companions until released |
//! | `POST /accounts/{phone}/fail-login` | `{failure, always?}`: logged-out, banned, outdated, locked, unavailable, {"temporary-ban":{code,expire}}, {"reason":n}; with always until failure is null |
//! | `POST /accounts/{phone}/ban` | End the connections, refuse logins for good |
//! | `POST /accounts/{phone}/outdate` | End the connections, refuse logins as too old |
//! | `POST /accounts/{phone}/nack` | `{code, times?}`: refuse the next messages (463, 406, 429, …) |
//! | `POST /accounts/{phone}/swallow-acks` | `{count}`: accept messages without saying so |
//! | `POST /accounts/{phone}/exhaust-prekeys` | `{device?, notify?}`: take the one-time prekeys away |
//! | `POST /accounts/{phone}/change-identity` | Set the phone up anew; companions are unlinked |
//! | `POST /groups` | `{creator, subject, members}`: make a group |
//! | `GET /groups/{phone}` | The groups an account is in |
//! | `POST /delay` | `{kind?, millis}`: delay answers, all or of one kind; 0 ends it |
//! | `POST /media/fault` | `{fault, upload?, times?}`: {"status":404}, {"slow":ms}, cut, wrong-bytes |
//! | `DELETE /media/fault` | The media host is well again |
//! | `POST /media/expire` | Forget all files |
//! | `GET /ledger` | Every accepted message and what became of it on each device |
//! | `GET /unhandled` | Stanzas that nobody handled |

mod account;
mod appstate;
mod clock;
mod control;
mod error;
mod faults;
mod groups;
mod handle;
mod inner;
mod journal;
mod ledger;
mod login;
mod media;
mod offline;
mod options;
mod pairing;
mod phone;
mod server;
mod socket;
mod stanza;
mod tls;
mod unlink;

pub use error::Error;
pub use faults::{Delay, Failure, Kick, MediaFault};
pub use groups::Role;
pub use handle::{AccountHandle, DeviceState, GroupView};
pub use journal::{Direction, JournalEntry};
pub use ledger::{Accepted, Ledger};
pub use offline::{Class, Delivery};
pub use options::Options;
pub use pairing::Linked;
pub use phone::{PhoneMessage, PhoneReceipt};
pub use server::FakeWhatsApp;
pub use socket::handshake::Pattern as Handshake;

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_names_every_route() {
        for (route, _) in crate::control::ROUTES {
            assert!(include_str!("lib.rs").contains(&format!("`{route}`")), "{route} is not documented");
        }
    }
}
