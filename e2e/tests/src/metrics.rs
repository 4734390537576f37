//! `/metrics` as Prometheus reads it: strictly, so that what Prometheus would refuse fails a test.

use std::collections::{BTreeMap, HashMap};

use egress::{EgressOptions, Policy, Request};
use http::Method;

/// What a process reported.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Kind and help of each metric.
    pub families: BTreeMap<String, (String, String)>,
    samples: HashMap<String, Vec<Sample>>,
}

/// Labels, and the value under them.
type Sample = (BTreeMap<String, String>, f64);

/// Scrapes a process on this machine.
///
/// # Panics
/// When it does not answer, or with something that is not Prometheus's text format.
#[expect(clippy::expect_used, reason = "no test can go on without it")]
pub async fn scrape(port: u16) -> Metrics {
    let client = egress::Client::new(EgressOptions::default()).expect("an HTTP client");
    let url = format!("http://127.0.0.1:{port}/metrics");
    let request = Request::new(Policy::Trusted, Method::GET, url).limit(16 * 1024 * 1024);
    let answer = client.request(request).await.expect("an answer of /metrics");
    assert_eq!(answer.status, 200);
    let media = answer.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    assert!(media.is_some_and(|media| media.starts_with("text/plain; version=0.0.4")), "{media:?}");
    Metrics::parse(&String::from_utf8_lossy(&answer.body))
}

impl Metrics {
    /// Reads the text format.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut metrics = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let read = if let Some(rest) = line.strip_prefix("# HELP ") {
                rest.split_once(' ').map(|(name, help)| {
                    metrics.families.entry(name.to_owned()).or_default().1.push_str(help);
                })
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                rest.split_once(' ').map(|(name, kind)| {
                    let family = metrics.families.entry(name.to_owned()).or_default();
                    assert!(family.0.is_empty(), "{name} comes twice");
                    family.0.push_str(kind);
                })
            } else {
                metrics.sample(line)
            };
            assert!(read.is_some(), "not a line of Prometheus's: {line}");
        }
        metrics
    }

    fn sample(&mut self, line: &str) -> Option<()> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, read_labels(labels.strip_suffix('}')?)?),
            None => (series, BTreeMap::new()),
        };
        let known = ["", "_bucket", "_sum", "_count"]
            .iter()
            .any(|part| name.strip_suffix(part).is_some_and(|family| self.families.contains_key(family)));
        assert!(known, "{name} has no family before it");
        let samples = self.samples.entry(name.to_owned()).or_default();
        assert!(!samples.iter().any(|(others, _)| *others == labels), "{line} comes twice");
        samples.push((labels, value.parse().ok()?));
        Some(())
    }

    /// The sum of a metric's values that have these labels among theirs; `None` when there is none.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |own: &BTreeMap<String, String>| {
            labels.iter().all(|(name, value)| own.get(*name).is_some_and(|found| found == value))
        };
        let mut values = self.samples.get(name)?.iter().filter(|(own, _)| fits(own)).peekable();
        values.peek()?;
        Some(values.map(|(_, value)| value).sum())
    }

    /// How many series a process reports.
    #[must_use]
    pub fn series(&self) -> usize {
        self.samples.values().map(Vec::len).sum()
    }
}

/// `a="x",b="y"`.
fn read_labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let end = rest.char_indices().scan(false, |escaped, (at, letter)| {
            let ends = letter == '"' && !*escaped;
            *escaped = letter == '\\' && !*escaped;
            Some((at, ends))
        });
        let end = end.into_iter().find(|(_, ends)| *ends)?.0;
        let (value, rest) = rest.split_at_checked(end)?;
        labels.insert(name.to_owned(), value.to_owned());
        text = rest.strip_prefix('"')?;
        text = text.strip_prefix(',').unwrap_or(text);
    }
    Some(labels)
}
