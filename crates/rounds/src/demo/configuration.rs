//! The demo's configuration: the README's example, with addresses on loopback.

use std::time::Duration;
use url::Url;

/// The name of the environment variable with the EHR's token.
pub(super) const EHR_TOKEN: &str = "DEMO_EHR_TOKEN";
/// The one with the secret that signs notifications.
pub(super) const SIGNING_SECRET: &str = "DEMO_SIGNING_SECRET";
/// The one with the receiver's verification token.
pub(super) const VERIFICATION_TOKEN: &str = "DEMO_VERIFICATION_TOKEN";
/// The polled action.
pub(super) const ACTION: &str = "appointments";
/// Where a notification carries the version of its record, for the oracle.
pub(super) const VERSION_POINTER: &str = "/AppointmentInfo/0/Value";
/// Where it carries its record's identity.
pub(super) const RECORD_POINTER: &str = "/Visit/VisitNumber";

/// The longest that one request may take, if the interval is not shorter.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

const TEXT: &str = r#"connections:
  hospital:
    base_url: @EHR@
    auth: { bearer: { env: DEMO_EHR_TOKEN } }
    limits: { rate: 50/s, in_flight: 4 }
actions:
  appointments:
    connection: hospital
    every: @INTERVAL@
    timeout: @TIMEOUT@
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: "%Y-%m-%dT%H:%M:%S", zone: UTC, overlap: 30s }
      start: now
      records: .[]
      id: .id
    lookups:
      patient: { get: "/patient/{{ record.patientID }}" }
    notify:
      model: Scheduling
      body:
        Patient:
          Identifiers: [{ ID: = .patient.mrn, IDType: MR }]
          Demographics: { FirstName: = .patient.name.first, LastName: = .patient.name.last, DOB: = .patient.dob }
        AppointmentInfo: [{ Code: version, Value: = .record.version | tostring }]
        Visit:
          VisitNumber: = .record.id | tostring
          VisitDateTime: = .record.start
          Duration: = .record.duration
          Status: = .record.status
          Reason: = .record.reason
          Location: { Department: = .record.location }
    to: @TO@
destinations:
  my-app:
    url: @RECEIVER@
    signing_secret: { env: DEMO_SIGNING_SECRET }
    verification_token: { env: DEMO_VERIFICATION_TOKEN }
    allow_addresses: [127.0.0.1]
"#;

/// A second endpoint, of whoever watches.
const YOURS: &str = r#"  yours:
    url: "@URL@"
    signing_secret: { env: DEMO_SIGNING_SECRET }
    verification_token: { env: DEMO_VERIFICATION_TOKEN }
    allow_addresses: [127.0.0.1, "::1"]
"#;

/// The YAML, for an EHR, a receiver and perhaps somebody's own endpoint at these addresses.
pub(super) fn text(ehr: &str, receiver: &str, yours: Option<&Url>, interval: Duration) -> String {
    let to = yours.map_or("[my-app]", |_| "[my-app, yours]");
    // A URL has no quotes in it: they are escaped.
    let yours = yours.map_or_else(String::new, |url| YOURS.replace("@URL@", url.as_str()));
    format!("{TEXT}{yours}")
        .replace("@TO@", to)
        .replace("@EHR@", ehr)
        .replace("@RECEIVER@", receiver)
        .replace("@INTERVAL@", &written(interval))
        .replace("@TIMEOUT@", &written(interval.min(LONGEST_REQUEST)))
}

/// As the configuration takes it.
fn written(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rounds_config::Sources;

    #[test]
    fn the_configuration_has_nothing_wrong_at_any_interval() {
        for millis in [1_000, 1_500, 2_000, 60_000, 86_400_000] {
            let interval = Duration::from_millis(millis);
            let yours = Url::parse("https://me.example.org/hooks?a='b'").expect("a URL");
            let yours = (millis < 2_000).then_some(&yours);
            let text = text(
                "http://127.0.0.1:1",
                "http://127.0.0.1:2/hooks/x",
                yours,
                interval,
            );
            let sources = Sources::from_text("demo.yaml", text);
            let outcome = rounds_config::load(&sources);
            let said =
                rounds_config::render(&sources, &outcome.diagnostics, rounds_config::Colour::Never);
            assert_eq!(said, "", "{interval:?}");
            assert!(outcome.plan.is_some());
        }
    }
}
