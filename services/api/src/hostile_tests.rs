//! Every documented route against what nobody sends on purpose: the answer is one of those that its documentation lists,
//! an error is JSON with a stable code, and none is a failure of ours. A new route is covered by being documented.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::{state::Settings, testing::Rig};

/// 500s that the contract asks for.
const CONTRACTUAL: [&str; 2] = ["recipient_required", "invalid_document_name"];

/// A route, and what it says about itself.
#[derive(Debug, Clone)]
struct Operation {
    method: String,
    path: String,
    fields: Vec<String>,
    queries: Vec<String>,
    statuses: BTreeSet<String>,
}

/// A request that may be anything.
#[derive(Debug, Clone)]
struct Hostile {
    operation: Operation,
    segment: String,
    query: Vec<(String, String)>,
    content_type: &'static str,
    body: Vec<u8>,
}

fn operations() -> Vec<Operation> {
    let document = json!(crate::openapi());
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let queries = parameters.iter().filter(|parameter| parameter["in"] == "query");
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                fields: fields(&document, &operation["requestBody"]["content"]),
                queries: queries.map(|query| query["name"].as_str().unwrap().to_owned()).collect(),
                statuses: operation["responses"].as_object().unwrap().keys().cloned().collect(),
            });
        }
    }
    operations
}

/// The names of all fields that a body of any content type may have.
fn fields(document: &Value, content: &Value) -> Vec<String> {
    let mut names = BTreeSet::new();
    for media in content.as_object().into_iter().flat_map(Map::values) {
        let schema = &media["schema"];
        let target =
            schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')).map(|at| document.pointer(at));
        let schema = target.flatten().unwrap_or(schema);
        names.extend(schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys().cloned()));
        names.extend(media["example"].as_object().into_iter().flat_map(|fields| fields.keys().cloned()));
    }
    names.into_iter().collect()
}

