//! What is asked of an EHR, and how its answer is written.

use http::header::{HeaderName, HeaderValue};
use rounds_map::{Body, Escape, Filter, Json, ParseError, Template};
use std::time::Duration;

/// What is asked. Templates of a change query may use `cursor` and `until`, those of a sweep over dates `from` and `to`, those of
/// a paged one `page`.
#[derive(Debug, Clone)]
pub struct RequestRule {
    /// GET, or POST for APIs that search so.
    pub method: http::Method,
    /// The path, relative to the connection's base URL; placeholders are escaped as path segments. May hold a literal query.
    pub path: Template,
    /// Query parameters in the order written; a name may come twice.
    pub query: Vec<(String, Template)>,
    /// Headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body, for POST.
    pub body: Option<RequestBodyRule>,
    /// How the answer is written.
    pub format: AnswerFormat,
    /// How long one whole exchange may take; None means the connection's.
    pub timeout: Option<Duration>,
}

impl RequestRule {
    /// Whether any part of it uses this name.
    pub fn uses(&self, root: &str) -> bool {
        let head = self.query.iter().map(|(_, template)| template);
        let head = head.chain(self.headers.iter().map(|(_, template)| template));
        let head = std::iter::once(&self.path).chain(head);
        let body = self.body.iter().flat_map(RequestBodyRule::templates);
        let in_templates = head
            .chain(body)
            .any(|template| template.roots().iter().any(|known| known == root));
        let mut leaves = self.body.iter().flat_map(RequestBodyRule::leaves);
        in_templates
            || leaves.any(|(_, filter)| filter.reads().iter().any(|(known, _)| known == root))
    }
}

/// A body that is sent. Text and forms may hold `secret.NAME` and `session`, which are filled in when it leaves.
#[derive(Debug, Clone)]
pub enum RequestBodyRule {
    /// JSON, as `application/json`. An expression that gives nothing leaves its member out.
    Json(Body),
    /// A GraphQL query with its variables, as `application/json` (GraphQL over HTTP, 5.4). An answer with `errors` is none.
    GraphQl {
        /// The query's text, as it is.
        query: String,
        /// Its variables.
        variables: Option<Body>,
    },
    /// Pairs, as `application/x-www-form-urlencoded`. A pair whose placeholders give empty text is left out.
    Form(Vec<(String, Template)>),
    /// Text. What placeholders give is escaped.
    Text {
        /// The text.
        template: Template,
        /// What it is.
        content_type: HeaderValue,
        /// How placeholders are escaped.
        escape: Escape,
    },
}

impl RequestBodyRule {
    /// Its templates; a body of JSON has none.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let (text, pairs) = match self {
            Self::Json(_) | Self::GraphQl { .. } => (None, None),
            Self::Form(pairs) => (None, Some(pairs)),
            Self::Text { template, .. } => (Some(template), None),
        };
        let pairs = pairs.into_iter().flatten().map(|(_, template)| template);
        text.into_iter().chain(pairs)
    }

    /// The expressions of a JSON body or of a GraphQL query's variables, with the paths to them.
    pub fn leaves(&self) -> impl Iterator<Item = (String, &Filter)> {
        let tree = match self {
            Self::Json(tree) => Some(tree),
            Self::GraphQl { variables, .. } => variables.as_ref(),
            Self::Form(_) | Self::Text { .. } => None,
        };
        tree.into_iter().flat_map(Body::leaves)
    }
}

/// How an answer is written. All of them are read as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerFormat {
    /// JSON.
    #[default]
    Json,
    /// XML, read by the rule of `rounds_map::Json::parse_xml`.
    Xml,
    /// One JSON value on each line, read as an array of them.
    Ndjson,
}

impl AnswerFormat {
    /// Reads an answer's body.
    pub fn read(self, body: &[u8]) -> Result<Json, ParseError> {
        self.read_mending(body).map(|(json, _)| json)
    }

    /// Reads an answer's body, and says how many signs of it are no characters: each is read as U+FFFD. They are counted in JSON only.
    pub fn read_mending(self, body: &[u8]) -> Result<(Json, u64), ParseError> {
        match self {
            Self::Json => Json::parse_mending(body),
            Self::Xml => Json::parse_xml(body).map(|json| (json, 0)),
            Self::Ndjson => Json::parse_lines(body).map(|json| (json, 0)),
        }
    }

    /// What is asked for by `Accept`, where no header says otherwise.
    pub const fn accept(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml, text/xml",
            Self::Ndjson => "application/fhir+ndjson, application/x-ndjson, application/ndjson",
        }
    }
}
