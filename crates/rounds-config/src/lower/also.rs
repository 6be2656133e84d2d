//! Further change queries of an action.
//!
//! All feeds of an action tell of the same records and share one ledger, so their versions must mean the same. A
//! fingerprint does not: two queries that show one record with other members would take turns in telling it. So a further
//! query needs a `version`, its own or the main one's, unless what it shows are tombstones.

use super::action::{When, ZoneUse, schedule, zone_of};
use super::feed;
use super::request::Around;
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ActionKeys, AlsoKeys, ChangesKeys};
use crate::reading::Given;
use rounds_domain::FeedName;
use rounds_domain::plan::{Feed, Schedule, VersionRule};
use std::sync::Arc;

/// The names of an action's other feeds.
const TAKEN: [&str; 5] = [
    "changes",
    "trailing",
    "reconcile",
    "setup",
    super::inbound::NAME,
];

/// The further change queries of an action. None if one is wrong.
pub(super) fn lower(
    action: &ActionKeys,
    main: &Feed,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<Vec<Arc<Feed>>> {
    let names = match &action.also {
        Given::Absent => return Some(Vec::new()),
        Given::Wrong => return None,
        Given::Here(here) => &here.value,
    };
    let changes = action.changes.value()?;
    let mut feeds = Vec::new();
    let mut is_whole = true;
    for named in &names.0 {
        if TAKEN.contains(&named.name.as_str()) {
            findings
                .error(
                    codes::FEED_NAME_TAKEN,
                    named.place,
                    format!("a further change query that is called `{}`", named.name),
                )
                .help("the change query and the sweeps have that name in `rounds status` and `rounds poll --feed`: take another");
            is_whole = false;
            continue;
        }
        let lowered = (named.value.as_ref())
            .and_then(|keys| one(action, keys, main, changes, around, findings));
        match lowered {
            Some(feed) => feeds.push(Arc::new(Feed {
                name: FeedName::new(named.name.as_str()),
                ..feed
            })),
            None => is_whole = false,
        }
    }
    is_whole.then_some(feeds)
}

fn one(
    action: &ActionKeys,
    keys: &AlsoKeys,
    main: &Feed,
    changes: &ChangesKeys,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<Feed> {
    let schedule = own_schedule(action, keys, &main.schedule, findings)?;
    let feed = feed::lower(&completed(keys, changes), Some(&schedule), around, findings)?;
    if let (VersionRule::Fingerprint { .. }, None, Some(place)) = (
        &feed.version,
        &feed.gone,
        keys.get.here().or(keys.post.here()).map(|here| here.key),
    ) {
        findings
            .error(codes::VERSIONS_DISAGREE, place, "a further change query without a `version`")
            .expected("two queries show one record in two ways, and its fingerprints would take turns")
            .help("write a `version` in `changes` that all queries show, such as `.updated_at`; or `gone: true` if these are deleted records");
        return None;
    }
    Some(feed)
}

/// Its own, if it says when; otherwise the action's.
fn own_schedule(
    action: &ActionKeys,
    keys: &AlsoKeys,
    main: &Schedule,
    findings: &mut Findings<'_>,
) -> Option<Schedule> {
    let says_when = !keys.every.is_absent() || !keys.at.is_absent();
    if let (Some(every), Some(at)) = (keys.every.here(), keys.at.here()) {
        findings
            .error(codes::ONE_OF, at.key, "`at` together with `every`")
            .also(every.key, "the interval is here")
            .help("keep one of them");
        return None;
    }
    if !says_when {
        let strays = [
            ("zone", keys.zone.here().map(|here| here.key)),
            ("between", keys.between.here().map(|here| here.key)),
        ];
        for (name, place) in strays {
            if let Some(place) = place {
                findings
                    .error(
                        codes::MISMATCHED_KEYS,
                        place,
                        format!("`{name}` without `every` or `at`"),
                    )
                    .help(
                        "say when this query is asked, or leave all of it to the action's schedule",
                    );
                return None;
            }
        }
        return Some(main.clone());
    }
    let when = When {
        every: &keys.every,
        at: &keys.at,
        zone: &keys.zone,
        between: &keys.between,
        zone_otherwise: zone_of(action),
        zone_use: ZoneUse::Schedule,
    };
    schedule(&when, findings)
}

/// The query with the main one's words where it has none.
fn completed(keys: &AlsoKeys, changes: &ChangesKeys) -> ChangesKeys {
    let says_version = !keys.version.is_absent() || !keys.ignore.is_absent();
    let (version, ignore) = if says_version {
        (&keys.version, &keys.ignore)
    } else {
        (&changes.version, &changes.ignore)
    };
    ChangesKeys {
        get: keys.get.clone(),
        post: keys.post.clone(),
        query: keys.query.clone(),
        headers: keys.headers.clone(),
        body: keys.body.clone(),
        format: or_else(&keys.format, &changes.format),
        job: Given::Absent,
        for_each: keys.for_each.clone(),
        dates: Given::Absent,
        cursor: keys.cursor.clone(),
        start: or_else(&keys.start, &changes.start),
        baseline: Given::Absent,
        paging: or_else(&keys.paging, &changes.paging),
        max_pages: or_else(&keys.max_pages, &changes.max_pages),
        records: or_else(&keys.records, &changes.records),
        skip: or_else(&keys.skip, &changes.skip),
        id: or_else(&keys.id, &changes.id),
        ids: changes.ids.clone(),
        created: changes.created.clone(),
        version: version.clone(),
        ignore: ignore.clone(),
        gone: keys.gone.clone(),
        deletions: Given::Absent,
        hold_back: Given::Absent,
    }
}

fn or_else<T: Clone>(own: &Given<T>, main: &Given<T>) -> Given<T> {
    if own.is_absent() {
        main.clone()
    } else {
        own.clone()
    }
}
