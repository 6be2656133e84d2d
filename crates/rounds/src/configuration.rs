//! From the path that the user gave to a plan, with everything that is wrong shown on the way.

use crate::output::Terminal;
use crate::problem::CONFIGURATION;
use crate::{Ended, Problem};
use rounds_config::{ConnectorUse, Diagnostic, Severity, Sources};
use rounds_domain::plan::Plan;
use std::path::Path;
use std::sync::Arc;

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// The texts.
    pub sources: Sources,
    /// The plan, if there was no error.
    pub plan: Option<Arc<Plan>>,
    /// All that is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// Which actions use which of a connector's.
    pub uses: Vec<ConnectorUse>,
    /// What stands for everything that was read.
    pub fingerprint: String,
}

impl Read {
    /// Reads a file or a folder.
    ///
    /// # Errors
    ///
    /// When it cannot be read at all. Whatever is wrong inside is among the diagnostics.
    pub fn from(path: &Path) -> Result<Self, Problem> {
        let sources = Sources::read(path)?;
        let outcome = rounds_config::load(&sources);
        Ok(Self {
            sources,
            plan: outcome.plan.map(Arc::new),
            diagnostics: outcome.diagnostics,
            uses: outcome.uses,
            fingerprint: outcome.fingerprint,
        })
    }

    /// How many diagnostics have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let of = |diagnostic: &&Diagnostic| diagnostic.severity == severity;
        self.diagnostics.iter().filter(of).count()
    }

    /// The plan, or that there is none.
    pub fn plan(&self, path: &Path) -> Result<Arc<Plan>, Problem> {
        self.plan.clone().ok_or_else(|| {
            let errors = self.count(Severity::Error);
            let many = if errors == 1 { "" } else { "s" };
            Problem::new(
                CONFIGURATION,
                Ended::BadData,
                format!(
                    "the configuration `{}` has {errors} error{many}",
                    path.display()
                ),
                "each is shown above with its place and its mend; nothing was started",
            )
        })
    }
}

/// Reads the configuration for a command that needs it, and shows what is wrong with it.
pub fn load(path: &Path, terminal: &mut Terminal) -> Result<Arc<Plan>, Problem> {
    load_marked(path, terminal).map(|(plan, _)| plan)
}

/// The same, with what stands for everything that was read, so that an edit is noticed.
pub fn load_marked(path: &Path, terminal: &mut Terminal) -> Result<(Arc<Plan>, String), Problem> {
    let read = Read::from(path)?;
    terminal.diagnostics(&read.sources, &read.diagnostics);
    Ok((read.plan(path)?, read.fingerprint))
}
