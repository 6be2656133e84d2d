//! An EHR that pushes some of its changes, and is asked for all of them: the whole program, over real sockets.

use crate::service::{Outcome, PATIENCE, Service, admit_marked, book_marked, rounds, until};
use crate::support::Folder;
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Scope};
use rounds_testkit::hospital::Hospital;
use rounds_testkit::http::StatusCode;
use rounds_testkit::receiver::FakeReceiver;
use rounds_testkit::wire::StatusAnswer;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ENVIRONMENT: [(&str, &str); 1] = [("PUSH_TOKEN", "push-token-that-nobody-may-see")];

#[tokio::test]
async fn what_is_pushed_is_told_before_the_next_round_and_not_again_by_it() -> Outcome {
    let hospital = Hospital::new(7, system_clock());
    admit_marked(&hospital);
    let ehr = FakeEhr::builder(hospital.clone()).start().await?;
    let receiver = FakeReceiver::start().await?;
    let listen = free_address().await?;
    let folder = Folder::with_configuration(&configuration(
        &ehr.base_url(),
        &receiver.url("my-app"),
        listen,
    ));
    let checked = rounds(&folder, &["check"]).await;
    let path = format!("receives    POST http://{listen}/hospital/appointments");
    assert!(checked.stdout.contains(&path), "{}", checked.whole());

    // While the EHR does not answer, only a push can tell.
    let down = StatusAnswer::new(StatusCode::SERVICE_UNAVAILABLE);
    ehr.always(Scope::path("/appointments"), down);
    let service = Service::start(&folder, &[], &ENVIRONMENT)?;
    let booked = book_marked(&hospital)?;
    let record = serde_json::to_string(&*booked.appointment)?;
    let wrong = push(listen, "hospital/appointments", "another-token", &record).await?;
    assert!(wrong.starts_with("HTTP/1.1 401"), "{wrong}");
    let token = ENVIRONMENT[0].1;
    let taken = push(listen, "hospital/appointments", token, &record).await?;
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
    receiver.wait_for(1, PATIENCE).await?;
    let again = push(listen, "hospital/appointments", token, &record).await?;
    assert!(again.ends_with(r#"{"known":1,"told":0}"#), "{again}");

    // The EHR is back: its rounds find what was pushed, and say nothing of it; and what was not pushed.
    ehr.heal();
    book_marked(&hospital)?;
    let told = receiver.wait_for(2, PATIENCE).await?;
    until(&folder, &["status", "--json"], |status| {
        let feeds = &status["actions"][0]["feeds"];
        let rounds = feeds.as_array().into_iter().flatten();
        status["actions"][0]["known_records"] == 2
            && status["destinations"][0]["delivered"] == 2
            && rounds.filter(|feed| feed["feed"] == "receive").count() == 1
    })
    .await;
    let ids: std::collections::BTreeSet<_> = told.iter().map(|one| one.notification_id()).collect();
    assert_eq!(ids.len(), 2);
    let said = service.terminate().await?;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(receiver.wait_for(2, PATIENCE).await?.len(), 2);
    for hidden in [token, "another-token"] {
        assert!(!said.stderr.contains(hidden), "{}", said.stderr);
    }
    assert!(said.stderr.contains("R0392"), "{}", said.stderr);
    Ok(())
}

#[tokio::test]
async fn an_address_that_somebody_else_has_starts_nothing() -> Outcome {
    let other = TcpListener::bind("127.0.0.1:0").await?;
    let folder = Folder::with_configuration(&configuration(
        "https://ehr.example.org/",
        "https://app.example.org/",
        other.local_addr()?,
    ));
    let said = rounds(&folder, &["run"]).await;
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("error[R0718]"), "{}", said.whole());
    Ok(())
}

/// An address that nobody has now. Somebody may take it before it is used; no test can promise more.
async fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr()
}

async fn push(listen: SocketAddr, path: &str, token: &str, body: &str) -> std::io::Result<String> {
    // The program may not be listening yet.
    let mut stream = tokio::time::timeout(PATIENCE, async {
        loop {
            match TcpStream::connect(listen).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await?;
    let request = format!(
        "POST /{path} HTTP/1.1\r\nhost: rounds\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn configuration(ehr: &str, receiver: &str, listen: SocketAddr) -> String {
    r#"
connections:
  hospital:
    base_url: @EHR@
    receive: { listen: "@LISTEN@", bearer: { env: PUSH_TOKEN } }
actions:
  appointments:
    connection: hospital
    every: 1s
    changes:
      get: /appointments
      query: { changedsince: "{{ cursor }}" }
      cursor: { time: "%Y-%m-%dT%H:%M:%S", zone: UTC }
      start: beginning
      records: .[]
      id: .id
      version: @VERSION@
    receive: {}
    to: [my-app]
destinations:
  my-app:
    url: @RECEIVER@
    allow_addresses: [127.0.0.1]
"#
    .replace("@EHR@", ehr)
    .replace("@RECEIVER@", receiver)
    .replace("@LISTEN@", &listen.to_string())
    .replace("@VERSION@", ".lastModified")
}
