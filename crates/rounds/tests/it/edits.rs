//! An edited configuration over a state that was made under the former one.

use crate::poll::{configuration, rounds};
use crate::support::{Folder, Said, snapshots};
use rounds_testkit::clock::ManualClock;
use rounds_testkit::ehr::FakeEhr;
use rounds_testkit::hospital::Hospital;

/// A folder in which one round was made, of an EHR with one appointment.
struct Office {
    hospital: Hospital,
    ehr: FakeEhr,
    folder: Folder,
    configuration: String,
}

impl Office {
    async fn open() -> Self {
        let now = "2022-05-10T10:00:00.25Z".parse().expect("an instant");
        let hospital = Hospital::new(1, ManualClock::at(now).clock());
        hospital.book_anything();
        let ehr = FakeEhr::start(hospital.clone()).await.expect("an EHR");
        let configuration = configuration(&ehr);
        let folder = Folder::with_configuration(&configuration);
        let office = Self {
            hospital,
            ehr,
            folder,
            configuration,
        };
        let first = office.poll().await;
        assert_eq!(first["counts"]["changed"], 1, "{first}");
        office
    }

    /// The configuration with something else in it, which must be there.
    fn edit(&self, usual: &str, other: &str) {
        assert!(self.configuration.contains(usual), "{usual}");
        (self.folder).write("rounds.yaml", &self.configuration.replace(usual, other));
    }

    async fn say(&self, words: &[&str]) -> Said {
        rounds(&self.folder, words).await
    }

    async fn poll(&self) -> serde_json::Value {
        let said = self.say(&["poll", "appointments", "--json"]).await;
        assert_eq!(said.code, Some(0), "{}", said.whole());
        said.json()
    }

    /// What the start says of an edit: the configuration as a round by hand meets it.
    async fn refused(&self) -> String {
        let said = self.say(&["poll", "appointments"]).await;
        assert_eq!(said.code, Some(65), "{}", said.whole());
        said.stderr
    }
}

#[tokio::test]
async fn another_identity_is_refused_and_one_that_gives_the_same_is_not() {
    let office = Office::open().await;
    office.edit("id: .id", "id: .id | tostring");
    assert_eq!(office.poll().await["counts"]["unchanged"], 1);
    office.edit("id: .id", "id: '\"appointment-\\(.id)\"'");
    let said = office.refused().await;
    assert!(
        said.contains("R0719") && said.contains("told as a new one"),
        "{said}"
    );
    assert!(
        said.contains("--to now --ledger drop") && !said.contains("--to here"),
        "{said}"
    );
    let kept = ["reset", "appointments", "--to", "here", "--dry-run"];
    let kept = office.say(&kept).await.stdout;
    assert!(
        kept.contains("told once more") && !kept.contains("stays told"),
        "{kept}"
    );
    // It is meant: everything is forgotten, and what is there from now on is the baseline.
    let words = ["reset", "appointments", "--to", "now", "--ledger", "drop"];
    let reset = office.say(&words).await;
    assert_eq!(reset.code, Some(0), "{}", reset.whole());
    let page = office.poll().await;
    assert_eq!(page["counts"]["changed"], 0, "{page}");
    office.ehr.stop().await;
}

#[tokio::test]
async fn another_ehr_is_refused_until_it_is_said_to_be_the_same() {
    let office = Office::open().await;
    let other = FakeEhr::start(office.hospital.clone())
        .await
        .expect("an EHR");
    office.edit(&office.ehr.base_url(), &other.base_url());
    let said = office.refused().await;
    snapshots(|| insta::assert_snapshot!("another_ehr", said));
    let dry = office
        .say(&["reset", "appointments", "--to", "here", "--dry-run"])
        .await;
    assert_eq!(dry.code, Some(0), "{}", dry.whole());
    office.refused().await;
    let here = office.say(&["reset", "appointments", "--to", "here"]).await;
    snapshots(|| insta::assert_snapshot!("here", here.whole()));
    assert_eq!(office.poll().await["counts"]["unchanged"], 1);
    other.stop().await;
    office.ehr.stop().await;
}

#[tokio::test]
async fn another_start_and_another_cursor_are_refused_once_the_feed_has_begun() {
    let office = Office::open().await;
    office.edit("start: 2022-05-10T00:00:00Z", "start: beginning");
    let said = office.refused().await;
    assert!(
        said.contains("`changes.start` was `2022-05-10T00:00:00Z`"),
        "{said}"
    );
    let time = "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, field: .lastModified }\n      start: 2022-05-10T00:00:00Z";
    office.edit(time, "cursor: { number: .last }\n      start: now");
    let said = office.refused().await;
    assert!(
        said.contains("`changes.cursor` was `time` and is `number`"),
        "{said}"
    );
    let here = office.say(&["reset", "appointments", "--to", "here"]).await;
    assert_eq!(here.code, Some(64), "{}", here.whole());
    office.ehr.stop().await;
}

#[tokio::test]
async fn a_reset_without_a_place_says_what_it_would_do_and_asks() {
    let office = Office::open().await;
    let asked = office
        .say(&["reset", "appointments", "--ledger", "drop"])
        .await;
    snapshots(|| insta::assert_snapshot!("asked", asked.whole()));
    let status = office.say(&["status", "--json"]).await.json();
    assert_eq!(status["actions"][0]["known_records"], 1);
    let done = office
        .say(&["reset", "appointments", "--ledger", "drop", "--yes"])
        .await;
    snapshots(|| insta::assert_snapshot!("done", done.whole()));
    // As `start` says: from that day, and nothing is known of the record any more.
    assert_eq!(office.poll().await["counts"]["changed"], 1);
    office.ehr.stop().await;
}

#[tokio::test]
async fn what_was_told_stays_told_however_far_back_is_asked() {
    let office = Office::open().await;
    // A year that was mistyped would leave out what changes until then.
    let mistyped = ["reset", "appointments", "--to", "2222-05-10T09:00:00Z"];
    let said = office.say(&mistyped).await;
    assert_eq!(said.code, Some(64), "{}", said.whole());
    assert!(
        said.stderr.contains("lies in the future"),
        "{}",
        said.whole()
    );
    for place in ["beginning", "2022-05-10T09:00:00Z"] {
        let reset = office.say(&["reset", "appointments", "--to", place]).await;
        assert_eq!(reset.code, Some(0), "{}", reset.whole());
        let page = office.poll().await;
        assert_eq!(page["counts"]["unchanged"], 1, "{page}");
        assert_eq!(page["counts"]["changed"], 0, "{page}");
    }
    office.ehr.stop().await;
}

#[tokio::test]
async fn a_renamed_action_takes_over_what_is_kept_of_it() {
    let office = Office::open().await;
    office.edit(
        "  appointments:\n",
        "  visits:\n    renamed_from: appointments\n",
    );
    let said = office.say(&["poll", "visits", "--json"]).await;
    assert_eq!(said.json()["counts"]["unchanged"], 1, "{}", said.whole());
    let status = office.say(&["status", "--json"]).await.json();
    let actions = status["actions"].as_array().expect("actions");
    assert_eq!(actions.len(), 1, "{status}");
    assert_eq!(actions[0]["action"], "visits");
    assert_eq!(actions[0]["containers_open"], 1);
    // The next start finds it done.
    let again = office.say(&["poll", "visits"]).await;
    assert_eq!(again.code, Some(0), "{}", again.whole());
    office.ehr.stop().await;
}
