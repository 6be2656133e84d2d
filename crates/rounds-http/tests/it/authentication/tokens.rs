//! OAuth 2.0 with a client secret.

use super::*;
use crate::server::answer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use http::{HeaderName, HeaderValue};
use rounds_domain::plan::{HeaderSource, Rate};
use rounds_domain::ports::Transience::{Lasting, Passing};

#[tokio::test]
async fn fifty_requests_at_once_ask_for_one_token() {
    // Case 82.
    let world = World::new().await;
    let client = world.basic();
    let answers = join_all((0..50).map(|_| world.ask(&client))).await;
    assert!(answers.iter().all(|answer| *answer == Ok(StatusCode::OK)));
    world.expect(1, 50);
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let world = World::new().await;
    let client = world.basic();
    for (after, tokens) in [(0, 1), (3239, 1), (1, 2), (3000, 2), (240, 3)] {
        world.clock.advance(seconds(after));
        assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
        assert_eq!(world.fake.asked("/token"), tokens, "after {after} s more");
    }
}

#[tokio::test]
async fn tokens_of_three_seconds_work_and_are_no_hot_loop() {
    let world = World::new().await;
    world.fake.books().lifetime = seconds(3);
    let client = world.basic();
    for _ in 0..60 {
        assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
        world.clock.advance(Duration::from_millis(500));
    }
    // Half a minute, a token for each second and a half.
    world.expect(20, 60);
}

#[tokio::test]
async fn a_token_without_an_end_is_used_until_it_is_refused() {
    let world = World::new().await;
    world.fake.books().more = serde_json::json!({ "expires_in": null });
    let client = world.basic();
    world.fake.books().lifetime = seconds(1_000_000);
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    world.clock.advance(seconds(900_000));
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    world.expect(1, 2);
}

#[tokio::test]
async fn a_session_that_ended_early_is_renewed_once_for_all() {
    let world = World::new().await;
    let client = world.basic();
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    world.fake.end_sessions();
    let answers = join_all((0..50).map(|_| world.ask(&client))).await;
    assert!(answers.iter().all(|answer| *answer == Ok(StatusCode::OK)));
    assert_eq!(world.fake.asked("/token"), 2);
    let asked = world.fake.asked("/api/records");
    assert!((52..=101).contains(&asked), "{asked}: each at most twice");
}

