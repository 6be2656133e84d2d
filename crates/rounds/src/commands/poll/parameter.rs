//! A key in a query parameter, which no URL of the page may show: an EHR may repeat it in its links.

use super::PollPage;

impl PollPage {
    /// Takes the value of a query parameter out of all URLs.
    pub fn hide_parameter(&mut self, parameter: &str) {
        for request in &mut self.requests {
            request.url = without_value(&request.url, parameter);
            // An EHR may repeat it in its links.
            let mark = format!("{parameter}=");
            request.answer = (request.answer.take()).map(|answer| hidden(&answer, &mark));
        }
    }
}

/// `text` with `...` for what stands behind `mark`, up to the end of the value.
fn hidden(text: &str, mark: &str) -> String {
    let mut pieces = text.split(mark);
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let ends = |sign: char| sign.is_whitespace() || "&\"'<>\\".contains(sign);
        let rest = piece.find(ends).map_or("", |at| &piece[at..]);
        shown.push_str(mark);
        shown.push_str("...");
        shown.push_str(rest);
    }
    shown
}

/// The URL with `...` for the value of a query parameter. A name may be percent-encoded, so it is compared decoded.
fn without_value(url: &str, parameter: &str) -> String {
    let Some((path, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let is_it = |pair: &str| {
        let mut parsed = url::form_urlencoded::parse(pair.as_bytes());
        parsed.next().is_some_and(|(name, _)| name == parameter)
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_it(pair) => format!("{name}=..."),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::{hidden, without_value};

    #[test]
    fn a_secret_in_a_link_of_an_answer_is_hidden() {
        let text = r#"{"next":"https://a.example/b?key=s3&p=2","again":"?key=s3"}"#;
        let shown = r#"{"next":"https://a.example/b?key=...&p=2","again":"?key=..."}"#;
        assert_eq!(hidden(text, "key="), shown);
    }

    #[test]
    fn a_secret_parameter_shows_no_value() {
        for (url, shown) in [
            ("https://a.example/b", "https://a.example/b"),
            (
                "https://a.example/b?x=1&key=s3&y",
                "https://a.example/b?x=1&key=...&y",
            ),
            (
                "https://a.example/b?k%65y=s3",
                "https://a.example/b?k%65y=...",
            ),
            (
                "https://a.example/b?monkey=1",
                "https://a.example/b?monkey=1",
            ),
        ] {
            assert_eq!(without_value(url, "key"), shown);
        }
    }
}
