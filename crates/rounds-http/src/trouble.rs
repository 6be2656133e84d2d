//! What went wrong in an exchange, told from the client's error by its types and not by its text.
//!
//! The client's own text is never passed on: it may hold the whole URL, and a URL may name a patient.

use rounds_domain::address::AddressRefusal;
use rounds_domain::ports::Transience;
use std::error::Error;
use std::io;
use std::time::Duration;

/// Why an exchange did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No connection.
    Connect(String),
    /// No connection, or no (whole) answer, in time.
    TimedOut(String),
    /// No TLS session.
    Tls {
        words: String,
        transience: Transience,
    },
    /// What answers at an `https` address speaks no TLS.
    NotTls(String),
    /// The connection ended before the answer did.
    Broken(String),
    /// What came was no HTTP, or something else that has no better name.
    Other(String),
    /// The name resolves to an address that may not be dialled.
    AddressRefused(AddressRefusal),
}

impl Trouble {
    /// Reads the client's error.
    pub(crate) fn from_client(error: &reqwest::Error, connect_timeout: Duration) -> Self {
        if let Some(refusal) = find::<AddressRefusal>(error) {
            return Self::AddressRefused(*refusal);
        }
        if let Some(rustls::Error::InvalidMessage(_)) = find::<rustls::Error>(error) {
            let words = "what answers there speaks no TLS, though the address says https";
            return Self::NotTls(words.to_owned());
        }
        if let Some(tls) = find::<rustls::Error>(error) {
            let transience = match tls {
                rustls::Error::InvalidCertificate(_) => Transience::Lasting,
                _ => Transience::Passing,
            };
            return Self::Tls {
                words: format!("no TLS session: {tls}"),
                transience,
            };
        }
        let cause = find::<io::Error>(error).map(io::Error::kind);
        if error.is_connect() {
            return match cause {
                _ if error.is_timeout() => {
                    Self::TimedOut(format!("no connection within {connect_timeout:?}"))
                }
                Some(io::ErrorKind::UnexpectedEof) => Self::NotTls(
                    "the other side closed the connection before there was a TLS session"
                        .to_owned(),
                ),
                _ if error.is_dns() => Self::Connect("the host name has no address".to_owned()),
                Some(kind) => Self::Connect(format!("could not connect: {kind}")),
                None => Self::Connect("could not connect".to_owned()),
            };
        }
        if let Some(hyper) = find::<hyper::Error>(error) {
            if hyper.is_parse_too_large() {
                return Self::Other("the answer's head is too large".to_owned());
            }
            if hyper.is_parse() {
                return Self::Other("the answer is not HTTP".to_owned());
            }
            return Self::Broken(match cause {
                Some(kind) => format!("the answer was broken off: {kind}"),
                None => "the answer was broken off".to_owned(),
            });
        }
        if error.is_decode() || error.is_body() {
            return Self::Broken("the answer's compressed body is damaged or cut short".to_owned());
        }
        match cause {
            Some(kind) => Self::Broken(format!("the exchange was broken off: {kind}")),
            None => Self::Other("the exchange failed".to_owned()),
        }
    }
}

/// The first error of this type in the chain. An I/O error hides what it carries from `source`, so it is asked apart.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let carried = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| find::<T>(inner));
        if carried.is_some() {
            return carried;
        }
        next = error.source();
    }
    None
}
