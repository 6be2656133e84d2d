//! Reading a model's text.
//!
//! Lines; two spaces of indentation per level; `#` begins a comment line.
//!
//! ```text
//! model NAME -- what it is
//! events NAME...
//! shape NAME            fields used in several places follow, indented
//! root                  the message's own fields follow, indented
//!   FIELD TYPE [in EVENT...] [required | required-in EVENT... | legacy] [-- what it holds]
//! ```
//! and the rules of its events, of which `rules.rs` says how they are written.
//!
//! A type is `string`, `date`, `datetime` and `phone` (texts in one form), `number`, `boolean`, `object`, the name of a shape, or `any`; the last three may end in `[]` for a
//! list (`any` must). The fields of `object` and `object[]` follow, one level deeper. A value that is not required may be
//! `null`, and a list that is required has at least one item. `in` names the only events that have the field. A `legacy` field may be given and is never filled in.

use super::rules::Rules;
use super::{Events, Field, Filling, Format, Model, Scalar, Shape};
use std::collections::BTreeMap;

/// What may stand behind a type.
const WORDS: [&str; 4] = ["in", "required", "required-in", "legacy"];

type Lines<'t> = std::iter::Peekable<std::slice::Iter<'t, (usize, &'static str)>>;

/// # Errors
/// Says what is wrong, with the line's words.
pub(super) fn read(text: &'static str) -> Result<Model, String> {
    let lines: Vec<(usize, &'static str)> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|line| ((line.len() - line.trim_start().len()) / 2, line.trim()))
        .collect();
    let mut lines = lines.iter().peekable();
    let mut name = None;
    let mut about = "";
    let mut events = Vec::new();
    let mut shapes = BTreeMap::new();
    let mut root = Vec::new();
    let mut rules = Rules::default();
    while let Some((_, line)) = lines.next() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("model"), given) => {
                name = given;
                about = line
                    .split_once(" -- ")
                    .map_or("", |(_, about)| about.trim());
            }
            (Some("events"), first) => events = first.into_iter().chain(words).collect(),
            (Some("shape"), Some(shape)) => {
                let members = fields(&mut lines, 1, &shapes, &events)?;
                shapes.insert(shape, members);
            }
            (Some("root"), None) => root = fields(&mut lines, 1, &shapes, &events)?,
            (Some("states"), path) => {
                rules.status = path;
                section(&mut lines, |line| rules.state(line))?;
            }
            (Some("rules"), None) => section(&mut lines, |line| rules.rule(line, &events))?,
            (Some("fhir"), Some(group)) => {
                rules.fhir = Some((group, BTreeMap::new()));
                section(&mut lines, |line| rules.fhir_code(line))?;
            }
            (Some("carry"), Some(event)) if events.contains(&event) => {
                section(&mut lines, |line| rules.carry(event, line))?;
            }
            _ => return Err(format!("unknown line `{line}`")),
        }
    }
    let name = name.ok_or("the model has no name")?;
    if root.is_empty() || events.is_empty() {
        return Err(format!("{name} has no fields or no events"));
    }
    let model = Model {
        name,
        about,
        events,
        root,
        rules,
    };
    let unknown = model.paths_of_rules().find(|path| !model.has_path(path));
    unknown.map_or(Ok(model), |path| Err(format!("{name} has no `{path}`")))
}

/// The indented lines that follow.
fn section(
    lines: &mut Lines<'_>,
    mut read: impl FnMut(&'static str) -> Result<(), String>,
) -> Result<(), String> {
    while let Some((_, line)) = lines.next_if(|(depth, _)| *depth == 1) {
        read(line)?;
    }
    Ok(())
}

fn fields(
    lines: &mut Lines<'_>,
    level: usize,
    shapes: &BTreeMap<&str, Vec<Field>>,
    events: &[&'static str],
) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    while let Some((_, line)) = lines.next_if(|(depth, _)| *depth == level) {
        let (said, about) = match line.split_once(" -- ") {
            Some((said, about)) => (said, Some(about.trim())),
            None => (*line, None),
        };
        let mut words = said.split_whitespace();
        let (Some(name), Some(of_type)) = (words.next(), words.next()) else {
            return Err(format!("a field needs a name and a type: `{line}`"));
        };
        let shape = match of_type {
            "string" => Shape::Scalar(Scalar::Text(Format::Any)),
            "date" => Shape::Scalar(Scalar::Text(Format::Date)),
            "datetime" => Shape::Scalar(Scalar::Text(Format::DateTime)),
            "phone" => Shape::Scalar(Scalar::Text(Format::Phone)),
            "number" => Shape::Scalar(Scalar::Number),
            "boolean" => Shape::Scalar(Scalar::Boolean),
            "any[]" => Shape::ListOfAny,
            "object" => Shape::Object(self::fields(lines, level + 1, shapes, events)?),
            "object[]" => Shape::ListOfObjects(self::fields(lines, level + 1, shapes, events)?),
            other => {
                let named = other.strip_suffix("[]");
                let members = shapes.get(named.unwrap_or(other)).cloned();
                let members = members.ok_or_else(|| format!("unknown type `{other}`"))?;
                if named.is_some() {
                    Shape::ListOfObjects(members)
                } else {
                    Shape::Object(members)
                }
            }
        };
        let mut field = Field {
            name,
            shape,
            present: Events::All,
            required: Events::None,
            filling: Filling::Always,
            about,
        };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let mut named = Vec::new();
            while let Some(event) = words.next_if(|word| !WORDS.contains(word)) {
                if !events.contains(&event) {
                    return Err(format!("unknown event `{event}`: `{line}`"));
                }
                named.push(event);
            }
            match word {
                "required" if named.is_empty() => field.required = Events::All,
                "legacy" if named.is_empty() => field.filling = Filling::Legacy,
                "required-in" => field.required = Events::Only(named),
                "in" => field.present = Events::Only(named),
                _ => return Err(format!("unknown word: `{line}`")),
            }
        }
        fields.push(field);
    }
    match lines.peek() {
        Some((depth, line)) if *depth > level => Err(format!("indented too deep: `{line}`")),
        _ => Ok(fields),
    }
}
