//! `multipart/form-data`: text fields, and a file that passes through in pieces. Nothing of the file is held in memory;
//! what may be held of all else is bounded, whatever the other side sends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::BodyDataStream,
    extract::Request,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use multer::{Field, Multipart};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use super::{Fields, Invalid, Place, essence};

/// Text fields and files in one form.
const MOST_PARTS: usize = 64;
/// What the parser may be given before it has to make something of it.
const MOST_AHEAD: usize = 1 << 20;

/// A form whose parts are read one after the other.
pub(crate) struct Form {
    parts: Multipart<'static>,
    ahead: Arc<AtomicUsize>,
    values: Map<String, Value>,
    /// What text fields may still take up.
    text_left: usize,
    count: usize,
}

/// The part of a form that is a file.
pub(crate) struct BodyPart {
    field: Field<'static>,
    ahead: Arc<AtomicUsize>,
}

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Without a byte.
    pub idle: Duration,
    pub whole: Duration,
}

impl Form {
    /// Whether a request has a form for a body.
    pub(crate) fn is_one(headers: &HeaderMap) -> bool {
        essence(headers).is_some_and(|essence| essence == "multipart/form-data")
    }

    /// Reads a request's form, of which text fields may be as long as `text_limit` together.
    pub(crate) fn of(request: Request, patience: Patience, text_limit: usize) -> Result<Self, Invalid> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary = content_type.and_then(|value| multer::parse_boundary(value).ok());
        let boundary = boundary.ok_or(Invalid::MalformedForm)?;
        let ahead = Arc::new(AtomicUsize::new(0));
        let body = paced(request.into_body().into_data_stream(), patience, Arc::clone(&ahead));
        let parts = Multipart::new(body, boundary);
        Ok(Self { parts, ahead, values: Map::new(), text_left: text_limit, count: 0 })
    }

    /// Reads on to the next file; `None` at the end of the form.
    pub(crate) async fn next_file(&mut self) -> Result<Option<BodyPart>, Invalid> {
        while let Some(field) = self.parts.next_field().await.map_err(|error| invalid(&error))? {
            self.ahead.store(0, Ordering::Relaxed);
            self.count += 1;
            if self.count > MOST_PARTS {
                return Err(Invalid::MalformedForm);
            }
            let name = field.name().ok_or(Invalid::MalformedForm)?.to_owned();
            if field.file_name().is_some() || name == "file" {
                return Ok(Some(BodyPart { field, ahead: Arc::clone(&self.ahead) }));
            }
            let text = self.text(BodyPart { field, ahead: Arc::clone(&self.ahead) }).await?;
            // A name that comes twice is a list, and no route takes one.
            self.values
                .entry(name)
                .and_modify(|earlier| *earlier = Value::Array(Vec::new()))
                .or_insert(Value::String(text));
        }
        Ok(None)
    }

    async fn text(&mut self, mut part: BodyPart) -> Result<String, Invalid> {
        let mut text = Vec::new();
        while let Some(chunk) = part.chunk().await? {
            let limit = self.text_left;
            self.text_left = limit.checked_sub(chunk.len()).ok_or(Invalid::TooLarge { limit })?;
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).map_err(|_| Invalid::MalformedForm)
    }

    /// The text fields that were read.
    pub(crate) fn into_fields(self) -> Fields {
        Fields { place: Place::Form, values: self.values }
    }
}

impl BodyPart {
    /// What its sender calls the file.
    pub(crate) fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// The next piece.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Invalid> {
        let chunk = self.field.chunk().await.map_err(|error| invalid(&error))?;
        self.ahead.store(0, Ordering::Relaxed);
        Ok(chunk)
    }
}

fn invalid(error: &multer::Error) -> Invalid {
    match error {
        multer::Error::StreamReadFailed(cause) => {
            cause.downcast_ref().cloned().unwrap_or(Invalid::MalformedForm)
        }
        _ => Invalid::MalformedForm,
    }
}

