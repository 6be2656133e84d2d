//! How a notification is wrapped, and how much it says.

/// How a notification is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Not at all: the body is what is sent.
    #[default]
    Plain,
    /// As a `CloudEvent` 1.0 in structured mode: the body is its `data`.
    CloudEvents,
    /// As a `CloudEvent` 1.0 in binary mode: the body is sent, its attributes are headers.
    CloudEventsBinary,
    /// As a FHIR R4 message, as Redox sends them: a Bundle with a `MessageHeader`, the record, and what was looked up.
    FhirMessage,
    /// As a notification of a FHIR topic subscription by the R4 Backport: a Bundle with the status as Parameters.
    FhirSubscriptionR4,
    /// The same in R5: a Bundle with a `SubscriptionStatus`.
    FhirSubscriptionR5,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 6] = [
        Self::Plain,
        Self::CloudEvents,
        Self::CloudEventsBinary,
        Self::FhirMessage,
        Self::FhirSubscriptionR4,
        Self::FhirSubscriptionR5,
    ];

    /// Its word in the configuration and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::CloudEvents => "cloudevents",
            Self::CloudEventsBinary => "cloudevents_binary",
            Self::FhirMessage => "fhir_message",
            Self::FhirSubscriptionR4 => "fhir_subscription_r4",
            Self::FhirSubscriptionR5 => "fhir_subscription_r5",
        }
    }

    /// Whether what is sent is the record as a FHIR resource, and not the body.
    pub const fn is_fhir(self) -> bool {
        match self {
            Self::Plain | Self::CloudEvents | Self::CloudEventsBinary => false,
            Self::FhirMessage | Self::FhirSubscriptionR4 | Self::FhirSubscriptionR5 => true,
        }
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Plain | Self::CloudEventsBinary => "application/json",
            Self::CloudEvents => "application/cloudevents+json",
            Self::FhirMessage | Self::FhirSubscriptionR4 | Self::FhirSubscriptionR5 => {
                "application/fhir+json"
            }
        }
    }
}

/// How much a notification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payload {
    /// Everything.
    #[default]
    Full,
    /// Which record it is, so that the receiver asks for it where access is controlled.
    IdOnly,
    /// That something happened.
    Empty,
}
