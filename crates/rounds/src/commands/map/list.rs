//! `rounds map list` and `show`: the maps that there are.

use crate::output::{Align, Columns, Report, Terminal};
use crate::problem::nearest_or;
use crate::{Ended, Problem};
use rounds_config::codes::UNKNOWN_MAP;
use rounds_config::maps;
use serde::Serialize;
use std::io::{self, Write};

/// Every built-in map.
#[derive(Debug, Serialize)]
pub struct MapPage {
    /// The maps.
    pub maps: Vec<MapRow>,
}

/// One map.
#[derive(Debug, Serialize)]
pub struct MapRow {
    /// Its name, as `notify.map` says it.
    pub map: String,
    /// What it is.
    pub about: String,
    /// Where it comes from.
    pub sources: Vec<String>,
}

/// One map's file.
#[derive(Debug, Serialize)]
struct MapText {
    map: String,
    yaml: &'static str,
}

/// Every built-in map.
pub fn list() -> MapPage {
    let rows = maps().into_iter().map(|facts| MapRow {
        map: facts.name,
        about: facts.about,
        sources: facts.sources,
    });
    MapPage {
        maps: rows.collect(),
    }
}

/// Prints one.
pub(super) fn show(name: &str, terminal: &mut Terminal) -> Result<Ended, Problem> {
    let known = maps();
    let Some(found) = known.iter().find(|facts| facts.name == name) else {
        let names = known.iter().map(|facts| facts.name.as_str());
        let hint = nearest_or(name, names, "`rounds map list` lists them");
        let message = format!("there is no map `{name}`");
        return Err(Problem::new(UNKNOWN_MAP, Ended::Usage, message, hint));
    };
    terminal.give(&MapText {
        map: found.name.clone(),
        yaml: found.text,
    })?;
    Ok(Ended::Fine)
}

impl Report for MapPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[("map", Align::Left), ("about", Align::Left)]);
        for row in &self.maps {
            table.row([row.map.clone(), row.about.clone()]);
        }
        table.write(out, "")
    }
}

impl Report for MapText {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.yaml.as_bytes())
    }
}
