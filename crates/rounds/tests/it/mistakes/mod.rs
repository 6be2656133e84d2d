//! Mistakes as a user makes them, and by what they are said: by `rounds check`, by a dry run, or in the first two rounds. None ends in
//! silence.
//!
//! Each changes a configuration that works in one place, against a real EHR over HTTP. It is looked for as a user would come upon it: `check`
//! first, then `poll --dry-run`, then `run` for two rounds and `status`. The snapshot has what was changed, by which of them it was
//! said, and the words.

mod table;

use crate::service::{Outcome, Service, until};
use crate::support::{Folder, Said};
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Paging, RecordTimes};
use rounds_testkit::hospital::Hospital;
use rounds_testkit::receiver::FakeReceiver;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use table::{Ehr, MISTAKES, Mistake};

const EHR_TOKEN: &str = "ehr-token";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What stands in the environment.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("EHR_TOKEN", EHR_TOKEN),
    ("OLD_TOKEN", "another-token"),
    ("SIGNING_SECRET", SECRET),
];
/// How many appointments there are: more than it takes to say that a path is empty in all messages.
const APPOINTMENTS: usize = 6;

/// The EHRs and the receiver that all mistakes are made against.
struct Stage {
    usual: FakeEhr,
    paged: FakeEhr,
    local: FakeEhr,
    receiver: FakeReceiver,
}

impl Stage {
    async fn set_up() -> Outcome<Self> {
        // Half of them were made some days before, so that it shows whether the EHR hears what it is asked for.
        let (clock, days_back) = (system_clock(), Arc::new(AtomicI64::new(3)));
        let of_hospital = {
            let days_back = Arc::clone(&days_back);
            Arc::new(move || {
                clock() - jiff::SignedDuration::from_hours(24 * days_back.load(Relaxed))
            })
        };
        let hospital = Hospital::new(7, of_hospital);
        for made in 0..APPOINTMENTS {
            if made == APPOINTMENTS / 2 {
                days_back.store(0, Relaxed);
            }
            hospital.book_anything();
        }
        let builder = || FakeEhr::builder(hospital.clone()).bearer_token(EHR_TOKEN);
        let chicago = jiff::tz::TimeZone::get("America/Chicago")?;
        Ok(Self {
            usual: builder().start().await?,
            paged: builder().paging(Paging::Envelope, 2).start().await?,
            local: builder()
                .zone(chicago)
                .record_times(RecordTimes::NaiveSeconds)
                .start()
                .await?,
            receiver: FakeReceiver::start().await?,
        })
    }

    /// A configuration that works, against this EHR.
    fn configuration(&self, ehr: Ehr) -> String {
        let (ehr, records, paging, zone) = match ehr {
            Ehr::Usual => (&self.usual, ".[]", "", "UTC"),
            Ehr::Paged => (
                &self.paged,
                ".items[]",
                "      paging: { next_link: .next }\n",
                "UTC",
            ),
            Ehr::Local => (&self.local, ".[]", "", "America/Chicago"),
        };
        include_str!("rounds.yaml")
            .replace("EHR_URL", &ehr.base_url())
            .replace("RECEIVER_URL", &self.receiver.url("my-app"))
            .replace("RECORDS", records)
            .replace("ZONE", zone)
            .replace("      # paging\n", paging)
    }

    async fn stop(self) {
        for ehr in [self.usual, self.paged, self.local] {
            ehr.stop().await;
        }
        self.receiver.stop().await;
    }
}

/// By what a mistake was said, and in which words.
struct Found {
    by: &'static str,
    words: String,
}

