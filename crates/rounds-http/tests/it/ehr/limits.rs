//! What the EHR allows, and what it asks for.

use super::*;
use crate::server::until;
use rounds_domain::plan::Rate;
use rounds_domain::ports::Clock;

/// Sends two requests, the second while the first one's answer asks to wait, and says how long the second waited.
async fn wait_after(first: Answer, limits: Limits) -> Duration {
    let server = Server::start(move |number| match number {
        0 => first.clone(),
        _ => answer("200 OK", &[], "{}"),
    })
    .await;
    let mut connection = connection_to(&server);
    connection.limits = limits;
    let clock = TestClock::default();
    let client = EhrClient::new([Arc::new(connection)], secrets(), Arc::new(clock.clone()))
        .expect("a client");
    client.send(request_to(&server)).await.expect("an answer");

    let second = client.send(request_to(&server));
    let time = async {
        let mut waited = Duration::ZERO;
        // The gate asks for its wait at once; a request that passes meets the server.
        until(async || clock.next_wake().is_some() || server.received().len() == 2).await;
        if let Some(wait) = clock.next_wake() {
            assert_eq!(server.received().len(), 1, "it was sent without the wait");
            clock.advance(wait);
            waited = wait;
        }
        waited
    };
    let (answer, waited) = tokio::join!(second, time);
    assert_eq!(answer.expect("an answer").status, StatusCode::OK);
    waited
}

#[tokio::test]
async fn a_header_of_the_ehrs_own_says_when_there_is_room_again() {
    // Our clock says 08:49:37 on the 6th of November 1994, which is 784111777 seconds since 1970.
    for (headers, expected_seconds) in [
        (vec!["x-ratelimit-reset: 12"], 12),
        (vec!["x-ratelimit-reset: 784111807"], 30),
        (vec!["x-ratelimit-reset: 784111000"], 1),
        (vec!["x-ratelimit-reset: soon"], 1),
        (vec!["x-ratelimit-reset: 12", "retry-after: 5"], 5),
        (vec![], 1),
    ] {
        let limits = Limits {
            reset: Some(http::HeaderName::from_static("x-ratelimit-reset")),
            ..Limits::default()
        };
        let waited = wait_after(answer("429 Slow Down", &headers, ""), limits).await;
        assert_eq!(waited, Duration::from_secs(expected_seconds), "{headers:?}");
    }
}

#[tokio::test]
async fn an_answer_that_asks_to_wait_without_a_status_holds_the_next_request() {
    let server = Server::start(|_| answer("200 OK", &[], "{}")).await;
    let clock = TestClock::default();
    let connection = Arc::new(connection_to(&server));
    let name = connection.name.clone();
    let client =
        EhrClient::new([connection], secrets(), Arc::new(clock.clone())).expect("a client");
    for (said, expected) in [(Some(Duration::from_secs(30)), 30), (None, 1)] {
        let sent_at = Clock::monotonic(&clock);
        client.send(request_to(&server)).await.expect("an answer");
        client.throttled(&name, sent_at, said).await;
        let before = server.received().len();
        let second = client.send(request_to(&server));
        let time = async {
            until(async || clock.next_wake().is_some()).await;
            let wait = clock.next_wake().expect("it waits");
            assert_eq!(server.received().len(), before);
            clock.advance(wait);
            wait
        };
        let (answer, waited) = tokio::join!(second, time);
        assert_eq!(answer.expect("an answer").status, StatusCode::OK);
        assert_eq!(waited, Duration::from_secs(expected));
    }
}

