//! The demo, small and whole.

use crate::support::Folder;

#[test]
fn every_change_arrives_once_and_in_order() {
    let words = [
        "demo",
        "--changes",
        "5",
        "--interval",
        "1s",
        "--change-every",
        "300ms",
        "--json",
    ];
    let said = Folder::new().rounds(&words);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let outcome = said.json();
    let keys = ["changes", "notified", "lost", "repeated", "reordered"];
    let counts = keys.map(|key| outcome[key].as_u64());
    assert_eq!(counts, [5, 5, 0, 0, 0].map(Some), "{}", said.whole());
    assert_eq!(said.stderr.matches("  EHR  ").count(), 5, "{}", said.stderr);
    assert_eq!(
        said.stderr.matches("  received  ").count(),
        5,
        "{}",
        said.stderr
    );
    assert!(outcome["requests"].as_u64() >= outcome["lookups"].as_u64().map(|lookups| lookups + 2));
    assert!(outcome["delay_ms_p50"].as_i64() <= outcome["delay_ms_p99"].as_i64());
    assert_eq!(outcome.as_object().map(serde_json::Map::len), Some(9));
}
