//! `rounds probe` over real HTTP, against FHIR servers of several minds.

use crate::support::{Folder, Said};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A server's mind: what it answers a GET of this URL.
type Mind = dyn Fn(&Url) -> (u16, Value) + Send + Sync;

/// Serves it on loopback until it is dropped with the runtime; gives its base URL.
async fn serve(
    mind: impl Fn(&Url) -> (u16, Value) + Send + Sync + 'static,
) -> std::io::Result<String> {
    serve_under("/r4", mind).await
}

/// The same under another path.
pub(crate) async fn serve_under(
    path: &str,
    mind: impl Fn(&Url) -> (u16, Value) + Send + Sync + 'static,
) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}{path}", listener.local_addr()?);
    let (mind, origin): (Arc<Mind>, String) = (Arc::new(mind), base.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (mind, origin) = (Arc::clone(&mind), origin.clone());
            tokio::spawn(async move { answer(stream, &*mind, &origin).await });
        }
    });
    Ok(base)
}

/// One request, one answer, and the connection is closed.
async fn answer(mut stream: TcpStream, mind: &Mind, base: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&piece[..read]);
    }
    let text = String::from_utf8_lossy(&head);
    let target = text.split(' ').nth(1).unwrap_or("/");
    let url = Url::parse(base).and_then(|base| base.join(target));
    let (status, body) = url.map_or((400, Value::Null), |url| mind(&url));
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: application/fhir+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn probed(base_url: &str, words: &[&str]) -> Said {
    let folder = Folder::with_configuration(&format!(
        "connections:\n  clinic:\n    connector: fhir-r4\n    base_url: {base_url}\nactions:\n  patients: {{ connection: clinic, uses: patient, every: 1m, to: [] }}\n"
    ));
    let mut command = tokio::process::Command::from(folder.command(words));
    Said::from(command.output().await.expect("the program starts"))
}

fn statement(parameters: &[&str]) -> Value {
    let resource = |kind: &str, dates: &[&str]| {
        let names = parameters.iter().chain(dates);
        json!({ "type": kind, "interaction": [{ "code": "read" }, { "code": "search-type" }], "searchParam": names.map(|name| json!({ "name": name })).collect::<Vec<_>>() })
    };
    json!({
        "resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": { "name": "Lenient", "version": "1.2" },
        "rest": [{ "mode": "server", "resource": [resource("Appointment", &["date", "patient"]), resource("Patient", &["name"])] }],
    })
}

fn bundle(records: &[&str], own: &str) -> Value {
    let entry: Vec<Value> = (records.iter())
        .map(|id| json!({ "resource": { "resourceType": "Patient", "id": id }, "search": { "mode": "match" } }))
        .collect();
    json!({ "resourceType": "Bundle", "type": "searchset", "link": [{ "relation": "self", "url": own }], "entry": entry })
}

/// As most certified endpoints: no `_lastUpdated`, and what is not known is answered with everything.
fn lenient(url: &Url) -> (u16, Value) {
    match url.path().strip_prefix("/r4/") {
        Some("metadata") => (200, statement(&[])),
        Some(".well-known/smart-configuration") => (
            200,
            json!({ "token_endpoint": "https://auth.example.org/token", "token_endpoint_auth_methods_supported": ["private_key_jwt"], "token_endpoint_auth_signing_alg_values_supported": ["RS384"] }),
        ),
        Some(kind @ ("Appointment" | "Patient")) => {
            let own = format!("https://fhir.example.org/r4/{kind}?_count=1");
            (200, bundle(&["1"], &own))
        }
        _ => (404, json!({ "resourceType": "OperationOutcome" })),
    }
}

/// The page of the docs that shows what a probe says.
fn page() -> std::io::Result<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/probe.md"))
}

#[tokio::test]
async fn a_server_that_ignores_what_it_does_not_know_is_seen_through() -> std::io::Result<()> {
    let base = serve(lenient).await?;
    let said = probed(&base, &["probe", "clinic"]).await;
    assert_eq!(said.code, Some(0), "{}", said.whole());
    insta::assert_snapshot!("lenient", said.stdout);
    assert!(
        page()?.contains(&format!(
            "```text\n$ rounds probe clinic\n{}```",
            said.stdout
        )),
        "docs/probe.md shows another answer of this server; it should show:\n{}",
        said.stdout
    );
    let page = probed(
        &base,
        &["probe", "clinic", "--resource", "Patient", "--json"],
    )
    .await
    .json();
    assert_eq!(page["resources"][0]["by"], "none");
    assert_eq!(page["requests"], 5);
    Ok(())
}

