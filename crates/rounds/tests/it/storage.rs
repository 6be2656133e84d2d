//! `rounds run` when its store takes nothing any more: it says so once and rarely again, goes on asking, and when there is room
//! again it goes on by itself, with nothing lost and nothing told twice.
//!
//! Two ways lead there, and neither needs a disk of one's own:
//!
//! - a bound on the database, which `SQLite` tells like a full disk. Room returns when finished notifications are pruned.
//! - a bound on file sizes, by which the system fails the write itself. Room returns when the bound is lifted from outside.

use crate::service::{
    Outcome, PATIENCE, Service, admit_marked, assert_log_tells_nothing_of, book_marked, rounds,
    until,
};
use crate::support::Folder;
use rounds_domain::ports::Store;
use rounds_store::SqliteStore;
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::FakeEhr;
use rounds_testkit::hospital::Hospital;
use rounds_testkit::oracle::Oracle;
use rounds_testkit::receiver::FakeReceiver;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const EHR_TOKEN: &str = "ehr-token-that-nobody-may-see";
const ENVIRONMENT: [(&str, &str); 1] = [("EHR_TOKEN", EHR_TOKEN)];
/// Told while there is room. Pruned, they make enough of it for [`TOO_MANY`].
const TOLD_BEFORE: usize = 200;
/// Their records alone need more than [`SPARE_BYTES`].
const TOO_MANY: usize = 60;
const SPARE_BYTES: u64 = 32 * 1024;
/// How many failed rounds are waited for: long enough that a hot loop would show.
const REQUESTS_MEANWHILE: u64 = 2;
/// Lines at the first, second, fourth, eighth failure in a row of each of three lanes: more would be a hot loop.
const MOST_LINES: usize = 3 * 4;

const CONFIGURATION: &str = r#"
connections:
  hospital:
    base_url: @EHR@
    auth: { bearer: { env: EHR_TOKEN } }
actions:
  appointments:
    connection: hospital
    every: 1s
    timeout: 1s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: rfc3339, field: .lastModified, overlap: 1m }
      start: "2020-01-01T00:00:00Z"
      records: .[]
      id: .id
    lookups:
      patient: { get: "/patient/{{ record.patientID }}" }
    notify:
      body: { record: = .record, patient: = .patient }
    to: my-app
destinations:
  my-app:
    url: @RECEIVER@
    allow_addresses: [127.0.0.1]
"#;

#[tokio::test]
async fn a_full_disk_is_waited_for() -> Outcome {
    let story = Story::with_some_told().await?;
    let limit = (story.database_bytes()? + SPARE_BYTES).to_string();
    let words = ["--database-limit-bytes", limit.as_str()];
    let service = Service::start(&story.folder, &words, &ENVIRONMENT)?;

    story.until_nothing_is_taken(&service, "R0601").await?;
    let operator = SqliteStore::open_for_operator(&story.data())?;
    let long_after = jiff::Timestamp::MAX;
    assert!(operator.prune(long_after, usize::MAX / 2).await? > 0);
    drop(operator);
    story.until_all_is_told(service).await
}

#[tokio::test]
async fn a_disk_that_fails_writes_is_waited_for() -> Outcome {
    let story = Story::with_some_told().await?;
    // The limit holds for every file of the process. The log has the least room: what is in the database already needs none.
    let limit = 2 * SPARE_BYTES;
    let service = Service::start_with_file_limit(&story.folder, limit, &ENVIRONMENT)?;

    story.until_nothing_is_taken(&service, "R0603").await?;
    let lines = lines_with(&service.log(), "R0603");
    let message = lines[0]["message"].as_str().ok_or("a message")?;
    assert!(
        message.contains("disk I/O error while writing"),
        "{message}"
    );
    service.lift_file_limit().await?;
    story.until_all_is_told(service).await
}

struct Story {
    ehr: FakeEhr,
    receiver: FakeReceiver,
    folder: Folder,
}

