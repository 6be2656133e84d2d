//! `rounds run`: everything at work until the word to stop, then a bounded drain.

use crate::cli::{Common, RunArguments};
use crate::output::{Terminal, duration_in_words};
use crate::signals::Stopping;
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration, edits, problem};
use rounds_domain::plan::{Cadence, Plan};
use rounds_domain::ports::{Clock, Credentials, Overview, Reception, Store};
use rounds_engine::{Drained, Engine};
use rounds_http::InboundServers;
use rounds_store::{SqliteStore, StoreOptions};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked for what operators' commands changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Carries the configuration out.
pub async fn perform(
    common: &Common,
    options: &RunArguments,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    // Signals first: one that comes during the start is not lost.
    let mut stopping = Stopping::listen()?;

    // What is to be done.
    let (plan, fingerprint) = configuration::load_marked(&common.config, terminal)?;

    // What is kept. Fails where another process has it.
    let store = Arc::new(SqliteStore::open(
        &common.data_dir,
        &StoreOptions {
            size_limit_bytes: options.database_limit_bytes,
            ..StoreOptions::default()
        },
    )?);

    // An edit that does not fit what is kept is said before anything is asked.
    let surroundings = Surroundings::real();
    let now = surroundings.clock.now();
    let overview = edits::reconcile(&plan, &fingerprint, &*store, now).await?;

    // What carries it out. Nothing is dialled yet.
    let ports = surroundings.ports(
        &plan,
        Arc::clone(&store) as Arc<dyn Store>,
        Some(Arc::clone(&store) as Arc<dyn Credentials>),
    )?;
    let engine = Arc::new(Engine::new(Arc::clone(&plan), ports));

    // What EHRs push. It is taken as long as anything is: what is answered is on the disk, and what is cut off comes again.
    let reception = Arc::clone(&engine) as Arc<dyn Reception>;
    let pushes = InboundServers::start(
        &plan,
        &surroundings.secrets,
        &surroundings.clock,
        &reception,
    )
    .await
    .map_err(|error| {
        Problem::new(
            problem::CANNOT_LISTEN,
            Ended::Failed,
            error.to_string(),
            "stop whatever else has that port, or name another under `receive.listen`",
        )
    })?;

    // What it is going to do, for the log.
    announce(common, &plan);
    for address in pushes.addresses() {
        tracing::info!(%address, "listening for what EHRs push");
    }
    warn_of_secrets(&plan, &surroundings).await;
    warn_of_the_unserved(&plan, overview);

    // Work, until a signal comes; then finish what is under way. A second signal cuts it short.
    let (heard, stop) = tokio::sync::oneshot::channel();
    let drain_for = options.drain_for;
    let listening = async {
        let signal = stopping.asked().await;
        tracing::info!(
            "{signal}: finishing what is under way, for at most {}",
            duration_in_words(drain_for)
        );
        // The engine may have ended by itself.
        let _ = heard.send(());
        let signal = stopping.asked().await;
        tracing::warn!("{signal} again: stopping at once");
    };
    let stop = async {
        // An error means that nobody is left who could say it, which is the same.
        let _ = stop.await;
    };
    let drained = tokio::select! {
        drained = engine.run(stop, drain_for) => drained?,
        () = listening => Drained::CutShort,
        () = watch(&store, &engine, &*surroundings.clock) => Drained::CutShort,
    };

    drop(pushes);

    // How it ended.
    Ok(match drained {
        Drained::Clean => {
            tracing::info!("stopped; the drain was clean: nothing was under way any more");
            Ended::Fine
        }
        Drained::CutShort => {
            tracing::warn!(
                "stopped; the drain was cut short: what was under way is taken up at the next start, and what was being sent may be sent again with the same id"
            );
            Ended::NotAsItShould
        }
    })
}

/// Nudges the engine when a command of an operator changed the store. Does not end.
async fn watch(store: &SqliteStore, engine: &Engine, clock: &dyn Clock) {
    let mut seen = None;
    loop {
        match store.changes_by_others().await {
            Ok(now) => {
                if seen.is_some_and(|seen| seen != now) {
                    engine.nudge();
                }
                seen = Some(now);
            }
            // The engine has the same store and says what is wrong with it.
            Err(error) => tracing::debug!("looking for operators' changes: {error}"),
        }
        clock.sleep(LOOK_EVERY).await;
    }
}

fn announce(common: &Common, plan: &Plan) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration = %common.config.display(),
        data_directory = %common.data_dir.display(),
        "Rounds starts"
    );
    for connection in plan.connections.values() {
        tracing::info!(
            origin = %connection.base_url.origin().ascii_serialization(),
            in_flight = connection.limits.in_flight,
            rates = connection.limits.rates.len(),
            "connection {}",
            connection.name
        );
    }
    for action in &plan.actions {
        let cadence = match &action.changes.schedule.cadence {
            Cadence::Every(every) => format!("every {}", duration_in_words(*every)),
            Cadence::At(cron) => format!("at {}", cron.pattern),
        };
        tracing::info!(
            connection = %action.connection,
            sweeps = action.sweeps.len(),
            lookups = action.lookups.len(),
            destinations = action.to.len(),
            "action {}, {cadence}",
            action.name
        );
    }
    for destination in plan.destinations.values() {
        tracing::info!(
            origin = %destination.url.origin().ascii_serialization(),
            signed = !destination.signing_secrets.is_empty(),
            "destination {}",
            destination.name
        );
    }
}

/// What waits for a destination or an action that the configuration no longer has is kept, and nobody serves it.
fn warn_of_the_unserved(plan: &Plan, overview: Overview) {
    for destination in overview.destinations {
        let name = &destination.destination;
        if destination.owed > 0 && !plan.destinations.contains_key(name) {
            tracing::warn!(
                destination = %name,
                owed = destination.owed,
                "the configuration has no destination {name} any more, and something is owed to it: put it back, or `rounds deliveries drop --destination {name}`"
            );
        }
    }
    for action in overview.actions {
        let name = &action.action;
        let open = action.containers_open + action.containers_parked;
        if open > 0 && !plan.actions.iter().any(|known| known.name == *name) {
            tracing::warn!(
                action = %name,
                open,
                "the configuration has no action {name} any more, and changes of it wait: put it back, or `rounds containers drop --action {name}`"
            );
        }
    }
}

/// A missing secret is no reason not to start: it may come, and the rest can work.
async fn warn_of_secrets(plan: &Plan, surroundings: &Surroundings) {
    for (used_at, trouble) in surroundings.try_secrets(plan).await {
        if let Some(error) = trouble {
            tracing::warn!(code = %problem::SECRET, hint = %error.hint, "{used_at}: {error}");
        }
    }
}
