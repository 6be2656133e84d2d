//! The demo, small and whole.

use crate::support::{Folder, Said};
use standardwebhooks::Webhook;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn every_change_arrives_once_and_in_order() {
    let words = [
        "demo",
        "--changes",
        "5",
        "--interval",
        "1s",
        "--change-every",
        "300ms",
        "--json",
    ];
    let said = Folder::new().rounds(&words);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let outcome = said.json();
    let keys = ["changes", "notified", "lost", "repeated", "reordered"];
    let counts = keys.map(|key| outcome[key].as_u64());
    assert_eq!(counts, [5, 5, 0, 0, 0].map(Some), "{}", said.whole());
    assert_eq!(said.stderr.matches("  EHR  ").count(), 5, "{}", said.stderr);
    assert_eq!(
        said.stderr.matches("  received  ").count(),
        5,
        "{}",
        said.stderr
    );
    assert!(outcome["requests"].as_u64() >= outcome["lookups"].as_u64().map(|lookups| lookups + 2));
    assert!(outcome["delay_ms_p50"].as_i64() <= outcome["delay_ms_p99"].as_i64());
    assert_eq!(outcome.as_object().map(serde_json::Map::len), Some(9));
}

/// A receiver as somebody else would write it: a socket, HTTP/1.1 by hand, and the published library of Standard Webhooks.
#[test]
fn a_receiver_with_the_published_library_verifies_every_notification() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "http://{}/hooks/mine",
        listener.local_addr().expect("an address")
    );
    let words = [
        "demo",
        "--changes",
        "6",
        "--interval",
        "1s",
        "--change-every",
        "200ms",
        "--to",
        &url,
    ];
    let folder = Folder::new();
    let mut command = folder.command(&words);
    let receiver = std::thread::spawn(move || receive(&listener, 6));
    let said = Said::from(command.output().expect("the program starts"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let received = receiver.join().expect("the receiver ends");

    let secret = said
        .stderr
        .split_whitespace()
        .find(|word| word.starts_with("whsec_"));
    let webhook = Webhook::new(secret.expect("the secret is said")).expect("is one");
    let mut ids = BTreeSet::new();
    let mut models = BTreeSet::new();
    for Received { headers, body } in &received {
        webhook.verify(body, headers).expect("verifies");
        let id = headers
            .get("webhook-id")
            .expect("has an id")
            .to_str()
            .expect("is text");
        ids.insert(id.to_owned());
        let message: serde_json::Value = serde_json::from_slice(body).expect("is JSON");
        assert_eq!(message["Meta"]["Logs"][0]["ID"], id);
        models.insert(message["Meta"]["DataModel"].to_string());
        // The library tells a forgery when it sees one.
        let mut forged = body.clone();
        forged.push(b' ');
        webhook.verify(&forged, headers).expect_err("is forged");
    }
    assert_eq!((received.len(), ids.len()), (6, 6));
    assert_eq!(models.into_iter().collect::<Vec<_>>(), ["\"Scheduling\""]);
}

struct Received {
    headers: http::HeaderMap,
    body: Vec<u8>,
}

/// Takes so many notifications, each on whatever connection it comes.
fn receive(listener: &TcpListener, wanted: usize) -> Vec<Received> {
    let (sender, taken) = mpsc::channel();
    let listener = listener.try_clone().expect("another handle");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, sender) = (stream.expect("a connection"), sender.clone());
            std::thread::spawn(move || serve(stream, &sender));
        }
    });
    let patience = Duration::from_mins(1);
    (0..wanted)
        .map(|_| taken.recv_timeout(patience).expect("a notification"))
        .collect()
}

fn serve(stream: TcpStream, sender: &mpsc::Sender<Received>) {
    let mut reader = BufReader::new(stream.try_clone().expect("another handle"));
    let mut writer = stream;
    loop {
        let mut headers = http::HeaderMap::new();
        let mut line = String::new();
        // The request's first line, then its headers until an empty line.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        loop {
            line.clear();
            reader.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.insert(name, value.trim().parse().expect("a value"));
        }
        let length = headers.get("content-length").expect("a length");
        let length: usize = length.to_str().expect("text").parse().expect("a number");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the body");
        // Whoever has all that they want hears no more.
        let _ = sender.send(Received { headers, body });
        writer
            .write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
            .expect("answered");
    }
}
