//! Translation sets: values in the configuration and in CSV files beside it.

use super::unmarked;
use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::face::TranslationKeys;
use crate::kinds::{Named, Text};
use crate::reading::Here;
use crate::source::ReadError;
use rounds_domain::plan::{Translation, Untranslated};
use rounds_map::Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The sets by their names; None where one is wrong, so that nobody is told that it does not exist.
pub(super) type Translations = BTreeMap<String, Option<Arc<Translation>>>;

pub(super) fn lower(sets: &[&Named<TranslationKeys>], findings: &mut Findings<'_>) -> Translations {
    let lowered = sets.iter().map(|named| {
        let keys = named.value.as_ref();
        let set = keys.and_then(|keys| one(&named.name, keys, findings).ok());
        (named.name.clone(), set.map(Arc::new))
    });
    lowered.collect()
}

fn one(
    name: &str,
    keys: &TranslationKeys,
    findings: &mut Findings<'_>,
) -> Result<Translation, Reported> {
    let mut values = BTreeMap::new();
    if let Some(file) = keys.file.here() {
        values = from_file(file, findings)?;
    }
    // What is written in the configuration comes over what is in the file.
    for pair in keys
        .values
        .value()
        .into_iter()
        .flat_map(|pairs| &pairs.pairs)
    {
        unmarked::check_plain(&pair.value.0, findings);
        values.insert(pair.key.text.clone(), pair.value.0.as_json());
    }
    Ok(Translation {
        name: name.to_owned(),
        values,
        otherwise: keys.otherwise.or(Untranslated::default()),
    })
}

fn from_file(
    file: &Here<Text>,
    findings: &mut Findings<'_>,
) -> Result<BTreeMap<String, Json>, Reported> {
    let scalar = &file.value.0;
    let text = findings.read_beside(scalar.place.file, &scalar.text);
    let text = text.map_err(|error| match error {
        ReadError::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    });
    match text.and_then(|text| read(&text)) {
        Ok(values) => Ok(values),
        Err(words) => {
            findings
                .error(
                    codes::BAD_TRANSLATION,
                    scalar.place,
                    format!(
                        "the values of `{}` cannot be read",
                        crate::reading::shortened(&scalar.text)
                    ),
                )
                .expected(words)
                .help("expected CSV with a line of headings, then lines of two values: `from,to`");
            Err(Reported)
        }
    }
}

/// Says what is wrong, by line and never by value.
fn read(text: &str) -> Result<BTreeMap<String, Json>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut values = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            format!("line {line} is no CSV")
        })?;
        let line = row.position().map_or(0, csv::Position::line);
        let (Some(from), Some(to), 2) = (row.get(0), row.get(1), row.len()) else {
            return Err(format!("line {line} has {} values and not two", row.len()));
        };
        if values.insert(from.to_owned(), Json::string(to)).is_some() {
            return Err(format!(
                "line {line} begins with a value that an earlier line has"
            ));
        }
    }
    Ok(values)
}
