//! Answers of several pages.

use crate::ehr::{Answer, json_answer, with_header};
use crate::world::World;
use serde_json::{Value, json};
use url::Url;

/// Asked once, at the start: stories begin at ten.
const PAGED: &str = r#"
connections:
  ehr: { base_url: "https://ehr.example/api" }
actions:
  log:
    connection: ehr
    at: "0 3 * * *"
    timeout: 5s
    changes:
      get: /records?kind=all
      paging: PAGING
      max_pages: 20
      start: beginning
      records: .items[]
      id: .id
    notify: { body: { id: = .record.id, status: told } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

pub(crate) fn world(paging: &str) -> World {
    World::with(&PAGED.replace("PAGING", paging))
}

pub(crate) fn items(from: usize, to: usize) -> Vec<Value> {
    (from..to).map(|id| json!({ "id": id })).collect()
}

pub(crate) fn number(url: &Url, parameter: &str) -> usize {
    url.query_pairs()
        .find(|(name, _)| name == parameter)
        .map_or(0, |(_, value)| value.parse().expect("a number"))
}

pub(crate) async fn tells_all_25(world: &World, requests: usize) {
    world.run_for(1).await;
    assert_eq!(world.told().len(), 25);
    assert_eq!(world.ehr.asked("/api/records"), requests);
    assert_eq!(world.feed("log").await.failure, None);
}

#[tokio::test(start_paused = true)]
async fn a_next_link_in_the_header_is_followed() {
    let world = world("{ link_header: next, rows: stay }");
    world.ehr.on("/api/records", |url| {
        let page = number(url, "p");
        let answer = json_answer(&json!({ "items": items(page * 10, (page * 10 + 10).min(25)) }));
        if page < 2 {
            let link = format!(
                "<https://ehr.example/api/records?p={}>; rel=\"next\"",
                page + 1
            );
            with_header(answer, "link", &link)
        } else {
            answer
        }
    });
    tells_all_25(&world, 3).await;
}

#[tokio::test(start_paused = true)]
async fn numbered_pages_end_with_a_short_one() {
    let world =
        world("{ page_number: { parameter: page, first: 1, size: 10, size_parameter: per_page } }");
    world.ehr.on("/api/records", |url| {
        assert_eq!(number(url, "per_page"), 10);
        let page = number(url, "page");
        json_answer(&json!({ "items": items(page * 10 - 10, (page * 10).min(25)) }))
    });
    // 1, 2, 1 again, 3, 2 again: each page once more after its successor, in case records moved up.
    tells_all_25(&world, 5).await;
}

#[tokio::test(start_paused = true)]
async fn offsets_count_records() {
    let world = world("{ offset: { parameter: offset, size: 10, size_parameter: limit } }");
    world.ehr.on("/api/records", |url| {
        let offset = number(url, "offset");
        json_answer(&json!({ "items": items(offset, (offset + number(url, "limit")).min(25)) }))
    });
    tells_all_25(&world, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_leads_to_the_next_page_until_there_is_none() {
    let world = world("{ token: { parameter: page_token, from: .nextPageToken } }");
    world.ehr.on("/api/records", |url| {
        let token = number(url, "page_token");
        let next = if token < 20 {
            json!(format!("{}", token + 10))
        } else {
            json!("")
        };
        json_answer(&json!({ "items": items(token, (token + 10).min(25)), "nextPageToken": next }))
    });
    tells_all_25(&world, 3).await;
}

/// Lets a round fail and gives its code; what was drained before is told once, and the cursor stays.
async fn code_of_failure(
    world: &World,
    answer: impl FnMut(&Url) -> Answer + Send + 'static,
) -> String {
    world.ehr.on("/api/records", answer);
    world.run_for(1).await;
    let feed = world.feed("log").await;
    assert_eq!(feed.cursor, None);
    feed.failure.expect("a failure").code.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_page_ends_the_round() {
    // airbyte-cdk made 4,722 requests in 15 s here and would not stop.
    let world = world("{ offset: { parameter: offset, size: 10 } }");
    let code = code_of_failure(&world, |_| json_answer(&json!({ "items": items(0, 10) }))).await;
    assert_eq!(code, "R0316");
    assert!(world.ehr.asked("/api/records") <= 3);
    assert_eq!(world.told().len(), 10, "what was drained is told");
}

#[tokio::test(start_paused = true)]
async fn a_next_link_in_a_circle_ends_the_round() {
    let world = world("{ next_link: .next, rows: stay }");
    let code = code_of_failure(&world, |url| {
        let next = 1 - number(url, "p");
        json_answer(&json!({ "items": [], "next": format!("?p={next}") }))
    })
    .await;
    assert_eq!(code, "R0316");
}

#[tokio::test(start_paused = true)]
async fn more_pages_than_allowed_end_the_round() {
    let world = world("{ page_number: { parameter: page } }");
    let code = code_of_failure(&world, |url| {
        let page = number(url, "page");
        json_answer(&json!({ "items": items(page, page + 1) }))
    })
    .await;
    assert_eq!(code, "R0317");
    assert_eq!(world.ehr.asked("/api/records"), 20);
}

#[tokio::test(start_paused = true)]
async fn a_next_link_to_another_host_is_not_followed() {
    let world = world("{ next_link: .next, rows: stay }");
    let code = code_of_failure(&world, |_| {
        json_answer(
            &json!({ "items": items(0, 3), "next": "https://evil.example/api/records?p=2" }),
        )
    })
    .await;
    assert_eq!(code, "R0318");
    assert_eq!(world.ehr.take_log().len(), 1);
}
