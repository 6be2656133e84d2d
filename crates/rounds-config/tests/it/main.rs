//! The configuration as its users meet it.

mod authentication;
mod bounds;
mod cases;
mod connectors;
mod cost;
mod folder;
mod maps;
mod own_models;
mod plan;
mod schema;
mod tour;
mod translations;

use rounds_config::{Colour, Sources, load, render};

/// Every documented key.
const FULL: &str = include_str!("full.yaml");

/// The design's first example.
const SMALL: &str = include_str!("small.yaml");

/// What a person sees of everything that is wrong.
fn rendered(sources: &Sources) -> String {
    let outcome = load(sources);
    render(sources, &outcome.diagnostics, Colour::Never)
}
