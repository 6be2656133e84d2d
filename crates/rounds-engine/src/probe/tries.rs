//! One question of a probe, and what its answer shows.

use super::{Found, Prober, Works};
use crate::exchange::document;
use crate::exchange::{Basis, Dialect, Exchanger, Outcome, Retries};
use crate::observe::{Exchange, Observer};
use crate::request;
use crate::round::bundle::Bundle;
use http::{HeaderMap, HeaderValue, StatusCode};
use rounds_domain::plan::{AnswerFormat, BundleKind, ConnectionTest};
use rounds_domain::ports::{Access, EhrRequest, EhrResponse, Turn};
use rounds_map::Json;

/// What an answer to a search shows.
pub(super) enum Seen {
    /// So many matches on the first page.
    Records(u64),
    /// The server says that it did not use the parameter.
    Ignored(&'static str),
    /// It refused the search.
    Refused { status: u16, words: String },
    /// There was no answer that could be read.
    Nothing(String),
}

/// Asks, and keeps what was asked.
pub(super) struct Asking<'a> {
    prober: &'a Prober<'a>,
    written: Written,
}

/// What is written down of a probe.
#[derive(Default)]
struct Written(Vec<Exchange>);

impl Observer for Written {
    fn exchanged(&mut self, exchange: Exchange) {
        self.0.push(exchange);
    }
}

/// A good answer, and why it counts as one.
struct Answer {
    response: EhrResponse,
    basis: Basis,
}

/// Why there is no good answer.
struct No {
    /// The status, where one came.
    status: Option<StatusCode>,
    words: String,
}

impl From<No> for Seen {
    fn from(no: No) -> Self {
        match no.status {
            Some(status) => Self::Refused {
                status: status.as_u16(),
                words: no.words,
            },
            None => Self::Nothing(no.words),
        }
    }
}

impl<'a> Asking<'a> {
    pub(super) fn new(prober: &'a Prober<'a>) -> Self {
        Self {
            prober,
            written: Written::default(),
        }
    }

    /// What was asked.
    pub(super) fn exchanges(self) -> Vec<Exchange> {
        self.written.0
    }

    async fn get(&mut self, path: &str, query: &[(&str, &str)]) -> Result<Answer, No> {
        let connection = self.prober.connection;
        let mut url = connection
            .base_url
            .join(&format!("./{path}"))
            .map_err(|_| No {
                status: None,
                words: "the path gives no URL".to_owned(),
            })?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut headers = HeaderMap::new();
        headers.insert("prefer", HeaderValue::from_static("handling=strict"));
        let request = EhrRequest {
            turn: Turn::Poll,
            access: Access::AsUser,
            connection: connection.name.clone(),
            method: http::Method::GET,
            url,
            headers,
            accept: "application/fhir+json, application/json",
            body: None,
            timeout: None,
        };
        self.exchange(request, AnswerFormat::Json, Dialect::Plain)
            .await
    }

    async fn exchange(
        &mut self,
        request: EhrRequest,
        format: AnswerFormat,
        dialect: Dialect,
    ) -> Result<Answer, No> {
        let exchanger = Exchanger {
            ehr: &**self.prober.ehr,
            clock: &**self.prober.clock,
            evaluator: self.prober.evaluator,
            connection: self.prober.connection,
            own_rules: &[],
            format,
            dialect,
        };
        // The person who asked sees how it went, and asks again.
        let outcome = exchanger
            .exchange(request, "probing", Retries::Left, &mut self.written)
            .await;
        match outcome {
            Ok(Outcome::Good(response, basis)) => Ok(Answer { response, basis }),
            Ok(Outcome::Empty(response) | Outcome::Gone(response)) => Err(refused(&response)),
            Err(failed) => Err(match failed.response {
                // A good status that a rule or the answer itself says to be a failure has words of its own.
                Some(response) if !response.status.is_success() => refused(&response),
                response => No {
                    status: response.map(|response| response.status),
                    words: failed.failure.message,
                },
            }),
        }
    }

