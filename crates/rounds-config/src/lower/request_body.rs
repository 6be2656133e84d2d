//! What is sent along with a request.

use super::body;
use super::request::{Around, RootUse, Templates};
use super::unmarked;
use crate::codes;
use crate::face::RequestBodyKeys;
use crate::kinds::{BodyTree, Marked, TemplateText, Text};
use crate::reading::{Given, Here};
use crate::tree::{Node, NodeKind, Scalar, ScalarType};
use http::HeaderValue;
use rounds_domain::plan::{Authentication, Login, RequestBodyRule, SessionPlace};
use rounds_map::{Body, Escape, Template};

/// What text may hold besides what templates may use: the connection's secrets, and its session.
const SECRETS: &[&str] = &["secret", "session"];

pub(super) fn lower(
    given: &Here<RequestBodyKeys>,
    post: Option<&Here<TemplateText>>,
    around: Around<'_>,
    templates: &mut Templates<'_, '_, '_>,
) -> Option<RequestBodyRule> {
    let keys = &given.value;
    if post.is_none() {
        templates
            .findings
            .error(
                codes::BAD_REQUEST_BODY,
                given.key,
                "a body without a POST request",
            )
            .help("write the path as `post: /path`");
        return None;
    }
    let is_text = !keys.xml.is_absent() || !keys.text.is_absent();
    if let (Some(content_type), false) = (keys.content_type.here(), is_text) {
        templates
            .findings
            .error(
                codes::BAD_REQUEST_BODY,
                content_type.key,
                "`content_type` of a body that has one of its own",
            )
            .help("take it out; if the EHR wants another one, write it among the `headers`");
        return None;
    }
    if let Some(tree) = keys.json.value() {
        return json(tree, templates).map(RequestBodyRule::Json);
    }
    if let Some(graphql) = keys.graphql.value() {
        let variables = match &graphql.variables {
            Given::Absent => None,
            Given::Wrong => return None,
            Given::Here(tree) => Some(json(&tree.value, templates)?),
        };
        return Some(RequestBodyRule::GraphQl {
            query: graphql.query.value()?.0.text.clone(),
            variables,
        });
    }
    if let Some(form) = keys.form.value() {
        let mut pairs = Vec::new();
        let mut is_whole = form.left_out == 0;
        for pair in &form.pairs {
            for value in &pair.value.0 {
                unmarked::check_template(&value.value.0, templates.names, templates.findings);
                match text(&value.value.0, around, templates) {
                    Some(template) => pairs.push((pair.key.text.clone(), template)),
                    None => is_whole = false,
                }
            }
        }
        return is_whole.then_some(RequestBodyRule::Form(pairs));
    }
    let (written, default) = match (keys.xml.value(), keys.text.value()) {
        (Some(xml), _) => (xml, "text/xml; charset=utf-8"),
        (None, Some(text)) => (text, "text/plain; charset=utf-8"),
        (None, None) => return None,
    };
    let content_type = match &keys.content_type {
        Given::Absent => HeaderValue::from_static(default),
        Given::Wrong => return None,
        Given::Here(here) => content_type(&here.value, templates)?,
    };
    let escape = match keys.xml.value() {
        Some(_) => Escape::Xml,
        None => escape_of(&content_type),
    };
    Some(RequestBodyRule::Text {
        template: text(&written.0, around, templates)?,
        content_type,
        escape,
    })
}

fn content_type(text: &Text, templates: &mut Templates<'_, '_, '_>) -> Option<HeaderValue> {
    let scalar = &text.0;
    let value = HeaderValue::from_str(&scalar.text).ok();
    let value = value.filter(|_| scalar.text.contains('/'));
    if value.is_none() {
        templates
            .findings
            .error(codes::BAD_REQUEST_BODY, scalar.place, "no content type")
            .expected("expected one such as `application/json`");
    }
    value
}

/// How values are written into a text of this type.
fn escape_of(content_type: &HeaderValue) -> Escape {
    let essence = content_type.to_str().unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    if essence.ends_with("json") {
        Escape::JsonString
    } else if essence.ends_with("xml") {
        Escape::Xml
    } else if essence == "application/x-www-form-urlencoded" {
        Escape::FormValue
    } else {
        Escape::Verbatim
    }
}

/// Text that may hold secrets.
fn text(
    scalar: &Scalar,
    around: Around<'_>,
    templates: &mut Templates<'_, '_, '_>,
) -> Option<Template> {
    let template = templates.compile_with(scalar, SECRETS)?;
    for written in template.placeholders() {
        let written = written.trim();
        let name = written.strip_prefix("secret.");
        let is_named =
            name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        let roots = Template::compile(
            &format!("{{{{ {written} }}}}"),
            &[templates.names, SECRETS].concat(),
        );
        let reads_secret = roots.is_ok_and(|template| {
            template
                .roots()
                .iter()
                .any(|root| SECRETS.contains(&root.as_str()))
        });
        if !reads_secret {
            continue;
        }
        let known = match around.connection {
            None => Ok(()),
            Some(connection) if written == "session" => has_session(&connection.authentication),
            Some(connection) if is_named => {
                let names: Vec<&str> = connection
                    .secrets
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect();
                match name {
                    Some(name) if names.contains(&name) => Ok(()),
                    _ => Err(
                        "write it under the connection's `secrets`, as `NAME: { env: VARIABLE }`",
                    ),
                }
            }
            Some(_) => Err(
                "a secret goes into a body as it is: write `{{ secret.NAME }}` or `{{ session }}` and nothing else between the braces",
            ),
        };
        if let Err(mend) = known {
            templates
                .findings
                .error(
                    codes::UNKNOWN_SECRET,
                    scalar.place,
                    format!(
                        "`{}` is no secret of the connection",
                        crate::reading::shortened(written)
                    ),
                )
                .help(mend);
            return None;
        }
    }
    Some(template)
}

fn has_session(authentication: &Authentication) -> Result<(), &'static str> {
    match authentication {
        Authentication::Login(login)
            if matches!(
                **login,
                Login {
                    send: SessionPlace::Body,
                    ..
                }
            ) =>
        {
            Ok(())
        }
        _ => Err(
            "a session for bodies comes from `auth: { login: { ..., send: { body: session } } }` of the connection",
        ),
    }
}

/// A tree whose leaves may be jq over what templates may use.
fn json(tree: &BodyTree, templates: &mut Templates<'_, '_, '_>) -> Option<Body> {
    let lowered = body::lower(&tree.0, templates.names, templates.findings);
    note_uses(&tree.0, templates);
    lowered.body
}

/// Notes what the leaves read, so that what is needed and not there is found.
fn note_uses(node: &Node, templates: &mut Templates<'_, '_, '_>) {
    match &node.kind {
        NodeKind::Scalar(scalar) if scalar.scalar_type() == ScalarType::Text => {
            // What is wrong with it was reported already.
            let mut silent = crate::diagnostic::Findings::new(templates.findings.sources);
            if let Some(Marked::Expression(compiled)) = Marked::of(scalar, &mut silent) {
                let reads = compiled.filter.reads().iter();
                templates.uses.extend(reads.map(|(root, _)| RootUse {
                    root: root.clone(),
                    scalar: scalar.clone(),
                }));
            }
        }
        NodeKind::Scalar(_) | NodeKind::Refused => {}
        NodeKind::Sequence(items) => items.iter().for_each(|item| note_uses(item, templates)),
        NodeKind::Mapping(entries) => {
            for entry in entries {
                note_uses(&entry.value, templates);
            }
        }
    }
}
