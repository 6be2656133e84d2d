//! From a rule of the plan to a request: the one place where URLs and bodies are made.

mod body;

use http::{HeaderMap, HeaderValue};
use rounds_domain::Code;
use rounds_domain::plan::{Connection, RequestBodyRule, RequestRule};
use rounds_domain::ports::EhrRequest;
use rounds_map::{BodyError, Escape, EvaluateError, Json, Template};
use url::Url;

/// Why a request could not be made. Names the template, never a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// A placeholder gave nothing usable.
    #[error("`{template}`: {source}")]
    Template {
        /// The template as the user wrote it.
        template: String,
        /// What its placeholder gave.
        source: EvaluateError,
    },
    /// What came out is no URL.
    #[error("`{template}` does not give a URL under the connection's base_url")]
    Url {
        /// The path's template as the user wrote it.
        template: String,
    },
    /// A leaf of the body failed.
    #[error("body: {0}")]
    Body(#[from] BodyError),
    /// What came out is no header value.
    #[error("header `{header}`: `{template}` gives bytes that a header cannot carry")]
    Header {
        /// The header's name.
        header: String,
        /// The template as the user wrote it.
        template: String,
    },
}

impl RequestError {
    /// The stable code.
    pub(crate) const CODE: Code = Code::new("R0310");
}

/// Fills a rule's templates from `scope`.
pub(crate) fn build(
    connection: &Connection,
    rule: &RequestRule,
    scope: &Json,
) -> Result<EhrRequest, RequestError> {
    let path = render(&rule.path, scope, Escape::PathSegment)?;
    let mut url = Url::parse(&format!(
        "{}{}",
        connection.base_url,
        path.trim_start_matches('/')
    ))
    .map_err(|_| RequestError::Url {
        template: rule.path.text().to_owned(),
    })?;
    let mut pairs = Vec::with_capacity(rule.query.len());
    for (name, template) in &rule.query {
        let value = render(template, scope, Escape::Verbatim)?;
        // A placeholder without a value (a token that was not given yet) leaves its parameter out.
        if !value.is_empty() || template.roots().is_empty() {
            pairs.push((name, value));
        }
    }
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }

    let mut headers = HeaderMap::new();
    // A server may answer a repeated search from a cache of its own (HAPI FHIR does for 60 s), which hides changes.
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache"),
    );
    for (name, template) in &rule.headers {
        let value = render(template, scope, Escape::Verbatim)?;
        let value = HeaderValue::from_str(&value).map_err(|_| RequestError::Header {
            header: name.to_string(),
            template: template.text().to_owned(),
        })?;
        headers.append(name, value);
    }
    Ok(EhrRequest {
        connection: connection.name.clone(),
        method: rule.method.clone(),
        url,
        headers,
        accept: rule.format.accept(),
        body: match &rule.body {
            Some(body) => Some(body::build(body, scope)?),
            None => None,
        },
        timeout: rule.timeout,
    })
}

/// A paged request at one place of its answer. `page` fills the placeholder of that name; null means the first page of those that
/// have no place of their own, which is an empty text where a text is needed.
pub(crate) fn build_at(
    connection: &Connection,
    rule: &RequestRule,
    scope: &Json,
    page: Json,
) -> Result<EhrRequest, RequestError> {
    let is_tree = matches!(
        rule.body,
        Some(RequestBodyRule::Json(_) | RequestBodyRule::GraphQl { .. })
    );
    let page = if page.is_null() && !is_tree {
        Json::string("")
    } else {
        page
    };
    let scope = Json::object(scope.members().chain([("page", page)]));
    build(connection, rule, &scope)
}

/// The names of the query parameters that carry something of the round: its cursor, its bound.
pub(crate) fn parameters_with_placeholders(rule: &RequestRule) -> impl Iterator<Item = &str> {
    rule.query
        .iter()
        .filter(|(_, template)| !template.roots().is_empty())
        .map(|(name, _)| name.as_str())
}

fn render(template: &Template, scope: &Json, escape: Escape) -> Result<String, RequestError> {
    template
        .render(scope, escape)
        .map_err(|source| RequestError::Template {
            template: template.text().to_owned(),
            source,
        })
}
