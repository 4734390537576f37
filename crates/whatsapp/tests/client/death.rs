//! What a process that dies leaves behind.

use whatsapp::Lease as _;

use super::*;

/// Few: the library waits ten seconds at each start, as this account has no name.
const DEATHS: usize = 2;

/// Enough for the library to stop storing keys before each message.
const ANSWERS: usize = 5;

async fn back(stage: &Stage) -> (Client, Events) {
    let (client, mut events) = stage.open(false).await.unwrap();
    client.start();
    next(&mut events, |event| matches!(event, Happened::Connected)).await;
    (client, events)
}

/// The other side answers under the keys of the last message that it got: they must be there afterwards. Were they
/// not, its answers could not be read, and the phone would be asked to send each of them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_under_which_something_was_sent_are_there_afterwards() {
    let mut stage = Stage::new().await;
    // What comes after a scan is done.
    stage.linked().await.0.disconnect().await;
    for death in 0..DEATHS {
        let (client, events) = back(&stage).await;
        for number in 0..ANSWERS {
            let (question, answer) =
                (format!("question {death} {number}"), format!("answer {death} {number}"));
            stage.customer().say(SHOP, &question).unwrap();
            while stage.inbox.find(&question).is_none() {
                tokio::task::yield_now().await;
            }
            client.send(&stage.message(&answer)).await.unwrap();
            stage.customer().wait_text(&answer, SOON).await.unwrap();
        }
        // From here on nothing is written, as when the process is killed.
        stage.claim.lost();
        drop((client, events));
        stage.shop().wait_connected(0, SOON).await.unwrap();
        stage.claim = Claim::held();
    }
    let (client, _events) = back(&stage).await;
    stage.customer().say(SHOP, "still there?").unwrap();
    stage.inbox.wait("still there?").await;
    let journal = stage.shop().journal();
    let again = journal.iter().filter(|entry| entry.stanza.contains("type=\"retry\"")).count();
    assert_eq!(again, 0, "messages that could not be read");
    client.disconnect().await;
}
