//! Logins.

use super::*;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method};
use rounds_domain::plan::{
    AnswerFormat, JsonSource, Login, LoginBody, SessionPlace, TextSource, TokenSource,
};
use rounds_domain::ports::{BodyPiece, BodySecret, EhrRequest, RequestBody};
use rounds_map::{Escape, Filter, Json};

fn login(world: &World, body: LoginBody, token: TokenSource, send: SessionPlace) -> Login {
    Login {
        method: Method::POST,
        url: world.url("api/login"),
        headers: Vec::new(),
        body,
        format: AnswerFormat::Json,
        token,
        send,
        lasts: None,
    }
}

fn password() -> SecretReference {
    environment("PASSWORD")
}

#[tokio::test]
async fn each_body_each_place_in_the_answer_and_each_place_in_requests() {
    let form = LoginBody::Form(vec![
        ("user".to_owned(), TextSource::Literal("a&b".to_owned())),
        ("password".to_owned(), TextSource::Secret(password())),
    ]);
    let json = LoginBody::Json(JsonSource::Object(vec![
        (
            "User".to_owned(),
            JsonSource::Literal(Json::string("rounds")),
        ),
        (
            "Keys".to_owned(),
            JsonSource::Array(vec![
                JsonSource::Secret(environment("CLIENT_SECRET")),
                JsonSource::Secret(password()),
            ]),
        ),
    ]));
    let text = LoginBody::Text(vec![
        TextSource::Literal("<login psw='".to_owned()),
        TextSource::Secret(password()),
        TextSource::Literal("'/>".to_owned()),
    ]);
    let expression = TokenSource::Expression(Filter::compile(".data.token").expect("jq"));
    let header = |name: HeaderName, prefix: &str| SessionPlace::Header {
        name,
        prefix: prefix.to_owned(),
    };
    for (body, token, send, sent_body, sent) in [
        (
            form,
            expression,
            header(AUTHORIZATION, "Bearer "),
            "user=a%26b&password=pa%24%24+%26+word",
            ("authorization", "Bearer session-1"),
        ),
        (
            json,
            TokenSource::Cookie("JSESSIONID".to_owned()),
            SessionPlace::Cookie("JSESSIONID".to_owned()),
            r#"{"User":"rounds","Keys":["s3cr3t+/=","pa$$ & word"]}"#,
            ("cookie", "JSESSIONID=session-1"),
        ),
        (
            text,
            TokenSource::Header(HeaderName::from_static("x-session")),
            header(HeaderName::from_static("x-session"), ""),
            "<login psw='pa$$ & word'/>",
            ("x-session", "session-1"),
        ),
    ] {
        let world = World::new().await;
        let login = login(&world, body, token, send);
        let client = world.client(Authentication::Login(Box::new(login)));
        for _ in 0..3 {
            assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
        }
        assert_eq!(world.fake.asked("/api/login"), 1);
        let received = world.server.received();
        assert_eq!(String::from_utf8_lossy(&received[0].body), sent_body);
        assert_eq!(received[1].header(sent.0), sent.1);
        world.fake.end_sessions();
        assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
        assert_eq!(world.fake.asked("/api/login"), 2);
    }
}

/// A request whose body holds a session and a secret.
fn with_body(url: &Url) -> EhrRequest {
    let secret = |source, escape| BodyPiece::Secret { source, escape };
    EhrRequest {
        method: Method::POST,
        body: Some(RequestBody {
            content_type: HeaderValue::from_static("text/xml"),
            pieces: vec![
                BodyPiece::Ready("<session>".to_owned()),
                secret(BodySecret::Session, Escape::Verbatim),
                BodyPiece::Ready("</session><key>".to_owned()),
                secret(BodySecret::Named("key".to_owned()), Escape::Xml),
                BodyPiece::Ready("</key>".to_owned()),
            ],
        }),
        ..request(url.as_str())
    }
}

