//! What is done to a body before its model completes it.

use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::face::NotifyKeys;
use crate::lower::Known;
use crate::lower::body;
use crate::lower::unmarked;
use crate::source::Place;
use crate::tree::Scalar;
use rounds_domain::plan::{BodyRule, Modifier, ModifierDeed, Translation, Untranslated};
use rounds_map::{Json, JsonKind};
use std::collections::BTreeMap;
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
        let set = set.clone().ok_or(Reported)?;
        let set = fitting(set, &path, name.place, rule, findings)?;
        modifiers.push(Modifier {
            path,
            deed: ModifierDeed::Translate(set),
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
        for code in &table.value.pairs {
            unmarked::check_plain(&code.value.0, findings);
        }
        let codes = table.value.pairs.iter();
        let codes = codes.map(|code| (code.key.text.clone(), code.value.0.as_json()));
        let set = Arc::new(Translation {
            name: "codes".to_owned(),
            values: codes.collect(),
            otherwise,
        });
        let place = table.key.place;
        let set = fitting(set, &path, place, rule, findings)?;
        warn_of_nothing(&path, place, rule, findings);
        modifiers.push(Modifier {
            deed: ModifierDeed::Codes(set),
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

/// A set whose values are what the model has at `path`: a text that is a number goes as a number where only numbers can be.
fn fitting(
    set: Arc<Translation>,
    path: &str,
    place: Place,
    rule: Option<&BodyRule>,
    findings: &mut Findings<'_>,
) -> Result<Arc<Translation>, Reported> {
    let kinds = rule.and_then(|rule| kinds_at(rule, path));
    let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty()) else {
        return Ok(set);
    };
    let mut values = BTreeMap::new();
    for (from, to) in &set.values {
        let Some(to) = as_one_of(&kinds, to) else {
            let kinds = kinds.iter().filter(|kind| **kind != JsonKind::Null);
            let kinds: Vec<&str> = kinds.map(|kind| kind.with_article()).collect();
            let shown = crate::reading::shortened(&to.scalar_text().unwrap_or_default());
            findings
                .error(
                    codes::BODY_SHAPE,
                    place,
                    format!("`{}` cannot be `{shown}`", crate::reading::shortened(path)),
                )
                .expected(format!("the message has {} there", kinds.join(" or ")))
                .help("name the field itself that holds the code, such as `Patient.Demographics.Sex`, and a value of its type");
            return Err(Reported);
        };
        values.insert(from.clone(), to);
    }
    Ok(Arc::new(Translation {
        name: set.name.clone(),
        values,
        otherwise: set.otherwise,
    }))
}

/// What may stand at a path of the body; None where that is not known.
fn kinds_at(rule: &BodyRule, path: &str) -> Option<Vec<JsonKind>> {
    match rule {
        BodyRule::Whole | BodyRule::Free(_) => None,
        BodyRule::Model { model, .. } => model.kinds_at(path),
        BodyRule::Own { model, .. } => model.kinds_at(path),
    }
}

fn as_one_of(kinds: &[JsonKind], value: &Json) -> Option<Json> {
    if kinds.contains(&value.kind()) {
        return Some(value.clone());
    }
    let text = value.scalar_text()?;
    if kinds.contains(&JsonKind::String) {
        return Some(Json::string(&text));
    }
    let plain = Json::parse(text.as_bytes()).ok();
    plain.filter(|plain| kinds.contains(&plain.kind()) && !plain.is_null())
}

/// Codes are said in other words before anything is put there, so where the body has nothing there are none.
fn warn_of_nothing(path: &str, place: Place, rule: Option<&BodyRule>, findings: &mut Findings<'_>) {
    let body = rule.and_then(BodyRule::template);
    if body.is_some_and(|body| !body.may_have(path)) {
        findings
            .warning(
                codes::BODY_SHAPE,
                place,
                format!(
                    "`codes` at `{}`, where the body has nothing",
                    crate::reading::shortened(path)
                ),
            )
            .expected("changes nothing")
            .help("map the code there, such as `Sex: = .patient.gender`; or name the path where it is");
    }
}

/// A path of the body, as far as the model knows.
pub(in crate::lower) fn path(
    scalar: &Scalar,
    rule: Option<&BodyRule>,
    findings: &mut Findings<'_>,
) -> Result<String, Reported> {
    let model = rule.and_then(|rule| match rule {
        BodyRule::Whole | BodyRule::Free(_) => None,
        BodyRule::Model { model, .. } => Some(model.name()),
        BodyRule::Own { model, .. } => Some(model.name()),
    });
    // As jq has it, a path may begin with its dot.
    let text = scalar.text.strip_prefix('.').unwrap_or(&scalar.text);
    let is_known = rule.is_some_and(|rule| kinds_at(rule, text).is_some());
    match model {
        Some(model) if !is_known => {
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
        _ => Ok(text.to_owned()),
    }
}
