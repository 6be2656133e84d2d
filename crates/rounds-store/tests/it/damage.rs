//! `SQLite` after a loss of power, on damaged files, and where something else is in their place.
//!
//! A story commits round after round and notes how long the write-ahead log is after each. A crash is a copy of the files as they are
//! on the disk then, cut or spoilt at some place. The law is exact: what was committed up to that place is there, and nothing else.
//!
//! What to mind: `SQLite` cannot tell a log that rotted from one whose end was never written. Both end at the first frame that does not fit its
//! checksum, so a flipped bit in the middle takes the later commits with it. They are changes that the EHR is asked for again, because the
//! cursor went back along with them.

use crate::support::*;
use rounds_domain::Knowledge;
use rounds_domain::ports::{Store, StoreErrorKind};
use rounds_store::{SqliteStore, StoreOptions};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const DATABASE: &str = "rounds.db";
const LOG: &str = "rounds.db-wal";
const INDEX: &str = "rounds.db-shm";
/// <https://sqlite.org/fileformat2.html#the_write_ahead_log>
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;
const PAGE_BYTES: u64 = 4_096;
const FRAME_BYTES: u64 = FRAME_HEADER_BYTES + PAGE_BYTES;
const ROUNDS: u8 = 5;

/// Files of a store that is still open, so that nothing was tidied up: what a loss of power leaves.
struct Crash {
    files: TempDir,
    /// How long the log was after each number of rounds, from 0.
    log_after: Vec<u64>,
    _store: SqliteStore,
}

impl Crash {
    async fn after_some_rounds() -> Self {
        let files = directory();
        let store = open(files.path()).expect("a store");
        let log = files.path().join(LOG);
        let log_bytes = || fs::metadata(&log).expect("a log").len();
        let mut log_after = vec![log_bytes()];
        for number in 1..=ROUNDS {
            let changes = vec![change("a", number), change("b", number)];
            commit(&store, round(i64::from(number), changes)).await;
            log_after.push(log_bytes());
        }
        assert!(log_after.is_sorted_by(|one, next| one < next));
        let whole_frames = (log_bytes() - LOG_HEADER_BYTES) % FRAME_BYTES;
        assert_eq!(whole_frames, 0, "frames are as long as this story thinks");
        Self {
            files,
            log_after,
            _store: store,
        }
    }

    fn log_bytes(&self) -> u64 {
        *self.log_after.last().expect("there were rounds")
    }

    /// Where frames begin, and where the last ends.
    fn frame_edges(&self) -> impl Iterator<Item = u64> {
        let step = usize::try_from(FRAME_BYTES).expect("a small number");
        (LOG_HEADER_BYTES..=self.log_bytes()).step_by(step)
    }

    /// The files, as after a crash.
    fn copy(&self) -> TempDir {
        let copy = directory();
        for name in [DATABASE, LOG] {
            fs::copy(self.files.path().join(name), copy.path().join(name)).expect("a copy");
        }
        copy
    }

