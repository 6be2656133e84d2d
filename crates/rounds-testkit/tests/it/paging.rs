//! Pages: each style leads to every record once, and a looping one to none.

use jiff::SignedDuration;
use rounds_testkit::ehr::{FakeEhr, Fault, Paging, Scope};
use rounds_testkit::hospital::AppointmentId;
use serde_json::Value;

use crate::client::{Reply, get, ids};
use crate::{hospital, ten_o_clock};

/// Seven appointments in pages of three.
async fn seven_in_threes(paging: Paging) -> FakeEhr {
    let hospital = hospital(&ten_o_clock());
    for _ in 0..7 {
        hospital.book_anything();
    }
    FakeEhr::builder(hospital)
        .paging(paging, 3)
        .start()
        .await
        .expect("it starts")
}

fn next_link(reply: &Reply) -> Option<String> {
    let link = reply.header("link")?;
    link.strip_prefix('<')?
        .strip_suffix(">; rel=\"next\"")
        .map(str::to_owned)
}

#[tokio::test]
async fn link_headers_lead_through_all_pages_and_keep_the_query() {
    let ehr = seven_in_threes(Paging::LinkHeader).await;
    let mut url = Some(format!(
        "{}/appointments?changedsince=2022-05-10T10%3A00%3A00",
        ehr.base_url()
    ));
    let mut pages = Vec::new();
    while let Some(this) = url {
        let reply = get(&this).await;
        pages.push(reply.ids());
        url = next_link(&reply);
    }
    assert_eq!(pages, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    let queries: Vec<_> = ehr
        .requests()
        .iter()
        .map(|request| request.query.clone())
        .collect();
    assert_eq!(
        queries[1..],
        [
            "changedsince=2022-05-10T10%3A00%3A00&page=2",
            "changedsince=2022-05-10T10%3A00%3A00&page=3"
        ]
    );
}

#[tokio::test]
async fn envelopes_carry_the_next_url() {
    let ehr = seven_in_threes(Paging::Envelope).await;
    let mut url = Some(format!("{}/appointments", ehr.base_url()));
    let mut pages = Vec::new();
    while let Some(this) = url {
        let page = get(&this).await.json();
        pages.push(ids(&page["items"]));
        url = page["next"].as_str().map(str::to_owned);
        assert!(url.is_some() || page["next"] == Value::Null);
    }
    assert_eq!(pages, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
}

#[tokio::test]
async fn tokens_lead_through_all_pages_and_others_are_refused() {
    let ehr = seven_in_threes(Paging::Token).await;
    let mut url = Some(format!("{}/appointments", ehr.base_url()));
    let mut pages = Vec::new();
    while let Some(this) = url {
        let page = get(&this).await.json();
        pages.push(ids(&page["items"]));
        url = page["nextToken"]
            .as_str()
            .map(|token| format!("{}/appointments?pageToken={token}", ehr.base_url()));
    }
    assert_eq!(pages, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    assert_eq!(
        get(&format!("{}/appointments?pageToken=3", ehr.base_url()))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn numbers_and_offsets_end_with_a_short_page() {
    let numbered = seven_in_threes(Paging::PageNumber).await;
    let offset = seven_in_threes(Paging::Offset).await;
    let page = async |ehr: &FakeEhr, query: &str| {
        get(&format!("{}/appointments?{query}", ehr.base_url()))
            .await
            .ids()
    };
    assert_eq!(page(&numbered, "page=1").await, [1, 2, 3]);
    assert_eq!(page(&numbered, "page=3").await, [7]);
    assert!(page(&numbered, "page=4").await.is_empty());

    assert_eq!(page(&offset, "").await, [1, 2, 3]);
    assert_eq!(page(&offset, "offset=2&limit=2").await, [3, 4]);
    assert_eq!(page(&offset, "offset=6&limit=1000").await, [7]);
    assert_eq!(
        page(&offset, "offset=0&limit=1000").await,
        [1, 2, 3],
        "the server's own bound holds"
    );
    assert!(
        page(&offset, "offset=18446744073709551615")
            .await
            .is_empty()
    );
    assert_eq!(
        get(&format!("{}/appointments?offset=-1", offset.base_url()))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_change_between_two_pages_shifts_the_rest() {
    let clock = ten_o_clock();
    let hospital = hospital(&clock);
    for _ in 0..7 {
        hospital.book_anything();
    }
    let ehr = FakeEhr::builder(hospital.clone())
        .paging(Paging::PageNumber, 3)
        .start()
        .await
        .expect("it starts");
    let page = async |number: u32| {
        get(&format!("{}/appointments?page={number}", ehr.base_url()))
            .await
            .ids()
    };
    assert_eq!(page(1).await, [1, 2, 3]);
    clock.advance(SignedDuration::from_secs(1));
    hospital
        .cancel(AppointmentId(1))
        .expect("it can be cancelled");
    assert_eq!(
        page(2).await,
        [5, 6, 7],
        "4 slipped onto the page that was read already"
    );
    assert_eq!(page(3).await, [1]);
}

#[tokio::test]
async fn a_looping_server_never_gets_on() {
    for paging in [
        Paging::LinkHeader,
        Paging::Envelope,
        Paging::Token,
        Paging::PageNumber,
        Paging::Offset,
    ] {
        let ehr = seven_in_threes(paging).await;
        ehr.always(Scope::path("/appointments"), Fault::NextLoops);
        let origin = ehr.base_url();
        let mut url = format!("{origin}/appointments");
        let mut seen = Vec::new();
        for turn in 1..=3 {
            let reply = get(&url).await;
            let body = reply.json();
            seen.push(ids(body.get("items").unwrap_or(&body)));
            url = match paging {
                Paging::LinkHeader => next_link(&reply).expect("a link"),
                Paging::Envelope => body["next"].as_str().expect("a URL").to_owned(),
                Paging::Token => format!(
                    "{origin}/appointments?pageToken={}",
                    body["nextToken"].as_str().expect("a token")
                ),
                Paging::PageNumber => format!("{origin}/appointments?page={}", turn + 1),
                Paging::Offset => format!("{origin}/appointments?offset={}&limit=3", turn * 3),
            };
        }
        assert_eq!(seen, [[1, 2, 3], [1, 2, 3], [1, 2, 3]], "{paging:?}");
    }
}

#[tokio::test]
async fn next_links_may_lead_to_another_host() {
    let ehr = seven_in_threes(Paging::LinkHeader).await;
    ehr.next(
        Scope::Everything,
        Fault::NextElsewhere {
            origin: "http://169.254.169.254".into(),
        },
    );
    let reply = get(&format!("{}/appointments", ehr.base_url())).await;
    assert_eq!(
        next_link(&reply).as_deref(),
        Some("http://169.254.169.254/appointments?page=2")
    );
}