#[tokio::test]
async fn a_pause_that_the_ehr_asks_for_is_kept_by_everyone() {
    // Case 86: EC:e319fe968.
    let date = "date: Sun, 06 Nov 1994 08:00:00 GMT";
    for (status, headers, expected_seconds) in [
        ("429 Slow Down", vec!["retry-after: 30"], 30),
        ("503 Busy", vec!["retry-after: 30"], 30),
        (
            "429 Slow Down",
            vec![date, "retry-after: Sun, 06 Nov 1994 08:02:00 GMT"],
            120,
        ),
        // Without a Date it is our clock that counts; it says 08:49:37.
        (
            "503 Busy",
            vec!["retry-after: Sun, 06 Nov 1994 08:50:00 GMT"],
            23,
        ),
        (
            "429 Slow Down",
            vec!["retry-after: 99999999999999999999"],
            3600,
        ),
        (
            "429 Slow Down",
            vec!["retry-after: Fri, 31 Dec 9999 23:59:59 GMT"],
            3600,
        ),
        ("429 Slow Down", vec![], 1),
        ("429 Slow Down", vec!["retry-after: soon"], 1),
        ("429 Slow Down", vec!["retry-after: 0"], 1),
        ("429 Slow Down", vec!["retry-after: -30"], 1),
        (
            "429 Slow Down",
            vec!["retry-after: -9223372036854775808"],
            1,
        ),
        // A date before the answer's own, and clocks that are decades off on one side or on both.
        (
            "429 Slow Down",
            vec![date, "retry-after: Sun, 06 Nov 1994 07:00:00 GMT"],
            1,
        ),
        (
            "429 Slow Down",
            vec![
                "date: Thu, 01 Jan 1970 00:00:00 GMT",
                "retry-after: Thu, 01 Jan 1970 00:00:30 GMT",
            ],
            30,
        ),
        (
            "503 Busy",
            vec![
                "date: Fri, 31 Dec 9999 23:59:29 GMT",
                "retry-after: Fri, 31 Dec 9999 23:59:59 GMT",
            ],
            30,
        ),
        (
            "503 Busy",
            vec![
                "date: Thu, 01 Jan 1970 00:00:00 GMT",
                "retry-after: Fri, 31 Dec 9999 23:59:59 GMT",
            ],
            3600,
        ),
        (
            "503 Busy",
            vec![
                "date: Fri, 31 Dec 9999 23:59:59 GMT",
                "retry-after: Thu, 01 Jan 1970 00:00:00 GMT",
            ],
            0,
        ),
        ("503 Busy", vec![], 0),
        ("503 Busy", vec!["retry-after: -1"], 0),
        ("503 Busy", vec!["retry-after: 0"], 0),
        ("200 OK", vec!["retry-after: 30"], 0),
    ] {
        let waited = wait_after(answer(status, &headers, ""), Limits::default()).await;
        assert_eq!(
            waited,
            Duration::from_secs(expected_seconds),
            "{status} {headers:?}"
        );
    }
}

#[tokio::test]
async fn a_rate_is_waited_for_by_the_given_clock() {
    let limits = Limits {
        rates: vec![Rate::rolling(1, Duration::from_secs(7))],
        ..Limits::default()
    };
    let waited = wait_after(answer("200 OK", &[], "{}"), limits).await;
    assert_eq!(waited, Duration::from_secs(7));
}

#[tokio::test]
async fn no_more_are_under_way_at_once_than_allowed() {
    let server = Server::always(answer("200 OK", &[], "x".repeat(100_000))).await;
    let mut connection = connection_to(&server);
    connection.limits.in_flight = 2;
    let client = client(connection);
    let answers =
        futures_util::future::join_all((0..20).map(|_| client.send(request_to(&server)))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(server.received().len(), 20);
    // The server may notice late that a connection ended, so it may count one of the next for each.
    assert!(server.most_at_once() <= 4, "{}", server.most_at_once());
}

#[tokio::test]
async fn a_timeout_does_not_count_the_wait_at_the_gate() {
    let server = Server::always(answer("200 OK", &[], "{}")).await;
    let mut connection = connection_to(&server);
    connection.limits.rates = vec![Rate::rolling(1, Duration::from_secs(2))];
    connection.request_timeout = Duration::from_millis(1_500);
    let client = client(connection);
    for _ in 0..2 {
        client.send(request_to(&server)).await.expect("an answer");
    }
}

#[tokio::test]
async fn feeds_and_lookups_of_one_credential_draw_from_one_allowance() {
    // Case 86: EC:e319fe968: a quota of the whole account was counted by each caller for itself.
    let server = Server::always(answer("200 OK", &[], "{}")).await;
    let mut connection = connection_to(&server);
    connection.limits = Limits {
        rates: vec![Rate::rolling(4, Duration::from_secs(10))],
        in_flight: 16,
        ..Limits::default()
    };
    let clock = TestClock::default();
    let client = EhrClient::new([Arc::new(connection)], secrets(), Arc::new(clock.clone()))
        .expect("a client");
    let address = server.address();
    let requests = ["appointments", "orders", "patient/1"]
        .into_iter()
        .cycle()
        .take(12)
        .map(|path| client.send(request(&format!("http://{address}/api/{path}"))));
    let answers = futures_util::future::join_all(requests);
    let time = async {
        let mut waited = Duration::ZERO;
        for spans in 1..3 {
            // Whoever stands first at the gate asks the clock.
            until(async || clock.next_wake().is_some()).await;
            let sent = server.received().len();
            assert!(sent <= 4 * spans, "{sent} sent after {waited:?}");
            let wait = clock.next_wake().expect("somebody waits");
            clock.advance(wait);
            waited += wait;
        }
        waited
    };
    let (answers, waited) = tokio::join!(answers, time);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(server.received().len(), 12);
    assert_eq!(waited, Duration::from_secs(20), "three spans of four");
}
