//! The query of a request, read as the feeds need it.

use axum::extract::Query as QueryPairs;
use axum::http::Uri;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A query that the EHR cannot read; the text says which parameter and what was expected. Answered with 400.
pub(crate) type BadQuery = String;

/// The parameters of one request, decoded, and the query as it was written.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    raw: String,
}

impl Query {
    pub(crate) fn of(uri: &Uri) -> Result<Self, BadQuery> {
        let raw = uri.query().unwrap_or_default().to_owned();
        let QueryPairs(pairs) = QueryPairs::try_from_uri(uri)
            .map_err(|error| format!("the query cannot be read: {error}"))?;
        Ok(Self { pairs, raw })
    }

    /// The first value of `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, BadQuery> {
        let read = |text: &str| {
            text.parse()
                .map_err(|_error| format!("{name} must be a whole number from 0 up"))
        };
        self.text(name).map(read).transpose()
    }

    /// An instant: with an offset, or naive and then meant in `zone`.
    pub(crate) fn instant(
        &self,
        name: &str,
        zone: &TimeZone,
    ) -> Result<Option<Timestamp>, BadQuery> {
        let read = |text: &str| {
            text.parse::<Timestamp>()
                .or_else(|_naive| {
                    text.parse::<DateTime>()?
                        .to_zoned(zone.clone())
                        .map(|zoned| zoned.timestamp())
                })
                .map_err(|_error| format!("{name} must be a date-time such as 2022-05-10T10:00:00"))
        };
        self.text(name).map(read).transpose()
    }

    /// The query as it was written, with `name` replaced by (or extended with) `value`.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let others = self
            .raw
            .split('&')
            .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
        let mut query: Vec<String> = others.map(str::to_owned).collect();
        query.push(format!("{name}={value}"));
        query.join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &'static str) -> Query {
        Query::of(&Uri::from_static(text)).expect("the query can be read")
    }

    #[test]
    fn a_naive_instant_is_meant_in_the_servers_zone() {
        let read = |zone: &TimeZone| {
            query("/a?since=2022-05-10T10:00:00")
                .instant("since", zone)
                .expect("it is an instant")
        };
        let new_york = TimeZone::get("America/New_York").expect("the zone is known");
        assert_eq!(
            read(&TimeZone::UTC),
            Some("2022-05-10T10:00:00Z".parse().expect("an instant"))
        );
        assert_eq!(
            read(&new_york),
            Some("2022-05-10T14:00:00Z".parse().expect("an instant"))
        );

        let offset = query("/a?since=2022-05-10T10:00:00%2B02:00")
            .instant("since", &new_york)
            .expect("it is an instant");
        assert_eq!(
            offset,
            Some("2022-05-10T08:00:00Z".parse().expect("an instant"))
        );
        assert!(
            query("/a?since=yesterday")
                .instant("since", &new_york)
                .is_err()
        );
    }

    #[test]
    fn a_parameter_is_replaced_and_the_others_stay_as_written() {
        let query = query("/a?since=2022-05-10T10%3A00%3A00&page=2&pages=9");
        assert_eq!(
            query.with("page", "3"),
            "since=2022-05-10T10%3A00%3A00&pages=9&page=3"
        );
    }
}
