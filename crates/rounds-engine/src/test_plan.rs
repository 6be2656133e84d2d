//! Pieces of a plan for unit tests.

use rounds_domain::plan::{
    Action, AnswerFormat, BodyRule, Cadence, CursorRule, Deletions, Feed, FeedRole, Frame, Links,
    Notify, OrderBy, Paging, PagingRule, Payload, RequestRule, RetrySchedule, Schedule, Shape,
    Start, Sweep, SweepScope, VersionRule,
};
use rounds_domain::{ActionName, ConnectionName, FeedName};
use rounds_map::{Filter, Template};
use std::sync::Arc;
use std::time::Duration;

/// An action that is polled at this interval and is otherwise as plain as can be.
pub(crate) fn action_every(name: &str, seconds: u64) -> Arc<Action> {
    let filter = |text| Filter::compile(text).expect("a filter");
    let changes = Feed {
        name: FeedName::new("changes"),
        role: FeedRole::Changes,
        schedule: Schedule {
            cadence: Cadence::Every(Duration::from_secs(seconds)),
            windows: Vec::new(),
            zone: jiff::tz::TimeZone::UTC,
        },
        request: RequestRule {
            method: http::Method::GET,
            path: Template::compile("/records", &[]).expect("a template"),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            format: AnswerFormat::Json,
            timeout: None,
        },
        cursor: CursorRule::Sweep(Sweep {
            scope: SweepScope::Everything,
            deletions: Deletions::Ignored,
        }),
        start: Start::Now,
        baseline: rounds_domain::plan::Baseline::None,
        created: None,
        paging: Paging {
            rule: PagingRule::Single,
            more: None,
            rows: rounds_domain::plan::Rows::Move,
            offset_parameter: None,
            links: Links::AsGiven,
            max_pages: 1,
        },
        records: rounds_domain::plan::Records::of(filter(".[]")),
        id: filter(".id"),
        ids: rounds_domain::plan::Ids::Shared,
        version: VersionRule::Fingerprint { counting: None },
        gone: None,
        skip: None,
        job: None,
        partitions: None,
        dated_by: None,
    };
    Arc::new(Action {
        name: ActionName::new(name),
        renamed_from: None,
        connection: ConnectionName::new("ehr"),
        setup: None,
        changes: Arc::new(changes),
        also: Vec::new(),
        sweeps: Vec::new(),
        receive: None,
        lookups: Vec::new(),
        answers: Vec::new(),
        notify: Notify {
            body: BodyRule::Whole,
            order_by: OrderBy::Record,
            only: None,
            modifiers: Vec::new(),
            shape: Shape::default(),
            payload: Payload::default(),
            topic: None,
            watched: Vec::new(),
            zone: None,
            frame: Frame::default(),
        },
        to: Vec::new(),
        retry: RetrySchedule::containers(),
    })
}
