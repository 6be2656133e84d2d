//! The judgement of a few writes and what might be told of them.

use super::{Change, Span, Telling, Verdict, WAYS, Written};
use jiff::{SignedDuration, Timestamp};

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

fn span(second: i64) -> Span {
    Span {
        begun: at(second),
        done: at(second),
    }
}

fn telling(second: i64, id: &str, version: Option<&str>) -> Telling {
    Telling {
        change: Change {
            id: id.to_owned(),
            version: version.map(str::to_owned),
        },
        at: at(second),
    }
}

/// `a` has versions 1 and 2, one second apart, and a third after a minute; `b` is made and deleted after two minutes.
fn written() -> Written {
    let mut written = Written::default();
    for (second, version) in [(0, "1"), (1, "2"), (60, "3")] {
        written.version("a", version, span(second));
    }
    written.version("b", "1", span(0));
    written.deletion("b", span(120));
    written
}

/// What must be told of it.
fn all() -> Vec<Telling> {
    vec![
        telling(2, "a", Some("2")),
        telling(2, "b", Some("1")),
        telling(61, "a", Some("3")),
        telling(121, "b", None),
    ]
}

#[track_caller]
fn judged(tellings: Vec<Telling>, line: &str, complaints: &[&str]) {
    let [_, swept] = &WAYS;
    let verdict = Verdict::of(&written(), swept, tellings);
    assert_eq!(verdict.to_string(), line);
    assert_eq!(verdict.complaints().collect::<Vec<_>>(), complaints);
}

#[test]
fn a_version_that_stood_for_a_second_may_be_told_and_need_not() {
    let line = "changes=4 notified=4 lost=0 repeated=0 false_deletions=0";
    judged(all(), line, &[]);
    let mut tellings = all();
    tellings.insert(0, telling(1, "a", Some("1")));
    let line = "changes=5 notified=5 lost=0 repeated=0 false_deletions=0";
    judged(tellings, line, &[]);
}

#[test]
fn what_was_not_told_is_lost() {
    let line = "changes=4 notified=0 lost=4 repeated=0 false_deletions=0";
    let complaints = [
        "appointment a version 2 was not told",
        "appointment a version 3 was not told",
        "the deletion of appointment b was not told",
        "appointment b version 1 was not told",
    ];
    judged(Vec::new(), line, &complaints);
}

#[test]
fn without_sweeps_no_deletion_is_owed() {
    let mut tellings = all();
    tellings.pop();
    let [changes, _] = &WAYS;
    let verdict = Verdict::of(&written(), changes, tellings);
    assert!(verdict.is_clean());
    assert_eq!(verdict.notified, 3);
}

#[test]
fn what_was_told_twice_is_repeated_wherever_it_stands() {
    let mut tellings = all();
    tellings.push(telling(130, "a", Some("2")));
    tellings.push(telling(130, "b", None));
    let line = "changes=4 notified=4 lost=0 repeated=2 false_deletions=0";
    let complaints = [
        "appointment a version 2 was told again",
        "the deletion of appointment b was told again",
    ];
    judged(tellings, line, &complaints);
}

#[test]
fn a_deletion_that_had_not_happened_is_false_and_does_not_stand_for_the_true_one() {
    let mut tellings = all();
    tellings.insert(2, telling(50, "a", None));
    tellings.last_mut().expect("there are some").at = at(119);
    let line = "changes=4 notified=3 lost=1 repeated=0 false_deletions=2";
    let complaints = [
        "the deletion of appointment b was not told",
        "the deletion of appointment a was told and had not happened",
        "the deletion of appointment b was told and had not happened",
    ];
    judged(tellings, line, &complaints);
}

#[test]
fn what_never_was_and_what_comes_too_late_is_wrong() {
    let mut tellings = all();
    tellings.swap(0, 2);
    tellings.swap(1, 3);
    tellings.push(telling(130, "a", Some("4")));
    let line = "changes=4 notified=4 lost=0 repeated=0 false_deletions=0";
    let complaints = [
        "appointment a version 2 was told after a later state",
        "appointment b version 1 was told after a later state",
        "appointment a version 4 was told and never was",
    ];
    judged(tellings, line, &complaints);
}
