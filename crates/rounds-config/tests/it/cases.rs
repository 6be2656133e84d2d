//! Real bugs of pollers that a configuration must not be able to cause. RELIABILITY.md lists all such cases.

use crate::{SMALL, rendered};
use rounds_config::{Sources, load};

/// The lines of a text on which `line` stands, counted from 1.
fn lines_of(text: &str, line: &str) -> Vec<usize> {
    (1..)
        .zip(text.lines())
        .filter(|(_, other)| *other == line)
        .map(|(number, _)| number)
        .collect()
}

#[test]
fn two_of_one_name_are_refused_with_both_lines() {
    // Case 19: n8n-io/n8n#36340: two pollers of one name shared one state.
    for (section, header) in [
        ("connections:\n", "  fakedata:"),
        ("actions:\n", "  appointments:"),
        ("destinations:\n", "  my-app:"),
    ] {
        // The section's first entry once more, at the section's end.
        let begin = SMALL.find(section).expect("has the section") + section.len();
        let length: usize = SMALL[begin..]
            .lines()
            .take_while(|line| line.starts_with(' '))
            .map(|line| line.len() + 1)
            .sum();
        let end = begin + length;
        let twice = format!("{}{}{}", &SMALL[..end], &SMALL[begin..end], &SMALL[end..]);
        let lines = lines_of(&twice, header);
        assert_eq!(lines.len(), 2, "{twice}");
        let sources = Sources::from_text("rounds.yaml", twice);
        assert!(load(&sources).plan.is_none(), "{header} twice");
        let shown = rendered(&sources);
        assert!(
            shown.contains(header.trim().trim_end_matches(':')),
            "{shown}"
        );
        for line in lines {
            let at_a_place = shown.contains(&format!("rounds.yaml:{line}:"));
            let in_the_margin = shown
                .lines()
                .any(|shown| shown.trim_start().starts_with(&format!("{line} |")));
            assert!(at_a_place || in_the_margin, "line {line} in:\n{shown}");
        }
    }
}

#[test]
fn identities_within_partitions_need_partitions_in_every_query() {
    // A6 of the kinds: two departments that each have a visit 7.
    let config = |changes: &str, sweep: &str| {
        format!(
            "connections: {{ ehr: {{ base_url: \"https://ehr.example\" }} }}\nactions:\n  visits:\n    connection: ehr\n    every: 1m\n    changes:\n      {changes}\n      start: now\n      records: .[]\n      id: .id\n      ids: per_partition\n    notify: {{ body: {{ where: = .partition }} }}\n{sweep}    to: app\ndestinations: {{ app: {{ url: \"https://app.example\" }} }}\n"
        )
    };
    let each = "get: \"/visits/{{ partition }}\"\n      for_each: [north, south]";
    let good = Sources::from_text("rounds.yaml", config(each, ""));
    assert!(load(&good).plan.is_some(), "{}", rendered(&good));
    for (changes, sweep, without) in [
        ("get: /visits", "", "changes"),
        (
            each,
            "    reconcile: { every: 1h, get: /visits }\n",
            "reconcile",
        ),
    ] {
        let sources = Sources::from_text("rounds.yaml", config(changes, sweep));
        assert!(load(&sources).plan.is_none());
        let shown = rendered(&sources);
        assert!(
            shown.contains(&format!("`{without}` has no partitions")),
            "{shown}"
        );
    }
}