/// Texts that have broken something somewhere.
fn text() -> impl Strategy<Value = String> {
    let known = select(vec![
        "",
        " ",
        "\0",
        "a\0b",
        "..",
        "../../etc/passwd",
        "a/b",
        "a\\b",
        "%00",
        "%2e%2e",
        "null",
        "undefined",
        "-1",
        "1e400",
        "shop",
        "admin",
        "admin_",
        "@",
        "@s.whatsapp.net",
        "1@2@3",
        "628110000002",
        "+62 811-0000-002",
        "status@broadcast",
        "120363-1@g.us",
        "62811:99999@s.whatsapp.net",
        "none",
        "basic",
        "oauth2",
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
        "http://[::1]:5432/",
        "javascript:alert(1)",
        "https://",
        "http://a b/",
        "\u{202e}",
        "\u{feff}",
        "ａｄｍｉｎ",
        "İ",
        "ß",
        "👩‍👩‍👧",
        "e\u{301}",
        "' OR 1=1 --",
        "${jndi:ldap://x}",
        "<script>",
        "\r\nX: y",
        "0001-01-01",
        "msg_0193b3f0a1b27c3d8e4f5a6b7c8d9e0f",
        "dlv_",
        "2",
        "9223372036854775808",
        "AAAA====",
        "data:image/png;base64,AAAA",
    ]);
    prop_oneof![
        4 => known.prop_map(str::to_owned),
        2 => any::<String>(),
        1 => "[0-9+@. -]{0,40}",
        1 => "x{0,300}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(text(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn hostile(operations: Vec<Operation>) -> impl Strategy<Value = Hostile> {
    let content_type = select(vec![
        "application/json",
        "application/json",
        "application/json; charset=utf-8",
        "application/problem+json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/octet-stream",
        "",
    ]);
    select(operations).prop_flat_map(move |operation| {
        let values = prop::collection::vec(prop::option::weighted(0.8, value()), operation.fields.len());
        let names = operation.fields.clone();
        let object = values.prop_map(move |values| {
            let fields = names.iter().cloned().zip(values);
            let fields: Map<_, _> = fields.filter_map(|(name, value)| Some((name, value?))).collect();
            Value::Object(fields).to_string().into_bytes()
        });
        let body = prop_oneof![
            6 => object,
            1 => value().prop_map(|value| value.to_string().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..200),
            1 => prop::collection::vec(select(b"--x\r\n: ;=\"Content-Disposition form-data name file".to_vec()), 0..200),
        ];
        let queries = prop::collection::vec(prop::option::weighted(0.8, text()), operation.queries.len());
        let asked = operation.queries.clone();
        let query = queries.prop_map(move |values| {
            asked.iter().cloned().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
        });
        (Just(operation), text(), query, content_type.clone(), body).prop_map(
            |(operation, segment, query, content_type, body)| Hostile {
                operation, segment, query, content_type, body,
            },
        )
    })
}

impl Hostile {
    fn request(&self) -> Request<Body> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let segments = self.operation.path.split('/').map(|segment| match segment.strip_prefix('{') {
            Some(_) => encoded(&self.segment),
            None => segment.to_owned(),
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let query: Vec<_> =
            self.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let mut request = Request::builder()
            .method(&*self.operation.method)
            .uri(format!("{path}?{}", query.join("&")))
            .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode("admin:admin")));
        if !self.content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, self.content_type);
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

async fn holds(rig: &Rig, hostile: &Hostile) -> Result<(), TestCaseError> {
    let response = rig.router().oneshot(hostile.request()).await.unwrap();
    let status = response.status().as_u16();
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    // An empty segment in the path is another route.
    let another_route = status == 404 && hostile.segment.is_empty();
    prop_assert!(
        another_route || hostile.operation.statuses.contains(&status.to_string()),
        "{status} is not documented"
    );
    if status < 400 {
        return Ok(());
    }
    prop_assert!(json, "an error is JSON");
    let body = timeout(Duration::from_secs(5), to_bytes(response.into_body(), 1 << 20)).await;
    let body: Value = serde_json::from_slice(&body.expect("an error is whole").unwrap()).unwrap();
    let (message, code) = (body["message"].as_str(), body["code"].as_str().unwrap_or_default());
    prop_assert!(message.is_some_and(|message| !message.is_empty()), "an error says what it is: {body}");
    prop_assert!(!code.is_empty(), "an error has a code: {body}");
    prop_assert!(status != 500 || CONTRACTUAL.contains(&code), "a failure of ours: {body}");
    Ok(())
}

#[test]
fn whatever_comes_is_answered_as_documented() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rig = runtime.block_on(async {
        let moment = Duration::from_millis(1);
        let rig = Rig::with(Settings {
            start_wait: moment,
            send_wait: moment,
            check_wait: moment,
            logout_wait: moment,
            ..Settings::default()
        })
        .await;
        rig.session("shop").await;
        rig
    });
    let config = ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config)
        .run(&hostile(operations()), |hostile| runtime.block_on(holds(&rig, &hostile)));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fields_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300), value in value()) {
        use crate::fields::Fields;
        for body in [body, value.to_string().into_bytes()] {
            let Ok(fields) = Fields::from_json(&body) else { continue };
            for field in ["to", "session", ""] {
                let _ = fields.optional_text(field);
                let short = fields.text_up_to(field, 3);
                prop_assert!(short.is_err() || short.unwrap().chars().count() <= 3);
                let _ = fields.optional_flag(field);
            }
        }
    }

    #[test]
    fn what_a_query_string_carries_comes_out_as_it_went_in(to in any::<String>(), text in any::<String>()) {
        use crate::fields::Fields;
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let uri = format!("/x?to={}&text={}", encoded(&to), encoded(&text)).parse().unwrap();
        let fields = Fields::from_query(&uri);
        prop_assert_eq!(fields.text("to"), Ok(to));
        prop_assert_eq!(fields.text("text"), Ok(text));
    }

    #[test]
    fn a_recipient_is_a_plain_jid_or_refused(to in text(), is_group in any::<bool>()) {
        if let Ok(jid) = crate::sending::recipient(&to, is_group) {
            prop_assert!(jid.len() <= 128 && jid.is_ascii(), "{jid:?}");
            prop_assert_eq!(jid.matches('@').count(), 1, "{:?}", jid);
            prop_assert!(jid.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@".contains(c)), "{jid:?}");
            prop_assert_eq!(crate::sending::recipient(&jid, is_group).ok(), Some(jid), "it means itself");
        }
    }
}
