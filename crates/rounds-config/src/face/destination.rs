//! Where notifications go.

use super::action::RetryKeys;
use crate::kinds::{
    AddressRangeText, Count, HeaderValueSource, OneOrMany, Pairs, PositiveLength, Secret, WebUrl,
};
use crate::reading::keys;
use rounds_domain::plan::Challenge;

keys! {
    /// A webhook endpoint.
    struct DestinationKeys = "Destination" {
        /// Where notifications are posted.
        required url: WebUrl = "https://app.example.org/redox",
        /// The Standard Webhooks secret, or several for rotation.
        optional signing_secret: OneOrMany<Secret> = "{\"env\": \"MY_APP_SECRET\"}",
        /// Redox's verification token.
        optional verification_token: Secret = "{\"env\": \"MY_APP_TOKEN\"}",
        /// The token of `Authorization: Bearer`.
        optional bearer: Secret = "{\"env\": \"MY_APP_BEARER\"}",
        /// Further headers: literal values or secrets.
        optional headers: Pairs<HeaderValueSource> = "{\"x-tenant\": \"abc\"}",
        /// How the endpoint proves itself before the first notification: `post`, `get` or `none`. Default none.
        optional challenge: Challenge = "post",
        /// For a whole attempt. Default 30s.
        optional timeout: PositiveLength = "30s",
        /// For the connection. Default 10s.
        optional connect_timeout: PositiveLength = "10s",
        /// For each wait for more of the answer. Default 15s.
        optional read_timeout: PositiveLength = "15s",
        /// When a refused notification is tried again. Default: for about three days.
        optional retry: RetryKeys,
        /// How many attempts may be under way at once. Default 8.
        optional in_flight: Count = "8",
        /// Private and loopback addresses that may be dialled all the same.
        optional allow_addresses: OneOrMany<AddressRangeText> = "[\"10.0.0.0/8\", \"127.0.0.1\"]",
    }
}
