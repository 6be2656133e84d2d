//! What is done to a body before its model completes it: something put there, said in other words, or taken out.

use super::Trouble;
use super::mapping::failed;
use rounds_domain::Code;
use rounds_domain::plan::{Modifier, ModifierDeed, Translation, Untranslated};
use rounds_map::{Edit, Json, edited};

/// The code of a value that a translation does not have, where the policy is to wait for it.
const UNTRANSLATED: Code = Code::new("R0412");

/// A body with every modifier's deed done.
pub(super) struct Modified {
    pub(super) body: Json,
    /// Where it has values that no translation knows, each path once.
    pub(super) unknown: Vec<String>,
}

/// Does every modifier's deed. `scope` is what the body was made of, with `body` and `event`.
pub(super) fn modified(
    body: &Json,
    modifiers: &[Modifier],
    scope: &Json,
) -> Result<Modified, Trouble> {
    let mut modified = Modified {
        body: body.clone(),
        unknown: Vec::new(),
    };
    for Modifier { path, deed } in modifiers {
        let unknown = &mut modified.unknown;
        modified.body = edited(&modified.body, path, &mut |value| {
            done(deed, path, value, scope, unknown)
        })?;
    }
    Ok(modified)
}

fn done(
    deed: &ModifierDeed,
    path: &str,
    value: &Json,
    scope: &Json,
    unknown: &mut Vec<String>,
) -> Result<Edit, Trouble> {
    match deed {
        ModifierDeed::Delete => Ok(Edit::Delete),
        ModifierDeed::Put(put) => {
            let put = put.render_if_any(scope);
            let put = put.map_err(|error| failed(format!("`notify.put` at `{path}`: {error}")))?;
            Ok(put.map_or(Edit::Keep, Edit::Put))
        }
        ModifierDeed::Translate(set) | ModifierDeed::Codes(set) => {
            translated(set, path, value, unknown)
        }
    }
}

fn translated(
    set: &Translation,
    path: &str,
    value: &Json,
    unknown: &mut Vec<String>,
) -> Result<Edit, Trouble> {
    // An empty text is how some APIs write that there is none.
    let Some(text) = value.scalar_text().filter(|text| !text.is_empty()) else {
        return Ok(Edit::Keep);
    };
    let known = set.values.get(&text);
    if known.is_none() && !unknown.iter().any(|known| known == path) {
        unknown.push(path.to_owned());
    }
    match (known, set.otherwise) {
        (Some(to), _) => Ok(Edit::Put(to.clone())),
        (None, Untranslated::Keep) => Ok(Edit::Keep),
        (None, Untranslated::Null) => Ok(Edit::Put(Json::null())),
        (None, Untranslated::Park) => Err(Trouble {
            code: UNTRANSLATED,
            reason: format!(
                "`{path}`: the translation `{}` does not have the value",
                set.name
            ),
            retry_after: None,
        }),
    }
}
