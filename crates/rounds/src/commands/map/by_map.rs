//! An action that is nothing but a map, so that a map can be tested without any action of the user's.
//!
//! What stands here instead of the user's configuration is of no interest to anybody, so nothing is said of it: what is wrong is told with the
//! place in the map's own file, or without any place.

use crate::output::Terminal;
use crate::{Ended, Problem};
use rounds_config::codes::UNKNOWN_MAP;
use rounds_config::{Diagnostic, Sources, load, map_in};
use rounds_domain::plan::Action;
use rounds_map::Json;
use std::path::Path;
use std::sync::Arc;

/// A name that nobody gives, since it stands beside the user's own.
const OURS: &str = "rounds-map-test";
/// How to name a map.
const NAMING: &str = "`rounds map list` lists the built-in maps; one of your own is named by its file, as in `--map ./my-map.yaml`, or by its name if it stands in the folder of \
     `--config`";

/// The action of a map: a built-in one, one of the configuration's folder, or that of a file. Where there is a configuration, its maps and
/// translations are known to it.
pub(super) fn action(
    map: &str,
    config: &Path,
    terminal: &mut Terminal,
) -> Result<Arc<Action>, Problem> {
    let mut sources = if config.exists() {
        Sources::read(config)?
    } else {
        Sources::default()
    };
    let name = if is_file(map) {
        of_file(map, &mut sources, terminal)?
    } else {
        map.to_owned()
    };
    let ours = sources.count();
    let sources = sources.with_text(OURS, configuration(&name));
    let outcome = load(&sources);
    let plan = outcome.plan.ok_or_else(|| {
        let (of_ours, of_theirs): (Vec<_>, Vec<_>) =
            (outcome.diagnostics.into_iter()).partition(|found| found.place.file == ours);
        terminal.diagnostics(&sources, &of_theirs);
        unusable(map, of_ours.first())
    })?;
    let mut actions = plan.actions.into_iter();
    actions
        .find(|action| action.name.as_str() == OURS)
        .ok_or_else(|| unusable(map, None))
}

/// Whether it is the name of a file, and not that of a map.
fn is_file(map: &str) -> bool {
    let extension = Path::new(map).extension();
    extension.is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// The name of the map in a file, which stands among the sources then.
fn of_file(map: &str, sources: &mut Sources, terminal: &mut Terminal) -> Result<String, Problem> {
    let file = sources.and_read(Path::new(map))?;
    if let Some(name) = map_in(sources, file) {
        return Ok(name);
    }
    let all = load(sources).diagnostics.into_iter();
    let of_file: Vec<Diagnostic> = all.filter(|found| found.place.file == file).collect();
    terminal.diagnostics(sources, &of_file);
    Err(Problem::new(
        UNKNOWN_MAP,
        Ended::Usage,
        format!("the file `{map}` is no map"),
        "a map begins with `map: NAME`; `rounds map show fhir-r4/scheduling` prints one to start from",
    ))
}

fn unusable(map: &str, found: Option<&Diagnostic>) -> Problem {
    let cannot = format!("the map `{map}` cannot be used");
    match found {
        None => Problem::new(
            UNKNOWN_MAP,
            Ended::Usage,
            cannot,
            "what is wrong stands above, with its place",
        ),
        Some(found) => {
            let near = found.help.iter().find(|help| help.starts_with("did you"));
            let near = near.map_or_else(String::new, |near| format!("{near} "));
            Problem::new(
                found.code,
                Ended::Usage,
                format!("{cannot}: {}", found.message),
                format!("{near}{NAMING}"),
            )
        }
    }
}

fn configuration(map: &str) -> String {
    let map = Json::string(map).to_bytes();
    let map = String::from_utf8_lossy(&map);
    format!(
        "connections: {{ {OURS}: {{ base_url: \"https://ehr.example\" }} }}
actions:
  {OURS}:
    {{ connection: {OURS}, every: 1m, changes: {{ get: /, start: now, records: fhir_matches, id: .id }}, notify: {{ map: {map} }}, to: {OURS} }}
destinations: {{ {OURS}: {{ url: \"https://app.example\" }} }}
"
    )
}
