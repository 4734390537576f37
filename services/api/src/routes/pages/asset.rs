//! `GET /assets/{file}`: scripts and style of the pages. They are the same for everybody, so they need no login.

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::Response,
};

use crate::{error::Problem, page};

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(crate) async fn handler(name: Result<Path<String>, PathRejection>) -> Result<Response<Body>, Problem> {
    let Path(name) = name.map_err(|_| Problem::route_not_found())?;
    let (content, kind) = match &*name {
        "app.css" => (include_str!("../../../assets/app.css"), "text/css; charset=utf-8"),
        "app.js" => (include_str!("../../../assets/app.js"), SCRIPT),
        "dashboard.js" => (include_str!("../../../assets/dashboard.js"), SCRIPT),
        "admin.js" => (include_str!("../../../assets/admin.js"), SCRIPT),
        "docs.js" => (include_str!("../../../assets/docs.js"), SCRIPT),
        _ => return Err(Problem::route_not_found()),
    };
    Ok(page::file(content, kind))
}

#[cfg(test)]
mod tests {
    use crate::testing::Rig;

    #[tokio::test]
    async fn files_have_their_types_and_others_are_not_there() {
        let rig = Rig::new().await;
        for (file, kind) in [
            ("app.css", "text/css; charset=utf-8"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("admin.js", "text/javascript; charset=utf-8"),
        ] {
            let answer = rig.get(&format!("/assets/{file}")).anonymous().send().await;
            assert_eq!((answer.status, answer.header("content-type")), (200, kind));
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
        for path in ["/assets/", "/assets/x.js", "/assets/..%2Fadmin.html", "/assets/%ff", "/assets/a/b"] {
            let answer = rig.get(path).anonymous().send().await;
            answer.fails(404, "route_not_found", "Route not found");
        }
    }

    /// Texts from outside reach a page as text: nothing in the scripts makes markup of them, or asks other hosts.
    #[test]
    fn scripts_make_no_markup_of_texts() {
        for script in [
            include_str!("../../../assets/app.js"),
            include_str!("../../../assets/dashboard.js"),
            include_str!("../../../assets/admin.js"),
            include_str!("../../../assets/docs.js"),
        ] {
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "http://",
                "https://",
            ] {
                assert!(!script.contains(forbidden), "{forbidden}");
            }
        }
    }
}
