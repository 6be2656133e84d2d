//! Configurations of several files, and files that cannot be read.

use crate::{SMALL, rendered};
use rounds_config::{MAX_FILE_BYTES, ReadError, Sources, codes, load, secret_references};
use rounds_domain::plan::SecretReference;

/// The small example in three files.
fn three() -> [(&'static str, String); 3] {
    let actions = SMALL.find("actions:").expect("has actions");
    let destinations = SMALL.find("destinations:").expect("has destinations");
    [
        ("10-ehr.yaml", SMALL[..actions].to_owned()),
        ("20-actions.yml", SMALL[actions..destinations].to_owned()),
        ("30-apps.yaml", SMALL[destinations..].to_owned()),
    ]
}

#[test]
fn the_sections_of_a_folder_are_merged_in_the_order_of_names() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in three() {
        std::fs::write(folder.path().join(name), text).expect("is written");
    }
    std::fs::write(folder.path().join("notes.txt"), "not: read").expect("is written");
    std::fs::write(folder.path().join("40-empty.yaml"), "# nothing yet\n").expect("is written");
    let sources = Sources::read(folder.path()).expect("is read");
    assert_eq!(sources.count(), 4);
    assert!(sources.name(1).ends_with("20-actions.yml"));
    let outcome = load(&sources);
    assert_eq!(rendered(&sources), "");
    assert_eq!(outcome.plan.expect("a plan").actions.len(), 1);
}

#[test]
fn a_relative_secret_file_is_beside_the_text_that_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rounds.yaml");
    let text = SMALL.replacen("{ env: FAKEDATA_TOKEN }", "{ file: secrets/token }", 1);
    assert_ne!(text, SMALL);
    std::fs::write(&path, text).expect("is written");
    let sources = Sources::read(&path).expect("is read");
    let plan = load(&sources).plan.expect("a plan");
    let (_, found) = secret_references(&plan).into_iter().next().expect("one");
    let wanted = folder.path().join("secrets/token");
    assert_eq!(found, SecretReference::File(wanted));
}

#[test]
fn one_name_in_two_files_shows_both_places() {
    // Case 19: n8n-io/n8n#36340.
    let [ehr, actions, apps] = three();
    let sources = Sources::from_text(ehr.0, ehr.1)
        .with_text(actions.0, actions.1.clone())
        .with_text(apps.0, apps.1)
        .with_text("40-more.yaml", actions.1);
    insta::assert_snapshot!("two_files_one_name", rendered(&sources));
}

#[test]
fn a_file_that_is_no_yaml_does_not_make_names_unknown() {
    let [_, actions, apps] = three();
    let sources = Sources::from_text("ehr.yaml", "connections: [\n")
        .with_text(actions.0, actions.1)
        .with_text(apps.0, apps.1);
    let found: Vec<_> = load(&sources)
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect();
    assert_eq!(found, [codes::SYNTAX]);
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let read = |name: &str| Sources::read(&at(name)).expect_err("cannot be read");
    assert!(matches!(
        Sources::read(folder.path()),
        Err(ReadError::Empty { .. })
    ));
    assert!(matches!(read("absent.yaml"), ReadError::Io { .. }));
    std::fs::write(at("latin.yaml"), b"a: \xe9\n").expect("is written");
    assert!(matches!(
        read("latin.yaml"),
        ReadError::NotText { offset: 3, .. }
    ));
    std::fs::write(at("large.yaml"), vec![b'#'; MAX_FILE_BYTES + 1]).expect("is written");
    let large = read("large.yaml");
    assert_eq!(large.code(), codes::TOO_LARGE);
    assert!(!large.hint().is_empty());
}
