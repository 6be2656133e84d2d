//! From a rule of the plan to a request: the one place where URLs and bodies are made.
//!
//! A placeholder that gives nothing means two things. In a change query it is a token that was not given yet, and its parameter is left
//! out. In a lookup it is an identifier that the record does not have: without it the request would ask for everybody, and somebody
//! else's answer would be told. So a lookup's placeholders must identify ([`Blanks::Refused`]), but for those that its rule calls optional.
//!
//! A reference that is a whole URL is asked for at this connection only if it lies under its address: the same id means
//! somebody else at another server.

mod body;

use http::{HeaderMap, HeaderValue};
use rounds_domain::Code;
use rounds_domain::plan::{Connection, RequestBodyRule, RequestRule};
use rounds_domain::ports::{Access, EhrRequest, Turn};
use rounds_map::{BodyError, Escape, EvaluateError, Json, Needs, Template};
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
    /// A value names nothing but a kind or a system of identifiers.
    #[error("`{template}` ends with `{end}`, so that nothing is identified by it")]
    Unfinished {
        /// The template as the user wrote it.
        template: String,
        /// With what it ends.
        end: char,
    },
    /// A placeholder of the path gave a whole URL that does not lie under the connection's.
    #[error("`{template}` gives a reference to another server than the connection's")]
    Foreign {
        /// The path's template as the user wrote it.
        template: String,
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

/// What becomes of a placeholder that gives nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Blanks<'r> {
    /// Its parameter is left out.
    LeftOut,
    /// The request is not made, but for these parameters, pairs, headers or paths of the body, which are left out.
    Refused {
        /// Their names.
        optional: &'r [String],
    },
}

impl Blanks<'_> {
    const fn needs(self) -> Needs {
        match self {
            Self::LeftOut => Needs::Text,
            Self::Refused { .. } => Needs::Identifier,
        }
    }

    fn is_optional(self, name: &str) -> bool {
        match self {
            Self::LeftOut => true,
            Self::Refused { optional } => optional.iter().any(|known| known == name),
        }
    }

    /// Fills the template of a named part; None where it is left out.
    fn fill(
        self,
        name: &str,
        template: &Template,
        scope: &Json,
    ) -> Result<Option<String>, RequestError> {
        let filled = template.render_needing(scope, Escape::Verbatim, self.needs());
        let has_placeholder = !template.roots().is_empty();
        match filled {
            Ok(value) if value.is_empty() && has_placeholder && self.is_optional(name) => Ok(None),
            Ok(value) => self.finished(value, template).map(Some),
            Err(error)
                if matches!(self, Self::Refused { .. })
                    && self.is_optional(name)
                    && error.is_nothing() =>
            {
                Ok(None)
            }
            Err(source) => Err(RequestError::Template {
                template: template.text().to_owned(),
                source,
            }),
        }
    }

    /// `MRN|` and `Patient/` are the beginnings of identifiers that an expression put together without their ends, and `MRN|*` means all.
    fn finished(self, value: String, template: &Template) -> Result<String, RequestError> {
        let end = value.trim_end().chars().next_back();
        match (self, end) {
            (Self::Refused { .. }, Some(end @ ('|' | '/' | ',' | '=' | ':' | '*' | '%')))
                if !template.roots().is_empty() =>
            {
                Err(RequestError::Unfinished {
                    template: template.text().to_owned(),
                    end,
                })
            }
            _ => Ok(value),
        }
    }
}

/// Fills a rule's templates from `scope`.
pub(crate) fn build(
    connection: &Connection,
    rule: &RequestRule,
    scope: &Json,
    blanks: Blanks<'_>,
) -> Result<EhrRequest, RequestError> {
    let mut url = Url::parse(&format!(
        "{}{}",
        connection.base_url,
        path(connection, rule, scope, blanks)?.trim_start_matches('/')
    ))
    .map_err(|_| RequestError::Url {
        template: rule.path.text().to_owned(),
    })?;
    let mut pairs = Vec::with_capacity(rule.query.len());
    for (name, template) in &rule.query {
        // A placeholder without a value (a token that was not given yet) leaves its parameter out.
        if let Some(value) = blanks.fill(name, template, scope)? {
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
        let Some(value) = blanks.fill(name.as_str(), template, scope)? else {
            continue;
        };
        let value = HeaderValue::from_str(&value).map_err(|_| RequestError::Header {
            header: name.to_string(),
            template: template.text().to_owned(),
        })?;
        headers.append(name, value);
    }
    Ok(EhrRequest {
        turn: Turn::Poll,
        access: Access::AsUser,
        connection: connection.name.clone(),
        method: rule.method.clone(),
        url,
        headers,
        accept: rule.format.accept(),
        body: match &rule.body {
            Some(body) => Some(body::build(body, scope, blanks)?),
            None => None,
        },
        timeout: rule.timeout,
    })
}

/// The path, under the connection's address.
fn path(
    connection: &Connection,
    rule: &RequestRule,
    scope: &Json,
    blanks: Blanks<'_>,
) -> Result<String, RequestError> {
    let filled = (rule.path).render_needing(scope, Escape::PathSegment, blanks.needs());
    let mut path = filled.map_err(|source| RequestError::Template {
        template: rule.path.text().to_owned(),
        source,
    })?;
    if matches!(blanks, Blanks::LeftOut) {
        return Ok(path);
    }
    for reference in rule.path.values(scope).filter(|value| is_absolute(value)) {
        let own = own_segments(connection, &reference).ok_or_else(|| RequestError::Foreign {
            template: rule.path.text().to_owned(),
        })?;
        let (kind, id) = own.rsplit_once('/').unwrap_or(("", own.as_str()));
        let mut written = String::new();
        Escape::PathSegment.write(&reference, &mut written);
        // The kind stands before the placeholder already, unless the reference is the whole path.
        let is_told = !kind.is_empty() && path.contains(&format!("{kind}/{written}"));
        path = path.replacen(&written, if is_told { id } else { &own }, 1);
    }
    Ok(path)
}

/// The path of a reference that lies under the connection's address, relative to it; each segment is escaped.
fn own_segments(connection: &Connection, reference: &str) -> Option<String> {
    let own = reference.strip_prefix(connection.base_url.as_str())?;
    let own = own.split(['?', '#']).next().unwrap_or_default();
    let own = own.split("/_history/").next().unwrap_or_default();
    let mut path = String::new();
    for segment in own.split('/') {
        if matches!(segment, "" | "." | "..") {
            return None;
        }
        if !path.is_empty() {
            path.push('/');
        }
        Escape::PathSegment.write(segment, &mut path);
    }
    Some(path)
}

/// Whether a value is a reference with scheme and host.
fn is_absolute(value: &str) -> bool {
    value.starts_with("http://") || value.starts_with("https://")
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
    build(connection, rule, &scope, Blanks::LeftOut)
}

/// The names of the query parameters that carry something of the round: its cursor, its bound.
pub(crate) fn parameters_with_placeholders(rule: &RequestRule) -> impl Iterator<Item = &str> {
    rule.query
        .iter()
        .filter(|(_, template)| !template.roots().is_empty())
        .map(|(name, _)| name.as_str())
}
