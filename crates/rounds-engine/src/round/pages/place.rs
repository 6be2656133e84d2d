//! Whether a next link holds a place: the number of a page, or an offset.
//!
//! `?page=2` in a link is the same as `?page=2` that we would write ourselves: a row that is edited or deleted between two pages moves its
//! neighbours over the edge, and one of them is never shown. So such links are read as places, and their pages are joined like others
//! by place. A link that names something besides, a kept search or a token, leads into a result that the server holds still.

use super::walk::Places;
use url::Url;

/// A place that links hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkPlace {
    /// The query parameter.
    pub(super) parameter: String,
    /// What it counts.
    pub(super) places: Places,
}

/// The place in the link from the first page, which showed so many rows, to the second.
pub(super) fn in_link(first: &Url, second: &Url, shown: u64) -> Option<LinkPlace> {
    if first.path().trim_end_matches('/') != second.path().trim_end_matches('/') {
        return None;
    }
    let of = |url: &Url, name: &str| {
        let found = url.query_pairs().find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned())
    };
    let mut place = None;
    for (name, value) in second.query_pairs() {
        let before = of(first, &name);
        if before.as_deref() == Some(&*value) || asks_for_size(&name) {
            continue;
        }
        let at: u64 = match (value.parse(), &before) {
            (Ok(at), _) => at,
            // Another way to write what was asked for, such as an instant with a zone.
            (Err(_), Some(_)) => continue,
            (Err(_), None) => return None,
        };
        if place.is_some() {
            return None;
        }
        place = Some((name.into_owned(), before, at));
    }
    let (parameter, before, at) = place?;
    let before: Option<u64> = match before {
        Some(text) => Some(text.parse().ok()?),
        None => None,
    };
    let name = parameter.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    // A log whose numbers have no holes looks like an offset; these words say that the value is an entry's.
    if says(&["since", "after", "cursor"]) {
        return None;
    }
    // `from` and `start` may be a keyset just as well: those are offsets only if they go on by what was shown.
    let is_offset = says(&["offset", "skip"]);
    let is_number = !is_offset && says(&["page"]);
    let by_step = before.unwrap_or(0) + shown == at && shown > 1;
    let places = if is_offset || (!is_number && by_step) {
        // Rows that are counted from one have offsets of another kind.
        (before.unwrap_or(0) == 0 && at > 1).then_some(Places::Offsets { size: shown.max(2) })?
    } else if is_number || at == before.unwrap_or(0) + 1 {
        let first = at.checked_sub(1)?;
        (before.unwrap_or(first) == first && first <= 1)
            .then_some(Places::Numbers { first, size: None })?
    } else {
        return None;
    };
    Some(LinkPlace { parameter, places })
}

fn asks_for_size(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["count", "limit", "size", "per_page", "perpage"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(first: &str, second: &str, shown: u64) -> Option<(String, Places)> {
        let url =
            |query: &str| Url::parse(&format!("https://ehr.example/visits{query}")).expect("a URL");
        let found = in_link(&url(first), &url(second), shown)?;
        Some((found.parameter, found.places))
    }

    #[test]
    fn numbers_and_offsets_are_places_and_tokens_are_none() {
        let number =
            |name: &str, first| Some((name.to_owned(), Places::Numbers { first, size: None }));
        let offset = |name: &str, size| Some((name.to_owned(), Places::Offsets { size }));
        let cases = [
            ("?since=x", "?since=x&page=2", number("page", 1)),
            ("?_page=1&_limit=5", "?_page=2&_limit=5", number("_page", 1)),
            ("", "?page=1", number("page", 0)),
            ("?_count=50", "?_count=50&_offset=50", offset("_offset", 50)),
            ("", "?limit=50&skip=50", offset("skip", 50)),
            ("", "?n=50", offset("n", 50)),
            // A kept result, a token, a keyset, another path.
            ("?since=x", "?_getpages=a8f-11&_getpagesoffset=50", None),
            ("?since=x", "?since=x&page=MjAyNg", None),
            ("?since=x", "?since=x&after=77123", None),
            ("?since=x", "?since=x&page=77123", None),
            ("?since=0", "?since=50", None),
            ("?page=1", "?page=2&snapshot=abc", None),
            ("", "?from=50", offset("from", 50)),
            ("?since=x", "?from=24949", None),
        ];
        for (first, second, wanted) in cases {
            assert_eq!(place(first, second, 50), wanted, "{first} -> {second}");
        }
    }
}
