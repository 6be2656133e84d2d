//! What a person reads when something is in the way.

use crate::support::{Folder, snapshots};
use rounds_store::{SqliteStore, StoreOptions};
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

const EXAMPLE: &str = include_str!("../../../../examples/appointments.yaml");
/// Where `SQLite`'s file format has the number that tells the schema's version.
const USER_VERSION_OFFSET: u64 = 60;

#[test]
fn no_configuration() {
    let folder = Folder::new();
    snapshots(|| insta::assert_snapshot!(folder.rounds(&["run"]).whole()));
}

#[test]
fn an_action_that_there_is_not() {
    let folder = Folder::with_configuration(EXAMPLE);
    snapshots(|| insta::assert_snapshot!(folder.rounds(&["poll", "appointment"]).whole()));
}

#[test]
fn no_data_yet() {
    let folder = Folder::new();
    snapshots(|| {
        insta::assert_snapshot!("status_without_data", folder.rounds(&["status"]).whole());
    });
    snapshots(|| {
        insta::assert_snapshot!(
            "status_without_data_json",
            folder.rounds(&["status", "--json"]).whole()
        );
    });
    assert!(!folder.path().join("rounds-data").exists());
}

#[test]
fn a_data_directory_that_is_none() {
    let folder = Folder::with_configuration(EXAMPLE);
    for (name, words) in [
        (
            "run_without_directory",
            &["run", "--data-dir", "rounds.yaml"][..],
        ),
        (
            "status_without_directory",
            &["status", "--data-dir", "rounds.yaml"],
        ),
    ] {
        snapshots(|| insta::assert_snapshot!(name, folder.rounds(words).whole()));
    }
}

#[test]
fn a_second_process() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::with_configuration(EXAMPLE);
    let data = folder.path().join("rounds-data");
    let first = SqliteStore::open(&data, &StoreOptions::default())?;
    snapshots(|| insta::assert_snapshot!(folder.rounds(&["run", "--log", "off"]).whole()));
    // Looking is allowed all the same.
    assert_eq!(folder.rounds(&["status"]).code, Some(0));
    drop(first);
    Ok(())
}

#[test]
fn a_newer_database() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::with_configuration(EXAMPLE);
    let data = folder.path().join("rounds-data");
    drop(SqliteStore::open(&data, &StoreOptions::default())?);
    let mut file = OpenOptions::new()
        .write(true)
        .open(data.join("rounds.db"))?;
    file.seek(SeekFrom::Start(USER_VERSION_OFFSET))?;
    file.write_all(&9_999_u32.to_be_bytes())?;
    drop(file);
    for (name, words) in [
        ("run_newer_database", &["run", "--log", "off"][..]),
        ("status_newer_database", &["status"]),
    ] {
        snapshots(|| insta::assert_snapshot!(name, folder.rounds(words).whole()));
    }
    Ok(())
}

#[test]
fn an_id_that_there_is_not() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::new();
    let data = folder.path().join("rounds-data");
    drop(SqliteStore::open(&data, &StoreOptions::default())?);
    for words in [
        &["notifications", "show", "ntf_nothing"][..],
        &["containers", "show", "ctr_nothing"],
        &["containers", "retry", "ctr_nothing"],
        &["deliveries", "retry", "ntf_nothing/my-app"],
    ] {
        let said = folder.rounds(words);
        assert_eq!(said.code, Some(64), "{}", said.whole());
        assert!(said.stderr.contains("error[R0703]"), "{}", said.whole());
    }
    Ok(())
}

#[test]
fn a_log_filter_that_cannot_be_read() {
    let folder = Folder::new();
    let said = folder.rounds(&["status", "--log", "rounds=loud"]);
    assert_eq!(said.code, Some(64));
    assert!(said.stderr.contains("error[R0708]"), "{}", said.whole());
}
