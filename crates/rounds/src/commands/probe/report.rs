//! What a probe of a FHIR server found, in words.

use crate::output::{Align, Columns, Report, plural};
use rounds_engine::probe::{ExportLevel, Found, Probed, ResourceVerdict, Strictness, Works};
use serde::Serialize;
use std::io::{self, Write};

/// What a probe found.
#[derive(Debug, Serialize)]
pub struct FhirPage {
    /// Which connection.
    pub connection: String,
    /// What the server says of itself.
    pub server: ServerRow,
    /// What each resource can be polled by.
    pub resources: Vec<PollableRow>,
    /// How many requests it took.
    pub requests: usize,
}

/// What a server says of itself.
#[derive(Debug, Serialize)]
pub struct ServerRow {
    /// The software; none if it does not say.
    pub software: Option<String>,
    /// Which FHIR; none if there is no `CapabilityStatement`.
    pub fhir_version: Option<String>,
    /// Whether it refuses a parameter that it does not know: `refuses`, `ignores` or `unseen`.
    pub unknown_parameters: &'static str,
    /// Where a Bulk export begins.
    pub exports: Vec<&'static str>,
    /// Where SMART tokens are asked for.
    pub token_endpoint: Option<String>,
    /// With which signatures.
    pub signing_algorithms: Vec<String>,
}

/// What a resource can be polled by.
#[derive(Debug, Serialize)]
pub struct PollableRow {
    /// Its type.
    pub resource: String,
    /// `search`, `history`, `dates`, `export` or `none`.
    pub by: &'static str,
    /// `tried`, `accepted` (and nothing to see it by), or `advertised`.
    pub certainty: &'static str,
    /// How the change filter did.
    pub search: String,
    /// How the history did.
    pub history: String,
    /// The configuration that would do it; none if there is none.
    pub configuration: Option<String>,
    /// What should stand beside it.
    pub advice: Option<String>,
}

impl FhirPage {
    /// The page of what was found.
    pub fn of(connection: &str, probed: &Probed) -> Self {
        let statement = probed.statement.as_ref();
        let exports = statement.map_or(&[][..], |known| known.exports.as_slice());
        let smart = probed.smart.as_ref();
        Self {
            connection: connection.to_owned(),
            server: ServerRow {
                software: statement.and_then(|known| known.software.clone()),
                fhir_version: statement.and_then(|known| known.fhir_version.clone()),
                unknown_parameters: match probed.strictness {
                    Strictness::Refuses => "refuses",
                    Strictness::Ignores => "ignores",
                    Strictness::Unseen => "unseen",
                },
                exports: exports
                    .iter()
                    .map(|level| match level {
                        ExportLevel::System => "system",
                        ExportLevel::Patient => "patient",
                        ExportLevel::Group => "group",
                    })
                    .collect(),
                token_endpoint: smart.and_then(|smart| smart.token_endpoint.clone()),
                signing_algorithms: smart.map_or_else(Vec::new, |smart| smart.algorithms.clone()),
            },
            resources: (probed.resources.iter())
                .map(|verdict| row(connection, verdict, exports.first().copied()))
                .collect(),
            requests: probed.exchanges.len(),
        }
    }

    /// Whether anything of the server can be gone by.
    pub fn has_answered(&self) -> bool {
        self.server.fhir_version.is_some() || self.resources.iter().any(|row| row.by != "none")
    }
}

fn row(connection: &str, verdict: &ResourceVerdict, export: Option<ExportLevel>) -> PollableRow {
    let (by, certainty) = match (verdict.search.works, verdict.history.works, verdict.dates) {
        (Works::Yes, ..) => ("search", "tried"),
        (_, Works::Yes, _) => ("history", "tried"),
        (Works::Unseen, ..) => ("search", "accepted"),
        (_, _, Some(_)) => ("dates", "advertised"),
        _ if export.is_some() => ("export", "advertised"),
        _ => ("none", "tried"),
    };
    let advice = match by {
        "search" if verdict.history.works == Works::Yes => Some(format!(
            "deletions show in the history: `uses: history_{}` tells of them",
            snake_case(&verdict.resource)
        )),
        "search" => Some("deletions do not show: `reconcile: every 1d` finds them".to_owned()),
        "dates" => Some("only what lies in the range of dates is seen; try whether a search by dates alone is allowed".to_owned()),
        "export" => Some("each round goes one step of an export; how long one takes is the server's matter".to_owned()),
        "none" => Some("look it up from what can be polled".to_owned()),
        _ => None,
    };
    PollableRow {
        resource: verdict.resource.clone(),
        by,
        certainty,
        search: words(&verdict.search),
        history: words(&verdict.history),
        configuration: configuration(connection, verdict, by, export),
        advice,
    }
}

