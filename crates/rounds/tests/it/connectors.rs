//! What is known of EHRs' APIs, as the program and the docs show it.

use crate::support::{Folder, made_page};
use rounds_config::{ActionFacts, ConnectorFacts, Sources, Strategy, connectors, load};
use rounds_domain::plan::{
    CursorRule, PagingRule, SweepScope, TimeFormat, TimeSource, VersionRule,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The stories of each connector: the test functions that begin with its example.
fn stories() -> BTreeMap<String, Vec<String>> {
    let folder = root().join("crates/rounds-engine/tests/it/connectors");
    let mut stories: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let files = fs::read_dir(&folder).expect("the stories' folder");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a story");
        let mut name = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("async fn ") {
                rest.split('(')
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut name);
            }
            for begin in ["example(\"", "example_with(\""] {
                if let Some((_, rest)) = line.split_once(begin) {
                    let connector = rest.split('"').next().unwrap_or_default().to_owned();
                    stories.entry(connector).or_default().push(name.clone());
                }
            }
            // An argument on a line of its own.
            let argument = line
                .trim()
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix("\","));
            if let Some(connector) =
                argument.filter(|name| connectors().iter().any(|known| known.name == **name))
            {
                stories
                    .entry(connector.to_owned())
                    .or_default()
                    .push(name.clone());
            }
        }
    }
    stories
}

/// Actions of one kind in one row: a few by name, many by their number.
fn rows(connector: &ConnectorFacts) -> Vec<(String, &ActionFacts)> {
    let mut groups: Vec<Vec<&ActionFacts>> = Vec::new();
    for action in &connector.actions {
        let same = |group: &&mut Vec<&ActionFacts>| {
            group[0].strategy == action.strategy
                && group[0].about == action.about
                && group[0].because == action.because
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(action),
            None => groups.push(vec![action]),
        }
    }
    let named = |group: &[&ActionFacts]| match group {
        [one] => format!("`{}`", one.name),
        [first, .., last] => format!("`{}` to `{}`, {} types", first.name, last.name, group.len()),
        [] => String::new(),
    };
    groups
        .iter()
        .map(|group| (named(group), group[0]))
        .collect()
}

/// What the plan of an action says: cursor, how it is written, pages, version and lookups, in a word or two each.
fn columns(connector: &ConnectorFacts, action: &ActionFacts) -> [String; 5] {
    let (head, _) = connector
        .example
        .split_once("actions:")
        .expect("the example has actions");
    let name = head
        .lines()
        .nth(1)
        .unwrap_or_default()
        .trim()
        .trim_end_matches(':');
    let with = |more: &str| {
        let text = format!(
            "{head}actions:\n  one: {{ connection: {name}, uses: {}, every: 1h, {more}to: [] }}\n",
            action.name
        );
        load(&Sources::from_text("example", text)).plan
    };
    // Over whom some are asked is only the user's to say.
    let plan = with("")
        .or_else(|| with("changes: { for_each: [p-1] }, "))
        .expect("every action can be used");
    let one = &plan.actions[0];
    let feed = &one.changes;
    let (cursor, written) = match &feed.cursor {
        CursorRule::Time(time) => {
            let source = match &time.source {
                TimeSource::Field => "latest date of the records",
                TimeSource::AscendingField => "date of the records, ascending",
                TimeSource::DescendingField => "date of the records, newest first",
                TimeSource::Answer(_) => "the server's time in the answer",
                TimeSource::SourceClock => "the server's clock",
            };
            let format = match &time.format {
                TimeFormat::Strftime(format) => format!("`{format}`"),
                TimeFormat::Rfc3339 => "RFC 3339".to_owned(),
                TimeFormat::EpochSeconds => "seconds".to_owned(),
                TimeFormat::EpochMilliseconds => "milliseconds".to_owned(),
                TimeFormat::HttpDate => "HTTP date".to_owned(),
            };
            let zone = time.zone.iana_name().filter(|zone| *zone != "UTC");
            let zone = zone.map_or_else(String::new, |zone| format!(" in {zone}"));
            (source, format!("{format}{zone}"))
        }
        CursorRule::Number(_) => ("number in the answer", String::new()),
        CursorRule::Token(_) => ("token in the answer", String::new()),
        CursorRule::Queue(queue) if queue.recover.is_some() => {
            ("the server's, asked again after a crash", String::new())
        }
        CursorRule::Queue(_) => ("the server's", String::new()),
        CursorRule::Sweep(sweep) => match &sweep.scope {
            SweepScope::Dates(range) => ("none: compared", format!("`{}`", range.format)),
            _ => ("none: compared", String::new()),
        },
    };
    let pages = match &feed.paging.rule {
        PagingRule::Single if feed.job.is_some() => "parts of a job",
        PagingRule::Single => "one",
        PagingRule::NextLink(_) => "link",
        PagingRule::LinkHeader { .. } => "link header",
        PagingRule::PageNumber { .. } => "number",
        PagingRule::Offset { .. } => "offset",
        PagingRule::Token { .. } => "token",
        PagingRule::After { .. } => "after the last",
        PagingRule::UntilEmpty => "until empty",
    };
    let version = match &feed.version {
        VersionRule::Field(field) => format!("`{}`", field.text()),
        VersionRule::Fingerprint { .. } => "content".to_owned(),
    };
    let each = feed.partitions.as_ref().map_or("", |_| ", for each");
    let also: Vec<String> = one
        .also
        .iter()
        .map(|feed| format!(", {}", feed.name))
        .collect();
    let lookups: Vec<&str> = one
        .lookups
        .iter()
        .map(|lookup| lookup.name.as_str())
        .collect();
    let cell = |text: String| text.replace('|', "\\|");
    [
        cell(format!("{cursor}{each}{}", also.concat())),
        cell(written),
        pages.to_owned(),
        cell(version),
        lookups.join(", "),
    ]
}

