//! Access tokens for destinations: OAuth 2.0, as towards EHRs.
//!
//! The session is that of a connection ([`crate::authentication`]): asked for once at a time, before it ends, and once more after a refusal.
//! Its requests go through a gate of their own and are dialled by the destination's rules.

use super::Failure;
use crate::authentication::{AfterRefusal, Session, Token};
use crate::codes;
use crate::ehr::lane::{Keeper, Lane};
use crate::gate::Gate;
use crate::secrets::Secrets;
use rounds_domain::ConnectionName;
use rounds_domain::address::AddressPolicy;
use rounds_domain::plan::{AnswerFormat, Authentication, Connection, Destination, Limits, OAuth2};
use rounds_domain::ports::{Clock, EhrError, Turn};
use std::sync::Arc;

/// No answer with a token is longer.
const BODY_LIMIT_BYTES: u64 = 256 * 1024;

/// The tokens of one destination.
pub(super) struct Tokens {
    lane: Arc<Lane>,
    session: Session,
}

impl Tokens {
    /// Those of a destination that wants them, asked for by this client.
    pub(super) fn of(
        destination: &Destination,
        policy: AddressPolicy,
        client: reqwest::Client,
        secrets: Arc<Secrets>,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        let oauth2 = destination.oauth2.as_ref()?;
        let connection = Arc::new(as_connection(destination, oauth2));
        let session = Session::of(&connection.authentication)?;
        let lane = Lane {
            gate: Gate::new(&connection.limits, Arc::clone(&clock)),
            elsewhere: client.clone(),
            client,
            policy,
            session: None,
            secrets,
            clock,
            keeper: Keeper::default(),
            evaluator: None,
            connection,
        };
        Some(Self {
            lane: Arc::new(lane),
            session,
        })
    }

    /// A token that is good.
    pub(super) async fn token(&self) -> Result<Arc<Token>, Failure> {
        let pass = self.lane.gate.enter(Turn::Poll).await;
        let given = self.session.token(&self.lane, pass).await;
        given.map(|(token, _)| token).map_err(not_given)
    }

    /// Another token after this one was refused, if another may help.
    pub(super) async fn after_refusal(
        &self,
        refused: &Token,
    ) -> Result<Option<Arc<Token>>, Failure> {
        let pass = self.lane.gate.enter(Turn::Poll).await;
        match self.session.after_refusal(&self.lane, pass, refused).await {
            Ok(AfterRefusal::Again(token, _)) => Ok(Some(token)),
            Ok(AfterRefusal::Accept) => Ok(None),
            Err(error) => Err(not_given(error)),
        }
    }

    /// The token that came after a refusal was refused too.
    pub(super) async fn refused_again(&self, refused: &Token) {
        self.session.refused_again(&self.lane, refused).await;
    }
}

fn as_connection(destination: &Destination, oauth2: &OAuth2) -> Connection {
    let timeouts = destination.timeouts;
    Connection {
        name: ConnectionName::new(destination.name.as_str()),
        base_url: destination.url.clone(),
        authentication: Authentication::OAuth2(Box::new(oauth2.clone())),
        headers: Vec::new(),
        secrets: Vec::new(),
        format: AnswerFormat::Json,
        answers: Vec::new(),
        tests: Vec::new(),
        receive: None,
        limits: Limits {
            in_flight: destination.in_flight,
            ..Limits::default()
        },
        connect_timeout: timeouts.connect,
        request_timeout: timeouts.total,
        body_limit_bytes: BODY_LIMIT_BYTES,
    }
}

fn not_given(error: EhrError) -> Failure {
    let hint = error
        .hint
        .map_or_else(String::new, |hint| format!("; {hint}"));
    Failure::Unsent {
        code: codes::DESTINATION_TOKEN,
        reason: format!("no access token: {}{hint}", error.message),
    }
}