fn words(found: &Found) -> String {
    let verdict = match found.works {
        Works::Yes => "yes",
        Works::No => "no",
        Works::Unseen => "perhaps",
    };
    format!("{verdict}: {}", found.because)
}

/// What stands under `actions`, but for the interval and whom to tell.
fn configuration(
    connection: &str,
    verdict: &ResourceVerdict,
    by: &str,
    export: Option<ExportLevel>,
) -> Option<String> {
    let resource = &verdict.resource;
    let name = snake_case(resource);
    match by {
        "search" => Some(format!(
            "{name}: {{ connection: {connection}, uses: {name}, every: ..., to: ... }}"
        )),
        "history" => Some(format!(
            "{name}: {{ connection: {connection}, uses: history_{name}, every: ..., to: ... }}"
        )),
        "export" => {
            let path = match export? {
                ExportLevel::System => "",
                ExportLevel::Patient => ", changes: { get: /Patient/$export }",
                ExportLevel::Group => ", changes: { get: /Group/.../$export }",
            };
            Some(format!(
                "{name}: {{ connection: {connection}, uses: bulk_{name}, every: ..., to: ...{path} }}"
            ))
        }
        "dates" => {
            let parameter = verdict.dates?;
            let field = match resource.as_str() {
                "Appointment" => ".start",
                "Encounter" => ".period.start",
                "ServiceRequest" => ".authoredOn",
                "Observation" | "DiagnosticReport" => ".effectiveDateTime",
                _ => ".date",
            };
            Some(format!(
                "{name}: {{ connection: {connection}, every: ..., to: ..., changes: {{ get: /{resource}, query: {{ {parameter}: [\"ge{{{{ from }}}}\", \"le{{{{ to }}}}\"] }}, dates: {{ from: -1d, to: 60d, field: {field} }}, start: now, paging: {{ next_link: '.link[]? | select(.relation == \"next\") | .url' }}, records: fhir_matches, id: .id }} }}"
            ))
        }
        _ => None,
    }
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (index, character) in name.chars().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

impl Report for FhirPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let server = &self.server;
        writeln!(out, "{}", self.connection)?;
        let software = server
            .software
            .as_deref()
            .unwrap_or("software that does not say its name");
        match &server.fhir_version {
            Some(version) => writeln!(
                out,
                "  server      {}, FHIR {}",
                software.escape_debug(),
                version.escape_debug()
            )?,
            None => writeln!(out, "  server      gave no CapabilityStatement")?,
        }
        let unknown = match server.unknown_parameters {
            "refuses" => "a parameter that it does not know is refused when that is asked for",
            "ignores" => "a parameter that it does not know is ignored, whatever is asked for",
            _ => "what it does with a parameter that it does not know was not to be seen",
        };
        writeln!(out, "  strictness  {unknown}")?;
        match (&server.token_endpoint, server.signing_algorithms.as_slice()) {
            (None, _) => writeln!(out, "  SMART       no configuration")?,
            (Some(_), []) => writeln!(out, "  SMART       tokens are given")?,
            (Some(_), algorithms) => writeln!(
                out,
                "  SMART       tokens are given for assertions with {}",
                algorithms.join(" or ").escape_debug()
            )?,
        }
        if !server.exports.is_empty() {
            writeln!(out, "  export      {}", server.exports.join(", "))?;
        }
        writeln!(out)?;
        let mut table = Columns::new(&[
            ("resource", Align::Left),
            ("pollable by", Align::Left),
            ("certainty", Align::Left),
        ]);
        for row in &self.resources {
            table.row([
                row.resource.clone(),
                row.by.to_owned(),
                row.certainty.to_owned(),
            ]);
        }
        table.write(out, "")?;
        for row in &self.resources {
            writeln!(out, "\n{}", row.resource)?;
            writeln!(out, "  by _lastUpdated  {}", row.search)?;
            writeln!(out, "  by history       {}", row.history)?;
            if let Some(configuration) = &row.configuration {
                writeln!(out, "  {configuration}")?;
            }
            if let Some(advice) = &row.advice {
                writeln!(out, "  {advice}")?;
            }
        }
        writeln!(
            out,
            "\nThis took {}. `uses` wants `connector: fhir-r4` at the connection.",
            plural(u64::try_from(self.requests).unwrap_or(u64::MAX), "request")
        )
    }
}
