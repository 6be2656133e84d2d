//! One session for all requests of a connection.

use super::way::Way;
use super::{Proof, login, oauth2};
use crate::codes;
use crate::ehr::lane::Lane;
use crate::gate::Pass;
use rounds_domain::plan::Authentication;
use rounds_domain::ports::{Credential, EhrError, Transience};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// How long before its end a session is not used any more, at least.
const SHORTEST_MARGIN: Duration = Duration::from_secs(30);
/// A session serves this long whatever the server says, or every request would ask for one.
const SHORTEST_USE: Duration = Duration::from_secs(1);
/// How long a failure is believed that may pass.
const PASSING_BELIEVED_FOR: Duration = Duration::from_secs(1);
/// How long other failures are believed, and how long a session serves that was refused although it was new.
const LASTING_BELIEVED_FOR: Duration = Duration::from_secs(30);

/// How long a session is used that lasts this long: not its last 30 seconds and not its last tenth, but half of it at least.
pub(super) fn kept_for(lifetime: Duration) -> Duration {
    let margin = SHORTEST_MARGIN.max(lifetime / 10).min(lifetime / 2);
    lifetime.saturating_sub(margin).max(SHORTEST_USE)
}

/// The session of a connection.
pub(crate) struct Session {
    state: Arc<Mutex<State>>,
    /// How many times it was asked for, with whatever outcome.
    askings: Arc<AtomicU64>,
}

/// What is known of it.
#[derive(Default)]
pub(super) struct State {
    token: Option<Arc<Token>>,
    failure: Option<Failed>,
    /// The last one was refused, so the next one is had because of that.
    was_refused: bool,
    /// Until then a refusal is the answer: new sessions are refused too.
    quiet_until: Duration,
    /// The token URL that the EHR said, and when.
    pub(super) discovered: Option<(Url, Duration)>,
    /// A secret that the EHR gave and that could not be kept yet.
    pub(super) unkept: Option<Credential>,
    pub(super) scope_was_told: bool,
}

struct Failed {
    error: EhrError,
    /// Whoever waited for it shares it; who comes later does so only before this.
    believed_until: Duration,
}

/// A session that was given.
pub(super) struct Obtained {
    pub(super) proof: Proof,
    /// None where nobody knows.
    pub(super) lifetime: Option<Duration>,
}

/// A session that is in use.
pub(crate) struct Token {
    number: u64,
    proof: Proof,
    obtained_at: Duration,
    /// None where only a refusal ends it.
    stale_at: Option<Duration>,
    /// It was had because the one before was refused.
    follows_refusal: bool,
    was_accepted: AtomicBool,
}

impl Token {
    pub(crate) const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// A request with it was answered otherwise than with 401.
    pub(crate) fn accepted(&self) {
        self.was_accepted.store(true, Ordering::Relaxed);
    }
}

/// What a refusal leads to.
pub(crate) enum AfterRefusal {
    /// There is another session: send it again.
    Again(Arc<Token>, Pass),
    /// Another session would be refused too, as far as is known.
    Accept,
}

impl Session {
    /// The session of a connection, if its authentication makes one.
    pub(crate) fn of(authentication: &Authentication) -> Option<Self> {
        match authentication {
            Authentication::OAuth2(_)
            | Authentication::SmartBackend(_)
            | Authentication::Login(_) => Some(Self {
                state: Arc::default(),
                askings: Arc::default(),
            }),
            _ => None,
        }
    }

    /// The session, and the leave to send a request with it. Asked for now if there is none that is good.
    pub(crate) async fn token(
        &self,
        lane: &Arc<Lane>,
        mut pass: Pass,
    ) -> Result<(Arc<Token>, Pass), EhrError> {
        let seen = self.askings.load(Ordering::Acquire);
        let mut state = Arc::clone(&self.state).lock_owned().await;
        let has_waited = self.askings.load(Ordering::Acquire) != seen;
        let now = lane.clock.monotonic();
        if let Some(token) = state.good(now) {
            drop(state);
            if has_waited {
                lane.gate.anew(&mut pass).await;
            }
            return Ok((token, pass));
        }
        if let Some(failed) = &state.failure
            && (has_waited || now < failed.believed_until)
        {
            return Err(failed.error.clone());
        }
        // A task of its own: it comes to its end even if nobody wants the request any more.
        let (lane, askings) = (Arc::clone(lane), Arc::clone(&self.askings));
        let name = lane.connection.name.clone();
        let asking = tokio::spawn(async move {
            let number = askings.load(Ordering::Acquire) + 1;
            let outcome = state.ask(&lane, &mut pass, number).await;
            askings.store(number, Ordering::Release);
            drop(state);
            let token = outcome?;
            lane.gate.again(&mut pass).await;
            Ok((token, pass))
        });
        asking.await.unwrap_or_else(|_| {
            Err(EhrError {
                code: codes::EHR_OTHER,
                message: format!("asking for a session (connection {name}) was broken off"),
                hint: None,
                transience: Transience::Passing,
            })
        })
    }

