//! In what two bodies differ: for whoever has to say what changed.

use crate::body::Path;
use crate::{Json, JsonKind};
use std::collections::BTreeSet;

/// How many differences are named. What differs in more is another body altogether.
pub const MOST_DIFFERENCES: usize = 50;

/// The paths at which `now` and `before` differ, in the order of `now` and then of what only `before` has; at most
/// [`MOST_DIFFERENCES`]. A list is one value. Null and absent are the same.
pub fn differences(now: &Json, before: &Json) -> Vec<String> {
    let mut found = Vec::new();
    walk(now, before, &mut Path::default(), &mut found);
    found
}

fn walk(now: &Json, before: &Json, path: &mut Path, found: &mut Vec<String>) {
    if found.len() == MOST_DIFFERENCES {
        return;
    }
    let (object, null) = (JsonKind::Object, JsonKind::Null);
    match (now.kind(), before.kind()) {
        (a, b) if (a == object && (b == object || b == null)) || (a == null && b == object) => {
            let mut seen = BTreeSet::new();
            for (key, _) in now.members().chain(before.members()) {
                if !seen.insert(key) {
                    continue;
                }
                let member = |of: &Json| of.get(key).unwrap_or_else(Json::null);
                let step = path.enter_member(key);
                walk(&member(now), &member(before), path, found);
                path.back(step);
            }
        }
        _ => {
            if now.canonical_bytes() != before.canonical_bytes() {
                found.push(path.shown());
            }
        }
    }
}

/// Whether a path that differs is `listed`, is inside it, or contains it.
pub fn touches(differing: &str, listed: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    differing == "." || inside(differing, listed) || inside(listed, differing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).expect("is JSON")
    }

    #[test]
    fn what_differs_is_named_by_path_and_never_by_value() {
        let now = json(r#"{"a":1,"b":{"c":null,"d":[1,2],"e":"x"},"f":{"g":1},"z":1.0}"#);
        let before = json(r#"{"b":{"d":[1,3],"e":"x","h":null},"a":2,"i":{"j":{"k":1}},"z":1}"#);
        let found = differences(&now, &before);
        assert_eq!(found, ["a", "b.d", "f.g", "z", "i.j.k"]);
        assert!(differences(&now, &now).is_empty());
        assert_eq!(differences(&json("1"), &json("2")), ["."]);
        assert!(differences(&json(r#"{"a":{"b":null}}"#), &json("{}")).is_empty());
    }

    #[test]
    fn a_listed_path_is_touched_by_what_is_in_it_and_around_it() {
        assert!(touches("Visit.Location.Room", "Visit.Location"));
        assert!(touches("Visit", "Visit.Location"));
        assert!(touches("Visit.Location", "Visit.Location"));
        assert!(touches(".", "Visit.Location"));
        assert!(!touches("Visit.LocationType", "Visit.Location"));
        assert!(!touches("Patient", "Visit.Location"));
    }

    #[test]
    fn no_more_differences_are_named_than_anybody_reads() {
        let many: Vec<(String, Json)> = (0..500)
            .map(|n| (format!("k{n}"), Json::integer(n)))
            .collect();
        assert_eq!(
            differences(&Json::object(many), &json("{}")).len(),
            MOST_DIFFERENCES
        );
    }
}