/// The page: every connector with its actions, how each is polled, and the stories that show it.
fn page() -> String {
    let mut page = String::from(
        "# Connectors\n\nWhat Rounds knows of EHRs' APIs, from the files in `connectors/` and the stories that are told over them (`crates/rounds-engine/tests/it/connectors`). A test\nmakes this page and fails where it is old. `rounds connectors show NAME` shows the settings, quirks, sources and an example of each; `verified live` names a\nserver there. What cannot be polled is an error of `rounds check`, with what can be done instead.\n",
    );
    let stories = stories();
    for connector in connectors() {
        let own = stories
            .get(&connector.name)
            .expect("every connector has a story");
        let named: Vec<String> = own.iter().map(|story| format!("`{story}`")).collect();
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n| action | polled by | cursor | in a request | pages | version | looked up | certainty |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
            connector.name, connector.about
        );
        let rows = rows(&connector);
        for (name, action) in rows
            .iter()
            .filter(|(_, action)| action.strategy != Strategy::None)
        {
            let [cursor, written, pages, version, lookups] = columns(&connector, action);
            let (strategy, certainty) = (action.strategy.in_words(), action.certainty.in_words());
            let _ = writeln!(
                page,
                "| {name} | {strategy} | {cursor} | {written} | {pages} | {version} | {lookups} | {certainty} |"
            );
        }
        let cannot: Vec<_> = rows
            .iter()
            .filter(|(_, action)| action.strategy == Strategy::None)
            .collect();
        if !cannot.is_empty() {
            page.push_str("\nCannot be polled:\n\n");
        }
        for (name, action) in cannot {
            let because = action.because.as_deref().unwrap_or_default();
            let instead = action.instead.as_deref().unwrap_or_default();
            let _ = writeln!(page, "- {name}: {because} Instead: {instead}");
        }
        let _ = write!(page, "\nStories: {}.\n", named.join(", "));
    }
    page
}

#[test]
fn the_page_of_the_docs_is_made_of_the_files_and_their_stories() {
    made_page("docs/connectors.md", &page(), "connectors");
}

#[test]
fn connectors_are_listed_and_shown() {
    let folder = Folder::new();
    let listed = folder.rounds(&["connectors", "list"]);
    assert_eq!(listed.code, Some(0));
    let lines = listed.stdout.lines().count();
    let actions: usize = connectors()
        .iter()
        .map(|connector| connector.actions.len())
        .sum();
    assert_eq!(lines, actions + 1, "a head, and a line for each action");
    let shown = folder.rounds(&["connectors", "show", "athenahealth"]);
    insta::assert_snapshot!("athenahealth", shown.stdout);
    let unknown = folder.rounds(&["connectors", "show", "athena"]);
    assert!(unknown.stderr.contains("R0291"), "{}", unknown.whole());
}

#[test]
fn check_says_which_connector_an_action_begins_with() {
    let all = connectors();
    let orthanc = all
        .iter()
        .find(|known| known.name == "orthanc")
        .expect("it is built in");
    let folder = Folder::with_configuration(&orthanc.example);
    let said = folder.rounds(&["check"]);
    assert!(
        said.stdout
            .contains("connector   orthanc, its studies: log of changes (verified live)"),
        "{}",
        said.whole()
    );
}
