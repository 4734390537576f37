//! The dashboard's files: what `npm run build` makes of `web/`, as part of the binary.
//!
//! The build script says how they get here, and when there are none. Where a file has a neighbour of the same name
//! with `.br` or `.gz` behind it, that is the same file, compressed.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

/// The page that all addresses of the dashboard show.
const PAGE: &str = "index.html";

/// Every file and its path in `web/dist`: the build script writes the list.
const BUILT_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// How the content of an answer is compressed, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// A file in one of its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub encoding: Option<Encoding>,
    pub content: Bytes,
    /// An `ETag`: another one for other content, and for each form.
    pub tag: String,
}

impl Form {
    fn new(encoding: Option<Encoding>, content: Bytes) -> Self {
        let tag = format!("\"{}\"", &blake3::hash(&content).to_hex()[..32]);
        Self { encoding, content, tag }
    }
}

/// A file of the dashboard.
#[derive(Debug, Clone)]
pub struct File {
    pub media_type: &'static str,
    plain: Form,
    compressed: Vec<Form>,
}

impl File {
    /// The smallest form that the reader understands.
    pub fn form(&self, understands: impl Fn(Encoding) -> bool) -> &Form {
        let fits = |form: &&Form| form.encoding.is_some_and(&understands);
        self.compressed.iter().find(fits).unwrap_or(&self.plain)
    }
}

/// The dashboard, or that there is none. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Dashboard(Option<Arc<Files>>);

#[derive(Debug)]
struct Files {
    page: [String; 2],
    files: HashMap<String, File>,
}

impl Dashboard {
    /// The one that was built with this program.
    #[must_use]
    pub fn built_in() -> Self {
        Self::of(BUILT_IN.iter().map(|&(path, content)| (path.to_owned(), Bytes::from_static(content))))
    }

    /// The one that consists of these files; none, when no page is among them.
    #[must_use]
    pub fn of(files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let mut contents: HashMap<String, Bytes> = files.into_iter().collect();
        let page = contents.remove(PAGE).and_then(|page| {
            let (before, after) = str::from_utf8(&page).ok()?.split_once("<head>")?;
            Some([format!("{before}<head>"), after.to_owned()])
        });
        let Some(page) = page else { return Self::default() };
        let is_form = |path: &str| Encoding::ALL.iter().any(|encoding| path.ends_with(encoding.ending()));
        let file = |path: &str, content: &Bytes| {
            let compressed = Encoding::ALL.into_iter().filter_map(|encoding| {
                let content = contents.get(&format!("{path}{}", encoding.ending()))?;
                Some(Form::new(Some(encoding), content.clone()))
            });
            File {
                media_type: mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream"),
                plain: Form::new(None, content.clone()),
                compressed: compressed.collect(),
            }
        };
        let plain = contents.iter().filter(|(path, _)| !is_form(path));
        let files = plain.map(|(path, content)| (path.clone(), file(path, content))).collect();
        Self(Some(Arc::new(Files { page, files })))
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The page, with more mark-up at the beginning of its head.
    #[must_use]
    pub fn page(&self, head: &str) -> Option<String> {
        let [before, after] = &self.0.as_ref()?.page;
        Some([before, head, after].concat())
    }

    /// A file by its path in `web/dist`; the page is none of them.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        self.0.as_ref()?.files.get(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dashboard(files: &[(&str, &str)]) -> Dashboard {
        Dashboard::of(
            files.iter().map(|(path, content)| ((*path).to_owned(), Bytes::from((*content).to_owned()))),
        )
    }

    #[test]
    fn a_dashboard_without_a_page_is_none() {
        for files in [&[][..], &[("assets/a.js", "1")], &[("index.html", "<p>no head")]] {
            let dashboard = dashboard(files);
            assert!(!dashboard.is_there());
            assert_eq!(dashboard.page(""), None);
            assert!(dashboard.file("assets/a.js").is_none());
        }
    }

    #[test]
    fn the_page_takes_what_belongs_into_its_head() {
        let dashboard = dashboard(&[("index.html", "<html><head><title>T</title></head>")]);
        let page = dashboard.page("<base href=\"app/\">").unwrap();
        assert_eq!(page, "<html><head><base href=\"app/\"><title>T</title></head>");
        assert!(dashboard.file("index.html").is_none());
    }

    #[test]
    fn a_file_has_the_forms_that_lie_beside_it() {
        let dashboard = dashboard(&[
            ("index.html", "<head>"),
            ("assets/a.js", "plain"),
            ("assets/a.js.br", "br"),
            ("assets/a.js.gz", "gz"),
            ("logo.svg", "<svg/>"),
        ]);
        let script = dashboard.file("assets/a.js").unwrap();
        assert_eq!(script.media_type, "text/javascript");
        let table: [(&[Encoding], &str); 4] = [
            (&[], "plain"),
            (&[Encoding::Gzip], "gz"),
            (&[Encoding::Brotli], "br"),
            (&[Encoding::Gzip, Encoding::Brotli], "br"),
        ];
        let mut tags = std::collections::HashSet::new();
        for (understood, content) in table {
            let form = script.form(|encoding| understood.contains(&encoding));
            assert_eq!(form.content, content);
            tags.insert(form.tag.clone());
        }
        assert_eq!(tags.len(), 3, "each form has a tag of its own");
        let logo = dashboard.file("logo.svg").unwrap();
        assert_eq!((logo.media_type, &logo.form(|_| true).content[..]), ("image/svg+xml", &b"<svg/>"[..]));
        for path in ["assets/a.js.br", "a.js", "/assets/a.js", "assets/../index.html", ""] {
            assert!(dashboard.file(path).is_none(), "{path}");
        }
    }
}
