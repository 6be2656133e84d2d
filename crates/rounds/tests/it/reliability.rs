//! RELIABILITY.md says which test stands for which case: here it is held to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The cases of the collection. The numbers between are those that do not apply here.
const CASES: [u32; 70] = [
    1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 30, 31,
    32, 33, 34, 36, 37, 38, 40, 43, 44, 46, 48, 49, 50, 51, 52, 54, 55, 56, 57, 59, 60, 61, 62, 63,
    64, 66, 67, 68, 69, 70, 71, 73, 74, 75, 77, 79, 80, 81, 82, 83, 84, 86, 88, 91, 94,
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table: a case's number and its last column.
fn rows() -> BTreeMap<u32, String> {
    labelled("")
}

/// The rows whose label is a number after this prefix.
fn labelled(prefix: &str) -> BTreeMap<u32, String> {
    let page = fs::read_to_string(root().join("RELIABILITY.md")).expect("the page is there");
    let mut rows = BTreeMap::new();
    for line in page.lines() {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, protects, tests, _] = columns[..] else {
            continue;
        };
        let digits = number.strip_prefix(prefix).unwrap_or_default();
        let Ok(number) = digits.parse() else {
            continue;
        };
        assert!(!protects.is_empty(), "case {number} protects nothing");
        let before = rows.insert(number, tests.to_owned());
        assert_eq!(before, None, "case {number} has two rows");
    }
    rows
}

/// The names between backticks: crate and path.
fn tests_of(column: &str) -> Vec<(&str, &str)> {
    (column.split('`').skip(1).step_by(2))
        .map(|name| name.split_once(' ').expect("a crate and a path"))
        .collect()
}

/// Where a module of a crate may stand: among its integration tests, or as unit tests beside the code.
fn files_of(of_crate: &str, modules: &[&str]) -> Vec<PathBuf> {
    let folder = root().join("crates").join(of_crate);
    let path = modules.join("/");
    let mut files = vec![
        folder.join(format!("tests/it/{path}.rs")),
        folder.join(format!("tests/it/{path}/mod.rs")),
        folder.join(format!("src/{path}.rs")),
    ];
    if let [outer @ .., "tests"] = modules {
        files.push(folder.join(format!("src/{}.rs", outer.join("/"))));
    }
    files
}

/// Whether the text has this function as a test of its own, or as one that a macro takes up by its name.
fn is_there(text: &str, function: &str) -> bool {
    let signature = format!("fn {function}(");
    let Some(at) = text.find(&signature) else {
        return false;
    };
    let before = &text[..at];
    let item = before.rfind("\n}").map_or(before, |end| &before[end..]);
    let is_test = item.contains("#[test]") || item.contains("#[tokio::test");
    let is_conformance = text[at + signature.len()..].starts_with("backend: &impl Backend");
    (is_test || is_conformance) && !item.contains("#[ignore")
}

/// The file that has this test.
fn text_of(of_crate: &str, path: &str, label: &str) -> String {
    let mut modules: Vec<&str> = path.split("::").collect();
    let function = modules.pop().expect("a path has a last part");
    let text = files_of(of_crate, &modules)
        .iter()
        .find_map(|file| fs::read_to_string(file).ok())
        .unwrap_or_else(|| panic!("{label}: no file has `{of_crate} {path}`"));
    assert!(
        is_there(&text, function),
        "{label}: no test `{of_crate} {path}`"
    );
    text
}

/// What makes pollers lose or repeat at real APIs; each trap is walked into by a test.
#[test]
fn every_trap_has_its_tests() {
    let traps = labelled("T");
    let numbers: Vec<u32> = traps.keys().copied().collect();
    assert_eq!(numbers, (1..=19).collect::<Vec<u32>>());
    for (trap, column) in traps {
        let tests = tests_of(&column);
        assert!(!tests.is_empty(), "trap {trap} has no test");
        for (of_crate, path) in tests {
            _ = text_of(of_crate, path, &format!("trap {trap}"));
        }
    }
}

#[test]
fn every_case_has_a_row_and_every_named_test_is_there() {
    let rows = rows();
    let numbers: Vec<u32> = rows.keys().copied().collect();
    assert_eq!(numbers, CASES);
    for (case, column) in rows {
        let tests = tests_of(&column);
        assert!(
            !tests.is_empty() || column.starts_with("not yet: "),
            "case {case} has neither a test nor a reason"
        );
        for (of_crate, path) in tests {
            let text = text_of(of_crate, path, &format!("case {case}"));
            let comment = format!("ase {case}");
            assert!(
                text.match_indices(&comment).any(|(at, found)| {
                    !text[at + found.len()..].starts_with(|next: char| next.is_ascii_digit())
                }),
                "case {case}: its file does not name it: `{of_crate} {path}`"
            );
        }
    }
}
