//! One question of a probe, and what its answer shows.

use super::{Found, Prober, Works};
use crate::observe::Exchange;
use crate::request;
use crate::round::bundle::Bundle;
use http::{HeaderMap, HeaderValue, StatusCode};
use rounds_domain::plan::ConnectionTest;
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
    pub(super) exchanges: Vec<Exchange>,
}

/// What may be shown of a Bundle, taken out where bodies are read.
struct Look {
    is_history: bool,
    bundle: Option<Bundle>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(prober: &'a Prober<'a>) -> Self {
        Self {
            prober,
            exchanges: Vec::new(),
        }
    }

    async fn get(&mut self, path: &str, query: &[(&str, &str)]) -> Result<EhrResponse, String> {
        let connection = self.prober.connection;
        let mut url = connection
            .base_url
            .join(&format!("./{path}"))
            .map_err(|_| "the path gives no URL".to_owned())?;
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
        self.send(request).await
    }

    async fn send(&mut self, request: EhrRequest) -> Result<EhrResponse, String> {
        let clock = self.prober.clock;
        let began = clock.monotonic();
        let answer = self.prober.ehr.send(request.clone()).await;
        let took = clock.monotonic().saturating_sub(began);
        self.exchanges.push(Exchange::of(&request, &answer, took));
        answer.map_err(|error| error.message)
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
        let response = match self.send(request).await {
            Ok(response) => response,
            Err(words) => return no(words),
        };
        if let Some(words) = refused(&response) {
            return no(words);
        }
        let (format, works) = (test.request.format, test.works.clone());
        let looked = self.prober.evaluator.run(move || {
            let body = format.read(&response.body).ok()?;
            Some(works.optional(&body).ok().flatten()?.as_bool() == Some(true))
        });
        match looked.await.ok().flatten() {
            Some(true) => Found {
                works: Works::Yes,
                because: "the answer is what it should be".to_owned(),
            },
            Some(false) => no("the answer is not what it should be".to_owned()),
            None => no("the answer cannot be read, or `works` says nothing of it".to_owned()),
        }
    }

    /// A document that the server may have.
    pub(super) async fn json(&mut self, path: &str, query: &[(&str, &str)]) -> Option<Json> {
        let response = self.get(path, query).await.ok()?;
        if !response.status.is_success() {
            return None;
        }
        Json::parse(&response.body).ok()
    }

    /// A search of a type, and whether this parameter was used.
    pub(super) async fn search(
        &mut self,
        resource: &str,
        query: &[(&str, &str)],
        parameter: &str,
    ) -> Seen {
        let response = match self.get(resource, query).await {
            Ok(response) => response,
            Err(words) => return Seen::Nothing(words),
        };
        if let Some(words) = refused(&response) {
            return Seen::Refused {
                status: response.status.as_u16(),
                words,
            };
        }
        match self.look(response).await {
            Some(Look {
                bundle: Some(bundle),
                ..
            }) => match bundle.ignores(parameter, resource) {
                Some(how) => Seen::Ignored(how),
                None => Seen::Records(bundle.matches),
            },
            _ => Seen::Nothing("the answer is no Bundle".to_owned()),
        }
    }

    /// The history of a type.
    pub(super) async fn history(&mut self, resource: &str) -> Result<(), String> {
        let response = self
            .get(&format!("{resource}/_history"), &[("_count", "1")])
            .await?;
        if let Some(words) = refused(&response) {
            return Err(words);
        }
        match self.look(response).await {
            Some(Look {
                is_history: true, ..
            }) => Ok(()),
            _ => Err("the answer is no history".to_owned()),
        }
    }

    async fn look(&self, response: EhrResponse) -> Option<Look> {
        let looked = self.prober.evaluator.run(move || {
            let body = Json::parse(&response.body).ok()?;
            let kind = body
                .get("type")
                .and_then(|kind| kind.as_str().map(str::to_owned));
            Some(Look {
                is_history: kind.as_deref() == Some("history"),
                bundle: Bundle::of(&body),
            })
        });
        looked.await.ok().flatten()
    }
}

fn refused(response: &EhrResponse) -> Option<String> {
    let status = response.status;
    if status.is_success() {
        return None;
    }
    Some(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("answered {status}: the credential may not ask for it")
        }
        StatusCode::NOT_FOUND => format!("answered {status}: the server does not have it"),
        _ => format!("refused with {status}"),
    })
}
