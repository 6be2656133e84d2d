//! Where in an answer its records stand, as far as the user's own words show it.
//!
//! `.data[]? | select(.type == "visit")` says more than which records there are: it says that the answer has a list at `.data`. So an answer
//! without one is not an empty answer but another document, and a page whose list is full is a full page, whatever `select` leaves
//! of it. Both are read off the text, so that nobody has to say it a second time. An expression that does not begin with a
//! path (`.rows | many | .[]`) has its own idea of what may be missing, and keeps it.

use rounds_map::{EvaluateError, Filter, Json, JsonKind};
use std::fmt;

/// From an answer to its records.
#[derive(Clone)]
pub struct Records {
    filter: Filter,
    within: Within,
}

/// What the records stand in.
#[derive(Debug, Clone)]
pub enum Within {
    /// A FHIR Bundle of this kind.
    Bundle(BundleKind),
    /// A list at this path.
    List {
        /// From the answer to the list.
        path: Filter,
        /// From the answer to what the list is a member of; None where that is the answer, or where the answer is the list.
        holder: Option<Filter>,
        /// Whether each of its items is at most one record, so that its length is how many a page has.
        items: Items,
    },
    /// Nobody can tell.
    Unknown,
}

/// What is asked of a FHIR Bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleKind {
    /// A search: `searchset`.
    Search,
    /// A history.
    History,
    /// One of both.
    Either,
}

/// What the items of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// A record each, or none.
    Records,
    /// Something that holds records in its turn.
    Holders,
}

impl Records {
    /// Reads off what the records stand in.
    pub fn of(filter: Filter) -> Self {
        let within = within(filter.text());
        Self { filter, within }
    }

    /// The expression.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What the records stand in.
    pub const fn within(&self) -> &Within {
        &self.within
    }

    /// The records of an answer.
    pub fn all(&self, answer: &Json) -> Result<Vec<Json>, EvaluateError> {
        self.filter.all(answer)
    }

    /// What an answer holds before anything is left out of it: the items of its list, or the entries of its Bundle that were searched
    /// for. None where nobody can tell.
    pub fn shown(&self, answer: &Json) -> Option<Vec<Json>> {
        match &self.within {
            Within::Bundle(_) => Some(matches(answer)),
            Within::List {
                path,
                items: Items::Records,
                ..
            } => {
                let list = path.optional(answer).ok().flatten()?;
                (list.kind() == JsonKind::Array).then(|| list.items().collect())
            }
            Within::List { .. } | Within::Unknown => None,
        }
    }

    /// Whether some of what a page shows may be left out by the expression, where nobody can tell how many there were.
    pub fn hides_some(&self) -> bool {
        let is_counted = match &self.within {
            Within::Bundle(_) => true,
            Within::List { items, .. } => *items == Items::Records,
            Within::Unknown => false,
        };
        let text = self.filter.text();
        let leaves_out = ["select", "empty", "limit(", "first(", "unique"];
        !is_counted && leaves_out.iter().any(|word| text.contains(word))
    }
}

/// As the expression's, because that is what the user wrote.
impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.filter.fmt(f)
    }
}

/// The entries of a search that are matches, and all of a history, with what stands in them.
fn matches(bundle: &Json) -> Vec<Json> {
    let entries = bundle
        .get("entry")
        .filter(|entries| entries.kind() == JsonKind::Array);
    let entries: Vec<Json> = entries.iter().flat_map(Json::items).collect();
    let is_match = |entry: &Json| {
        let mode = entry.get("search").and_then(|search| search.get("mode"));
        mode.as_ref()
            .and_then(Json::as_str)
            .is_none_or(|mode| mode == "match")
    };
    entries.into_iter().filter(is_match).collect()
}

