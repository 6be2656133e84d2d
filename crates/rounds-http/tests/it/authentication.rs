//! Sessions: tokens and logins over real HTTP, with an EHR that keeps the books.

mod fake;
mod login;
mod rotation;
mod smart;
mod tokens;

use crate::ehr::{connection, request};
use crate::server::Server;
use crate::test_clock::TestClock;
use crate::{assert_discreet, environment, secrets};
use fake::Fake;
use http::StatusCode;
use rounds_domain::plan::{
    Authentication, ClientProof, Connection, Grant, OAuth2, SecretReference, TokenUrl,
};
use rounds_domain::ports::{Clock, Ehr, EhrError};
use rounds_http::{EhrClient, Secrets};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The secret of the fake's client: what form-encoding changes.
const CLIENT_SECRET: &str = "s3cr3t+/=";

/// An EHR that knows sessions, a clock that both sides go by, and the way to it.
struct World {
    fake: Fake,
    server: Server,
    clock: TestClock,
}

impl World {
    async fn new() -> Self {
        let clock = TestClock::default();
        let fake = Fake::new(clock.clone());
        let server = fake.serve().await;
        Self {
            fake,
            server,
            clock,
        }
    }

    fn url(&self, path: &str) -> Url {
        let address = self.server.address();
        Url::parse(&format!("http://{address}/{path}")).expect("a URL")
    }

    fn connection(&self, authentication: Authentication) -> Connection {
        let mut connection = connection(self.url("api/").as_str());
        connection.authentication = authentication;
        connection.limits.in_flight = 4;
        connection
    }

    fn oauth2(&self, grant: Grant) -> OAuth2 {
        OAuth2 {
            grant,
            token_url: TokenUrl::At(self.url("token")),
            client_id: "rounds".to_owned(),
            client: ClientProof::Basic(environment("CLIENT_SECRET")),
            scope: None,
            parameters: Vec::new(),
        }
    }

    fn client(&self, authentication: Authentication) -> EhrClient {
        self.client_of(self.connection(authentication))
    }

    fn client_of(&self, connection: Connection) -> EhrClient {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        EhrClient::new([Arc::new(connection)], self.secrets(), clock).expect("a client")
    }

    /// The client's secret beside those of all stories.
    fn secrets(&self) -> Arc<Secrets> {
        Arc::new(Secrets::with_environment(
            Arc::new(self.clock.clone()),
            |name| {
                Some(match name {
                    "CLIENT_SECRET" => CLIENT_SECRET.into(),
                    "PASSWORD" => "pa$$ & word".into(),
                    "REFRESH_TOKEN" => "refresh-0".into(),
                    "KEY" => smart::KEY.as_str().into(),
                    "OTHER_KEY" => smart::OTHER_KEY.as_str().into(),
                    _ => return None,
                })
            },
        ))
    }

    fn basic(&self) -> EhrClient {
        let oauth2 = self.oauth2(Grant::ClientCredentials);
        self.client(Authentication::OAuth2(Box::new(oauth2)))
    }

    async fn ask(&self, client: &EhrClient) -> Result<StatusCode, EhrError> {
        let answer = client.send(request(self.url("api/records").as_str())).await;
        if let Err(error) = &answer {
            let shown = format!("{error} {error:?}");
            assert_discreet(&shown);
            for secret in [CLIENT_SECRET, "pa$$", "access-", "refresh-", "session-"] {
                assert!(!shown.contains(secret), "{secret} is told: {shown}");
            }
        }
        answer.map(|answer| answer.status)
    }

    #[track_caller]
    fn expect(&self, tokens: usize, records: usize) {
        assert_eq!(
            (self.fake.asked("/token"), self.fake.asked("/api/records")),
            (tokens, records),
            "tokens and records asked for"
        );
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_query_parameter_is_added_when_it_is_sent() {
    let world = World::new().await;
    let client = {
        let authentication = Authentication::Query {
            name: "api_key".to_owned(),
            value: SecretReference::Environment("TOKEN".to_owned()),
        };
        let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
        let connection = Arc::new(world.connection(authentication));
        EhrClient::new([connection], secrets(), clock).expect("a client")
    };
    let sent = request(world.url("api/records?since=1%2B2&api_key=old").as_str());
    let shown = format!("{sent:?}");
    client.send(sent).await.expect("an answer");
    assert_eq!(
        world.server.only().line(),
        "GET /api/records?since=1%2B2&api_key=hunter2-TOKEN HTTP/1.1"
    );
    assert_discreet(&shown);
}
