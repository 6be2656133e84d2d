//! Forms and query parameters with secrets in them.

use secrecy::{ExposeSecret, SecretString};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize, parse};

/// A form (`application/x-www-form-urlencoded`) in the order in which it is filled.
#[derive(Default)]
pub(crate) struct Form(Vec<(String, SecretString)>);

impl Form {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), SecretString::from(value)));
    }

    pub(crate) fn set_secret(&mut self, name: &str, value: SecretString) {
        self.0.push((name.to_owned(), value));
    }

    /// As it is sent.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut serializer = Serializer::new(String::new());
        for (name, value) in &self.0 {
            serializer.append_pair(name, value.expose_secret());
        }
        serializer.finish().into_bytes()
    }
}

/// One text as a form writes it.
pub(crate) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// Sets a query parameter. All others stay as they are, byte for byte.
pub(crate) fn set_parameter(url: &mut Url, name: &str, value: &SecretString) {
    let others = url.query().unwrap_or_default().split('&').filter(|pair| {
        !pair.is_empty()
            && parse(pair.as_bytes())
                .next()
                .is_none_or(|(known, _)| known != name)
    });
    let mut query = others.collect::<Vec<_>>().join("&");
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(&encoded(name));
    query.push('=');
    query.push_str(&encoded(value.expose_secret()));
    url.set_query(Some(&query));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_set_and_the_others_stay_as_they_were() -> Result<(), url::ParseError> {
        for (before, after) in [
            ("https://a.example/b", "https://a.example/b?key=a%2Bb%26c"),
            (
                "https://a.example/b?since=2026-01-01T00:00:00%2B01:00&x=a+b",
                "https://a.example/b?since=2026-01-01T00:00:00%2B01:00&x=a+b&key=a%2Bb%26c",
            ),
            // A next link may repeat it.
            (
                "https://a.example/b?key=old&page=2&k%65y=older&flag",
                "https://a.example/b?page=2&flag&key=a%2Bb%26c",
            ),
        ] {
            let mut url = Url::parse(before)?;
            set_parameter(&mut url, "key", &"a+b&c".into());
            assert_eq!(url.as_str(), after);
        }
        Ok(())
    }
}
