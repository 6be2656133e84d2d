//! Requests: paths, queries, headers and the templates in them.

use super::request_body;
use super::unmarked;
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ChangesKeys, RequestBodyKeys};
use crate::kinds::{OneOrMany, Pairs, TemplateText, header_name, header_value, problem};
use crate::reading::{Given, Here};
use crate::tree::{Scalar, inside};
use http::header::AUTHORIZATION;
use rounds_domain::plan::{AnswerFormat, Connection, RequestRule, is_framing_header};
use rounds_map::Template;
use std::time::Duration;

/// A request as the user wrote it.
pub(super) struct Written<'k> {
    pub(super) get: &'k Given<TemplateText>,
    pub(super) post: &'k Given<TemplateText>,
    pub(super) query: &'k Given<Pairs<OneOrMany<TemplateText>>>,
    pub(super) headers: &'k Given<Pairs<TemplateText>>,
    pub(super) body: &'k Given<RequestBodyKeys>,
    pub(super) format: &'k Given<AnswerFormat>,
    pub(super) around: Around<'k>,
}

impl<'k> Written<'k> {
    /// The change query's request with another query, and without its body.
    pub(super) fn with_query(
        changes: &'k ChangesKeys,
        request: &RequestRule,
        query: &'k Given<Pairs<OneOrMany<TemplateText>>>,
    ) -> Self {
        Self {
            get: &changes.get,
            post: &changes.post,
            query,
            headers: &changes.headers,
            body: &Given::Absent,
            format: &Given::Absent,
            around: Around {
                timeout: request.timeout,
                format: request.format,
                connection: None,
            },
        }
    }
}

/// What requests of an action have where they say nothing, and what their bodies may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'c> {
    pub(super) timeout: Option<Duration>,
    pub(super) format: AnswerFormat,
    /// None if it is wrong or not there, which has been reported.
    pub(super) connection: Option<&'c Connection>,
}

impl Around<'_> {
    /// The same with another format for what does not say its own.
    pub(super) const fn with_format(self, format: AnswerFormat) -> Self {
        Self { format, ..self }
    }
}

/// A root that a template uses, with the text that it stands in.
pub(super) struct RootUse {
    pub(super) root: String,
    pub(super) scalar: Scalar,
}

/// A lowered request and what its templates use.
pub(super) struct Lowered {
    /// None if it is wrong, which has been reported.
    pub(super) rule: Option<RequestRule>,
    pub(super) uses: Vec<RootUse>,
    /// Whether `uses` may lack something.
    pub(super) uses_known: UsesKnown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UsesKnown {
    All,
    /// A part of the request is wrong.
    Some,
}

pub(super) fn lower(written: &Written<'_>, names: &[&str], findings: &mut Findings<'_>) -> Lowered {
    let mut templates = Templates {
        names,
        uses: Vec::new(),
        uses_known: UsesKnown::All,
        findings,
    };
    let path = match (written.get.here(), written.post.here()) {
        (Some(get), None) => templates.path(get).map(|path| (http::Method::GET, path)),
        (None, Some(post)) => templates.path(post).map(|path| (http::Method::POST, path)),
        _ => None,
    };
    let mut query = Vec::new();
    for pair in written
        .query
        .value()
        .into_iter()
        .flat_map(|pairs| &pairs.pairs)
    {
        for value in &pair.value.0 {
            let template = templates.compile(&value.value.0);
            query.extend(template.map(|template| (pair.key.text.clone(), template)));
        }
    }
    let body = match written.body {
        Given::Absent => Some(None),
        Given::Wrong => None,
        Given::Here(here) => {
            request_body::lower(here, written.post.here(), written.around, &mut templates).map(Some)
        }
    };
    let mut headers = Vec::new();
    for pair in written
        .headers
        .value()
        .into_iter()
        .flat_map(|pairs| &pairs.pairs)
    {
        let name = header_name(&pair.key, templates.findings);
        let template = templates.header_value(&pair.value.0);
        if let (Some(name), Some(template)) = (name, template) {
            check_header(
                &name,
                &pair.key,
                &pair.value.0,
                HeaderOwner::Connection,
                templates.findings,
            );
            headers.push((name, template));
        }
    }
    let left_out = written.query.value().map_or(0, |pairs| pairs.left_out)
        + written.headers.value().map_or(0, |pairs| pairs.left_out);
    let wrong = matches!(written.query, Given::Wrong) || matches!(written.headers, Given::Wrong);
    let uses_known = if left_out > 0 || wrong || path.is_none() || body.is_none() {
        UsesKnown::Some
    } else {
        templates.uses_known
    };
    let uses = templates.uses;
    let format = match written.format {
        Given::Absent => Some(written.around.format),
        Given::Wrong => None,
        Given::Here(here) => Some(here.value),
    };
    let rule = path.zip(body).zip(format);
    let rule = rule.map(|(((method, path), body), format)| RequestRule {
        method,
        path,
        query,
        headers,
        body,
        format,
        timeout: written.around.timeout,
    });
    Lowered {
        rule,
        uses,
        uses_known,
    }
}

/// The templates of one request.
pub(super) struct Templates<'n, 'f, 's> {
    /// What they may use.
    pub(super) names: &'n [&'n str],
    pub(super) uses: Vec<RootUse>,
    uses_known: UsesKnown,
    pub(super) findings: &'f mut Findings<'s>,
}

