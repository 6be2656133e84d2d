//! What a request sends along. Secrets are left as they are named: only who sends them reads them.

use super::{Blanks, RequestError};
use http::HeaderValue;
use rounds_domain::plan::RequestBodyRule;
use rounds_domain::ports::{BodyPiece, BodySecret, RequestBody};
use rounds_map::{Body, Escape, Json, Piece, Template};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Fills a body from `scope`.
pub(super) fn build(
    rule: &RequestBodyRule,
    scope: &Json,
    blanks: Blanks<'_>,
) -> Result<RequestBody, RequestError> {
    Ok(match rule {
        RequestBodyRule::Json(tree) => of_json(&filled(tree, scope, blanks)?),
        RequestBodyRule::GraphQl { query, variables } => {
            let mut members = vec![("query", Json::string(query.as_str()))];
            if let Some(variables) = variables {
                members.push(("variables", filled(variables, scope, blanks)?));
            }
            of_json(&Json::object(members))
        }
        RequestBodyRule::Form(pairs) => RequestBody {
            content_type: FORM,
            pieces: form(pairs, scope, blanks)?,
        },
        RequestBodyRule::Text {
            template,
            content_type,
            escape,
        } => RequestBody {
            content_type: content_type.clone(),
            pieces: (pieces(template, scope, *escape, blanks)?.into_iter())
                .map(|piece| finished(piece, *escape, Ready::AsItIs))
                .collect(),
        },
    })
}

fn filled(tree: &Body, scope: &Json, blanks: Blanks<'_>) -> Result<Json, RequestError> {
    Ok(match blanks {
        Blanks::LeftOut => tree.render(scope)?,
        Blanks::Refused { optional } => tree.render_identifying(scope, optional)?,
    })
}

fn of_json(json: &Json) -> RequestBody {
    let text = String::from_utf8_lossy(&json.to_bytes()).into_owned();
    RequestBody {
        content_type: JSON,
        pieces: vec![BodyPiece::Ready(text)],
    }
}

fn form(
    pairs: &[(String, Template)],
    scope: &Json,
    blanks: Blanks<'_>,
) -> Result<Vec<BodyPiece>, RequestError> {
    let mut whole = Vec::new();
    for (name, template) in pairs {
        let is_optional = blanks.is_optional(name);
        let value = match pieces(template, scope, Escape::Verbatim, blanks) {
            Err(RequestError::Template { source, .. })
                if is_optional
                    && matches!(blanks, Blanks::Refused { .. })
                    && source.is_nothing() =>
            {
                continue;
            }
            value => value?,
        };
        let is_empty = value
            .iter()
            .all(|piece| matches!(piece, Piece::Text(text) if text.is_empty()));
        // As in a query: a placeholder without a value (a token that was not given yet) leaves its pair out.
        if is_empty && is_optional && !template.roots().is_empty() {
            continue;
        }
        if let [Piece::Text(text)] = value.as_slice() {
            blanks.finished(text.clone(), template)?;
        }
        let mut begin = String::new();
        if !whole.is_empty() {
            begin.push('&');
        }
        Escape::FormValue.write(name, &mut begin);
        begin.push('=');
        whole.push(BodyPiece::Ready(begin));
        let value = value.into_iter();
        whole.extend(value.map(|piece| finished(piece, Escape::FormValue, Ready::ToBeEscaped)));
    }
    Ok(whole)
}

fn pieces(
    template: &Template,
    scope: &Json,
    escape: Escape,
    blanks: Blanks<'_>,
) -> Result<Vec<Piece>, RequestError> {
    template
        .render_in_pieces(scope, escape, blanks.needs(), |written| {
            secret(written).is_some()
        })
        .map_err(|source| RequestError::Template {
            template: template.text().to_owned(),
            source,
        })
}

/// The secret that a placeholder names.
pub(crate) fn secret(written: &str) -> Option<BodySecret> {
    match written.trim() {
        "session" => Some(BodySecret::Session),
        other => other
            .strip_prefix("secret.")
            .map(|name| BodySecret::Named(name.to_owned())),
    }
}

/// Whether filled text is ready.
#[derive(Clone, Copy)]
enum Ready {
    AsItIs,
    ToBeEscaped,
}

fn finished(piece: Piece, escape: Escape, ready: Ready) -> BodyPiece {
    match (piece, ready) {
        (Piece::Text(text), Ready::AsItIs) => BodyPiece::Ready(text),
        (Piece::Text(text), Ready::ToBeEscaped) => {
            let mut escaped = String::new();
            escape.write(&text, &mut escaped);
            BodyPiece::Ready(escaped)
        }
        (Piece::Left(written), _) => match secret(&written) {
            Some(source) => BodyPiece::Secret { source, escape },
            // Nothing else is left.
            None => BodyPiece::Ready(String::new()),
        },
    }
}

#[cfg(test)]
mod tests;
