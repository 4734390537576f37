//! What is said of all routes alike, added to the document of each: a handler's own text lists what is its own.

use utoipa::openapi::{
    Content, Header, HeaderBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema,
    path::Operation, security::SecurityRequirement,
};

/// The words with which a handler says that its body is what stands in the contract's envelope.
const ENVELOPE: &str = "as `data`";

/// What applies to a route; each brings answers with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trait {
    /// Its caller must say who they are.
    Secured,
    /// It reads a body.
    Body,
    /// It stores something.
    Writes,
    /// It asks the database.
    Any,
}

struct Answer {
    given_by: Trait,
    status: &'static str,
    description: &'static str,
    header: Option<(&'static str, &'static str)>,
}

const fn answer(given_by: Trait, status: &'static str, description: &'static str) -> Answer {
    Answer { given_by, status, description, header: None }
}

impl Answer {
    const fn with(self, header: &'static str, description: &'static str) -> Self {
        Self { header: Some((header, description)), ..self }
    }
}

const ANSWERS: [Answer; 10] = [
    answer(Trait::Body, "400", "The body is not what it should be: `message` names the first wrong field"),
    answer(Trait::Secured, "401", "No credentials, or wrong ones")
        .with("WWW-Authenticate", "How to present them"),
    answer(
        Trait::Writes,
        "403",
        "The API key is not for this, or a browser sent this request from another site",
    ),
    answer(Trait::Secured, "403", "The API key is not for this"),
    answer(Trait::Body, "408", "The body did not arrive in time"),
    answer(Trait::Body, "413", "The body is too large"),
    answer(Trait::Secured, "429", "Too many failed logins from this address or for this name")
        .with("Retry-After", "Seconds to wait"),
    answer(Trait::Any, "500", "The gateway failed; its log says why"),
    answer(Trait::Secured, "503", "The database or the process cannot serve this now")
        .with("Retry-After", "Seconds to wait"),
    answer(Trait::Writes, "507", "The database has no room left, and nothing was stored"),
];

/// Adds to every operation what its own text leaves out: the envelope of its body, and answers that are not its own.
pub(crate) fn complete(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.head].into_iter().flatten() {
            add(operation, false);
        }
        for operation in
            [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
        {
            add(operation, true);
        }
    }
}

fn add(operation: &mut Operation, writes: bool) {
    envelop(operation);
    let nobody = SecurityRequirement::default();
    let open = operation.security.as_ref().is_some_and(|any| any.iter().all(|one| *one == nobody));
    let body = operation.request_body.is_some();
    for answer in &ANSWERS {
        let applies = match answer.given_by {
            Trait::Secured => !open,
            Trait::Body => body,
            Trait::Writes => writes && !open,
            Trait::Any => true,
        };
        if applies {
            let responses = &mut operation.responses.responses;
            let known =
                responses.entry(answer.status.to_owned()).or_insert_with(|| RefOr::T(described(answer)));
            if let (RefOr::T(known), Some((name, about))) = (known, answer.header) {
                known.headers.entry(name.to_owned()).or_insert_with(|| RefOr::T(header(about)));
            }
        }
    }
}

/// Puts the bodies of success into `{"data": …}` where the operation says so of one of them.
fn envelop(operation: &mut Operation) {
    let mut successes: Vec<&mut Response> = operation
        .responses
        .responses
        .iter_mut()
        .filter(|(status, _)| status.starts_with('2'))
        .filter_map(|(_, response)| match response {
            RefOr::T(response) => Some(response),
            RefOr::Ref(_) => None,
        })
        .collect();
    if !successes.iter().any(|response| response.description.contains(ENVELOPE)) {
        return;
    }
    let contents = successes.iter_mut().filter_map(|response| response.content.get_mut("application/json"));
    for content in contents {
        let RefOr::T(content) = content else { continue };
        if let Some(body) = content.schema.take() {
            let envelope = ObjectBuilder::new().property("data", body).required("data").build();
            content.schema = Some(RefOr::T(Schema::Object(envelope)));
        }
    }
}

fn described(answer: &Answer) -> Response {
    ResponseBuilder::new()
        .description(answer.description)
        .content("application/json", Content::new(Some(Ref::from_schema_name("ProblemBody"))))
        .build()
}

fn header(about: &str) -> Header {
    HeaderBuilder::from(Header::default()).description(Some(about)).build()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn statuses(document: &Value, method: &str, path: &str) -> Vec<String> {
        let answers = document["paths"][path][method]["responses"].as_object().unwrap();
        answers.keys().cloned().collect()
    }

    /// The schema that a reference stands for.
    fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
        let target = schema["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#')));
        target.unwrap_or(schema)
    }

    /// What an example says that its schema does not, or the other way round.
    fn misfit(document: &Value, schema: &Value, example: &Value) -> Option<String> {
        let schema = resolved(document, schema);
        let (Some(known), Some(shown)) = (schema["properties"].as_object(), example.as_object()) else {
            return None;
        };
        if let Some(name) = shown.keys().find(|name| !known.contains_key(*name)) {
            return Some(format!("{name} is not in the schema"));
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(name) = required.into_iter().find(|name| !shown.contains_key(*name)) {
            return Some(format!("{name} is missing in the example"));
        }
        shown.iter().find_map(|(name, value)| misfit(document, &known[name], value))
    }

    #[test]
    fn examples_fit_their_schemas() {
        let document = json!(crate::openapi());
        let mut misfits = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let content = &response["content"]["application/json"];
                    let examples = content["examples"].as_object().into_iter().flatten();
                    let examples =
                        examples.map(|(_, example)| &example["value"]).chain(content.get("example"));
                    let misfit = |example| misfit(&document, &content["schema"], example);
                    misfits.extend(
                        examples
                            .filter_map(misfit)
                            .map(|misfit| format!("{method} {path} {status}: {misfit}")),
                    );
                }
            }
        }
        assert!(misfits.is_empty(), "{misfits:#?}");
        let text = &document["paths"]["/message/send-text"]["post"]["responses"]["202"];
        let text = &text["content"]["application/json"]["schema"];
        assert_eq!(text["properties"]["data"]["$ref"], "#/components/schemas/SentBody");
    }

    #[test]
    fn a_route_lists_what_it_may_answer_and_nothing_else() {
        let document = json!(crate::openapi());
        assert_eq!(statuses(&document, "get", "/health"), ["200", "500"]);
        assert_eq!(statuses(&document, "get", "/session"), ["200", "401", "403", "429", "500", "503"]);
        let logout = statuses(&document, "post", "/session/logout");
        assert_eq!(logout, ["200", "400", "401", "403", "408", "413", "429", "500", "503", "507"]);
        let own = &document["paths"]["/session/logout"]["post"]["responses"]["403"]["description"];
        assert_eq!(own, "It is another user's", "a route's own words stay");
        let wait = &document["paths"]["/session"]["get"]["responses"]["429"]["headers"];
        assert_eq!(wait["Retry-After"]["schema"]["type"], "string");
    }
}