impl Templates<'_, '_, '_> {
    fn compile(&mut self, scalar: &Scalar) -> Option<Template> {
        unmarked::check_template(scalar, self.names, self.findings);
        self.compile_with(scalar, &[])
    }

    /// Compiles a template that may use further names.
    pub(super) fn compile_with(&mut self, scalar: &Scalar, further: &[&str]) -> Option<Template> {
        let names = [self.names, further].concat();
        match Template::compile(&scalar.text, &names) {
            Ok(template) => {
                let roots = template.roots().into_iter();
                self.uses.extend(roots.map(|root| RootUse {
                    root,
                    scalar: scalar.clone(),
                }));
                Some(template)
            }
            Err(error) => {
                self.uses_known = UsesKnown::Some;
                problem(error, 0).report(
                    codes::BAD_TEMPLATE,
                    scalar,
                    "text with `{{ placeholders }}`",
                    self.findings,
                );
                None
            }
        }
    }

    fn path(&mut self, given: &Here<TemplateText>) -> Option<Template> {
        let scalar = &given.value.0;
        if scalar.text.starts_with("http://") || scalar.text.starts_with("https://") {
            self.findings
                .error(
                    codes::BAD_URL,
                    scalar.place,
                    "a whole URL where a path is needed",
                )
                .expected("expected a path such as `/appointments`")
                .help("scheme and host stand in the connection's `base_url`");
            return None;
        }
        if scalar.text.contains('#') && !scalar.text.contains("{{") {
            self.findings
                .error(codes::BAD_URL, scalar.place, "a fragment in the path")
                .help("take it out: it is never sent");
            return None;
        }
        self.compile(scalar)
    }

    fn header_value(&mut self, scalar: &Scalar) -> Option<Template> {
        if scalar.text.contains(char::is_control) {
            _ = header_value(scalar, self.findings);
            return None;
        }
        self.compile(scalar)
    }
}

/// Who sends a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderOwner {
    Connection,
    Destination,
}

/// Reports a header that may not be set here.
pub(super) fn check_header(
    name: &http::HeaderName,
    key: &Scalar,
    value: &Scalar,
    owner: HeaderOwner,
    findings: &mut Findings<'_>,
) {
    if name == AUTHORIZATION {
        let mend = match owner {
            HeaderOwner::Connection => {
                "write it under `auth` of the connection: `auth: { bearer: { env: NAME } }`"
            }
            HeaderOwner::Destination => {
                "write it under `bearer` of the destination: `bearer: { env: NAME }`"
            }
        };
        findings
            .error(
                codes::BAD_HEADER,
                key.place,
                "`authorization` among the headers",
            )
            .help(mend)
            .conceal(value.place);
        return;
    }
    reserved_header(name, key, owner, findings);
    let secret = ["api-key", "apikey", "token", "secret", "password", "cookie"];
    if secret.iter().any(|piece| name.as_str().contains(piece)) && !value.text.contains("{{") {
        let mend = match owner {
            HeaderOwner::Connection => {
                format!("write `{name}: {{ env: NAME }}` among the connection's `headers`")
            }
            HeaderOwner::Destination => format!("write `{name}: {{ env: NAME }}`"),
        };
        findings
            .warning(
                codes::LITERAL_SECRET,
                value.place,
                format!("the value of `{name}` looks like a secret in the file"),
            )
            .help(mend)
            .conceal(value.place);
    }
}

/// Reports a header that only Rounds may set.
pub(super) fn reserved_header(
    name: &http::HeaderName,
    key: &Scalar,
    owner: HeaderOwner,
    findings: &mut Findings<'_>,
) {
    if is_framing_header(name) {
        findings
            .error(
                codes::BAD_HEADER,
                key.place,
                format!("the header `{name}` is set by the HTTP client"),
            )
            .help("take it out");
    }
    let ours = name.as_str().starts_with("webhook-")
        || matches!(
            name.as_str(),
            "verification-token" | "rounds-missing" | "rounds-attempt"
        );
    if owner == HeaderOwner::Destination && ours {
        let diagnostic = findings.error(
            codes::BAD_HEADER,
            key.place,
            format!("the header `{name}` is set by Rounds"),
        );
        match name.as_str() {
            "verification-token" => diagnostic.help("write `verification_token: { env: NAME }`"),
            "webhook-signature" => diagnostic.help("write `signing_secret: { env: NAME }`"),
            _ => diagnostic.help("take it out"),
        };
    }
}

/// Where a template uses a root: the first place in its text where the name stands.
pub(super) fn place_of(root_use: &RootUse, findings: &Findings<'_>) -> crate::source::Place {
    let text = &root_use.scalar.text;
    let open = text.find("{{").unwrap_or(0);
    match text[open..].find(&root_use.root) {
        Some(at) => inside(
            findings.sources,
            &root_use.scalar,
            open + at,
            root_use.root.len(),
        ),
        None => root_use.scalar.place,
    }
}