    /// How many rounds were committed within the first so many bytes of the log.
    fn rounds_within(&self, bytes: u64) -> u8 {
        let known = self.log_after.iter().skip(1);
        let count = known.filter(|length| **length <= bytes).count();
        u8::try_from(count).expect("a few")
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn open(directory: &Path) -> Result<SqliteStore, rounds_domain::ports::StoreError> {
    SqliteStore::open_inline(directory, &StoreOptions::default())
}

fn file(directory: &TempDir, name: &str) -> PathBuf {
    directory.path().join(name)
}

fn cut(path: &Path, bytes: u64) {
    let opened = OpenOptions::new().write(true).open(path);
    opened
        .and_then(|opened| opened.set_len(bytes))
        .expect("cut");
}

fn writable(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.open(path).expect("a file")
}

/// Turns one bit over.
fn flip(path: &Path, offset: u64) {
    let mut opened = writable(path);
    let mut byte = [0];
    let mut flipped = || -> std::io::Result<()> {
        opened.seek(SeekFrom::Start(offset))?;
        opened.read_exact(&mut byte)?;
        opened.seek(SeekFrom::Start(offset))?;
        opened.write_all(&[byte[0] ^ 0b0001_0000])
    };
    flipped().expect("flipped");
}

/// What is kept is exactly so many rounds, nothing contradicts itself, and it goes on from there.
async fn assert_holds(directory: &TempDir, rounds: u8, after: &str) {
    let store = open(directory.path()).unwrap_or_else(|error| panic!("{after}: {error}"));
    let known = store
        .known_versions(&action(), &[record("a"), record("b")])
        .await
        .expect("versions");
    let expected = match rounds {
        0 => Knowledge::Unknown,
        rounds => Knowledge::Known(version(rounds)),
    };
    assert_eq!(known, [expected, expected], "{after}");
    let feeds = store.feed_states(&[feed()]).await.expect("states");
    assert_eq!(feeds[0].rounds, u64::from(rounds), "{after}");
    let newest = claim(&store, 100, ALL).await.items.pop();
    let newest = newest.map(|container| container.id);
    assert_eq!(newest.is_some(), rounds > 0, "{after}");
    let next = round(101, vec![change("a", rounds + 1)]);
    assert_eq!(commit(&store, next).await, (1, 0), "{after}");
    drop(store);
    assert_sound(directory, after);
}

fn assert_sound(directory: &TempDir, after: &str) {
    let database = Connection::open(file(directory, DATABASE)).expect("a database");
    let said: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("an answer");
    assert_eq!(said, "ok", "{after}");
    let orphans = database
        .prepare("PRAGMA foreign_key_check")
        .and_then(|mut check| check.exists([]))
        .expect("an answer");
    assert!(!orphans, "{after}");
}

#[tokio::test]
async fn a_log_that_is_cut_holds_exactly_what_was_committed_before_the_cut() {
    let crash = Crash::after_some_rounds().await;
    // At each edge of a frame, beside it, within its header, behind that, and within its page.
    let steps = [0, 1, 12, FRAME_HEADER_BYTES, 2_000, FRAME_BYTES - 1];
    let torn_header = [0, 1, LOG_HEADER_BYTES - 1];
    let in_frames = crash
        .frame_edges()
        .flat_map(|edge| steps.map(|step| edge + step));
    let mut seen = BTreeSet::new();
    for length in torn_header.into_iter().chain(in_frames) {
        if length > crash.log_bytes() {
            continue;
        }
        let crashed = crash.copy();
        cut(&file(&crashed, LOG), length);
        let rounds = crash.rounds_within(length);
        assert_holds(&crashed, rounds, &format!("cut to {length} bytes")).await;
        seen.insert(rounds);
    }
    assert_eq!(seen, (0..=ROUNDS).collect());
}

#[tokio::test]
async fn a_log_ends_at_the_first_frame_that_does_not_fit_its_checksum() {
    let crash = Crash::after_some_rounds().await;
    // A frame's header has its page's number first and its checksum last; then comes the page.
    for place in [0, FRAME_HEADER_BYTES - 1, FRAME_HEADER_BYTES + 2_000] {
        for edge in crash.frame_edges().filter(|edge| *edge < crash.log_bytes()) {
            let crashed = crash.copy();
            flip(&file(&crashed, LOG), edge + place);
            let rounds = crash.rounds_within(edge);
            let after = format!("flipped at {place} of the frame at {edge}");
            assert_holds(&crashed, rounds, &after).await;
        }
    }
    for place in [0, 8, LOG_HEADER_BYTES - 1] {
        let crashed = crash.copy();
        flip(&file(&crashed, LOG), place);
        assert_holds(
            &crashed,
            0,
            &format!("flipped at {place} of the log's header"),
        )
        .await;
    }
}

#[tokio::test]
async fn rubbish_behind_the_last_commit_is_left_alone() {
    let crash = Crash::after_some_rounds().await;
    let crashed = crash.copy();
    // As a disk leaves that lengthened the file before it wrote the frames.
    let mut log = OpenOptions::new()
        .append(true)
        .open(file(&crashed, LOG))
        .expect("a log");
    log.write_all(&vec![0xA5; 3 * 4_120 + 17]).expect("written");
    drop(log);
    assert_holds(&crashed, ROUNDS, "rubbish was added").await;
}

#[tokio::test]
async fn the_logs_index_is_made_anew_whatever_is_left_of_it() {
    let crash = Crash::after_some_rounds().await;
    let left = fs::read(crash.files.path().join(INDEX)).expect("an index");
    for (index, after) in [
        (None, "there is no index"),
        (Some(left.clone()), "the index is that of the crash"),
        (Some(left[..100].to_vec()), "the index is cut"),
        (Some(vec![0xA5; left.len()]), "the index is rubbish"),
        (Some(Vec::new()), "the index is empty"),
    ] {
        let crashed = crash.copy();
        if let Some(index) = index {
            fs::write(file(&crashed, INDEX), index).expect("written");
        }
        assert_holds(&crashed, ROUNDS, after).await;
    }
}

#[tokio::test]
async fn without_its_log_a_database_is_what_was_written_back_last() {
    let files = directory();
    let store = open(files.path()).expect("a store");
    let changes = vec![change("a", 1), change("b", 1)];
    commit(&store, round(1, changes)).await;
    // Closing writes the log back.
    drop(store);
    let store = open(files.path()).expect("a store");
    commit(&store, round(2, vec![change("a", 2), change("b", 2)])).await;
    let crashed = directory();
    fs::copy(file(&files, DATABASE), file(&crashed, DATABASE)).expect("a copy");
    assert_holds(&crashed, 1, "the log is gone").await;
}

/// A database of 40 records, closed.
async fn closed_database() -> TempDir {
    let files = directory();
    let store = open(files.path()).expect("a store");
    let changes: Vec<_> = (0..40).map(|n| change(&format!("r{n}-"), 1)).collect();
    commit(&store, round(1, changes)).await;
    files
}

/// Opens it and looks at everything. The first trouble, if there is any.
async fn look_at_all(directory: &TempDir) -> Result<(), rounds_domain::ports::StoreError> {
    let store = open(directory.path())?;
    let names: Vec<_> = (0..40).map(|n| record(&format!("r{n}-"))).collect();
    let known = store.known_versions(&action(), &names).await?;
    assert_eq!(
        known,
        vec![Knowledge::Known(version(1)); 40],
        "an answer is right"
    );
    let feeds = store.feed_states(&[feed()]).await?;
    assert_eq!(feeds[0].rounds, 1, "an answer is right");
    let claimed = store
        .claim_containers(&lane(), at(2), LEASE, ALL)
        .await?
        .items;
    assert_eq!(claimed.len(), 40, "an answer is right");
    let more = round(3, vec![change("r0-", 2), change("new", 1)]);
    store.commit_round(more).await?;
    Ok(())
}

#[tokio::test]
async fn a_damaged_page_is_said_to_be_that_and_never_a_wrong_answer() {
    let sound = closed_database().await;
    let bytes = fs::metadata(file(&sound, DATABASE)).expect("a file").len();
    let mut found = 0;
    for page in 0..bytes / PAGE_BYTES {
        let damaged = directory();
        fs::copy(file(&sound, DATABASE), file(&damaged, DATABASE)).expect("a copy");
        let mut database = writable(&file(&damaged, DATABASE));
        database
            .seek(SeekFrom::Start(page * PAGE_BYTES))
            .and_then(|_| database.write_all(&[0xFF; 4_096]))
            .expect("damaged");
        drop(database);
        // A page of a table that is empty or not asked for is not met.
        if let Err(error) = look_at_all(&damaged).await {
            found += 1;
            assert_corrupt(&error, &format!("page {page}"));
        }
    }
    assert!(found > 5, "{found}");
}

#[tokio::test]
async fn a_database_that_is_cut_is_said_to_be_damaged() {
    let sound = closed_database().await;
    let bytes = fs::metadata(file(&sound, DATABASE)).expect("a file").len();
    for length in [1, 99, 100, PAGE_BYTES, bytes / 2, bytes - PAGE_BYTES] {
        let damaged = directory();
        fs::copy(file(&sound, DATABASE), file(&damaged, DATABASE)).expect("a copy");
        cut(&file(&damaged, DATABASE), length);
        let error = look_at_all(&damaged).await.expect_err("it is damaged");
        assert_corrupt(&error, &format!("cut to {length} bytes"));
    }
}

fn assert_corrupt(error: &rounds_domain::ports::StoreError, after: &str) {
    assert_eq!(error.kind, StoreErrorKind::Corrupt, "{after}: {error}");
    assert_eq!(error.code().as_str(), "R0604", "{after}");
    assert!(error.hint().contains("backup"), "{}", error.hint());
}

#[tokio::test]
async fn what_stands_in_a_files_place_is_told_and_once_it_is_gone_all_is_there() {
    for name in ["rounds.lock", DATABASE, LOG, INDEX] {
        let files = closed_database().await;
        let place = file(&files, name);
        let aside = file(&files, "aside");
        let was_there = fs::rename(&place, &aside).is_ok();
        fs::create_dir(&place).expect("a folder in its place");
        fs::write(place.join("something"), "in it").expect("written");

        let error = open(files.path()).expect_err(name);
        assert_eq!(error.kind, StoreErrorKind::Unavailable, "{name}: {error}");
        assert_eq!(error.code().as_str(), "R0603");
        let directory = files.path().display().to_string();
        assert!(error.operation.contains(&directory), "{error}");

        fs::remove_dir_all(&place).expect("the folder goes");
        if was_there {
            fs::rename(&aside, &place).expect("back again");
        }
        look_at_all(&files).await.expect(name);
    }
}

#[tokio::test]
async fn a_settlement_for_which_there_is_no_room_is_as_if_it_had_not_been_tried() {
    let files = directory();
    let options = StoreOptions {
        size_limit_bytes: Some(500_000),
        ..StoreOptions::default()
    };
    let store = SqliteStore::open_inline(files.path(), &options).expect("a store");
    // As many changes as fit, so that there is no room for what becomes of them.
    let mut fitting = 0_u8;
    let large = |number: u8| {
        let mut large = change(&format!("r{number}-"), 1);
        large.record = body("x".repeat(10_000));
        large
    };
    while store
        .commit_round(round(0, vec![large(fitting)]))
        .await
        .is_ok()
    {
        fitting += 1;
    }
    let claimed = claim(&store, 1, ALL).await.items;
    assert_eq!(claimed.len(), usize::from(fitting));
    let all = || -> Vec<_> {
        let each = claimed.iter();
        each.map(|container| {
            let mut settlement = notified(container, 1, &[app()]);
            if let rounds_domain::ContainerSettlement::Notified { notification, .. } =
                &mut settlement
            {
                // A body of its own needs room of its own.
                notification.body = body("y".repeat(10_000) + container.id.as_str());
            }
            settlement
        })
        .collect()
    };
    let error = store.settle_containers(all()).await.expect_err("full");
    assert_eq!(error.kind, StoreErrorKind::Full, "{error}");
    assert_eq!(claim_jobs(&store, &app(), 2, ALL).await.items.len(), 0);
    drop(store);

    // With room, after a crash: all of them are to be done, and then all are.
    let store = open(files.path()).expect("a store");
    assert_eq!(
        claim(&store, 3, ALL).await.items.len(),
        usize::from(fitting)
    );
    settle(&store, all()).await;
    assert_eq!(
        claim_jobs(&store, &app(), 4, ALL).await.items.len(),
        usize::from(fitting)
    );
    drop(store);
    assert_sound(&files, "full, and then not");
}
