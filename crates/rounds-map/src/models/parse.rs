//! Reading a model's text.
//!
//! Lines; two spaces of indentation per level; `#` begins a comment line.
//!
//! ```text
//! model NAME
//! events NAME...
//! shape NAME            fields used in several places follow, indented
//! root                  the message's own fields follow, indented
//!   FIELD TYPE [required | required-in EVENT... | in EVENT... | legacy]
//! ```
//! A type is `string`, `number`, `boolean`, `object`, the name of a shape, or `any`; the last three may end in `[]` for a
//! list (`any` must). The fields of `object` and `object[]` follow, one level deeper. A value that is not required may be
//! `null`. `in` names the only events that have the field. A `legacy` field may be given and is never filled in.

use super::{Events, Field, Filling, Model, Scalar, Shape};
use std::collections::BTreeMap;

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
    let mut events = Vec::new();
    let mut shapes = BTreeMap::new();
    let mut root = Vec::new();
    while let Some((_, line)) = lines.next() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("model"), given) => name = given,
            (Some("events"), first) => events = first.into_iter().chain(words).collect(),
            (Some("shape"), Some(shape)) => {
                let members = fields(&mut lines, 1, &shapes, &events)?;
                shapes.insert(shape, members);
            }
            (Some("root"), None) => root = fields(&mut lines, 1, &shapes, &events)?,
            _ => return Err(format!("unknown line `{line}`")),
        }
    }
    let name = name.ok_or("the model has no name")?;
    if root.is_empty() || events.is_empty() {
        return Err(format!("{name} has no fields or no events"));
    }
    Ok(Model { name, events, root })
}

fn fields(
    lines: &mut Lines<'_>,
    level: usize,
    shapes: &BTreeMap<&str, Vec<Field>>,
    events: &[&'static str],
) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    while let Some((_, line)) = lines.next_if(|(depth, _)| *depth == level) {
        let mut words = line.split_whitespace();
        let (Some(name), Some(of_type)) = (words.next(), words.next()) else {
            return Err(format!("a field needs a name and a type: `{line}`"));
        };
        let shape = match of_type {
            "string" => Shape::Scalar(Scalar::String),
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
        };
        let word = words.next();
        let named: Vec<&'static str> = words.collect();
        if let Some(unknown) = named.iter().find(|named| !events.contains(named)) {
            return Err(format!("unknown event `{unknown}`: `{line}`"));
        }
        match word {
            None => {}
            Some("required") => field.required = Events::All,
            Some("required-in") => field.required = Events::Only(named),
            Some("in") => field.present = Events::Only(named),
            Some("legacy") => field.filling = Filling::Legacy,
            Some(_) => return Err(format!("unknown word: `{line}`")),
        }
        fields.push(field);
    }
    match lines.peek() {
        Some((depth, line)) if *depth > level => Err(format!("indented too deep: `{line}`")),
        _ => Ok(fields),
    }
}
