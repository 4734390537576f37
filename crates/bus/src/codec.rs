//! What goes over the bus: `{"v":1,"body":…}`. Within one version fields may be added; a change that an older
//! process would misread raises the version, and the older process answers `unsupported`.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned, de::IgnoredAny};

use crate::RequestError;

/// The version that this build writes, and the newest that it reads.
const VERSION: u16 = 1;

#[derive(Serialize)]
struct Outgoing<'a, T> {
    v: u16,
    body: &'a T,
}

#[derive(Deserialize)]
struct Incoming<T> {
    v: u16,
    body: T,
}

/// Why a payload was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// Not one of our payloads at all.
    Malformed,
    /// One of ours, but of a newer version or with a word that this build does not know.
    Unsupported,
}

/// Answers that the bus itself gives in place of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    Malformed,
    Unsupported,
    /// The server stopped before it took the command.
    NotTaken,
    /// The server took the command and dropped it.
    Abandoned,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum OutgoingAnswer<'a, T> {
    Ok(&'a T),
    Refused(Refusal),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum IncomingAnswer<T> {
    Ok(T),
    Refused(Refusal),
}

pub(crate) fn encode<T: Serialize>(body: &T) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(&Outgoing { v: VERSION, body }).map(Bytes::from)
}

pub(crate) fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    match serde_json::from_slice::<Incoming<T>>(payload) {
        Ok(incoming) if incoming.v <= VERSION => Ok(incoming.body),
        Ok(_) => Err(DecodeError::Unsupported),
        Err(_) => match serde_json::from_slice::<Incoming<IgnoredAny>>(payload) {
            Ok(_) => Err(DecodeError::Unsupported),
            Err(_) => Err(DecodeError::Malformed),
        },
    }
}

pub(crate) fn encode_answer<T: Serialize>(answer: &T) -> Result<Bytes, serde_json::Error> {
    encode(&OutgoingAnswer::Ok(answer))
}

pub(crate) fn encode_refusal(refusal: Refusal) -> Bytes {
    // A refusal is a fixed word: writing it cannot fail.
    encode(&OutgoingAnswer::<()>::Refused(refusal)).unwrap_or_default()
}

pub(crate) fn decode_answer<T: DeserializeOwned>(payload: &[u8]) -> Result<T, RequestError> {
    match decode::<IncomingAnswer<T>>(payload) {
        Ok(IncomingAnswer::Ok(answer)) => Ok(answer),
        Ok(IncomingAnswer::Refused(refusal)) => Err(match refusal {
            Refusal::Malformed => RequestError::Malformed,
            Refusal::Unsupported => RequestError::Unsupported,
            Refusal::NotTaken => RequestError::NoResponders,
            Refusal::Abandoned => RequestError::Abandoned,
        }),
        Err(DecodeError::Malformed | DecodeError::Unsupported) => Err(RequestError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Known { number: u8 },
        Bare,
    }

    #[test]
    fn payloads_are_read_refused_as_newer_or_refused_as_nonsense() {
        let table: [(&str, Result<Word, DecodeError>); 9] = [
            (r#"{"v":1,"body":"bare"}"#, Ok(Word::Bare)),
            (r#"{"v":1,"body":{"known":{"number":3,"added_later":1}}}"#, Ok(Word::Known { number: 3 })),
            (r#"{"v":1,"trace":"00-1","body":"bare"}"#, Ok(Word::Bare)),
            (r#"{"v":1,"body":"later"}"#, Err(DecodeError::Unsupported)),
            (r#"{"v":1,"body":{"known":{"number":"three"}}}"#, Err(DecodeError::Unsupported)),
            (r#"{"v":2,"body":"bare"}"#, Err(DecodeError::Unsupported)),
            (r#"{"v":2,"body":[1,2]}"#, Err(DecodeError::Unsupported)),
            (r#"{"body":"bare"}"#, Err(DecodeError::Malformed)),
            ("\u{0}\u{1}", Err(DecodeError::Malformed)),
        ];
        for (payload, expected) in table {
            assert_eq!(decode::<Word>(payload.as_bytes()), expected, "{payload}");
        }
    }

    #[test]
    fn answers_and_refusals_keep_their_meaning() {
        let answer = encode_answer(&Word::Known { number: 7 }).unwrap();
        assert_eq!(answer, r#"{"v":1,"body":{"ok":{"known":{"number":7}}}}"#);
        assert_eq!(decode_answer(&answer), Ok(Word::Known { number: 7 }));
        let table = [
            (Refusal::Malformed, RequestError::Malformed),
            (Refusal::Unsupported, RequestError::Unsupported),
            (Refusal::NotTaken, RequestError::NoResponders),
            (Refusal::Abandoned, RequestError::Abandoned),
        ];
        for (refusal, error) in table {
            assert_eq!(decode_answer::<Word>(&encode_refusal(refusal)), Err(error));
        }
        assert_eq!(decode_answer::<Word>(b"{}"), Err(RequestError::Malformed));
    }
}