#[tokio::test]
async fn a_401_for_ever_is_the_answer_and_does_not_ask_for_tokens_over_and_over() {
    let world = World::new().await;
    let client = world.basic();
    world.fake.books().refuses = true;
    assert_eq!(world.ask(&client).await, Ok(StatusCode::UNAUTHORIZED));
    world.expect(2, 2);
    for _ in 0..20 {
        assert_eq!(world.ask(&client).await, Ok(StatusCode::UNAUTHORIZED));
    }
    world.expect(2, 22);
    world.clock.advance(seconds(31));
    assert_eq!(world.ask(&client).await, Ok(StatusCode::UNAUTHORIZED));
    world.expect(3, 24);
    world.clock.advance(seconds(31));
    world.fake.books().refuses = false;
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn a_session_that_ended_without_a_401_is_renewed_once() {
    let world = World::new().await;
    let client = world.basic();
    world.ask(&client).await.expect("an answer");
    world.clock.advance(seconds(5));
    let sent_at = world.clock.monotonic();
    let name = rounds_domain::ConnectionName::new("mercy");
    world.clock.advance(seconds(1));
    client.session_ended(&name, sent_at).await;
    world.ask(&client).await.expect("an answer");
    assert_eq!(world.fake.asked("/token"), 2);
    // Another request of the same moment says so too: it was seen to already.
    client.session_ended(&name, sent_at).await;
    world.ask(&client).await.expect("an answer");
    assert_eq!(world.fake.asked("/token"), 2);
}

#[tokio::test]
async fn each_way_to_send_a_secret_is_what_its_server_wants() {
    let raw = format!("Basic {}", STANDARD.encode("rounds:s3cr3t+/="));
    let encoded = format!("Basic {}", STANDARD.encode("rounds:s3cr3t%2B%2F%3D"));
    let secret = || environment("CLIENT_SECRET");
    for (wanted, right, wrong) in [
        (
            Some(encoded),
            ClientProof::Basic(secret()),
            ClientProof::RawBasic(secret()),
        ),
        (
            Some(raw),
            ClientProof::RawBasic(secret()),
            ClientProof::Basic(secret()),
        ),
        (None, ClientProof::Post(secret()), ClientProof::Public),
    ] {
        for (client, is_right) in [(right, true), (wrong, false)] {
            let world = World::new().await;
            world.fake.books().authorization.clone_from(&wanted);
            let mut oauth2 = world.oauth2(Grant::ClientCredentials);
            oauth2.client = client;
            let client = world.client(Authentication::OAuth2(Box::new(oauth2)));
            let answer = world.ask(&client).await;
            if is_right {
                assert_eq!(answer, Ok(StatusCode::OK));
                continue;
            }
            let error = answer.expect_err("the secret was sent in another way");
            assert_eq!((error.code.as_str(), error.transience), ("R0330", Lasting));
            assert!(
                error.message.ends_with(
                    "(connection mercy) for a token: refused with 401 Unauthorized, invalid_client"
                ),
                "{error}"
            );
            assert!(error.hint.is_some_and(|hint| hint.contains("basic_raw")));
        }
    }
}

#[tokio::test]
async fn a_password_is_a_grant_and_parameters_and_scope_go_along() {
    let world = World::new().await;
    let mut oauth2 = world.oauth2(Grant::Password {
        username: "nurse".to_owned(),
        password: environment("PASSWORD"),
    });
    oauth2.scope = Some("a b".to_owned());
    oauth2.parameters = vec![("audience".to_owned(), "https://x".to_owned())];
    let client = world.client(Authentication::OAuth2(Box::new(oauth2)));
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    let token_request = &world.server.received()[0];
    assert_eq!(
        String::from_utf8_lossy(&token_request.body),
        "grant_type=password&username=nurse&password=pa%24%24+%26+word&scope=a+b&audience=https%3A%2F%2Fx"
    );
    assert_eq!(
        token_request.header("content-type"),
        "application/x-www-form-urlencoded"
    );
}

#[tokio::test]
async fn a_failure_is_shared_and_believed_for_a_while() {
    // Case 84.
    for (said, code, transience, believed) in [
        (answer("503 Busy", &[], ""), "R0331", Passing, 1),
        (
            answer("400 Bad Request", &[], "{\"error\":\"invalid_scope\"}"),
            "R0330",
            Lasting,
            30,
        ),
        (
            answer("200 OK", &[], "<html>Sign in, hunter2</html>"),
            "R0332",
            Lasting,
            30,
        ),
        (
            answer(
                "200 OK",
                &[],
                "{\"access_token\":\"access-1\",\"token_type\":\"mac\"}",
            ),
            "R0332",
            Lasting,
            30,
        ),
        (
            answer("200 OK", &[], vec![b' '; 300 * 1024]),
            "R0303",
            Lasting,
            30,
        ),
    ] {
        let world = World::new().await;
        let client = world.basic();
        world.fake.books().tokens = Some(said);
        let answers = join_all((0..50).map(|_| world.ask(&client))).await;
        for answer in answers {
            let error = answer.expect_err("there is no token");
            assert_eq!((error.code.as_str(), error.transience), (code, transience));
        }
        world.expect(1, 0);
        world.fake.books().tokens = None;
        world
            .clock
            .advance(Duration::from_millis(believed * 1000 - 1));
        world.ask(&client).await.expect_err("it is believed");
        world.expect(1, 0);
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
        world.expect(2, 1);
    }
}

#[tokio::test]
async fn a_token_url_on_another_host_gets_what_the_grant_needs_and_nothing_else() {
    let world = World::new().await;
    let elsewhere = world.fake.serve().await;
    let mut oauth2 = world.oauth2(Grant::ClientCredentials);
    let token_url = format!("http://{}/token", elsewhere.address());
    oauth2.token_url = TokenUrl::At(Url::parse(&token_url).expect("a URL"));
    let mut connection = world.connection(Authentication::OAuth2(Box::new(oauth2)));
    connection.headers = vec![
        (
            HeaderName::from_static("x-api-key"),
            HeaderSource::Secret(environment("PASSWORD")),
        ),
        (
            HeaderName::from_static("x-site"),
            HeaderSource::Literal(HeaderValue::from_static("north")),
        ),
    ];
    let client = world.client_of(connection.clone());
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    let to_elsewhere = elsewhere.only();
    assert_eq!(to_elsewhere.header("x-api-key"), "");
    assert_eq!(to_elsewhere.header("x-site"), "");
    let records = world.server.only();
    assert_eq!(records.header("x-api-key"), "pa$$ & word");
    assert_eq!(records.header("authorization"), "Bearer access-1");
    // The EHR's own token endpoint has them: some want a key there too.
    if let Authentication::OAuth2(oauth2) = &mut connection.authentication {
        oauth2.token_url = TokenUrl::At(world.url("token"));
    }
    let client = world.client_of(connection);
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    assert_eq!(
        world.server.received()[1].header("x-api-key"),
        "pa$$ & word"
    );
}

#[tokio::test]
async fn a_redirect_of_the_token_url_is_not_followed() {
    let world = World::new().await;
    let elsewhere = world.fake.serve().await;
    let location = format!("location: http://{}/token", elsewhere.address());
    world.fake.books().tokens = Some(answer("307 Temporary Redirect", &[&location], ""));
    let error = world.ask(&world.basic()).await.expect_err("no token");
    assert_eq!(error.code.as_str(), "R0332");
    assert!(
        error.message.contains("redirects are not followed"),
        "{error}"
    );
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_session_does_not_leave_for_another_host() {
    let world = World::new().await;
    let client = world.basic();
    world.ask(&client).await.expect("an answer");
    let elsewhere = world.fake.serve().await;
    let link = format!("http://{}/api/records?page=2", elsewhere.address());
    let error = client.send(request(&link)).await.expect_err("another host");
    assert_eq!(error.code.as_str(), "R0305");
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn token_requests_count_against_the_limits() {
    let world = World::new().await;
    let oauth2 = world.oauth2(Grant::ClientCredentials);
    let mut connection = world.connection(Authentication::OAuth2(Box::new(oauth2)));
    connection.limits.in_flight = 1;
    connection.limits.rates = vec![Rate::rolling(2, seconds(60))];
    let client = Arc::new(world.client_of(connection));
    let url = world.url("api/records");
    let asking: Vec<_> = (0..3)
        .map(|_| {
            let (client, url) = (Arc::clone(&client), url.clone());
            tokio::spawn(async move { client.send(request(url.as_str())).await })
        })
        .collect();
    // A token and one request in the first minute, the other two in the second.
    for (minute, records) in [(0, 1), (1, 3)] {
        let fake = world.fake.clone();
        crate::server::until(|| {
            let done = fake.asked("/api/records") == records;
            let waiting = minute == 1 || world.clock.next_wake().is_some();
            async move { done && waiting }
        })
        .await;
        world.expect(1, records);
        world.clock.advance(seconds(60));
    }
    for asking in asking {
        assert!(asking.await.expect("it ends").is_ok());
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_does_not_take_the_token_with_it() {
    let world = World::new().await;
    let client = world.basic();
    {
        let asking = world.ask(&client);
        tokio::pin!(asking);
        // It has begun to ask for a token, and then nobody wants it any more.
        let fake = world.fake.clone();
        tokio::select! {
            _ = &mut asking => {}
            () = crate::server::until(|| { let begun = fake.asked("/token") == 1; async move { begun } }) => {}
        }
    }
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
    assert_eq!(world.fake.asked("/token"), 1);
}

#[tokio::test]
async fn a_narrower_scope_is_used_all_the_same() {
    let world = World::new().await;
    world.fake.books().more = serde_json::json!({ "scope": "system/Patient.rs" });
    let mut oauth2 = world.oauth2(Grant::ClientCredentials);
    oauth2.scope = Some("system/*.read".to_owned());
    let client = world.client(Authentication::OAuth2(Box::new(oauth2)));
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
}