#[tokio::test]
async fn a_server_that_hears_the_filter_is_believed_after_it_was_tried() -> std::io::Result<()> {
    let hears = |url: &Url| match url.path().strip_prefix("/r4/") {
        Some("metadata") => (200, statement(&["_lastUpdated"])),
        Some("Patient/_history") => (
            200,
            json!({ "resourceType": "Bundle", "type": "history", "entry": [] }),
        ),
        Some("Patient") => {
            let asked = url.query_pairs().find(|(name, _)| name == "_lastUpdated");
            match asked {
                None => (400, json!({ "resourceType": "OperationOutcome" })),
                Some((_, bound)) if bound.starts_with("ge1970") => {
                    (200, bundle(&["1"], url.as_str()))
                }
                Some(_) => (200, bundle(&[], url.as_str())),
            }
        }
        // It has none of these, so nothing shows.
        Some("Appointment") if url.query_pairs().any(|(name, _)| name == "_lastUpdated") => {
            (200, bundle(&[], url.as_str()))
        }
        Some("Appointment") => (400, json!({ "resourceType": "OperationOutcome" })),
        _ => (404, Value::Null),
    };
    let base = serve(hears).await?;
    let said = probed(&base, &["probe", "clinic"]).await;
    insta::assert_snapshot!("hears", said.stdout);
    Ok(())
}

/// Without a history, and with nothing for what it does not know: "nothing changed", for ever.
#[tokio::test]
async fn a_server_that_answers_with_nothing_is_not_believed() -> std::io::Result<()> {
    let silent = |url: &Url| match url.path().strip_prefix("/r4/") {
        Some("metadata") => (200, statement(&["_lastUpdated"])),
        Some("Appointment" | "Patient") => (200, bundle(&[], url.as_str())),
        _ => (404, Value::Null),
    };
    let base = serve(silent).await?;
    let page = probed(&base, &["probe", "clinic", "--json"]).await.json();
    for row in page["resources"].as_array().expect("a list") {
        assert_eq!(
            (row["by"].as_str(), row["certainty"].as_str()),
            (Some("search"), Some("accepted"))
        );
        let search = row["search"].as_str().expect("words");
        assert!(search.starts_with("perhaps: nothing came"), "{search}");
    }
    Ok(())
}

/// A status of 200 is no Bundle, and a Bundle that says that it is not whole shows nothing.
#[tokio::test]
async fn an_answer_that_is_another_document_proves_nothing() -> std::io::Result<()> {
    let outcome = json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": "error", "code": "exception", "diagnostics": "Jane Doe" }] });
    let mut not_whole = bundle(&["1"], "https://fhir.example.org/r4/Patient?_lastUpdated=x");
    let beside = json!({ "resource": outcome, "search": { "mode": "outcome" } });
    (not_whole["entry"].as_array_mut().expect("a list")).push(beside);
    let history = json!({ "resourceType": "Bundle", "type": "history", "entry": [] });
    for wrong in [outcome, not_whole, json!({ "message": "later" }), history] {
        let shown = wrong.clone();
        let base = serve(move |url| match url.path().strip_prefix("/r4/") {
            Some("metadata") => (200, statement(&["_lastUpdated"])),
            // Nothing for tomorrow, as it should be; something else for 1970, and for the history.
            Some("Patient") if url.query().is_some_and(|query| !query.contains("ge1970")) => {
                (200, bundle(&[], url.as_str()))
            }
            Some("Patient") => (200, wrong.clone()),
            Some("Patient/_history") => (200, bundle(&["1"], url.as_str())),
            _ => (404, Value::Null),
        })
        .await?;
        let words = ["probe", "clinic", "--resource", "Patient", "--json"];
        let said = probed(&base, &words).await;
        assert!(!said.whole().contains("Doe"), "{}", said.whole());
        let row = &said.json()["resources"][0];
        assert_eq!(row["by"], "none", "{shown}: {row}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_fhir_server_or_no_connection_is_said() -> std::io::Result<()> {
    let base = serve(|_| (404, Value::Null)).await?;
    let said = probed(&base, &["probe", "clinic"]).await;
    assert_eq!(said.code, Some(69), "{}", said.whole());
    assert!(said.stderr.contains("R0713"), "{}", said.whole());
    let said = probed(&base, &["probe", "clinik"]).await;
    assert!(
        said.stderr.contains("R0712") && said.stderr.contains("`clinic`"),
        "{}",
        said.whole()
    );
    Ok(())
}

/// An API that is not FHIR is probed as its connector says: this one heeds the filter of one of its lists only.
#[tokio::test]
async fn an_api_that_is_not_fhir_is_probed_by_the_tests_of_its_connector() -> std::io::Result<()> {
    let base_url = serve(|url| match url.path() {
        "/r4/appointments" if url.query().is_some_and(|query| query.contains("2100")) => {
            (200, json!([]))
        }
        "/r4/patients" => (200, json!([{ "PatNum": 1, "LName": "Doe" }])),
        _ => (404, json!({})),
    })
    .await?;
    let folder = Folder::with_configuration(&format!(
        "connections:\n  practice:\n    connector: open-dental\n    base_url: {base_url}\n    settings: {{ zone: America/Chicago }}\nactions:\n  patients: {{ connection: practice, uses: patients, every: 1m, to: [] }}\n"
    ));
    let mut command = tokio::process::Command::from(folder.command(&["probe", "practice"]));
    let said = Said::from(command.output().await?);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    insta::assert_snapshot!("an_api_that_is_not_fhir", said.stdout);
    assert!(!said.whole().contains("Doe"));
    Ok(())
}
