//! All ends of the story, the configuration that joins them, and the table of their outcomes.

use super::ehr_with_two_appointments;
use super::ends::{EHRS, RECEIVERS, Shows};
use crate::service::{Outcome, PATIENCE, until};
use crate::support::Folder;
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::FakeEhr;
use rounds_testkit::hospital::Hospital;
use rounds_testkit::oracle::{Arrival, Oracle, Verdict};
use rounds_testkit::receiver::FakeReceiver;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The action whose EHR is well, and its hook at the receiver that is well.
pub(super) const STEADY: &str = "steady";
pub(super) const EHR_TOKEN: &str = "ehr-token-that-nobody-may-see";
pub(super) const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const ENVIRONMENT: [(&str, &str); 2] =
    [("EHR_TOKEN", EHR_TOKEN), ("SIGNING_SECRET", SIGNING_SECRET)];

const ACTION: &str = r#"
  @NAME@:
    connection: @NAME@
    every: 1s
    timeout: 1s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: rfc3339, @FIELD@overlap: 1m }
      start: "2020-01-01T00:00:00Z"
      paging: { link_header: next }
      records: .[]
      id: .id
    lookups:
      patient: { get: "/patient/{{ record.patientID }}" }
    notify:
      body: { record: = .record, patient: = .patient }
    retry: { waits: [@WAITS@], longest_retry_after: 1s }
    to: [@TO@]"#;

const CONNECTION: &str = r"
  @NAME@:
    base_url: @URL@
    auth: { bearer: { env: EHR_TOKEN } }
    limits: { longest_retry_after: 1s }
    body_limit: 1MiB";

const DESTINATION: &str = r"
  @NAME@:
    url: @URL@
    signing_secret: { env: SIGNING_SECRET }
    timeout: 1s
    read_timeout: 500ms
    retry: { waits: [@WAITS@], longest_retry_after: 1s }
    allow_addresses: [127.0.0.1]";

/// Everybody. The ends stand in the order of [`EHRS`] and [`RECEIVERS`].
pub(super) struct Stage {
    pub(super) steady: FakeEhr,
    pub(super) ehrs: Vec<FakeEhr>,
    pub(super) receivers: Vec<FakeReceiver>,
    /// The receiver that is well, with a hook for each action.
    well: FakeReceiver,
    /// Where hostile ends lead. Nothing may come to it.
    pub(super) elsewhere: FakeEhr,
}

/// What an operator sees of the ends.
pub(super) struct Outcomes {
    /// A line for each.
    pub(super) table: String,
    /// How many rounds of each action failed in a row.
    pub(super) failures_in_a_row: BTreeMap<String, u64>,
}

impl Stage {
    pub(super) async fn build() -> Outcome<Self> {
        let mut ehrs = Vec::new();
        for seed in (1..).take(EHRS.len()) {
            ehrs.push(ehr_with_two_appointments(seed).await?);
        }
        let mut receivers = Vec::new();
        for _ in RECEIVERS {
            receivers.push(FakeReceiver::start().await?);
        }
        Ok(Self {
            steady: ehr_with_two_appointments(0).await?,
            ehrs,
            receivers,
            well: FakeReceiver::start().await?,
            elsewhere: FakeEhr::start(Hospital::new(0, system_clock())).await?,
        })
    }

    pub(super) fn spoil(&self) {
        let elsewhere = self.elsewhere.base_url();
        for (end, ehr) in EHRS.iter().zip(&self.ehrs) {
            (end.spoil)(ehr, &elsewhere);
        }
        for (end, receiver) in RECEIVERS.iter().zip(&self.receivers) {
            (end.spoil)(receiver, &elsewhere);
        }
    }

    pub(super) fn heal(&self) {
        self.ehrs.iter().for_each(FakeEhr::heal);
        self.receivers.iter().for_each(FakeReceiver::heal);
    }

    /// The healthy action tells the healthy receiver and all hostile ones; each hostile EHR tells the healthy receiver.
    pub(super) fn configuration(&self) -> String {
        let (mut connections, mut actions, mut destinations) =
            (String::new(), String::new(), String::new());
        let mut steady_to = vec![STEADY];
        steady_to.extend(RECEIVERS.iter().map(|end| end.name));
        let named = EHRS.iter().map(|end| end.name).zip(&self.ehrs);
        for (name, ehr) in named.chain([(STEADY, &self.steady)]) {
            let to = if name == STEADY {
                steady_to.join(", ")
            } else {
                name.to_owned()
            };
            connections += &connection(name, ehr);
            actions += &action(name, &to, CursorBy::Field);
            destinations += &destination(name, &self.well);
        }
        for (end, receiver) in RECEIVERS.iter().zip(&self.receivers) {
            destinations += &destination(end.name, receiver);
        }
        document(&connections, &actions, &destinations)
    }

    /// Waits until every end has come to its outcome.
    pub(super) async fn outcomes(&self, folder: &Folder) -> Outcomes {
        let status = until(folder, &["status", "--json"], |status| {
            let is_failing =
                |name| failure(status, name).is_some_and(|found| found["code"].is_string());
            let with = |shows| EHRS.iter().filter(move |end| end.shows == shows);
            with(Shows::FailedRounds).all(|end| is_failing(end.name))
        })
        .await;
        let containers = until(folder, &["containers", "list", "--json"], |list| {
            let mut parked = EHRS
                .iter()
                .filter(|end| end.shows == Shows::ParkedContainers);
            parked.all(|end| row(&list["containers"], "action", end.name).is_some())
        })
        .await;
        for end in EHRS.iter().filter(|end| end.shows == Shows::Nothing) {
            let told = self.until_told(end.name, self.ehr(end.name)).await;
            told.expect("it is told in spite of all");
        }
        let deliveries = until(
            folder,
            &["deliveries", "list", "--limit", "500", "--json"],
            |list| {
                RECEIVERS
                    .iter()
                    .all(|end| row(&list["deliveries"], "destination", end.name).is_some())
            },
        )
        .await;
        Outcomes {
            table: table(
                &status,
                &containers["containers"],
                &deliveries["deliveries"],
            ),
            failures_in_a_row: failures(&status),
        }
    }

