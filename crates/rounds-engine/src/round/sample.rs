//! What a query asks for if it stands at an instant: for people, before it asks.

use super::instant;
use crate::moment::later;
use jiff::Timestamp;
use jiff::civil::Date;
use rounds_domain::plan::{CursorRule, DateRange, Feed, Sweep, SweepScope};
use rounds_map::{Escape, Json};
use std::time::Duration;

/// How far ahead the upper bound of the sample lies.
const SPAN: Duration = Duration::from_hours(1);

/// What a feed would ask for at `at`, such as `changedsince=2026-11-25T17:04:00`; None where that does not follow from an instant.
pub fn sample_request(feed: &Feed, at: Timestamp) -> Option<String> {
    let texts = match &feed.cursor {
        CursorRule::Time(rule) => {
            let until = later(at, rule.longest_window.unwrap_or(SPAN));
            vec![
                ("cursor", instant::write(at, rule).ok()?.text),
                ("until", instant::write_not_before(until, rule).ok()?.text),
            ]
        }
        CursorRule::Sweep(Sweep {
            scope: SweepScope::Dates(range),
            ..
        }) => {
            let today = at.to_zoned(range.zone.clone()).date();
            vec![
                ("from", day(range, today, range.from_days)?),
                ("to", day(range, today, range.to_days)?),
            ]
        }
        CursorRule::Number(_)
        | CursorRule::Token(_)
        | CursorRule::Queue(_)
        | CursorRule::Sweep(_) => {
            return None;
        }
    };
    let scope = texts.iter().map(|(name, text)| (*name, Json::string(text)));
    let scope = Json::object(scope);
    let asked = (feed.request.query.iter()).filter_map(|(name, template)| {
        let roots = template.roots();
        let is_its = roots
            .iter()
            .any(|root| texts.iter().any(|(known, _)| known == root));
        let value = template.render(&scope, Escape::Verbatim).ok();
        Some(format!("{name}={}", value.filter(|_| is_its)?))
    });
    let asked: Vec<String> = asked.collect();
    if asked.is_empty() {
        return texts.into_iter().next().map(|(_, text)| text);
    }
    Some(asked.join("&"))
}

fn day(range: &DateRange, today: Date, days: i32) -> Option<String> {
    let day = today.checked_add(jiff::Span::new().days(days)).ok()?;
    jiff::fmt::strtime::format(&range.format, day).ok()
}
