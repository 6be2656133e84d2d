//! The configuration that a user would write for a scenario.

use crate::scenario::{ActionScenario, KeyBy, Paging, Query, Scenario, Start, VersionBy, Wire};
use std::fmt::Write;

/// More tries than a simulation has faults: nothing is to be given up.
const MANY_WAITS: &str = "5s, 5s, 10s, 10s, 20s, 20s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, 40s, \
     1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, \
     2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m, 2m";

impl Scenario {
    /// The configuration that a user would write for it.
    pub(crate) fn yaml(&self) -> String {
        let mut text = String::from(
            "connections:\n  ehr: { base_url: \"https://ehr.example/api\" }\nactions:\n",
        );
        let to = self.destinations.join(", ");
        for action in &self.actions {
            action.write_yaml(&to, &mut text);
        }
        text.push_str("destinations:\n");
        for name in &self.destinations {
            // Writing to a String does not fail.
            let _written = writeln!(
                text,
                "  {name}: {{ url: \"https://{name}.example/hooks\", retry: {{ waits: [{MANY_WAITS}] }} }}"
            );
        }
        text
    }
}
impl ActionScenario {
    fn write_yaml(&self, to: &str, text: &mut String) {
        let name = &self.name;
        let every = self.every.as_secs();
        let cursor = self.cursor_yaml();
        let size = self.page;
        let paging = match self.paging {
            Paging::Single => String::new(),
            Paging::KeptResult => "      paging: { next_link: .next }\n".to_owned(),
            Paging::LiveToken => {
                "      paging: { token: { parameter: page, from: .more } }\n".to_owned()
            }
            Paging::Offset => {
                format!("      paging: {{ offset: {{ parameter: offset, size: {size} }} }}\n")
            }
            Paging::PageNumber => {
                format!(
                    "      paging: {{ page_number: {{ parameter: number, first: 1, size: {size} }} }}\n"
                )
            }
        };
        let start = match self.start {
            Start::Now => "now",
            Start::Beginning => "beginning",
        };
        let version = if self.version == VersionBy::Field {
            "      version: .version\n"
        } else {
            ""
        };
        let order_by = if self.key == KeyBy::Patient {
            "      order_by: = .record.patient\n"
        } else {
            ""
        };
        // Writing to a String does not fail.
        let _written = write!(
            text,
            "  {name}:\n    connection: ehr\n    every: {every}s\n    timeout: 15s\n    changes:\n      get: /{name}\n      {cursor}\n      start: {start}\n{paging}      records: .items[]\n      id: .id\n{version}",
        );
        self.write_sweeps(text);
        if self.has_lookup {
            let _written = writeln!(
                text,
                "    lookups:\n      patient: {{ get: \"/patient/{{{{ record.patient }}}}\", when_missing: park }}"
            );
        }
        let patient = if self.has_lookup {
            ", patient: = .patient.name"
        } else {
            ""
        };
        let _written = writeln!(
            text,
            "    notify:\n{order_by}      body: {{ action: = .change.action, id: = .record.id, version: = .record.version, kind: = .change.kind{patient} }}\n    retry: {{ waits: [{MANY_WAITS}] }}\n    to: [{to}]",
        );
    }

    /// The request's parameters and the cursor.
    fn cursor_yaml(&self) -> String {
        let (zone, format) = match self.wire {
            Wire::Rfc3339 => ("UTC", "rfc3339"),
            Wire::NaiveNewYork => ("America/New_York", "%Y-%m-%dT%H:%M:%S"),
            Wire::Minutes => ("UTC", "%Y-%m-%dT%H:%MZ"),
            Wire::Milliseconds => ("UTC", "epoch_milliseconds"),
        };
        let (overlap, settle) = (self.overlap.as_secs(), self.settle.as_secs());
        let order = if self.is_order_declared {
            ", order: ascending"
        } else {
            ""
        };
        let time = |field: &str| {
            format!(
                "query: {{ since: \"{{{{ cursor }}}}\" }}\n      cursor: {{ time: \"{format}\", zone: {zone}, overlap: {overlap}s, settle: {settle}s{field} }}"
            )
        };
        match self.query {
            Query::Field => time(&format!(", field: .changed{order}")),
            Query::Clock => time(""),
            Query::Number => {
                "query: { after: \"{{ cursor }}\" }\n      cursor: { number: .last }".to_owned()
            }
            Query::Token => {
                "query: { token: \"{{ cursor }}\" }\n      cursor: { token: .token }".to_owned()
            }
            Query::Everything => "query: {}".to_owned(),
        }
    }

    fn write_sweeps(&self, text: &mut String) {
        let name = &self.name;
        if let Some(trailing) = self.trailing {
            let _written = writeln!(
                text,
                "    trailing: {{ every: {}s, horizon: {}s }}",
                trailing.every.as_secs(),
                trailing.horizon.as_secs()
            );
        }
        if let Some(reconcile) = self.reconcile {
            let deletions = if reconcile.tells_deletions {
                "told, hold_back: 100%"
            } else {
                "ignored"
            };
            let own = if reconcile.has_own_request {
                format!("get: /{name}/all, paging: {{ next_link: .next }}, ")
            } else {
                String::new()
            };
            let _written = writeln!(
                text,
                "    reconcile: {{ every: {}s, {own}deletions: {deletions} }}",
                reconcile.every.as_secs()
            );
        }
    }
}
