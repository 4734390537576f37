//! `GET /session/start?session=`: the same as a page that keeps its QR code current until it was scanned.

use axum::{extract::State, response::Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    auth::Actor,
    error::ProblemBody,
    fields::QueryFields,
    page::page,
    pairing::{self, Begun, Offer, StartError},
    routes::session::start::{StartRequest, connected},
    state::ApiState,
};

const PAGE: &str = include_str!("../../../pages/pairing.html");

/// Links a number with a browser: a page that shows what to scan, and keeps itself current.
#[utoipa::path(
    get, path = "/session/start", tag = "session", operation_id = "startSessionPage",
    params(("session" = String, Query, description = "A name of your choice", example = "shop")),
    responses(
        (status = 200, description = "A page; or, without a need to scan, the same JSON as with POST", content(
            (String = "text/html"),
            (Object = "application/json", example = json!({"data": {"message": "Connected", "session": "shop"}})),
        )),
        (status = 400, description = "It is connected already, or the name cannot be one", body = ProblemBody),
        (status = 403, description = "It is another user's", body = ProblemBody),
        (status = 503, description = "It cannot be linked now; the code is its state", body = ProblemBody),
        (status = 504, description = "There was nothing to scan in time", body = ProblemBody),
    )
)]
pub(crate) async fn handler(
    caller: Actor,
    State(state): State<ApiState>,
    QueryFields(fields): QueryFields,
) -> Result<Response, StartError> {
    let Begun { session, offer } = StartRequest::begin(&state, &caller, &fields).await?;
    let code = match offer {
        Offer::Code(code) => code,
        Offer::Connected => return Ok(connected(&session)),
    };
    let image = pairing::data_url(&code.text).unwrap_or_default();
    let path = utf8_percent_encode(&session, NON_ALPHANUMERIC).to_string();
    Ok(page(PAGE, &[("session", &session), ("path", &path), ("image", &image)]))
}

#[cfg(test)]
mod tests {
    use crate::testing::Rig;

    #[tokio::test]
    async fn a_page_shows_the_code_and_lets_nothing_in() {
        let rig = Rig::new().await;
        let _runner = rig.runner().offers("2@code").start().await;
        let answer = rig.get("/session/start?session=%3Cb%3E%20%D0%BC:1").send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.body.contains(r#"src="data:image/png;base64,"#));
        assert!(answer.body.contains("&lt;b&gt; м:1") && !answer.body.contains("<b> м"));
        assert!(answer.body.contains(r#"data-session="%3Cb%3E%20%D0%BC%3A1""#));
        assert!(!answer.body.contains("http://") && !answer.body.contains("https://"), "no external hosts");
        let policy = answer.header("content-security-policy");
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(answer.body.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        let again = rig.get("/session/start?session=%3Cb%3E%20%D0%BC:1").send().await;
        assert!(!again.header("content-security-policy").contains(nonce), "a nonce is used once");
    }

    #[tokio::test]
    async fn it_answers_otherwise_as_post_does() {
        let rig = Rig::new().await;
        let _runner = rig.runner().connects().start().await;
        let url = "/session/start?session=shop";
        rig.get(url).send().await.is(200, r#"{"data":{"message":"Connected","session":"shop"}}"#);
        rig.get(url).send().await.fails(400, "session_exists", "Session already exist");
        let answer = rig.get("/session/start").send().await;
        answer.fails(400, "invalid_field", "Required field 'session' on query");
    }

    #[tokio::test]
    async fn other_sites_cannot_start_sessions_and_prefetches_do_not() {
        let rig = Rig::new().await;
        let url = "/session/start?session=shop";
        let answer = rig.get(url).header("sec-fetch-site", "cross-site").send().await;
        answer.fails(403, "cross_site", "A browser sent this request from another site");
        rig.request("HEAD", url).send().await.is(404, "");
        assert!(rig.database.session_names(None).await.unwrap().is_empty());
    }
}
