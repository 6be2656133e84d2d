//! `rounds probe`: what a FHIR server, or an API whose connector says how that shows, can be polled by.

mod report;
mod tests_report;

pub use report::{FhirPage, PollableRow, ServerRow};
pub use tests_report::{TestRow, TestsPage};

use crate::cli::{Common, ProbeArguments};
use crate::output::{Report, Terminal};
use crate::problem::{NOT_PROBED, UNKNOWN_CONNECTION};
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration};
use rounds_domain::ConnectionName;
use rounds_domain::plan::Plan;
use rounds_domain::ports::Ehr;
use rounds_engine::probe::Prober;
use rounds_http::EhrClient;
use rounds_map::Evaluator;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// What a probe found.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ProbePage {
    /// Of a FHIR server.
    Fhir(FhirPage),
    /// Of an API whose connector says by which requests it shows.
    Tests(TestsPage),
}

impl ProbePage {
    /// Whether anything can be gone by.
    pub fn has_answered(&self) -> bool {
        match self {
            Self::Fhir(page) => page.has_answered(),
            Self::Tests(page) => page.has_answered(),
        }
    }
}

impl Report for ProbePage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Fhir(page) => page.write_text(out),
            Self::Tests(page) => page.write_text(out),
        }
    }
}

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
    // Whoever names resources means FHIR.
    if resources.is_empty() && !found.tests.is_empty() {
        let (tested, exchanges) = prober.test().await;
        return Ok(ProbePage::Tests(TestsPage::of(
            connection,
            tested,
            exchanges.len(),
        )));
    }
    let probed = prober.probe(resources).await;
    Ok(ProbePage::Fhir(FhirPage::of(connection, &probed)))
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
        "a FHIR server gives its CapabilityStatement at `metadata` under `base_url`; other APIs are probed by the `tests` of their connector or connection",
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
