//! A story for each connector file: the user's configuration of its example, over an EHR that behaves as that API is
//! documented to, traps included.

mod fhir;
mod forms;
mod lists;
mod other;

use crate::world::World;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use url::Url;

/// What an EHR holds, for the story and for the EHR's handler.
pub(super) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    pub(super) fn new(held: T) -> Self {
        Self(Arc::new(Mutex::new(held)))
    }

    pub(super) fn set(&self, held: T) {
        *self.0.lock().expect("not poisoned") = held;
    }

    pub(super) fn with<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut self.0.lock().expect("not poisoned"))
    }
}

/// The example of a connector, asked at each full minute; stories begin at one.
pub(super) fn example(connector: &str) -> String {
    let all = rounds_config::connectors();
    let found = all.into_iter().find(|known| known.name == connector);
    let example = found.expect("there is such a connector").example;
    // Where in its interval an action is asked differs from installation to installation.
    let mut text = example;
    for every in ["30s", "1m", "2m", "5m", "15m", "1h"] {
        text = text.replace(&format!("every: {every},"), "at: \"* * * * *\",");
    }
    text
}

/// The example, and further actions.
pub(super) fn example_with(connector: &str, actions: &str) -> String {
    example(connector).replace("destinations:", &format!("{actions}destinations:"))
}

/// What was told since the last call: what stands at these pointers of each body, joined by blanks, sorted.
pub(super) fn told(world: &World, pointers: &[&str]) -> Vec<String> {
    let bodies = world.bodies();
    let shown = bodies.iter().map(|body| {
        let texts = pointers.iter().map(|pointer| match body.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "-".to_owned(),
        });
        texts.collect::<Vec<_>>().join(" ")
    });
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    shown
}

pub(super) const NOTHING: [&str; 0] = [];

/// A query parameter; an empty text where there is none.
pub(super) fn parameter(url: &Url, name: &str) -> String {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(known, _)| known == name)
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The URL with another value of a query parameter.
pub(super) fn with_parameter(url: &Url, name: &str, value: usize) -> String {
    let mut other = url.clone();
    let kept: Vec<(String, String)> = (url.query_pairs())
        .filter(|(known, _)| known != name)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    other
        .query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .append_pair(name, &value.to_string());
    other.into()
}

/// The code of the failure of an action's change query.
pub(super) async fn failure(world: &World, action: &str) -> Option<String> {
    let failure = world.feed(action).await.failure;
    failure.map(|failure| failure.code.to_string())
}