/// The body, one piece at a time: the parser takes in all that is ready before it looks at any of it, and goes on
/// taking in while it looks for the end of a header.
fn paced(
    body: BodyDataStream,
    patience: Patience,
    ahead: Arc<AtomicUsize>,
) -> impl Stream<Item = Result<Bytes, Invalid>> + Send + 'static {
    let end = Instant::now() + patience.whole;
    stream::unfold(Some((body, ahead)), move |state| async move {
        let (mut body, ahead) = state?;
        tokio::task::yield_now().await;
        let soon = end.min(Instant::now() + patience.idle);
        let failed = match timeout_at(soon, body.next()).await {
            Ok(Some(Ok(chunk))) => {
                // A piece that is longer by itself is in memory already.
                if ahead.fetch_add(chunk.len(), Ordering::Relaxed) <= MOST_AHEAD {
                    return Some((Ok(chunk), Some((body, ahead))));
                }
                Invalid::MalformedForm
            }
            Ok(None) => return None,
            Ok(Some(Err(_))) => Invalid::MalformedForm,
            Err(_) => Invalid::TooSlow,
        };
        Some((Err(failed), None))
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const PATIENCE: Patience = Patience { idle: Duration::from_millis(200), whole: Duration::from_secs(20) };

    fn form(body: impl Into<Body>) -> Result<Form, Invalid> {
        let request = Request::builder()
            .header("content-type", "multipart/form-data; boundary=xyz")
            .body(body.into())
            .unwrap();
        Form::of(request, PATIENCE, 100)
    }

    async fn read(body: impl Into<Body>) -> Result<(Fields, Vec<(String, usize)>), Invalid> {
        let mut form = form(body)?;
        let mut files = Vec::new();
        while let Some(mut file) = form.next_file().await? {
            let name = file.file_name().unwrap_or_default().to_owned();
            let mut size = 0;
            while let Some(chunk) = file.chunk().await? {
                size += chunk.len();
            }
            files.push((name, size));
        }
        Ok((form.into_fields(), files))
    }

    fn part(head: &str, body: &str) -> String {
        format!("--xyz\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
    }

    #[tokio::test]
    async fn fields_and_a_file_come_in_any_order() {
        let body = [
            part(r#"name="session""#, "shop"),
            part(r#"name="file"; filename="a b.png""#, &"x".repeat(300_000)),
            part(r#"name="is_group""#, "true"),
            part(r#"name="text""#, "größe"),
            part(r#"name="twice""#, "1"),
            part(r#"name="twice""#, "2"),
        ];
        let (fields, files) = read(format!("{}--xyz--\r\n", body.concat())).await.unwrap();
        assert_eq!(files, [("a b.png".to_owned(), 300_000)]);
        assert_eq!(fields.text("session").as_deref(), Ok("shop"));
        assert_eq!(
            (fields.text("text").as_deref(), fields.optional_flag("is_group")),
            (Ok("größe"), Ok(Some(true)))
        );
        assert_eq!(fields.text("to").unwrap_err().to_string(), "Required field 'to' on form");
        assert!(fields.text("twice").is_err());
    }

    #[tokio::test]
    async fn what_is_no_form_is_malformed() {
        let text = |text: &str| part(r#"name="text""#, text);
        let table: [(Body, Invalid); 8] = [
            (Body::empty(), Invalid::MalformedForm),
            ("hello".into(), Invalid::MalformedForm),
            (text("cut").into(), Invalid::MalformedForm),
            (part("filename=x", "no name").into(), Invalid::MalformedForm),
            (format!("{}--xyz--", text("x").repeat(65)).into(), Invalid::MalformedForm),
            (format!("{}--xyz--", text(&"x".repeat(101))).into(), Invalid::TooLarge { limit: 100 }),
            // A header that never ends, and a beginning that never comes.
            (format!("--xyz\r\nX: {}", "y".repeat(3 << 20)).into(), Invalid::MalformedForm),
            ("z".repeat(3 << 20).into(), Invalid::MalformedForm),
        ];
        for (body, expected) in table {
            assert_eq!(read(body).await.unwrap_err(), expected);
        }
        let bytes = [part(r#"name="text""#, "").trim_end().as_bytes(), b"\r\n\r\n\xff\r\n--xyz--"].concat();
        assert_eq!(read(bytes).await.unwrap_err(), Invalid::MalformedForm);
        let without = Request::builder().header("content-type", "multipart/form-data");
        assert!(Form::of(without.body(Body::empty()).unwrap(), PATIENCE, 100).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let half = stream::once(async { Ok::<_, std::io::Error>(part(r#"name="text""#, "x")) });
        let body = Body::from_stream(half.chain(stream::pending()));
        assert_eq!(read(body).await.unwrap_err(), Invalid::TooSlow);
    }
}
