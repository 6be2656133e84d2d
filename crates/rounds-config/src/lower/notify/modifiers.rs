//! What is done to a body before its model completes it.

use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::face::NotifyKeys;
use crate::lower::Known;
use crate::lower::body;
use crate::tree::Scalar;
use rounds_domain::plan::{BodyRule, Modifier, ModifierDeed, Translation, Untranslated};
use std::sync::Arc;

/// What modifiers and filters read besides what the body reads.
pub(in crate::lower) const OF_MESSAGES: [&str; 2] = ["body", "event"];

pub(super) fn lower(
    keys: &NotifyKeys,
    rule: Option<&BodyRule>,
    known: &Known<'_>,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> Result<Vec<Modifier>, Reported> {
    let mut modifiers = Vec::new();
    codes_of(keys, rule, &mut modifiers, findings)?;
    let mut roots = roots.to_vec();
    roots.extend(OF_MESSAGES);
    for pair in keys.put.value().into_iter().flat_map(|pairs| &pairs.pairs) {
        let path = path(&pair.key, rule, findings)?;
        let put = body::lower(&pair.value.0, &roots, findings)
            .body
            .ok_or(Reported)?;
        modifiers.push(Modifier {
            path,
            deed: ModifierDeed::Put(put),
        });
    }
    for pair in keys
        .translate
        .value()
        .into_iter()
        .flat_map(|pairs| &pairs.pairs)
    {
        let path = path(&pair.key, rule, findings)?;
        let name = &pair.value.0;
        let Some(set) = known.translations.get(&name.text) else {
            let shown = crate::reading::shortened(&name.text);
            findings
                .error(
                    codes::BAD_TRANSLATION,
                    name.place,
                    format!("unknown translation `{shown}`"),
                )
                .nearest(&name.text, known.translations.keys().map(String::as_str))
                .help("write it down under `translations`");
            return Err(Reported);
        };
        modifiers.push(Modifier {
            path,
            deed: ModifierDeed::Translate(set.clone().ok_or(Reported)?),
        });
    }
    for text in keys.delete.value().into_iter().flat_map(|paths| &paths.0) {
        modifiers.push(Modifier {
            path: path(&text.value.0, rule, findings)?,
            deed: ModifierDeed::Delete,
        });
    }
    Ok(modifiers)
}

/// What codes are called: the first that is done, so that what users put there themselves is not taken for a code.
fn codes_of(
    keys: &NotifyKeys,
    rule: Option<&BodyRule>,
    modifiers: &mut Vec<Modifier>,
    findings: &mut Findings<'_>,
) -> Result<(), Reported> {
    let otherwise = keys.unknown.or(Untranslated::default());
    let tables = keys.codes.value();
    for table in tables.into_iter().flat_map(|tables| &tables.pairs) {
        let path = path(&table.key, rule, findings)?;
        let codes = table.value.pairs.iter();
        let codes = codes.map(|code| (code.key.text.clone(), code.value.0.text.clone()));
        modifiers.push(Modifier {
            deed: ModifierDeed::Translate(Arc::new(Translation {
                name: "codes".to_owned(),
                values: codes.collect(),
                otherwise,
            })),
            path,
        });
    }
    if let (None, Some(unknown)) = (tables, keys.unknown.here()) {
        findings
            .error(codes::MISMATCHED_KEYS, unknown.key, "`unknown` without `codes`")
            .help("write the codes that are known: `codes: { Patient.Demographics.Sex: { F: Female, M: Male } }`, or take it out");
        return Err(Reported);
    }
    Ok(())
}

/// A path of the body, as far as the model knows.
pub(in crate::lower) fn path(
    scalar: &Scalar,
    rule: Option<&BodyRule>,
    findings: &mut Findings<'_>,
) -> Result<String, Reported> {
    let unknown_to = match rule {
        Some(BodyRule::Model { model, .. }) if !model.has_path(&scalar.text) => Some(model.name()),
        Some(BodyRule::Own { model, .. }) if !model.has_path(&scalar.text) => Some(model.name()),
        _ => None,
    };
    match unknown_to {
        Some(model) => {
            let shown = crate::reading::shortened(&scalar.text);
            findings
                .error(
                    codes::BODY_SHAPE,
                    scalar.place,
                    format!("`{shown}` is no path of {model}"),
                )
                .expected("expected one such as `Visit.Location.Department` or `Orders[].Status`");
            Err(Reported)
        }
        None => Ok(scalar.text.clone()),
    }
}
