//! Who wants to be told of a message.

use super::Trouble;
use super::mapping::failed;
use rounds_domain::DestinationName;
use rounds_domain::plan::{List, ListRule, Subscription};
use rounds_map::{Json, values_at};

/// The destinations that want a message, and those that do not.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) by: Vec<DestinationName>,
    pub(super) not_by: Vec<DestinationName>,
}

/// Asks every subscription. `scope` is what the body was made of, with `body` and `event`.
pub(super) fn wanted(
    subscriptions: &[Subscription],
    body: &Json,
    scope: &Json,
) -> Result<Wanted, Trouble> {
    let mut wanted = Wanted::default();
    for subscription in subscriptions {
        let name = subscription.destination.clone();
        if wants(subscription, body, scope)? {
            wanted.by.push(name);
        } else {
            wanted.not_by.push(name);
        }
    }
    Ok(wanted)
}

fn wants(subscription: &Subscription, body: &Json, scope: &Json) -> Result<bool, Trouble> {
    if !subscription
        .lists
        .iter()
        .all(|rule| lets_through(rule, body))
    {
        return Ok(false);
    }
    let Some(when) = &subscription.when else {
        return Ok(true);
    };
    // What cannot be decided is not left out silently: the change waits, and says why.
    when.holds(scope).map_err(|error| {
        failed(format!(
            "`when` of the destination `{}`: {error}",
            subscription.destination
        ))
    })
}

fn lets_through(rule: &ListRule, body: &Json) -> bool {
    let values = values_at(body, &rule.path);
    let listed = values
        .iter()
        .filter_map(Json::scalar_text)
        .any(|value| rule.values.contains(&value));
    listed == (rule.list == List::Allow)
}
