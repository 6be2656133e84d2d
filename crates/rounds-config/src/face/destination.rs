//! Where notifications go.

use super::OAuth2Keys;
use super::PartyKeys;
use super::action::RetryKeys;
use crate::kinds::{
    AddressRangeText, Count, HeaderValueSource, OneOrMany, Pairs, PositiveLength, Secret, WebUrl,
};
use crate::reading::keys;
use rounds_domain::DeliveryOrder;
use rounds_domain::plan::Challenge;

keys! {
    /// A webhook endpoint.
    struct DestinationKeys = "Destination" {
        /// Where notifications are posted.
        required url: WebUrl = "https://app.example.org/redox",
        /// The Standard Webhooks secret, or several for rotation: `whsec_...` signs symmetrically (v1), `whsk_...` with ed25519 (v1a).
        /// `rounds keys webhook` makes one.
        optional signing_secret: OneOrMany<Secret> = "{\"env\": \"MY_APP_SECRET\"}",
        /// What messages of a data model call it: one of `Meta.Destinations`. Default: its name here.
        optional known_as: PartyKeys,
        /// Redox's verification token.
        optional verification_token: Secret = "{\"env\": \"MY_APP_TOKEN\"}",
        /// The token of `Authorization: Bearer`.
        optional bearer: Secret = "{\"env\": \"MY_APP_BEARER\"}",
        /// An access token by OAuth 2.0: client credentials or password. It is asked for at `token_url` and serves until it is about to end.
        optional oauth2: OAuth2Keys,
        /// A certificate of one's own for TLS (mTLS).
        optional client_certificate: ClientCertificateKeys,
        /// Certificates in PEM that are trusted beside those of the machine.
        optional certificate_authority: Secret = "{\"file\": \"ca.pem\"}",
        /// Further headers: literal values or secrets.
        optional headers: Pairs<HeaderValueSource> = "{\"x-tenant\": \"abc\"}",
        /// How the endpoint proves itself before the first notification: `post`, `get` or `none`. Default none.
        optional challenge: Challenge = "post",
        /// For a whole attempt. Default 30s.
        optional timeout: PositiveLength = "30s",
        /// For the connection. Default 10s.
        optional connect_timeout: PositiveLength = "10s",
        /// For each wait for more of the answer. Default: as long as `timeout`.
        optional read_timeout: PositiveLength = "15s",
        /// When a refused notification is tried again. Default: for about three days.
        optional retry: RetryKeys,
        /// How many attempts may be under way at once. Default 8.
        optional in_flight: Count = "8",
        /// What its notifications wait for: the earlier ones of their ordering key (`key`), or all earlier ones, one after another
        /// (`destination`). Default key.
        optional order: DeliveryOrder = "destination",
        /// How many different notifications in a row must fail before only one at a time is tried, now and then, until one succeeds.
        /// Default 10.
        optional breaker_after: Count = "10",
        /// Private and loopback addresses that may be dialled all the same.
        optional allow_addresses: OneOrMany<AddressRangeText> = "[\"10.0.0.0/8\", \"127.0.0.1\"]",
    }

    /// A certificate with its private key.
    struct ClientCertificateKeys = "ClientCertificate" {
        /// The certificate in PEM, with its chain.
        required certificate: Secret = "{\"file\": \"client.pem\"}",
        /// Its private key in PEM.
        required private_key: Secret = "{\"file\": \"client-key.pem\"}",
    }
}