    /// One of the connection's own tests.
    pub(super) async fn test(&mut self, test: &ConnectionTest) -> Found {
        let no = |because: String| Found {
            works: Works::No,
            because,
        };
        let nothing = Json::object::<String>([]);
        let request = match request::build(
            self.prober.connection,
            &test.request,
            &nothing,
            request::Blanks::LeftOut,
        ) {
            Ok(request) => request,
            Err(error) => return no(format!("cannot be asked: {error}")),
        };
        let format = test.request.format;
        let dialect = Dialect::of(&test.request);
        let answer = match self.exchange(request, format, dialect).await {
            Ok(answer) => answer,
            Err(refused) => return no(refused.words),
        };
        let works = test.works.clone();
        let looked = self.prober.evaluator.run(move || {
            let body = format.read(&answer.response.body).ok()?;
            let status = answer.response.status;
            let doubt = (answer.basis).doubt(|| document::doubt_record(status, &body));
            if let Some(doubt) = doubt {
                return Some(Err(doubt));
            }
            works.holds(&body).ok().map(Ok)
        });
        match looked.await.ok().flatten() {
            Some(Ok(true)) => Found {
                works: Works::Yes,
                because: "the answer is what it should be".to_owned(),
            },
            Some(Ok(false)) => no("the answer is not what it should be".to_owned()),
            Some(Err(doubt)) => no(doubt.words().to_owned()),
            None => no("the answer cannot be read, or `works` says nothing of it".to_owned()),
        }
    }

    /// A document that the server may have.
    pub(super) async fn json(&mut self, path: &str, query: &[(&str, &str)]) -> Option<Json> {
        let answer = self.get(path, query).await.ok()?;
        let parsed = (self.prober.evaluator).run(move || Json::parse(&answer.response.body).ok());
        parsed.await.ok().flatten()
    }

    /// A search of a type, and whether this parameter was used.
    pub(super) async fn search(
        &mut self,
        resource: &str,
        query: &[(&str, &str)],
        parameter: &str,
    ) -> Seen {
        let answer = match self.get(resource, query).await {
            Ok(answer) => answer,
            Err(no) => return no.into(),
        };
        match self.look(answer, BundleKind::Search).await {
            Ok(bundle) => match bundle.ignores(parameter, resource) {
                Some(how) => Seen::Ignored(how),
                None => Seen::Records(bundle.matches),
            },
            Err(words) => Seen::Nothing(words),
        }
    }

    /// The history of a type.
    pub(super) async fn history(&mut self, resource: &str) -> Result<(), String> {
        let answer = self
            .get(&format!("{resource}/_history"), &[("_count", "1")])
            .await;
        let answer = answer.map_err(|no| no.words)?;
        self.look(answer, BundleKind::History).await.map(drop)
    }

    /// Reads a Bundle where bodies are read.
    async fn look(&self, answer: Answer, kind: BundleKind) -> Result<Bundle, String> {
        let looked = self.prober.evaluator.run(move || {
            let body = Json::parse(&answer.response.body)
                .map_err(|error| format!("the answer is {error}"))?;
            let status = answer.response.status;
            let doubt = (answer.basis).doubt(|| document::doubt_bundle(status, kind, &body));
            if let Some(doubt) = doubt {
                return Err(doubt.words().to_owned());
            }
            Bundle::of(&body).ok_or_else(|| "the answer is no Bundle".to_owned())
        });
        looked.await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

fn refused(response: &EhrResponse) -> No {
    let status = response.status;
    let words = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("answered {status}: the credential may not ask for it")
        }
        StatusCode::NOT_FOUND => format!("answered {status}: the server does not have it"),
        _ if status.is_success() => {
            format!("answered {status}, which a rule says to be nothing")
        }
        _ => format!("refused with {status}"),
    };
    No {
        status: Some(status),
        words,
    }
}
