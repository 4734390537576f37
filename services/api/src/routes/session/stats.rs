//! `GET /session/{name}/stats`: what went through a session lately, for a chart.

use std::time::Duration;

use axum::{extract::State, response::Response};
use domain::{Timestamp, traffic::Traffic};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{self, PathName},
    auth::Caller,
    error::ProblemBody,
    fields::QueryFields,
    json,
    listing::ListError,
    state::ApiState,
};

/// How far back a chart goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    Hour,
    Day,
    Week,
}

impl Window {
    const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    const fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// How long each bucket is, and how many there are.
    const fn buckets(self) -> (Duration, u32) {
        match self {
            Self::Hour => (Duration::from_mins(1), 60),
            Self::Day => (Duration::from_mins(15), 96),
            Self::Week => (Duration::from_hours(1), 168),
        }
    }

    /// When the first bucket begins: buckets begin at whole multiples of their length, and the last one is under way.
    fn begins(self, now: Timestamp) -> Timestamp {
        let (width, many) = self.buckets();
        let millis = i64::try_from(width.as_millis()).unwrap_or(i64::MAX);
        Timestamp(now.0 - now.0.rem_euclid(millis)) - width * (many - 1)
    }
}

/// What went through a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stats {
    /// From the oldest.
    buckets: Vec<BucketBody>,
    totals: TotalsBody,
}

/// What went through in one stretch of time.
#[derive(Serialize, ToSchema)]
pub(crate) struct BucketBody {
    /// When it begins.
    #[schema(example = "2026-11-22T19:30:00Z")]
    at: String,
    #[serde(flatten)]
    totals: TotalsBody,
}

/// Counts, and how long WhatsApp took.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotalsBody {
    /// Messages accepted in that time that WhatsApp has.
    #[schema(example = 120)]
    sent: u64,
    /// Messages that came in.
    #[schema(example = 80)]
    received: u64,
    /// Messages accepted in that time that failed.
    #[schema(example = 0)]
    failed: u64,
    /// From the acceptance of a message until WhatsApp had it, half of them took no longer than this; null without any.
    #[schema(example = 64)]
    latency_p50_ms: Option<u64>,
    /// And 99 of 100 no longer than this.
    #[schema(example = 310)]
    latency_p99_ms: Option<u64>,
}

impl From<&Traffic> for TotalsBody {
    fn from(traffic: &Traffic) -> Self {
        Self {
            sent: traffic.sent,
            received: traffic.received,
            failed: traffic.failed,
            latency_p50_ms: traffic.latencies.percentile(50),
            latency_p99_ms: traffic.latencies.percentile(99),
        }
    }
}

/// What went through a session lately: an hour by minutes, a day by quarters of an hour, a week by hours. Latencies are
/// counted in classes, so they are right to within some percent.
#[utoipa::path(
    get, path = "/session/{name}/stats", tag = "session", operation_id = "sessionStats",
    params(
        ("name" = String, Path, description = "The session", example = "shop"),
        ("window" = Option<String>, Query, description = "`1h`, `24h` or `7d`; `24h` when it is left out", example = "24h"),
    ),
    responses(
        (status = 200, description = "The buckets and their sum, as `data`", body = Stats),
        (status = 400, description = "There is no such window", body = ProblemBody),
        (status = 404, description = "You have no such session", body = ProblemBody,
            example = json!({"message": "Session does not exist", "code": "session_not_found"})),
    )
)]
pub(crate) async fn handler(
    caller: Caller,
    State(state): State<ApiState>,
    name: PathName,
    QueryFields(fields): QueryFields,
) -> Result<Response, ListError> {
    let window = fields.word_if_any("window", &Window::ALL, Window::word)?.unwrap_or(Window::Day);
    let session = access::visible(&state.database, &caller, name).await?;
    let (width, many) = window.buckets();
    let begins = window.begins(state.clock.now());
    // Never closed.
    let turn = state.charts.acquire().await.ok();
    let traffic = state.database.traffic(session.id, begins, width, many as usize).await;
    drop(turn);
    let traffic = traffic?;
    let mut sum = Traffic::default();
    for stretch in &traffic {
        sum.sent += stretch.sent;
        sum.received += stretch.received;
        sum.failed += stretch.failed;
        sum.latencies.merge(&stretch.latencies);
    }
    let bucket = |stretch: &Traffic| BucketBody { at: stretch.at.to_rfc3339(), totals: stretch.into() };
    Ok(json::data(Stats { buckets: traffic.iter().map(bucket).collect(), totals: (&sum).into() }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Rig, received};

    #[test]
    fn buckets_begin_on_the_clock_and_the_last_one_holds_now() {
        let now = Timestamp(1_795_376_171_500);
        for (window, first) in [
            (Window::Hour, "2026-11-22T18:37:00Z"),
            (Window::Day, "2026-11-21T19:45:00Z"),
            (Window::Week, "2026-11-15T20:00:00Z"),
        ] {
            let begins = window.begins(now);
            assert_eq!(begins.to_rfc3339(), first, "{window:?}");
            let (width, many) = window.buckets();
            assert!(begins + width * (many - 1) <= now && now < begins + width * many);
        }
    }

    #[tokio::test]
    async fn a_chart_has_every_bucket_and_its_sum() {
        let rig = Rig::new().await;
        let runner = rig.linked("shop").await;
        for n in 0..3 {
            let order = json!({"session": "shop", "to": "62811", "text": "hi"});
            rig.post("/message/send-text", &order).send().await;
            rig.database
                .commit_inbound(runner.fence("shop"), vec![received(&format!("M{n}"), "halo")])
                .await
                .unwrap();
            rig.advance(Duration::from_mins(10));
        }
        for (window, many, last) in [("1h", 60, 0), ("24h", 96, 1), ("7d", 168, 3)] {
            let answer = rig.get(&format!("/session/shop/stats?window={window}")).send().await;
            let data = answer.json()["data"].clone();
            let buckets = data["buckets"].as_array().unwrap();
            assert_eq!((buckets.len(), &buckets[0]["failed"]), (many, &json!(0)));
            assert_eq!(
                data["totals"],
                json!({"sent": 3, "received": 3, "failed": 0, "latency_p50_ms": 3, "latency_p99_ms": 5})
            );
            let sent: u64 = buckets.iter().map(|bucket| bucket["sent"].as_u64().unwrap()).sum();
            assert_eq!(sent, 3);
            assert!(buckets[many - 1]["sent"].as_u64().unwrap() <= last, "{window}");
        }
    }

    #[tokio::test]
    async fn bad_windows_and_others_see_nothing() {
        let rig = Rig::new().await;
        let anna = rig.user("anna").await;
        rig.session("shop").await;
        let weird = rig.get("/session/shop/stats?window=1y").send().await;
        weird.fails(
            400,
            "invalid_field",
            "Invalid enum value. Expected '1h' | '24h' | '7d', received '1y' field 'window' on query",
        );
        let answer = rig.get("/session/shop/stats").by(&anna).send().await;
        answer.fails(404, "session_not_found", "Session does not exist");
        let empty = rig.get("/session/shop/stats").send().await.json();
        assert_eq!(empty["data"]["totals"]["latency_p50_ms"], json!(null));
    }
}
