//! `SQLite` where files, disks and processes are in the way.

use crate::support::*;
use rounds_domain::Knowledge;
use rounds_domain::ports::{
    ContainerFilter, Operations, Selection, Store, StoreError, StoreErrorKind,
};
use rounds_store::{Holder, Purpose, SqliteStore, StoreOptions};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn open(directory: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(directory, &StoreOptions::default())
}

fn refused(directory: &Path, kind: StoreErrorKind) -> StoreError {
    let error = open(directory).expect_err("refused");
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.operation.contains(&directory.display().to_string()));
    error
}

fn database(directory: &Path) -> std::path::PathBuf {
    directory.join("rounds.db")
}

#[test]
fn a_second_process_is_refused_and_told_who_has_the_directory() {
    // Case 50: n8n-io/n8n#35372: two workers over one state.
    let directory = directory();
    let first = open(directory.path()).expect("a store");
    let error = refused(directory.path(), StoreErrorKind::Busy);
    let holder = format!("(pid {})", std::process::id());
    assert!(error.reason.contains(&holder), "{error}");
    assert!(
        error
            .reason
            .contains(&directory.path().display().to_string())
    );
    drop(first);
    open(directory.path()).expect("free again");
}

#[tokio::test]
async fn an_operator_works_beside_the_running_process_which_notices() {
    let directory = directory();
    let running = open(directory.path()).expect("a store");
    commit(&running, round(0, vec![change("a", 1)])).await;
    claim(&running, 0, ALL).await;
    settle(&running, vec![dead(&container_id("a", 1), 0)]).await;
    let before = running.changes_by_others().await.expect("a number");

    let operator = SqliteStore::open_for_operator(directory.path()).expect("a store");
    let dead = operator.overview().await.expect("an overview");
    assert_eq!(dead.actions[0].containers_dead, 1);
    commit(&running, round(1, vec![change("b", 1)])).await;
    let own = running.changes_by_others().await.expect("a number");
    assert_eq!(own, before, "what it writes itself is no news");

    let selection = Selection::Matching(ContainerFilter::default());
    let retried = operator.retry_containers(selection, at(2)).await;
    assert_eq!(retried.expect("retried"), 1);
    let after = running.changes_by_others().await.expect("a number");
    assert_ne!(after, before);
    assert_eq!(ids(&claim(&running, 2, ALL).await), ["a1", "b1"]);
}

#[test]
fn an_operator_makes_no_database() {
    let directory = directory();
    let nowhere = directory.path().join("nowhere");
    for path in [directory.path(), nowhere.as_path()] {
        let error = SqliteStore::open_for_operator(path).expect_err("refused");
        assert_eq!(error.kind, StoreErrorKind::Unavailable);
        assert!(error.reason.contains("no database yet"), "{error}");
        assert!(!database(path).exists());
    }
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let directory = directory();
    drop(open(directory.path()).expect("a store"));
    let newer = Connection::open(database(directory.path())).expect("a database");
    newer
        .pragma_update(None, "user_version", 999)
        .expect("a version");
    drop(newer);
    let error = refused(directory.path(), StoreErrorKind::TooNew);
    assert!(error.reason.contains("schema 999"), "{error}");
    let error = SqliteStore::open_for_operator(directory.path()).expect_err("refused");
    assert_eq!(error.kind, StoreErrorKind::TooNew);
}

#[test]
fn what_is_no_database_of_rounds_is_left_alone() {
    let text = directory();
    let content = "Dear diary, today I was not a database. ".repeat(100);
    fs::write(database(text.path()), &content).expect("written");
    refused(text.path(), StoreErrorKind::Corrupt);
    let left = fs::read_to_string(database(text.path())).expect("read");
    assert_eq!(left, content);

    let stranger = directory();
    let songs = Connection::open(database(stranger.path())).expect("a database");
    songs
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .expect("a table");
    drop(songs);
    let error = refused(stranger.path(), StoreErrorKind::Corrupt);
    assert!(error.reason.contains("another program"), "{error}");
}

#[test]
fn a_place_where_nothing_can_be_is_unavailable() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, "in the way").expect("written");
    refused(&file, StoreErrorKind::Unavailable);
    refused(&file.join("below"), StoreErrorKind::Unavailable);

    let folder_for_file = directory.path().join("data");
    fs::create_dir_all(database(&folder_for_file)).expect("a folder");
    refused(&folder_for_file, StoreErrorKind::Unavailable);
}

#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_written_is_unavailable() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let mode = |bits| fs::set_permissions(directory.path(), fs::Permissions::from_mode(bits));
    mode(0o500).expect("a mode");
    let may_write_all_the_same = fs::write(directory.path().join("probe"), "").is_ok();
    if may_write_all_the_same {
        // Modes do not bind root, so nothing can be shown here.
        return;
    }
    refused(directory.path(), StoreErrorKind::Unavailable);
    mode(0o700).expect("a mode");
    open(directory.path()).expect("a store");
}

#[cfg(unix)]
#[test]
fn what_is_made_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let data = directory.path().join("deep").join("data");
    let store = open(&data).expect("a store");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(store);
}

