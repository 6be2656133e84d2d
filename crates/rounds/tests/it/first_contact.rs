//! The page of the docs that leads from nothing to a right mapping of an API that nobody has described, by dry runs alone; and the API.
//!
//! Each step of the page is run as it is printed. What differs from run to run, the address and the times, is written as it would be on one
//! morning.

use crate::probe::serve_under;
use crate::service::Outcome;
use crate::support::{Folder, Said, made_page};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rounds_testkit::clock::system_clock;
use serde_json::{Value, json};
use std::fmt::Write as _;
use url::Url;

const PAGE: &str = "docs/first-contact.md";
/// How the API writes times: local ones of Phoenix, whose clocks are never changed.
const WRITTEN: &str = "%Y-%m-%d %H:%M:%S";
const ZONE: &str = "America/Phoenix";
/// When the page is read, as far as it says so.
const MORNING: &str = "2026-11-26 09:00:00";

/// What is tried first.
const FIRST_GUESS: &str = r#"connections:
  clinic: { base_url: "BASE_URL" }
actions:
  visits:
    connection: clinic
    every: 1m
    changes:
      get: /v2/visits
      query: { updatedAfter: "{{ cursor }}" }
      cursor: { time: "%Y-%m-%dT%H:%M:%S", zone: UTC, field: .updated }
      start: now
      records: .[]
      id: .id
    notify:
      body: { visit: = .record.id }
    to: []
"#;

/// One step of the page.
struct Step {
    /// What leads to it.
    prose: &'static str,
    /// What is changed in the configuration: from, to.
    edits: &'static [(&'static str, &'static str)],
    words: &'static [&'static str],
    code: i32,
}

const NEXT: &[&str] = &["poll", "visits", "--dry-run"];
const SAMPLE: &[&str] = &["poll", "visits", "--dry-run", "--sample", "2"];

const SINCE: &[&str] = &["poll", "visits", "--dry-run", "--since", "24h"];

const STEPS: &[Step] = &[
    Step {
        prose: "All that is known is a path and a parameter. The rest of the configuration is guessed, and the first dry run says what the API thinks of it: what it answered stands behind `<`.",
        edits: &[],
        words: NEXT,
        code: 69,
    },
    Step {
        prose: "It wants times in its own way. Now there is a page, and it is no list:",
        edits: &[("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")],
        words: NEXT,
        code: 69,
    },
    Step {
        prose: "The page shows where the records are. A next page stands in it too, and that nobody reads it is not passed over:",
        edits: &[("records: .[]", "records: .data.visits[]")],
        words: NEXT,
        code: 69,
    },
    Step {
        prose: "Now the round would go well. It starts from now, so it would tell nothing; `--sample` takes records that are there, new or not, and shows that none of them has an `id`:",
        edits: &[(
            "      id: .id\n",
            "      paging: { next_link: .paging.next }\n      id: .id\n",
        )],
        words: SAMPLE,
        code: 65,
    },
    Step {
        prose: "With the right identity there are notifications. `--since` asks for all that changed since then, and with the last page it is seen that the dates are seven hours off. And what the body takes from the record is never there:",
        edits: &[("      id: .id\n", "      id: .visitNo\n")],
        words: SINCE,
        code: 0,
    },
    Step {
        prose: "Phoenix is seven hours behind UTC. The mapping gets the field that the page shows, and the patient by a follow-up request, of which only the identifier is known. It is not found, for any record:",
        edits: &[
            ("zone: UTC", "zone: America/Phoenix"),
            (
                "    notify:\n      body: { visit: = .record.id }\n",
                "    lookups:\n      person: { get: \"/v2/person/{{ record.personId }}\" }\n    notify:\n      body: { visit: = .record.visitNo, state: = .record.state, chart: = .person.chart }\n",
            ),
        ],
        words: SAMPLE,
        code: 0,
    },
    Step {
        prose: "The path was wrong. With the right one the answer shows that the chart lies one step deeper:",
        edits: &[("/v2/person/", "/v2/people/")],
        words: SAMPLE,
        code: 0,
    },
    Step {
        prose: "That is all. Nothing is said any more, and the exit code is 0:",
        edits: &[("= .person.chart", "= .person.person.chart")],
        words: SAMPLE,
        code: 0,
    },
];

/// The API: three visits, two on a page, and the people whose they are.
struct Api {
    now: Timestamp,
    phoenix: TimeZone,
}

impl Api {
    /// When a visit changed, as the API writes it.
    fn updated(&self, visit: i64) -> String {
        let at = self.now - SignedDuration::from_secs(10 + 60 * (3 - visit));
        at.to_zoned(self.phoenix.clone())
            .strftime(WRITTEN)
            .to_string()
    }

