//! Header values that hold secrets, and URLs that must not.

use crate::secrets::SecretError;
use http::header::HeaderValue;
use rounds_domain::plan::SecretReference;
use url::Url;

/// Whether a configured URL holds a user name or a password. They would not be sent, and they would be no secrets.
pub(crate) fn names_a_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// What is said of such a URL.
pub(crate) const USER_IN_URL: &str =
    "the URL holds a user name or a password; use the settings for authentication instead";

/// A header's value that no Debug shows.
pub(crate) fn secret_value(
    reference: &SecretReference,
    text: &str,
) -> Result<HeaderValue, SecretError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        SecretError::new(
            reference,
            "holds a character that a header cannot carry",
            "see whether it has a line break in it",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_header_is_not_shown() {
        let reference = SecretReference::Environment("TOKEN".to_owned());
        let value = secret_value(&reference, "hunter2").expect("a header can carry it");
        assert_eq!(value, "hunter2");
        assert_eq!(format!("{value:?}"), "Sensitive");
        assert!(secret_value(&reference, "hunter2\n").is_err());
    }
}