    /// A request with this session was answered with 401: another session, or the word that this is the answer.
    pub(crate) async fn after_refusal(
        &self,
        lane: &Arc<Lane>,
        pass: Pass,
        refused: &Token,
    ) -> Result<AfterRefusal, EhrError> {
        {
            let mut state = self.state.lock().await;
            if state.is(refused) {
                let is_hopeless =
                    refused.follows_refusal && !refused.was_accepted.load(Ordering::Relaxed);
                if is_hopeless && lane.clock.monotonic() < state.quiet_until {
                    return Ok(AfterRefusal::Accept);
                }
                state.end_by_refusal();
            }
        }
        let (token, pass) = self.token(lane, pass).await?;
        Ok(AfterRefusal::Again(token, pass))
    }

    /// The session that came after a refusal was refused too. It stays for a while, so that it is not asked for over and over.
    pub(crate) async fn refused_again(&self, lane: &Lane, refused: &Token) {
        let mut state = self.state.lock().await;
        if state.is(refused) && !refused.was_accepted.load(Ordering::Relaxed) {
            state.quiet_until = lane.clock.monotonic() + LASTING_BELIEVED_FOR;
            tracing::warn!(
                connection.name = %lane.connection.name,
                "connection {} refuses sessions that it has just given; none is asked for on a refusal for {} seconds",
                lane.connection.name,
                LASTING_BELIEVED_FOR.as_secs(),
            );
        }
    }

    /// A request that was sent at this moment found the session ended.
    pub(crate) async fn ended(&self, lane: &Lane, sent_at: Duration) {
        let mut state = self.state.lock().await;
        let now = lane.clock.monotonic();
        let is_meant = state
            .token
            .as_ref()
            .is_some_and(|token| token.obtained_at <= sent_at);
        if is_meant && now >= state.quiet_until {
            state.end_by_refusal();
        }
    }
}

impl State {
    fn good(&self, now: Duration) -> Option<Arc<Token>> {
        let token = self.token.as_ref()?;
        let is_good = token.stale_at.is_none_or(|stale_at| now < stale_at);
        is_good.then(|| Arc::clone(token))
    }

    fn is(&self, other: &Token) -> bool {
        self.token
            .as_ref()
            .is_some_and(|token| token.number == other.number)
    }

    fn end_by_refusal(&mut self) {
        self.token = None;
        self.was_refused = true;
    }

    async fn ask(
        &mut self,
        lane: &Lane,
        pass: &mut Pass,
        number: u64,
    ) -> Result<Arc<Token>, EhrError> {
        // From here on, because the server counts from some moment later.
        let asked_at = lane.clock.monotonic();
        let mut way = Way::new(lane, pass);
        let outcome = match &lane.connection.authentication {
            Authentication::OAuth2(oauth2) => oauth2::oauth2(&mut way, self, oauth2).await,
            Authentication::SmartBackend(smart) => oauth2::smart(&mut way, self, smart).await,
            Authentication::Login(login) => {
                login::login(&mut way, login)
                    .await
                    .map(|obtained| Obtained {
                        lifetime: login.lasts.or(obtained.lifetime),
                        ..obtained
                    })
            }
            // There is a session for these three only.
            _ => Err(EhrError {
                code: codes::EHR_OTHER,
                message: format!("connection {} has no sessions", lane.connection.name),
                hint: None,
                transience: Transience::Lasting,
            }),
        };
        let has_asked = way.has_asked();
        let now = lane.clock.monotonic();
        match outcome {
            Ok(Obtained { proof, lifetime }) => {
                let token = Arc::new(Token {
                    number,
                    proof,
                    obtained_at: now,
                    stale_at: lifetime.map(|lifetime| asked_at + kept_for(lifetime)),
                    follows_refusal: std::mem::take(&mut self.was_refused),
                    was_accepted: AtomicBool::new(false),
                });
                self.failure = None;
                self.token = Some(Arc::clone(&token));
                Ok(token)
            }
            Err(error) => {
                let believed_for = match error.transience {
                    // What failed on this machine is tried again at once: nobody is bothered.
                    _ if !has_asked => Duration::ZERO,
                    Transience::Passing => PASSING_BELIEVED_FOR,
                    Transience::Lasting => LASTING_BELIEVED_FOR,
                };
                self.token = None;
                self.failure = Some(Failed {
                    error: error.clone(),
                    believed_until: now + believed_for,
                });
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_left_before_its_end_and_a_short_one_works() {
        let seconds = Duration::from_secs;
        for (lifetime, kept) in [
            (seconds(3600), seconds(3240)),
            (seconds(570), seconds(513)),
            (seconds(300), seconds(270)),
            (seconds(100), seconds(70)),
            (seconds(60), seconds(30)),
            (seconds(40), seconds(20)),
            (seconds(3), Duration::from_millis(1500)),
            (seconds(1), seconds(1)),
            (seconds(0), seconds(1)),
        ] {
            assert_eq!(kept_for(lifetime), kept, "{lifetime:?}");
        }
    }
}
