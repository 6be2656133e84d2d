//! The fakes over which the tests of Rounds read as stories, and which `rounds demo` uses for real.
//!
//! Rounds stands between an EHR and a receiver. To test it, one needs both, and a judge:
//!
//! - a [`Hospital`](hospital::Hospital) is the truth: patients and appointments, with their whole history;
//! - a [`FakeEhr`](ehr::FakeEhr) shows it over HTTP, and misbehaves as told;
//! - a [`FakeReceiver`](receiver::FakeReceiver) takes notifications over HTTP, and refuses as told;
//! - an [`Oracle`](oracle::Oracle) compares what happened with what was told;
//! - [`Traffic`](traffic::Traffic) makes appointments change by themselves.
//!
//! A story says what happens at the hospital, lets the system under test run, and asks the oracle:
//!
//! ```
//! use std::time::Duration;
//!
//! use rounds_testkit::clock::system_clock;
//! use rounds_testkit::ehr::{FakeEhr, Scope};
//! use rounds_testkit::hospital::Hospital;
//! use rounds_testkit::http::StatusCode;
//! use rounds_testkit::oracle::Oracle;
//! use rounds_testkit::receiver::FakeReceiver;
//! use rounds_testkit::wire::{RetryAfter, StatusAnswer};
//! # use std::io::{Read, Write};
//! # use std::net::TcpStream;
//! # fn exchange(url: &str, request: impl Fn(&str, &str) -> String) -> std::io::Result<String> {
//! #     let (host, path) = url.trim_start_matches("http://").split_once('/').expect("the URL has a path");
//! #     let mut stream = TcpStream::connect(host)?;
//! #     stream.write_all(request(host, path).as_bytes())?;
//! #     let mut answer = String::new();
//! #     stream.read_to_string(&mut answer)?;
//! #     Ok(answer)
//! # }
//! # /// The simplest poller there is: it asks twice if it must, and passes on what it gets.
//! # fn poll_once(ehr: String, receiver: String) -> std::io::Result<()> {
//! #     let get = |host: &str, path: &str| format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
//! #     let mut answer = exchange(&format!("{ehr}/appointments"), get)?;
//! #     if answer.starts_with("HTTP/1.1 429") { answer = exchange(&format!("{ehr}/appointments"), get)?; }
//! #     let (_, body) = answer.split_once("\r\n\r\n").expect("the answer has a body");
//! #     for record in serde_json::from_str::<Vec<serde_json::Value>>(body)? {
//! #         let body = serde_json::json!({ "record": record }).to_string();
//! #         exchange(&receiver, |host, path| format!(
//! #             "POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nwebhook-id: {}\r\ncontent-length: {}\r\n\r\n{body}",
//! #             record["id"], body.len()))?;
//! #     }
//! #     Ok(())
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hospital = Hospital::new(42, system_clock());
//! let ehr = FakeEhr::start(hospital.clone()).await?;
//! let receiver = FakeReceiver::start().await?;
//!
//! // Two appointments are booked and one is moved; the EHR is busy at first.
//! hospital.book_anything();
//! let second = hospital.book_anything().appointment.id;
//! hospital.reschedule(second, hospital.imagine_start())?;
//! let busy = StatusAnswer::new(StatusCode::TOO_MANY_REQUESTS).retry_after(RetryAfter::Seconds(1));
//! ehr.next(Scope::path("/appointments"), busy);
//!
//! # let (ehr_url, receiver_url) = (ehr.base_url(), receiver.url("appointments"));
//! # let start_the_system_under_test = || tokio::task::spawn_blocking(move || poll_once(ehr_url, receiver_url));
//! start_the_system_under_test();
//! receiver.wait_for(2, Duration::from_secs(5)).await?;
//!
//! let verdict = Oracle::at_pointers("/record/id", "/record/version").judge(&hospital.history(), &receiver.arrivals());
//! assert!(verdict.is_clean(), "{verdict}");
//! assert_eq!((verdict.changes, verdict.notified, verdict.superseded.len()), (3, 2, 1));
//! assert_eq!(ehr.count(&Scope::path("/appointments")), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # What to mind
//!
//! - Nothing here sleeps unless a story asks for slowness in so many milliseconds. To hold an answer back, use a [`Gate`](wire::Gate); to wait
//!   for something, `wait_for` it. tokio's paused clock runs ahead while real sockets are waited for, so stories over HTTP should not pause it:
//!   they give a [`ManualClock`](clock::ManualClock) to the fakes instead.
//! - All people are made up. Therefore, and unlike in Rounds itself, Debug and Display show ids and bodies: a failed story must say where.
//! - The fakes listen on `127.0.0.1` only. Dropped, they stop; `stop().await` also waits for the end.
//! - Logs are bounded (see the builders), the hospital's history is not.
//! - A mistake in a script (a header with a line break in it) panics, because it is the test that is wrong.

pub mod archive;
pub mod clock;
pub mod ehr;
pub mod hospital;
mod journal;
pub mod oracle;
pub mod random;
pub mod receiver;
mod secret;
pub mod traffic;
pub mod wire;

pub use axum::http;
pub use journal::WaitTimeout;