#[tokio::test]
async fn a_body_gets_its_session_and_secrets_when_it_leaves_and_anew_after_a_refusal() {
    let world = World::new().await;
    let body = LoginBody::Text(vec![TextSource::Secret(password())]);
    let expression = TokenSource::Expression(Filter::compile(".data.token").expect("jq"));
    let login = login(&world, body, expression, SessionPlace::Body);
    let mut connection = world.connection(Authentication::Login(Box::new(login)));
    connection.secrets = vec![("key".to_owned(), password())];
    let client = world.client_of(connection);
    let sent = with_body(&world.url("api/records"));
    assert!(!format!("{sent:?}").contains("<key>"));
    for session in ["session-1", "session-2"] {
        let answer = client.send(sent.clone()).await.expect("an answer");
        assert_eq!(answer.status, StatusCode::OK);
        let received = world.server.received().pop().expect("a request");
        assert_eq!(
            String::from_utf8_lossy(&received.body),
            format!("<session>{session}</session><key>pa$$ &amp; word</key>")
        );
        assert_eq!(received.header("content-type"), "text/xml");
        assert_eq!(
            received.header("content-length"),
            received.body.len().to_string()
        );
        world.fake.end_sessions();
    }
}

#[tokio::test]
async fn a_body_that_asks_for_what_there_is_not_is_not_sent() {
    let world = World::new().await;
    let client = world.client(Authentication::None);
    let error = client
        .send(with_body(&world.url("api/records")))
        .await
        .expect_err("there is no session");
    assert!(
        error
            .message
            .ends_with("the connection has no session for bodies"),
        "{error}"
    );
    assert_eq!(world.fake.asked("/api/records"), 0);
}

#[tokio::test]
async fn a_login_may_answer_in_xml() {
    let world = World::new().await;
    let body = LoginBody::Text(vec![TextSource::Secret(password())]);
    let expression =
        TokenSource::Expression(Filter::compile(".PPMDResults.usercontext").expect("jq"));
    let mut login = login(
        &world,
        body,
        expression,
        SessionPlace::Cookie("c".to_owned()),
    );
    login.url = world.url("api/login?xml");
    login.format = AnswerFormat::Xml;
    let client = world.client(Authentication::Login(Box::new(login)));
    assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn a_session_lasts_as_long_as_is_said_and_stands_in_no_url() {
    let world = World::new().await;
    let body = LoginBody::Text(vec![TextSource::Secret(password())]);
    let expression = TokenSource::Expression(Filter::compile(".data.token").expect("jq"));
    let mut login = login(
        &world,
        body,
        expression,
        SessionPlace::Query("sid".to_owned()),
    );
    login.lasts = Some(seconds(600));
    let client = world.client(Authentication::Login(Box::new(login)));
    for (after, logins) in [(0, 1), (539, 1), (1, 2)] {
        world.clock.advance(seconds(after));
        assert_eq!(world.ask(&client).await, Ok(StatusCode::OK));
        assert_eq!(world.fake.asked("/api/login"), logins);
    }
    assert_eq!(
        world.server.received()[1].line(),
        "GET /api/records?sid=session-1 HTTP/1.1"
    );
}

#[tokio::test]
async fn a_login_that_fails_says_how() {
    let world = World::new().await;
    let body = || LoginBody::Text(vec![TextSource::Secret(password())]);
    let place = || SessionPlace::Cookie("c".to_owned());
    let cookie = TokenSource::Cookie("SID".to_owned());
    let expression = TokenSource::Expression(Filter::compile(".token").expect("jq"));
    let wrong = LoginBody::Text(vec![TextSource::Literal("nobody".to_owned())]);
    for (login, code, words) in [
        (
            login(&world, wrong, cookie.clone(), place()),
            "R0335",
            "to log in: refused with 403 Forbidden",
        ),
        (
            login(&world, body(), cookie, place()),
            "R0337",
            "the answer sets no cookie SID",
        ),
        (
            login(&world, body(), expression, place()),
            "R0337",
            "the expression finds no text in the answer",
        ),
    ] {
        let client = world.client(Authentication::Login(Box::new(login)));
        let error = world.ask(&client).await.expect_err(words);
        assert_eq!(error.code.as_str(), code);
        assert!(error.message.ends_with(words), "{error}");
    }
}
