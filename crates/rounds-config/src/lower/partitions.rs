//! Over what a query is asked.

use super::paging::{self, paging_of};
use super::request::{self, Around, RootUse, UsesKnown, Written, place_of};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ChangesKeys, ForEachKeys};
use crate::kinds::{ForEach, LiteralText, Many};
use crate::reading::{Given, Here};
use crate::source::Place;
use rounds_domain::plan::{
    Baseline, CursorRule, Deletions, Feed, FeedRole, Ids, Paging, PartitionQuery, Partitions,
    Records, Schedule, Start, Sweep, SweepScope, VersionRule,
};
use rounds_domain::{FeedName, Partition};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a list of partitions serves where nothing is said.
const DEFAULT_EVERY: Duration = Duration::from_hours(1);
/// What templates of a partitioned query may use.
pub(super) const ROOT: &str = "partition";

/// The partitions of a query; None if they are wrong. `schedule` is only there to make the list's feed whole.
pub(super) fn lower(
    given: &Here<ForEach>,
    schedule: &Schedule,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<Partitions> {
    match &given.value {
        ForEach::Values(values) => listed(values, given.place, findings),
        ForEach::Keys(keys) => asked(keys, schedule, around, findings),
    }
}

fn listed(
    values: &Many<LiteralText>,
    place: Place,
    findings: &mut Findings<'_>,
) -> Option<Partitions> {
    if values.0.is_empty() {
        findings
            .error(codes::BAD_PARTITIONS, place, "no partitions")
            .expected("expected at least one value");
        return None;
    }
    let mut seen = BTreeMap::new();
    let mut partitions = Vec::new();
    for value in &values.0 {
        let text = value.value.0.text.as_str();
        if !text.contains(char::is_alphanumeric) {
            findings
                .error(
                    codes::BAD_PARTITIONS,
                    value.place,
                    "a partition without a name",
                )
                .expected("expected a text or a number");
            return None;
        }
        if let Some(before) = seen.insert(text, value.place) {
            findings
                .error(codes::BAD_PARTITIONS, value.place, "a partition twice")
                .also(before, "it stands here too");
            return None;
        }
        partitions.push(Partition::new(text));
    }
    Some(Partitions::Listed(partitions))
}

fn asked(
    keys: &ForEachKeys,
    schedule: &Schedule,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<Partitions> {
    let written = Written {
        get: &keys.get,
        post: &keys.post,
        query: &keys.query,
        headers: &keys.headers,
        body: &keys.body,
        format: &keys.format,
        around,
    };
    let request = request::lower(&written, &[paging::ROOT], findings);
    paging::check_uses(&keys.paging, &request.uses, request.uses_known, findings);
    let paging = paging_of(
        &keys.paging,
        &keys.max_pages,
        Paging::DEFAULT_MAX_PAGES,
        findings,
    );
    let list = Feed {
        name: FeedName::new("partitions"),
        role: FeedRole::Changes,
        schedule: schedule.clone(),
        request: request.rule?,
        job: None,
        partitions: None,
        cursor: CursorRule::Sweep(Sweep {
            scope: SweepScope::Everything,
            deletions: Deletions::Ignored,
        }),
        start: Start::Beginning,
        baseline: Baseline::None,
        created: None,
        paging: paging?,
        records: Records::of(keys.records.value()?.filter.clone()),
        skip: keys.skip.value().map(|skip| skip.filter.clone()),
        id: keys.id.value()?.filter.clone(),
        ids: Ids::Shared,
        version: VersionRule::Fingerprint { counting: None },
        gone: None,
        dated_by: None,
    };
    Some(Partitions::Asked(PartitionQuery {
        list: Arc::new(list),
        every: keys.every.value().map_or(DEFAULT_EVERY, |every| every.0),
    }))
}

/// Identities that count within a partition need to know it, in all queries that tell of the records.
pub(super) fn check_ids<'f>(
    keys: &ChangesKeys,
    feeds: impl IntoIterator<Item = &'f Feed>,
    findings: &mut Findings<'_>,
) {
    let given = keys.ids.here();
    let Some(ids) = given.filter(|ids| ids.value == Ids::PerPartition) else {
        return;
    };
    if let Some(without) = feeds.into_iter().find(|feed| feed.partitions.is_none()) {
        findings
            .error(
                codes::BAD_PARTITIONS,
                ids.place,
                format!(
                    "identities within a partition, and `{}` has no partitions",
                    without.name
                ),
            )
            .expected("its records would be others than those of the partitions")
            .help("ask all queries of the action partition by partition, or leave `ids` out");
    }
}

/// The partition must be in the request, and is only there where there are partitions.
pub(super) fn check_uses(
    given: &Given<ForEach>,
    uses: &[RootUse],
    uses_known: UsesKnown,
    findings: &mut Findings<'_>,
) {
    let used = uses.iter().find(|root_use| root_use.root == ROOT);
    match (given, used) {
        (Given::Absent, Some(used)) => {
            let place = place_of(used, findings);
            findings
                .error(
                    codes::BAD_PARTITIONS,
                    place,
                    "`partition` is used and there are none",
                )
                .help("say over which: `changes: { for_each: [10, 20] }`, or a request that gives them");
        }
        (Given::Here(here), None) if uses_known == UsesKnown::All => {
            findings
                .error(codes::BAD_PARTITIONS, here.key, "the partition is in no part of the request")
                .expected("every partition would be asked the same")
                .help("put it where the EHR expects it, for example `query: { department: \"{{ partition }}\" }`");
        }
        _ => {}
    }
}