impl Story {
    /// Some changes were told in a former life, which ended well.
    async fn with_some_told() -> Outcome<Self> {
        let hospital = Hospital::new(3, system_clock());
        admit_marked(&hospital);
        for _ in 0..TOLD_BEFORE {
            book_marked(&hospital)?;
        }
        let ehr = FakeEhr::builder(hospital).bearer_token(EHR_TOKEN);
        let ehr = ehr.start().await?;
        let receiver = FakeReceiver::start().await?;
        let configuration = CONFIGURATION
            .replace("@EHR@", &ehr.base_url())
            .replace("@RECEIVER@", &receiver.url("my-app"));
        let folder = Folder::with_configuration(&configuration);
        let service = Service::start(&folder, &[], &ENVIRONMENT)?;
        receiver.wait_for(TOLD_BEFORE as u64, PATIENCE).await?;
        until(&folder, &["status", "--json"], |status| {
            status["destinations"][0]["delivered"] == TOLD_BEFORE
        })
        .await;
        assert_eq!(service.terminate().await?.code, Some(0));
        Ok(Self {
            ehr,
            receiver,
            folder,
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("rounds-data")
    }

    fn database_bytes(&self) -> Outcome<u64> {
        Ok(fs::metadata(self.data().join("rounds.db"))?.len())
    }

    /// More changes than fit: it goes on asking, says why it takes nothing, and an operator is answered all the same.
    async fn until_nothing_is_taken(&self, service: &Service, code: &str) -> Outcome {
        self.ehr
            .wait_for_requests(self.ehr.total_requests() + 1, PATIENCE)
            .await?;
        for _ in 0..TOO_MANY {
            book_marked(self.ehr.hospital())?;
        }
        // The first round that finds them is refused...
        let said = async {
            while lines_with(&service.log(), code).is_empty() {
                self.ehr
                    .wait_for_requests(self.ehr.total_requests() + 1, PATIENCE)
                    .await?;
            }
            Outcome::Ok(())
        };
        tokio::time::timeout(PATIENCE, said).await??;
        // ...and so are those after it.
        self.ehr
            .wait_for_requests(self.ehr.total_requests() + REQUESTS_MEANWHILE, PATIENCE)
            .await?;
        let lines = lines_with(&service.log(), code);
        assert!(lines.len() <= MOST_LINES, "{}: {lines:#?}", lines.len());
        for line in &lines {
            assert_eq!(line["level"], "ERROR", "{line}");
            assert!(line["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
        }
        let status = rounds(&self.folder, &["status", "--json"]).await;
        assert_eq!(status.code, Some(0), "{}", status.whole());
        let told = self.receiver.taken().len();
        assert!(told < TOLD_BEFORE + TOO_MANY, "something is still to come");
        Ok(())
    }

    async fn until_all_is_told(self, service: Service) -> Outcome {
        let all = (TOLD_BEFORE + TOO_MANY) as u64;
        self.receiver.wait_for(all, PATIENCE).await?;
        // Some rounds more, in which nothing may be told again; and a restart, which finds nothing half done.
        let further = self.ehr.total_requests() + 3;
        self.ehr.wait_for_requests(further, PATIENCE).await?;
        let said = service.terminate().await?;
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let again = Service::start(&self.folder, &[], &ENVIRONMENT)?;
        let further = self.ehr.total_requests() + 2;
        self.ehr.wait_for_requests(further, PATIENCE).await?;
        assert_eq!(again.terminate().await?.code, Some(0));

        let oracle = Oracle::at_pointers("/record/id", "/record/version");
        let verdict = oracle.judge(&self.ehr.hospital().history(), &self.receiver.arrivals());
        assert!(verdict.is_clean(), "{verdict}");
        assert_eq!(verdict.redelivered, []);
        assert_log_tells_nothing_of(&said.stderr, [EHR_TOKEN])
    }
}

/// The lines of a log that carry this code.
fn lines_with(log: &str, code: &str) -> Vec<Value> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["code"] == code)
        .collect()
}