/// Looks for it as a user would come upon it.
async fn look(folder: &Folder) -> Outcome<Option<Found>> {
    let check = with_environment(folder, &["check"]).await;
    // What is wrong with secrets and addresses stands below the report.
    let below = check
        .stdout
        .find("\nSecrets\n")
        .unwrap_or(check.stdout.len());
    let words = format!("{}{}", check.stderr, &check.stdout[below..]);
    if check.code != Some(0) || words.contains("warning[") {
        let by = "check";
        return Ok(Some(Found { by, words }));
    }
    let dry = with_environment(folder, &["poll", "appointments", "--dry-run", "--json"]).await;
    let page = dry.json();
    let has_findings = page["findings"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    let has_nothing = page["notifications"].as_array().is_some_and(Vec::is_empty);
    let has_notes = page["notes"].as_array().is_some_and(|all| !all.is_empty());
    if dry.code != Some(0) || has_findings || has_nothing || has_notes {
        let text = with_environment(folder, &["poll", "appointments", "--dry-run"]).await;
        return Ok(Some(Found {
            by: "a dry run",
            words: said_of_dry_run(&text.stdout),
        }));
    }
    let service = Service::start(folder, &[], &ENVIRONMENT)?;
    until(folder, &["status", "--json"], |status| {
        let action = &status["actions"][0];
        let rounds = action["feeds"][0]["rounds"].as_u64().unwrap_or(0);
        let failed = action["feeds"][0]["failures_in_a_row"]
            .as_u64()
            .unwrap_or(0);
        let open = action["containers_open"].as_u64().unwrap_or(0);
        let owed = status["destinations"][0]["owed"].as_u64().unwrap_or(0);
        failed > 0 || rounds >= 2 && open == 0 && (owed == 0 || status["health"] == "failing")
    })
    .await;
    let status = with_environment(folder, &["status"]).await;
    let json = with_environment(folder, &["status", "--json"]).await.json();
    service.terminate().await?;
    let findings = json["actions"][0]["feeds"][0]["findings"].as_array();
    let is_said = json["health"] == "failing" || findings.is_some_and(|all| !all.is_empty());
    Ok(is_said.then(|| Found {
        by: "the first two rounds (`status`)",
        words: troubles(&status.stdout),
    }))
}

async fn with_environment(folder: &Folder, words: &[&str]) -> Said {
    let mut command = folder.command(words);
    command.envs(ENVIRONMENT);
    let mut command = tokio::process::Command::from(command);
    Said::from(command.output().await.expect("the program starts"))
}

/// What a dry run says beside what it shows: that something is missing or not told, findings, and how it ended.
fn said_of_dry_run(text: &str) -> String {
    let mut said = String::new();
    for line in text.lines() {
        let is_said = [
            "Look at",
            "Note",
            "  none for record",
            "  not told of",
            "The ",
            "  help:",
        ]
        .iter()
        .any(|begin| line.starts_with(begin));
        if is_said {
            let _ = writeln!(said, "{line}");
        }
    }
    said
}

/// What stands below the tables of `status`.
fn troubles(text: &str) -> String {
    let mut parts = text.split("\n\n");
    let mut said: Vec<&str> = parts.by_ref().skip(2).collect();
    // The last says that it runs.
    said.pop();
    said.join("\n") + "\n"
}

fn snapshot(mistake: &Mistake, found: &Found) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    for (pattern, shown) in [
        (r"(\d|\]):\d{5}\b", "$1:[port]"),
        (r"\d+ records come twice", "[some] records come twice"),
        (r"unidentified:[0-9a-f]+", "unidentified:[hash]"),
        (r"failing for \d+ rounds?", "failing for [some] rounds"),
        (r"\d+ (is|are) tried again", "[some] are tried again"),
        // Chicago has two.
        (r"\d h \d+ min behind", "[hours] behind"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "[time]"),
        (
            r"(\d+ (ms|s|min|h)|\d+\.\d s)( \d+ (s|min))? ago",
            "[when] ago",
        ),
    ] {
        settings.add_filter(pattern, shown);
    }
    let Mistake {
        name, right, wrong, ..
    } = mistake;
    settings.set_description(format!("{right}\n-> {wrong}\nsaid by {}", found.by));
    settings.set_omit_expression(true);
    settings.bind(|| {
        let text = format!(
            "wrong: {}\nsaid by: {}\n\n{}",
            wrong.trim(),
            found.by,
            found.words
        );
        insta::assert_snapshot!(*name, text);
    });
}

#[tokio::test]
async fn what_works_has_nothing_said_of_it() -> Outcome {
    let stage = Stage::set_up().await?;
    for ehr in [Ehr::Usual, Ehr::Paged, Ehr::Local] {
        let folder = Folder::with_configuration(&stage.configuration(ehr));
        let found = look(&folder).await?;
        assert!(found.is_none(), "{:?}", found.map(|found| found.words));
    }
    stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn no_mistake_ends_in_silence() -> Outcome {
    assert!(MISTAKES.len() >= 60, "{}", MISTAKES.len());
    let stage = Stage::set_up().await?;
    let mut silent = Vec::new();
    for mistake in MISTAKES {
        let right = stage.configuration(mistake.ehr);
        let text = right.replacen(mistake.right, mistake.wrong, 1);
        assert_ne!(text, right, "{} changes nothing", mistake.name);
        let folder = Folder::with_configuration(&text);
        match look(&folder).await? {
            Some(found) => snapshot(mistake, &found),
            None => silent.push(mistake.name),
        }
    }
    assert_eq!(silent, [""; 0], "these are said by nothing");
    stage.stop().await;
    Ok(())
}