/// A record of 10 kB.
fn large(number: u8) -> rounds_domain::Change {
    let mut large = change("large", number);
    large.record = body("x".repeat(10_000));
    large
}

#[tokio::test]
async fn a_full_disk_is_an_error_that_passes() {
    let directory = directory();
    let options = StoreOptions {
        size_limit_bytes: Some(600_000),
        ..StoreOptions::default()
    };
    let store = SqliteStore::open(directory.path(), &options).expect("a store");
    let mut fitting = 0_u8;
    let error = loop {
        match store.commit_round(round(0, vec![large(fitting)])).await {
            Ok(_) => fitting += 1,
            Err(error) => break error,
        }
        assert!(fitting < 100, "it must be full by now");
    };
    assert_eq!(error.kind, StoreErrorKind::Full, "{error}");
    assert_eq!(error.code().as_str(), "R0601");
    assert!(fitting > 10, "{fitting}");

    // Nothing of it is there, and it can be read.
    let known = store.known_versions(&action(), &[record("large")]).await;
    assert_eq!(
        known.expect("versions"),
        [Knowledge::Known(version(fitting - 1))]
    );
    // Once there is room, which somebody without the limit makes here, the same commit goes through.
    let operator = SqliteStore::open_for_operator(directory.path()).expect("a store");
    let everything = Selection::Matching(ContainerFilter::default());
    let dropped = operator.drop_containers(everything, "a test".to_owned(), at(0));
    assert_eq!(dropped.await.expect("dropped"), u64::from(fitting));
    operator.prune(at(1), ALL).await.expect("pruned");
    let again = round(1, vec![large(fitting)]);
    assert_eq!(commit(&store, again).await, (1, 0));
    assert_eq!(claim(&store, 1, ALL).await.items.len(), 1);
}

#[tokio::test]
async fn bodies_that_nobody_holds_are_gone() {
    let directory = directory();
    let store = open(directory.path()).expect("a store");
    // Three states of a; b is dropped.
    for number in 1..=3 {
        notify(&store, 0, vec![change("a", number), change("b", number)]).await;
    }
    commit(&store, round(1, vec![change("b", 4)])).await;
    let everything = Selection::Matching(ContainerFilter::default());
    let dropped = store.drop_containers(everything, "a test".to_owned(), at(1));
    assert_eq!(dropped.await.expect("dropped"), 1);
    for _ in 1..=3 {
        let jobs = claim_jobs(&store, &app(), 1, ALL).await.items;
        let settlements = jobs.iter().map(|job| delivered(&job.id, 1));
        settle_jobs(&store, settlements.collect()).await;
    }
    let bodies = || {
        let database = Connection::open(database(directory.path())).expect("a database");
        let count: i64 = database
            .query_row("SELECT count(*) FROM bodies", [], |row| row.get(0))
            .expect("a count");
        count
    };
    assert_eq!(bodies(), 6 + 2 + 1, "notifications, ledger, b3 of the drop");
    let pruned = store.prune(at(100), ALL).await.expect("pruned");
    assert_eq!(pruned, 7);
    assert_eq!(bodies(), 2, "the ledger's");
}

#[tokio::test]
async fn many_callers_at_once_are_all_answered() {
    // Case 74: CDK#1150, CDK#725: many wrote one SQLite file.
    let directory = directory();
    let store = std::sync::Arc::new(open(directory.path()).expect("a store"));
    let tasks: Vec<_> = (0..400_u32)
        .map(|number| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                let name = format!("r{number}-");
                // Every tenth cannot be written: its two changes claim one container id.
                let mut changes = vec![change(&name, 1)];
                if number % 10 == 0 {
                    let mut impossible = change(&format!("{name}x"), 1);
                    impossible.container = container_id(&name, 1);
                    changes.push(impossible);
                }
                store
                    .commit_round(round(i64::from(number), changes))
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut committed = 0;
    for task in tasks {
        committed += u64::from(task.await.expect("no panic"));
    }
    assert_eq!(committed, 360);
    let overview = store.overview().await.expect("an overview");
    assert_eq!(overview.actions[0].known_records, 360);
    assert_eq!(overview.actions[0].feeds[0].1.rounds, 360);
}

#[test]
fn whoever_looks_is_told_who_has_the_directory_and_hinders_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("data");
    let look = || Holder::of(&directory).expect("it can be looked into");
    assert_eq!(look(), None);
    for purpose in [Purpose::Service, Purpose::ByHand] {
        let options = StoreOptions {
            purpose,
            ..StoreOptions::default()
        };
        let store = SqliteStore::open(&directory, &options).expect("a store");
        let holder = look().expect("somebody has it");
        assert_eq!(holder.purpose, purpose);
        assert_eq!(holder.process, Some(std::process::id()));
        assert!(holder.since.is_some());
        drop(store);
        assert_eq!(look(), None);
    }
    // Somebody looks all the time, and it is opened all the same.
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                let _holder = look();
            }
        });
        for _ in 0..20 {
            let opened = SqliteStore::open_inline(&directory, &StoreOptions::default());
            drop(opened.expect("a look is no process at work"));
        }
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
