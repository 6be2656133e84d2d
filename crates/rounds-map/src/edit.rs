//! Changing a value at a path: `Visit.Location.Department`, `Orders[].Results[].Code`, `Visit.AdditionalStaff[0].ID`.
//!
//! A path goes through members by `.`, into all items of a list by `[]`, and into one by its number from 0.

use crate::{Json, JsonKind};

/// What becomes of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It stays.
    Keep,
    /// Its place is taken.
    Put(Json),
    /// It is taken out.
    Delete,
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'p> {
    Member(&'p str),
    Every,
    Item(usize),
}

fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (name, brackets) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        if !name.is_empty() {
            steps.push(Step::Member(name));
        }
        for inside in brackets
            .split(']')
            .filter_map(|inside| inside.strip_prefix('['))
        {
            steps.push(inside.parse().map_or(Step::Every, Step::Item));
        }
    }
    steps
}

/// The values at `path`; none where nothing is there.
pub fn values_at(value: &Json, path: &str) -> Vec<Json> {
    let mut found = vec![value.clone()];
    for step in steps(path) {
        found = match step {
            Step::Member(name) => found.iter().filter_map(|value| value.get(name)).collect(),
            Step::Every => found.iter().flat_map(Json::items).collect(),
            Step::Item(index) => found
                .iter()
                .filter_map(|value| value.items().nth(index))
                .collect(),
        };
    }
    found
}

/// `value` with what `change` makes of whatever is at `path`; it is given null where a member is not there yet, and objects on the
/// way to it are made. What stands in the way and is no object or list stays as it is.
///
/// # Errors
/// Those of `change`.
pub fn edited<E>(
    value: &Json,
    path: &str,
    change: &mut impl FnMut(&Json) -> Result<Edit, E>,
) -> Result<Json, E> {
    Ok(match walk(value, &steps(path), change)? {
        Edit::Keep => value.clone(),
        Edit::Put(value) => value,
        Edit::Delete => Json::null(),
    })
}

fn walk<E>(
    value: &Json,
    steps: &[Step<'_>],
    change: &mut impl FnMut(&Json) -> Result<Edit, E>,
) -> Result<Edit, E> {
    let Some((step, rest)) = steps.split_first() else {
        return change(value);
    };
    match (step, value.kind()) {
        (Step::Member(name), JsonKind::Object | JsonKind::Null) => {
            let member = value.get(name).unwrap_or_else(Json::null);
            Ok(match walk(&member, rest, change)? {
                Edit::Keep => Edit::Keep,
                Edit::Put(member) => {
                    Edit::Put(Json::object(value.members().chain([(*name, member)])))
                }
                Edit::Delete if value.is_null() => Edit::Keep,
                Edit::Delete => {
                    let others = value.members().filter(|(key, _)| key != name);
                    Edit::Put(Json::object(others))
                }
            })
        }
        (Step::Every, JsonKind::Array) => items(value, |_| true, rest, change),
        (Step::Item(wanted), JsonKind::Array) => {
            items(value, |index| index == *wanted, rest, change)
        }
        _ => Ok(Edit::Keep),
    }
}

fn items<E>(
    list: &Json,
    meant: impl Fn(usize) -> bool,
    rest: &[Step<'_>],
    change: &mut impl FnMut(&Json) -> Result<Edit, E>,
) -> Result<Edit, E> {
    let mut kept = Vec::new();
    for (index, item) in list.items().enumerate() {
        if !meant(index) {
            kept.push(item);
            continue;
        }
        match walk(&item, rest, change)? {
            Edit::Keep => kept.push(item),
            Edit::Put(item) => kept.push(item),
            Edit::Delete => {}
        }
    }
    Ok(Edit::Put(Json::array(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).expect("is JSON")
    }

    fn text(value: &Json) -> String {
        String::from_utf8_lossy(&value.to_bytes()).into_owned()
    }

    fn put(value: &str, path: &str) -> String {
        let edited = edited(&json(value), path, &mut |_| {
            Ok::<_, Infallible>(Edit::Put(Json::integer(9)))
        });
        text(&edited.expect("never fails"))
    }

    fn delete(value: &str, path: &str) -> String {
        let edited = edited(&json(value), path, &mut |_| {
            Ok::<_, Infallible>(Edit::Delete)
        });
        text(&edited.expect("never fails"))
    }

    #[test]
    fn a_value_is_put_where_the_path_leads() {
        for (value, path, expected) in [
            (r#"{"a":{"b":1,"c":2}}"#, "a.b", r#"{"a":{"b":9,"c":2}}"#),
            ("{}", "a.b", r#"{"a":{"b":9}}"#),
            (r#"{"a":null}"#, "a.b", r#"{"a":{"b":9}}"#),
            (r#"{"a":"text"}"#, "a.b", r#"{"a":"text"}"#),
            (
                r#"{"a":[{"b":1},{"b":2,"c":3}]}"#,
                "a[].b",
                r#"{"a":[{"b":9},{"b":9,"c":3}]}"#,
            ),
            (
                r#"{"a":[{"b":1},{"b":2}]}"#,
                "a[1].b",
                r#"{"a":[{"b":1},{"b":9}]}"#,
            ),
            (r#"{"a":[1,2]}"#, "a[]", r#"{"a":[9,9]}"#),
            (r#"{"a":[]}"#, "a[0].b", r#"{"a":[]}"#),
            (r#"{"a":1}"#, "a[].b", r#"{"a":1}"#),
        ] {
            assert_eq!(put(value, path), expected, "{path} of {value}");
        }
    }

    #[test]
    fn a_value_is_deleted_where_it_is() {
        for (value, path, expected) in [
            (r#"{"a":{"b":1,"c":2}}"#, "a.b", r#"{"a":{"c":2}}"#),
            (r#"{"a":{}}"#, "a.b", r#"{"a":{}}"#),
            ("{}", "a.b", "{}"),
            (
                r#"{"a":[{"b":1},{"c":3}]}"#,
                "a[].b",
                r#"{"a":[{},{"c":3}]}"#,
            ),
            (r#"{"a":[1,2,3]}"#, "a[1]", r#"{"a":[1,3]}"#),
        ] {
            assert_eq!(delete(value, path), expected, "{path} of {value}");
        }
    }

    #[test]
    fn values_are_found_through_lists() {
        let value = json(r#"{"a":[{"b":1},{"c":2},{"b":3}],"d":{"e":4}}"#);
        let found = |path: &str| text(&Json::array(values_at(&value, path)));
        assert_eq!(found("a[].b"), "[1,3]");
        assert_eq!(found("a[2].b"), "[3]");
        assert_eq!(found("d.e"), "[4]");
        assert_eq!(found("d.x.y"), "[]");
    }
}
