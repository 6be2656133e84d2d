//! The `Link` header (RFC 8288).

use http::HeaderMap;

/// The target of a `Link` header's first link with this relation (RFC 8288).
pub(super) fn link_in(headers: &HeaderMap, relation: &str) -> Option<String> {
    headers
        .get_all(http::header::LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(links)
        .find(|(_, relations)| {
            relations
                .split_ascii_whitespace()
                .any(|known| known.eq_ignore_ascii_case(relation))
        })
        .map(|(target, _)| target)
}

/// Targets and relations of one header value.
fn links(value: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, after)) = after.split_once('>') else {
            break;
        };
        // The parameters end at a comma that is not inside quotes.
        let mut quoted = false;
        let end = after
            .find(|character| {
                quoted ^= character == '"';
                character == ',' && !quoted
            })
            .unwrap_or(after.len());
        let relations = after[..end]
            .split(';')
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
        if let Some((_, relations)) = relations {
            links.push((
                target.to_owned(),
                relations.trim().trim_matches('"').to_owned(),
            ));
        }
        rest = &after[end..];
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::LINK, value.parse().expect("a header value"));
        link_in(&headers, "next")
    }

    #[test]
    fn a_link_header_is_read_with_its_quotes_and_its_neighbours() {
        assert_eq!(
            next_of("<https://a/?p=2>; rel=\"next\"").as_deref(),
            Some("https://a/?p=2")
        );
        assert_eq!(
            next_of(
                "<https://a/?p=1>; rel=prev; title=\"a, b\", <https://a/?p=3,4>;rel=\"last next\""
            )
            .as_deref(),
            Some("https://a/?p=3,4")
        );
        assert_eq!(next_of("<https://a/?p=1>; rel=\"prev\""), None);
        assert_eq!(next_of("<https://a/?p=1; rel=\"next\""), None);
    }
}
