//! An API server in memory: objects by their paths, each with a version that a `PUT` must name.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Method, Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Value>,
    /// What was written, in order: method, path, body.
    written: Vec<(Method, String, Value)>,
    versions: u64,
    /// It does not answer.
    away: bool,
}

/// What stands behind a [`Client`] for the namespace `ns`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ApiServer(Arc<Mutex<State>>);

impl ApiServer {
    pub(crate) fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(service, "ns")
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an object there, as a person would.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        let mut state = self.state();
        state.versions += 1;
        object["metadata"]["resourceVersion"] = json!(state.versions.to_string());
        state.objects.insert(path.to_owned(), object);
    }

    pub(crate) fn remove(&self, path: &str) {
        self.state().objects.remove(path);
    }

    pub(crate) fn object(&self, path: &str) -> Value {
        self.state().objects.get(path).cloned().unwrap_or_default()
    }

    pub(crate) fn written(&self) -> Vec<(Method, String, Value)> {
        self.state().written.clone()
    }

    /// From now on it does not answer, or does again.
    pub(crate) fn away(&self, away: bool) {
        self.state().away = away;
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if self.state().away {
            std::future::pending::<()>().await;
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let body = request.into_body().collect_bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (status, answer) = self.state().act(&method, &path, body);
        let answer = Body::from(serde_json::to_vec(&answer).unwrap());
        Response::builder().status(status).body(answer).unwrap()
    }
}

impl State {
    fn act(&mut self, method: &Method, path: &str, body: Value) -> (StatusCode, Value) {
        let problem = |status: StatusCode| {
            let code = status.as_u16();
            let said =
                json!({"kind": "Status", "status": "Failure", "message": "no", "reason": "no", "code": code});
            (status, said)
        };
        if *method == Method::GET && path.ends_with("/pods") {
            let pods = self.objects.iter().filter(|(at, _)| at.starts_with(&format!("{path}/")));
            let items: Vec<_> = pods.map(|(_, pod)| pod.clone()).collect();
            let list = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {},
                              "items": items});
            return (StatusCode::OK, list);
        }
        let Some(object) = self.objects.get_mut(path) else { return problem(StatusCode::NOT_FOUND) };
        if *method == Method::GET {
            return (StatusCode::OK, object.clone());
        }
        if *method == Method::PUT
            && body["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"]
        {
            return problem(StatusCode::CONFLICT);
        }
        if *method == Method::PATCH {
            let annotations = body["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
            for (key, value) in annotations {
                object["metadata"]["annotations"][key] = value;
            }
        } else {
            *object = body.clone();
        }
        self.versions += 1;
        object["metadata"]["resourceVersion"] = json!(self.versions.to_string());
        let answer = object.clone();
        self.written.push((method.clone(), path.to_owned(), body));
        (StatusCode::OK, answer)
    }
}