fn within(text: &str) -> Within {
    let text = text.trim();
    if text.starts_with("fhir_matches") {
        return Within::Bundle(BundleKind::Search);
    }
    if text.starts_with("fhir_history") {
        return Within::Bundle(BundleKind::History);
    }
    let Some((path, rest)) = path_of_list(text) else {
        return Within::Unknown;
    };
    if path == ".entry" && rest.contains(".resource") {
        return Within::Bundle(BundleKind::Either);
    }
    let holds_more = ["[]", "..", "recurse", "range(", "to_entries"];
    let items = if holds_more.iter().any(|word| rest.contains(word)) {
        Items::Holders
    } else {
        Items::Records
    };
    let holder = path.rfind('.').filter(|at| *at > 0).map(|at| &path[..at]);
    match Filter::compile(&path) {
        Ok(list) => Within::List {
            holder: holder.and_then(|holder| Filter::compile(holder).ok()),
            path: list,
            items,
        },
        Err(_) => Within::Unknown,
    }
}

/// The path before the first `[]` of an expression that begins with one, and what follows; `?` is left out of the path.
fn path_of_list(text: &str) -> Option<(String, &str)> {
    let mut path = String::new();
    let mut rest = text.strip_prefix('.')?;
    // A path begins with `.`, `.name`, `."name"` or `.["name"]`.
    let mut is_named = true;
    loop {
        if let Some(after) = rest.strip_prefix("[]") {
            let path = if path.is_empty() {
                ".".to_owned()
            } else {
                path
            };
            return Some((path, after));
        }
        if let Some(after) = rest.strip_prefix('?') {
            rest = after;
        } else if let Some((name, after)) = in_brackets(rest).or_else(|| quoted(rest)) {
            path.push_str(".[");
            path.push_str(name);
            path.push(']');
            rest = after;
            is_named = false;
        } else if is_named
            && rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        {
            let end = rest.find(|next: char| !(next.is_ascii_alphanumeric() || next == '_'));
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            path.push('.');
            path.push_str(name);
            rest = after;
            is_named = false;
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            is_named = true;
        } else {
            // `.data | .[]` is the same path.
            rest = rest
                .trim_start()
                .strip_prefix('|')?
                .trim_start()
                .strip_prefix('.')?;
            is_named = true;
        }
    }
}

fn in_brackets(text: &str) -> Option<(&str, &str)> {
    let (name, after) = quoted(text.strip_prefix('[')?)?;
    Some((name, after.strip_prefix(']')?))
}

/// A quoted name without anything that jq would read in it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let end = text.strip_prefix('"')?.find('"')? + 2;
    let (name, after) = text.split_at(end);
    (!name.contains('\\')).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str) -> String {
        match Records::of(Filter::compile(text).expect("compiles")).within() {
            Within::Bundle(kind) => format!("{kind:?}"),
            Within::List { path, items, .. } => format!("{} {items:?}", path.text()),
            Within::Unknown => "?".to_owned(),
        }
    }

    #[test]
    fn the_list_is_read_off_the_path_before_its_brackets() {
        for (text, wanted) in [
            (".[]", ". Records"),
            (".[]?", ". Records"),
            (".data[]?", ".data Records"),
            (".data?.rows[]? | select(.kept)", ".data.rows Records"),
            (r#"."odd name"[] | .x"#, r#".["odd name"] Records"#),
            (r#".["@graph"][]"#, r#".["@graph"] Records"#),
            (".data | .[]", ".data Records"),
            (".days[].visits[]", ".days Holders"),
            (".entry[]?.resource", "Either"),
            (".entry[]", ".entry Records"),
            ("fhir_matches", "Search"),
            ("fhir_history | select(.deleted)", "History"),
            (".rows | many | .[]", "?"),
            ("(.data // [])[]", "?"),
            (".appointment", "?"),
            (".", "?"),
        ] {
            assert_eq!(described(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_counted_before_it_is_chosen_from() {
        let answer = Json::parse(br#"{"data":[{"id":1,"kept":true},{"id":2}]}"#).expect("is JSON");
        let chosen = Records::of(Filter::compile(".data[] | select(.kept)").expect("compiles"));
        assert_eq!(chosen.all(&answer).map(|found| found.len()), Ok(1));
        assert_eq!(chosen.shown(&answer).map(|shown| shown.len()), Some(2));
        assert!(!chosen.hides_some());
        let hidden =
            Records::of(Filter::compile("[.data[] | select(.kept)] | .[]").expect("compiles"));
        assert!(hidden.shown(&answer).is_none() && hidden.hides_some());
    }
}
