//! The answers that any route may give, added to the document of each: a handler's own text lists what is its own.

use utoipa::openapi::{
    Content, Header, HeaderBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, path::Operation,
    security::SecurityRequirement,
};

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

const ANSWERS: [Answer; 9] = [
    answer(Trait::Body, "400", "The body is not what it should be: `message` names the first wrong field"),
    answer(Trait::Secured, "401", "No credentials, or wrong ones")
        .with("WWW-Authenticate", "How to present them"),
    answer(Trait::Writes, "403", "A browser sent this request from another site"),
    answer(Trait::Body, "408", "The body did not arrive in time"),
    answer(Trait::Body, "413", "The body is too large"),
    answer(Trait::Secured, "429", "Too many failed logins from this address or for this name")
        .with("Retry-After", "Seconds to wait"),
    answer(Trait::Any, "500", "The gateway failed; its log says why"),
    answer(Trait::Secured, "503", "The database or the process cannot serve this now")
        .with("Retry-After", "Seconds to wait"),
    answer(Trait::Writes, "507", "The database has no room left, and nothing was stored"),
];

/// Adds to every operation what its own text leaves out.
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

    #[test]
    fn a_route_lists_what_it_may_answer_and_nothing_else() {
        let document = json!(crate::openapi());
        assert_eq!(statuses(&document, "get", "/health"), ["200", "500"]);
        assert_eq!(statuses(&document, "get", "/session"), ["200", "401", "429", "500", "503"]);
        let logout = statuses(&document, "post", "/session/logout");
        assert_eq!(logout, ["200", "400", "401", "403", "408", "413", "429", "500", "503", "507"]);
        let own = &document["paths"]["/session/logout"]["post"]["responses"]["403"]["description"];
        assert_eq!(own, "It is another user's", "a route's own words stay");
        let wait = &document["paths"]["/session"]["get"]["responses"]["429"]["headers"];
        assert_eq!(wait["Retry-After"]["schema"]["type"], "string");
    }
}