    fn answer(&self, url: &Url) -> (u16, Value) {
        let parameter = |wanted: &str| {
            let mut pairs = url.query_pairs();
            let found = pairs.find(|(name, _)| name == wanted)?;
            Some(found.1.into_owned())
        };
        if let Some(id) = url.path().strip_prefix("/v2/people/") {
            let person = json!({ "chart": format!("C-{id}"), "name": { "given": "Nerys", "family": "Rookwood" } });
            return (200, json!({ "person": person }));
        }
        if url.path() != "/v2/visits" {
            return (404, json!({ "error": "no such resource" }));
        }
        let after = parameter("updatedAfter").unwrap_or_default();
        let Ok(after) = DateTime::strptime(WRITTEN, &after) else {
            return (
                400,
                json!({ "error": "updatedAfter must be yyyy-MM-dd HH:mm:ss" }),
            );
        };
        let is_after = |visit: &i64| {
            let updated = DateTime::strptime(WRITTEN, self.updated(*visit));
            updated.is_ok_and(|updated| updated >= after)
        };
        let visits: Vec<Value> = (1..=3)
            .filter(is_after)
            .map(|visit| {
                json!({ "visitNo": format!("V-{}", 1000 + visit), "state": "B", "updated": self.updated(visit), "personId": 80 + visit })
            })
            .collect();
        let is_second = parameter("page").as_deref() == Some("2");
        let (from, to) = if is_second { (2, 3) } else { (0, 2) };
        let shown: Vec<&Value> = visits.iter().skip(from).take(to - from).collect();
        let next = (!is_second && visits.len() > 2).then(|| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("updatedAfter", &after.strftime(WRITTEN).to_string());
            format!("/v2/visits?{}&page=2", query.finish())
        });
        (
            200,
            json!({ "data": { "visits": shown }, "paging": { "next": next } }),
        )
    }

    /// What was said, as it would be on one morning at one address.
    fn settled(&self, said: &str, base_url: &str) -> String {
        let morning = DateTime::strptime(WRITTEN, MORNING).expect("a morning");
        let mut text = said.replace(base_url, "https://ehr.example");
        for visit in 1..=3 {
            let at = morning - SignedDuration::from_secs(10 + 60 * (3 - visit));
            text = text.replace(&self.updated(visit), &at.strftime(WRITTEN).to_string());
        }
        let mut settled = String::new();
        for line in text.lines() {
            let line = match line.rsplit_once(", ") {
                Some((before, took)) if line.starts_with("    ") && is_length(took) => {
                    format!("{before}, 8 ms")
                }
                _ => line.to_owned(),
            };
            let line = hashed(&asked_at(&line));
            let line = match line.split_once("a dry run from ") {
                Some((before, since)) => {
                    let after = since.split_once(" on, ").map_or("", |(_, after)| after);
                    format!("{before}a dry run from 2026-11-25T16:00:00Z on, {after}")
                }
                None if line.starts_with("  after   20") => {
                    "  after   2026-11-26T08:59:50Z".to_owned()
                }
                None => line,
            };
            let _ = writeln!(settled, "{line}");
        }
        settled
    }
}

/// `8 ms`, `1.2 s`.
fn is_length(text: &str) -> bool {
    let number = text.strip_suffix(" ms").or_else(|| text.strip_suffix(" s"));
    number.is_some_and(|number| number.parse::<f64>().is_ok())
}

/// The line with one hash in the name of a record that has none.
fn hashed(line: &str) -> String {
    const MARK: &str = "unidentified:";
    let Some((before, after)) = line.split_once(MARK) else {
        return line.to_owned();
    };
    let end = after.find(|sign: char| !sign.is_ascii_hexdigit());
    let rest = &after[end.unwrap_or(after.len())..];
    format!("{before}{MARK}13c19e6399a0e4862e779e205c3a1727{rest}")
}

/// The line with one time in its query.
fn asked_at(line: &str) -> String {
    let mut pieces = line.split("updatedAfter=");
    let mut settled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(['&', '"', ' ']).unwrap_or(piece.len());
        settled.push_str("updatedAfter=2026-11-11+09%3A00%3A00");
        settled.push_str(&piece[end..]);
    }
    settled
}

#[tokio::test]
async fn an_api_that_nobody_has_described_is_mapped_by_dry_runs_alone() -> Outcome {
    let (now, phoenix) = (system_clock()(), TimeZone::get(ZONE)?);
    let api = std::sync::Arc::new(Api { now, phoenix });
    let mind = std::sync::Arc::clone(&api);
    let base_url = serve_under("", move |url| mind.answer(url)).await?;

    let mut configuration = FIRST_GUESS.to_owned();
    let folder = Folder::new();
    let mut page = include_str!("first_contact.md").to_owned();
    for (number, step) in STEPS.iter().enumerate() {
        let mut changed = String::new();
        for (from, to) in step.edits {
            assert!(configuration.contains(from), "{from}");
            configuration = configuration.replacen(from, to, 1);
            // The lines that are there now and hold what was written.
            let first = to.trim_matches('\n').lines().collect::<Vec<_>>();
            let lines = configuration.lines();
            let is_of = |line: &&str| first.iter().any(|part| line.contains(part.trim()));
            for line in lines.filter(is_of) {
                let _ = writeln!(changed, "{line}");
            }
        }
        if number == 0 {
            changed = configuration.replace("BASE_URL", "https://ehr.example");
        }
        folder.write("rounds.yaml", &configuration.replace("BASE_URL", &base_url));
        let mut command = tokio::process::Command::from(folder.command(step.words));
        let said = Said::from(command.output().await?);
        assert_eq!(said.code, Some(step.code), "{}", said.whole());
        let shown = api.settled(&said.stdout, &base_url);
        let words = step.words.join(" ");
        let _ = write!(
            page,
            "\n## Step {}\n\n{}\n\n```yaml\n{changed}```\n\n```text\n$ rounds {words}\n{shown}```\n",
            number + 1,
            step.prose,
        );
    }
    let last = configuration.replace("BASE_URL", "https://ehr.example");
    let _ = write!(
        page,
        "\n## The whole of it\n\nWho is told is still to be said (`to`, with a destination); then `rounds check` and `rounds run`.\n\n```yaml\n{last}```\n"
    );
    made_page(PAGE, &page, "first_contact");
    Ok(())
}
