use bytes::Bytes;
use dashboard::Dashboard;
use serde_json::json;

use super::base;
use crate::{state::Settings, testing::Rig};

const SCRIPT: &str = "/app/assets/index-abc123.js";

async fn rig() -> Rig {
    let files = [
        ("index.html", "<!doctype html><html><head><title>Gateway</title></head></html>"),
        ("assets/index-abc123.js", "plain"),
        ("assets/index-abc123.js.br", "brotli"),
        ("assets/index-abc123.js.gz", "gzip"),
        ("favicon.svg", "<svg/>"),
    ];
    let files = files.map(|(path, content)| (path.to_owned(), Bytes::from_static(content.as_bytes())));
    Rig::with_dashboard(Settings::default(), Dashboard::of(files)).await
}

#[test]
fn the_base_is_found_from_any_depth() {
    let table = [
        ("/app", "app/"),
        ("/app/", "../app/"),
        ("/app/sessions", "../app/"),
        ("/app/sessions/shop", "../../app/"),
        ("/dashboard", "app/"),
        ("/link/abc", "../app/"),
    ];
    for (path, expected) in table {
        assert_eq!(base(path), expected, "{path}");
        for prefix in ["", "/wa", "/a/b"] {
            let page = url::Url::parse(&format!("https://gate.example{prefix}{path}")).unwrap();
            assert_eq!(page.join(&base(path)).unwrap().path(), format!("{prefix}/app/"), "{page}");
        }
    }
}

#[tokio::test]
async fn the_page_is_at_every_address_of_it() {
    let rig = rig().await;
    for path in
        ["/app", "/app/", "/app/sessions/a%2Fb%20c", "/app/index.html", "/link/abc", "/app/%3Cscript%3E"]
    {
        let answer = rig.get(path).anonymous().send().await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.body.contains("<title>Gateway</title>"), "{}", answer.body);
        assert!(answer.body.contains(&format!("<head><base href=\"{}\">", base(path))), "{}", answer.body);
        let (_, nonce) = answer.body.split_once("nonce=\"").unwrap();
        let nonce = &nonce[..nonce.find('"').unwrap()];
        assert_eq!(
            answer.header("content-security-policy"),
            format!(
                "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; \
                 font-src 'self'; media-src 'self' blob:; manifest-src 'self'; connect-src 'self'; base-uri 'self'; \
                 form-action 'self'; frame-ancestors 'none'"
            )
        );
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
    }
    let [one, other] = [rig.get("/app").send().await.body, rig.get("/app").send().await.body];
    assert_ne!(one, other, "a nonce is used once");
}

#[tokio::test]
async fn the_old_addresses_show_it_to_those_who_may_see_it() {
    let rig = rig().await;
    let anna = rig.user("anna").await;
    for path in ["/dashboard", "/admin"] {
        let answer = rig.get(path).send().await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("<base href=\"app/\">"), "{path}");
        rig.get(path).anonymous().send().await.fails(401, "unauthorized", "Unauthorized");
    }
    let answer = rig.get("/dashboard").by(&anna).send().await;
    // With what the page gets its requests are answered.
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    let me = rig.get("/auth/me").anonymous().header("cookie", cookie).send().await.json();
    assert_eq!((&me["data"]["username"], &me["data"]["by"]), (&json!("anna"), &json!("cookie")));
    let again = rig.get("/dashboard").anonymous().header("cookie", cookie).send().await;
    assert_eq!((again.status, again.header("set-cookie")), (200, ""));
    let linked =
        rig.get("/dashboard").header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
    let linked = linked.send().await;
    assert_eq!((linked.status, linked.header("set-cookie")), (200, ""));
    rig.get("/admin").by(&anna).send().await.fails(403, "admin_required", "Admin access required");
}

#[tokio::test]
async fn files_come_in_the_form_that_the_browser_takes() {
    let rig = rig().await;
    let table = [
        ("", "plain", ""),
        ("gzip, deflate, br, zstd", "brotli", "br"),
        ("gzip, deflate", "gzip", "gzip"),
        ("GZIP;q=0.5", "gzip", "gzip"),
        ("br;q=0, gzip", "gzip", "gzip"),
        ("br; q=0.0,identity", "plain", ""),
        ("bright", "plain", ""),
    ];
    for (accepted, body, encoding) in table {
        let answer = rig.get(SCRIPT).anonymous().header("accept-encoding", accepted).send().await;
        assert_eq!((answer.status, &*answer.body), (200, body), "{accepted}");
        assert_eq!(answer.header("content-encoding"), encoding);
        assert_eq!(answer.header("content-type"), "text/javascript");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(answer.header("vary"), "accept-encoding");
        let tag = answer.header("etag").to_owned();
        let again = rig.get(SCRIPT).header("accept-encoding", accepted).header("if-none-match", &tag);
        let again = again.send().await;
        assert_eq!((again.status, &*again.body, again.header("etag")), (304, "", &*tag));
    }
    let icon = rig.get("/app/favicon.svg").anonymous().send().await;
    assert_eq!((icon.header("content-type"), icon.header("cache-control")), ("image/svg+xml", "no-cache"));
}

#[tokio::test]
async fn what_is_no_file_is_not_found() {
    let rig = rig().await;
    for path in ["/app/assets/gone.js", "/app/assets/", "/app/%ff", "/link/", "/link/a/b"] {
        let answer = rig.get(path).anonymous().send().await;
        answer.fails(404, "route_not_found", "Route not found");
    }
    rig.request("POST", "/app").send().await.fails(404, "route_not_found", "Route not found");
}

#[tokio::test]
async fn without_a_dashboard_a_page_says_how_to_get_one() {
    let rig = Rig::new().await;
    for (path, root) in [("/app", ""), ("/app/sessions/shop", "../../"), ("/link/abc", "../")] {
        let answer = rig.get(path).anonymous().send().await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("npm"), "{}", answer.body);
        assert!(answer.body.contains(&format!("href=\"{root}dashboard\"")), "{}", answer.body);
    }
    rig.get(SCRIPT).send().await.fails(404, "route_not_found", "Route not found");
}
