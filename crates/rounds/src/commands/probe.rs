//! `rounds probe`: what a FHIR server can be polled by.

mod report;

pub use report::{PollableRow, ProbePage, ServerRow};

use crate::cli::{Common, ProbeArguments};
use crate::output::Terminal;
use crate::problem::{NOT_PROBED, UNKNOWN_CONNECTION};
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration};
use rounds_domain::ConnectionName;
use rounds_domain::plan::Plan;
use rounds_domain::ports::Ehr;
use rounds_engine::probe::Prober;
use rounds_http::EhrClient;
use rounds_map::Evaluator;
use std::sync::Arc;

/// Asks and tries a connection's server.
pub async fn probe(
    plan: &Plan,
    surroundings: &Surroundings,
    connection: &str,
    resources: &[String],
) -> Result<ProbePage, Problem> {
    let name = ConnectionName::new(connection);
    let Some(found) = plan.connections.get(&name) else {
        return Err(unknown_connection(plan, connection));
    };
    let secrets = Arc::clone(&surroundings.secrets);
    // A refresh token that a probe would spend has nowhere to be kept, so such a connection is refused.
    let client = EhrClient::new(
        [Arc::clone(found)],
        secrets,
        Arc::clone(&surroundings.clock),
    )?;
    let ehr: Arc<dyn Ehr> = Arc::new(client);
    let evaluator = Evaluator::start()
        .map_err(|error| Problem::cannot_start("starting the evaluator", &error))?;
    let prober = Prober {
        ehr: &ehr,
        clock: &surroundings.clock,
        evaluator: &evaluator,
        connection: found,
    };
    let probed = prober.probe(resources).await;
    Ok(ProbePage::of(connection, &probed))
}

/// Shows it.
pub async fn perform(
    common: &Common,
    options: &ProbeArguments,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let plan = configuration::load(&common.config, terminal)?;
    let surroundings = Surroundings::real();
    let page = probe(&plan, &surroundings, &options.connection, &options.resource).await?;
    terminal.give(&page)?;
    if page.has_answered() {
        return Ok(Ended::Fine);
    }
    Err(Problem::new(
        NOT_PROBED,
        Ended::Unavailable,
        format!(
            "the connection `{}` gave nothing to go by",
            options.connection
        ),
        "a FHIR server gives its CapabilityStatement at `metadata` under `base_url`; `rounds connectors list` shows what is known of other APIs",
    ))
}

fn unknown_connection(plan: &Plan, asked: &str) -> Problem {
    let names: Vec<String> = plan
        .connections
        .keys()
        .map(|name| format!("`{name}`"))
        .collect();
    let hint = if names.is_empty() {
        "the configuration has no connections at all".to_owned()
    } else {
        format!("the configuration has {}", names.join(", "))
    };
    Problem::new(
        UNKNOWN_CONNECTION,
        Ended::Usage,
        format!("there is no connection `{asked}`"),
        hint,
    )
}