    fn ehr(&self, name: &str) -> &FakeEhr {
        let index = EHRS.iter().position(|end| end.name == name);
        &self.ehrs[index.expect("it is one of the ends")]
    }

    /// What came to that hook of the healthy receiver, against what happened behind this EHR.
    pub(super) fn verdict(&self, hook: &str, ehr: &FakeEhr) -> Verdict {
        verdict(&self.well, hook, ehr)
    }

    /// Waits until nothing of this EHR is missing at that hook of the healthy receiver.
    pub(super) async fn until_told(&self, hook: &str, ehr: &FakeEhr) -> Outcome {
        until_told(&self.well, hook, ehr).await
    }
}

/// What a feed's cursor goes by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CursorBy {
    /// The record's own date.
    Field,
    /// The EHR's clock, as its `Date` header tells it.
    EhrClock,
}

pub(super) fn connection(name: &str, ehr: &FakeEhr) -> String {
    CONNECTION
        .replace("@NAME@", name)
        .replace("@URL@", &ehr.base_url())
}

pub(super) fn action(name: &str, to: &str, cursor: CursorBy) -> String {
    let field = match cursor {
        CursorBy::Field => "field: .lastModified, ",
        CursorBy::EhrClock => "",
    };
    ACTION
        .replace("@NAME@", name)
        .replace("@TO@", to)
        .replace("@FIELD@", field)
        .replace("@WAITS@", &waits())
}

pub(super) fn destination(name: &str, receiver: &FakeReceiver) -> String {
    DESTINATION
        .replace("@NAME@", name)
        .replace("@URL@", &receiver.url(name))
        .replace("@WAITS@", &waits())
}

pub(super) fn document(connections: &str, actions: &str, destinations: &str) -> String {
    format!("connections:{connections}\nactions:{actions}\ndestinations:{destinations}\n")
}

/// Far more tries than the story has faults: nothing is to be given up.
fn waits() -> String {
    ["500ms"; 100].join(", ")
}

/// What came to a receiver's hook, against what happened behind an EHR.
pub(super) fn verdict(receiver: &FakeReceiver, hook: &str, ehr: &FakeEhr) -> Verdict {
    let taken = receiver.taken();
    let here = taken.iter().filter(|received| received.hook == hook);
    let arrivals: Vec<Arrival> = here.map(|received| received.arrival()).collect();
    Oracle::at_pointers("/record/id", "/record/version").judge(&ehr.hospital().history(), &arrivals)
}

/// Waits until nothing of an EHR is missing at a receiver's hook.
pub(super) async fn until_told(receiver: &FakeReceiver, hook: &str, ehr: &FakeEhr) -> Outcome {
    let told = async {
        loop {
            let seen = receiver.attempts().len() as u64;
            if verdict(receiver, hook, ehr).lost.is_empty() {
                return Outcome::Ok(());
            }
            receiver.wait_for_attempts(seen + 1, PATIENCE).await?;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, told).await;
    ended.map_err(|_| format!("{hook}: {}", verdict(receiver, hook, ehr)))?
}

/// The failure of an action's feed.
fn failure<'a>(status: &'a Value, action: &str) -> Option<&'a Value> {
    let mut actions = status["actions"].as_array()?.iter();
    let found = actions.find(|found| found["action"] == action)?;
    Some(&found["feeds"][0]["failure"])
}

fn failures(status: &Value) -> BTreeMap<String, u64> {
    let actions = status["actions"].as_array().into_iter().flatten();
    let failing = actions.filter_map(|action| {
        let failures = action["feeds"][0]["failures_in_a_row"].as_u64()?;
        (failures > 0).then(|| Some((action["action"].as_str()?.to_owned(), failures)))?
    });
    failing.collect()
}

/// The first of a list that belongs to this end and says something: a code, or that it was delivered.
fn row<'a>(list: &'a Value, key: &str, name: &str) -> Option<&'a Value> {
    let mut rows = list.as_array()?.iter().filter(|row| row[key] == name);
    rows.find(|row| row["code"].is_string() || row["state"] == "delivered")
}

/// A line for each end: what, code, message.
fn table(status: &Value, containers: &Value, deliveries: &Value) -> String {
    let mut table = String::new();
    let mut line = |name: &str, what: &str, code: &Value, message: &Value| {
        let (code, message) = (
            code.as_str().unwrap_or("-"),
            message.as_str().unwrap_or("-"),
        );
        writeln!(table, "{name:<34} {what:<10} {code:<6} {message}").expect("text in memory");
    };
    for end in EHRS {
        match end.shows {
            Shows::FailedRounds => {
                let failure = failure(status, end.name).unwrap_or(&Value::Null);
                line(end.name, "failing", &failure["code"], &failure["message"]);
            }
            Shows::ParkedContainers => {
                let found = row(containers, "action", end.name).unwrap_or(&Value::Null);
                // Its retry may be due at the very moment.
                line(end.name, "parked", &found["code"], &found["reason"]);
            }
            Shows::Nothing => line(end.name, "told", &Value::Null, &Value::Null),
        }
    }
    for end in RECEIVERS {
        let found = row(deliveries, "destination", end.name).unwrap_or(&Value::Null);
        let what = match found["state"].as_str() {
            Some("delivered") => "delivered",
            _ => "owed",
        };
        line(end.name, what, &found["code"], &found["reason"]);
    }
    table
}
