//! Lookups: what each uses decides their order.

use super::partitions;
use super::request::{self, Around, RootUse, UsesKnown, Written, place_of};
use crate::Place;
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{BatchKeys, LookupKeys};
use crate::kinds::{Expression, Named, Names};
use crate::reading::Given;
use crate::tree::{Scalar, Style};
use rounds_domain::LookupName;
use rounds_domain::plan::{
    Batch, Expect, Lookup, Partitions, RequestBodyRule, RequestRule, WhenMissing,
};
use rounds_map::Filter;

/// What a container always has.
pub(super) const CONTAINER: &[&str] = &["record", "previous", "change"];

/// Names that templates use for other things.
const OTHERWISE_TAKEN: &[&str] = &[
    "cursor",
    "until",
    "secret",
    "session",
    IDS,
    partitions::ROOT,
];

/// What the templates of a batch have.
const IDS: &str = "ids";

/// How many keys a batch has at most, where nothing is said. Fifty of the longest usual ids fit into any URL.
const MOST_IN_BATCH: usize = 50;

/// As many containers are under way at once.
const MOST_LIMIT: usize = 1000;

/// Each is at least one request for every change.
const MAX_LOOKUPS: usize = 100;

/// The lookups of an action.
pub(super) struct Lowered {
    /// Each after those that it uses.
    pub(super) lookups: Vec<Lookup>,
    /// What a container has beside what it always has: all names, also of those that are wrong, and its partition.
    pub(super) roots: Vec<String>,
}

/// One that waits for its place in the order.
struct Waiting<'k> {
    named: &'k Named<LookupKeys>,
    lookup: Option<Lookup>,
    uses: Vec<RootUse>,
}

pub(super) fn lower(
    given: Option<&Names<LookupKeys>>,
    partitions: Option<&Partitions>,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Lowered {
    let given: &[Named<LookupKeys>] = given.map_or(&[], |names| &names.0);
    let (given, beyond) = given.split_at(given.len().min(MAX_LOOKUPS));
    if let Some(first) = beyond.first() {
        findings
            .error(
                codes::TOO_LARGE,
                first.place,
                "an action with too many lookups",
            )
            .expected(format!("at most {MAX_LOOKUPS}"));
    }
    let names: Vec<String> = given.iter().map(|named| named.name.clone()).collect();
    let mut roots: Vec<&str> = CONTAINER.to_vec();
    roots.extend(names.iter().map(String::as_str));
    roots.extend(partitions.map(|_| partitions::ROOT));
    let mut waiting = Vec::new();
    for named in given {
        check_name(named, findings);
        let Some(keys) = &named.value else { continue };
        let written = Written {
            get: &keys.get,
            post: &keys.post,
            query: &keys.query,
            headers: &keys.headers,
            body: &keys.body,
            format: &keys.format,
            around,
        };
        let of_request: &[&str] = match keys.batch {
            Given::Absent => &roots,
            _ => &[IDS],
        };
        let request = request::lower(&written, of_request, findings);
        let batch = batch(&keys.batch, &request, findings);
        let when_missing = keys.when_missing.or(WhenMissing::Null);
        let mut also_used = Vec::new();
        if let Some(here) = keys.when.here() {
            also_used.extend(known_reads(
                &here.value.filter,
                here.place,
                &roots,
                findings,
            ));
        }
        if let Some(key) = keys.batch.here().and_then(|batch| batch.value.key.here()) {
            also_used.extend(known_reads(&key.value.filter, key.place, &roots, findings));
        }
        if keys.batch.is_absent()
            && request.uses.is_empty()
            && request.uses_known == UsesKnown::All
            && request.rule.is_some()
        {
            findings
                .warning(
                    codes::UNMARKED,
                    named.place,
                    format!("`{}` asks the same for every record", named.name),
                )
                .help("say of which record it is: `get: \"/patients/{{ record.patientID }}\"`");
        }
        let filter = keys.when.value().map(|when| when.filter.clone());
        let is_wrong = matches!(keys.when, Given::Wrong)
            || matches!(keys.id, Given::Wrong)
            || matches!(keys.expect, Given::Wrong);
        let optional = optional(keys, request.rule.as_ref(), findings);
        let rule = request.rule.filter(|_| !is_wrong);
        let lookup = rule.zip(batch).map(|(request, batch)| Lookup {
            batch,
            name: LookupName::new(named.name.as_str()),
            expect: keys.expect.or(expected(&request)),
            id: keys.id.value().map(|id| id.filter.clone()),
            optional,
            request,
            when: filter,
            when_missing,
        });
        let uses = request
            .uses
            .into_iter()
            .chain(also_used)
            .filter(|root_use| names.contains(&root_use.root));
        waiting.push(Waiting {
            named,
            lookup,
            uses: uses.collect(),
        });
    }
    Lowered {
        lookups: ordered(waiting, findings),
        roots: (names.into_iter())
            .chain(partitions.map(|_| partitions::ROOT.to_owned()))
            .collect(),
    }
}

/// How many records an answer holds where nothing is said: one, unless what identifies stands in the middle of the path only. There it
/// is the address of something that belongs to it, of which there may be any number.
fn expected(request: &RequestRule) -> Expect {
    let parameters = request.query.iter().map(|(_, template)| template);
    let parameters = parameters.chain(request.headers.iter().map(|(_, template)| template));
    let body = request.body.iter().flat_map(RequestBodyRule::templates);
    let has_tree = (request.body.iter().flat_map(RequestBodyRule::leaves))
        .next()
        .is_some();
    let identifies = parameters
        .chain(body)
        .any(|template| !template.roots().is_empty());
    let is_of_part = !request.path.roots().is_empty()
        && !request.path.ends_with_placeholder()
        && !identifies
        && !has_tree;
    if is_of_part {
        Expect::Many
    } else {
        Expect::One
    }
}

/// The names of what may be left out, each of which the request must have.
fn optional(
    keys: &LookupKeys,
    request: Option<&RequestRule>,
    findings: &mut Findings<'_>,
) -> Vec<String> {
    let mut names = Vec::new();
    for text in keys.optional.value().into_iter().flat_map(|names| &names.0) {
        let name = &text.value.0.text;
        if let Some(request) = request {
            let known = parts(request);
            if !known.contains(name) {
                findings
                    .error(
                        codes::UNKNOWN_ROOT,
                        text.value.0.place,
                        format!("the request has no `{}`", crate::reading::shortened(name)),
                    )
                    .nearest(name, known.iter().map(String::as_str));
                continue;
            }
        }
        names.push(name.clone());
    }
    names
}

/// What a request may leave out, by name.
fn parts(request: &RequestRule) -> Vec<String> {
    let mut parts: Vec<String> = request.query.iter().map(|(name, _)| name.clone()).collect();
    parts.extend(request.headers.iter().map(|(name, _)| name.to_string()));
    match &request.body {
        Some(RequestBodyRule::Form(pairs)) => {
            parts.extend(pairs.iter().map(|(name, _)| name.clone()));
        }
        Some(body) => parts.extend(body.leaves().map(|(path, _)| path)),
        None => {}
    }
    parts
}

/// A batch, which its request must be about.
#[expect(
    clippy::option_option,
    reason = "whether it is right, and whether there is one"
)]
fn batch(
    given: &Given<BatchKeys>,
    request: &request::Lowered,
    findings: &mut Findings<'_>,
) -> Option<Option<Batch>> {
    let here = match given {
        Given::Absent => return Some(None),
        Given::Wrong => return None,
        Given::Here(here) => here,
    };
    let is_sent = request.uses.iter().any(|used| used.root == IDS);
    if !is_sent && request.uses_known == UsesKnown::All {
        findings
            .error(
                codes::BAD_BATCH,
                here.key,
                "a batch whose `ids` are not sent",
            )
            .help("send them, for example as `query: { id: '{{ ids | join(\",\") }}' }`");
        return None;
    }
    let keys = &here.value;
    let most = match &keys.most {
        Given::Absent => MOST_IN_BATCH,
        Given::Wrong => return None,
        Given::Here(most) => usize::try_from(most.value.0).unwrap_or(usize::MAX),
    };
    if !(1..=MOST_LIMIT).contains(&most) {
        findings
            .error(codes::BAD_BATCH, here.key, "a batch of too few or too many")
            .expected(format!("`most` is from 1 to {MOST_LIMIT}"));
        return None;
    }
    let filter = |given: &Given<Expression>| given.value().map(|value| value.filter.clone());
    Some(Some(Batch {
        key: filter(&keys.key)?,
        records: filter(&keys.records)?,
        id: filter(&keys.id)?,
        most,
    }))
}

/// What an expression reads, each of which must be known.
fn known_reads(
    filter: &Filter,
    place: Place,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> Vec<RootUse> {
    let scalar = Scalar {
        text: filter.text().to_owned(),
        style: Style::Plain,
        place,
    };
    let mut uses = Vec::new();
    for (root, _) in filter.reads() {
        if roots.contains(&root.as_str()) {
            uses.push(RootUse {
                root: root.clone(),
                scalar: scalar.clone(),
            });
            continue;
        }
        let shown = crate::reading::shortened(root);
        findings
            .error(
                codes::UNKNOWN_ROOT,
                place,
                format!("`.{shown}` is not known here"),
            )
            .nearest(root, roots.iter().copied());
    }
    uses
}

fn check_name(named: &Named<LookupKeys>, findings: &mut Findings<'_>) {
    let name = named.name.as_str();
    if CONTAINER.contains(&name) || OTHERWISE_TAKEN.contains(&name) {
        findings
            .error(
                codes::RESERVED_NAME,
                named.place,
                format!("`{name}` means something else in expressions"),
            )
            .help("give the lookup another name");
    } else if name.contains('-') {
        findings
            .error(
                codes::BAD_NAME,
                named.place,
                format!("`{name}` cannot be read in an expression"),
            )
            .expected("jq would take the `-` for a minus")
            .help(format!("for example `{}`", name.replace('-', "_")));
    }
}

/// Those first that use none that is still waiting, otherwise in the order written.
fn ordered(mut waiting: Vec<Waiting<'_>>, findings: &mut Findings<'_>) -> Vec<Lookup> {
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|one| {
            let mut others = waiting.iter().map(|other| &other.named.name);
            !others.any(|other| one.uses.iter().any(|root_use| root_use.root == *other))
        });
        let Some(ready) = ready else {
            report_circle(&waiting, findings);
            break;
        };
        ordered.extend(waiting.remove(ready).lookup);
    }
    ordered
}

/// All that wait use one that waits, so following them ends in a circle.
fn report_circle(waiting: &[Waiting<'_>], findings: &mut Findings<'_>) {
    let mut path: Vec<usize> = Vec::new();
    let mut at = 0;
    while !path.contains(&at) {
        path.push(at);
        match next(waiting, at) {
            Some((following, _)) => at = following,
            None => return,
        }
    }
    let circle = &path[path.iter().position(|one| *one == at).unwrap_or(0)..];
    let names: Vec<&str> = circle
        .iter()
        .chain(circle.first())
        .map(|one| waiting[*one].named.name.as_str())
        .collect();
    let places: Vec<_> = circle
        .iter()
        .filter_map(|one| {
            next(waiting, *one)
                .map(|(_, root_use)| (place_of(root_use, findings), *one, root_use.root.clone()))
        })
        .collect();
    let Some(((first, one, root), others)) = places.split_first() else {
        return;
    };
    let label = |one: usize, root: &str| {
        format!("`{}` needs the answer of `{root}`", waiting[one].named.name)
    };
    let diagnostic = findings.error(
        codes::LOOKUP_CIRCLE,
        *first,
        format!("lookups in a circle: {}", names.join(" -> ")),
    );
    diagnostic.expected(label(*one, root));
    for (place, one, root) in others {
        diagnostic.also(*place, label(*one, root));
    }
    diagnostic.help("one of them must do with `record`, `previous` or `change`");
}

/// The first of those that wait that this one uses, and where.
fn next<'w>(waiting: &'w [Waiting<'_>], one: usize) -> Option<(usize, &'w RootUse)> {
    let uses = waiting[one].uses.iter();
    let mut known = uses.filter_map(|root_use| {
        let at = waiting
            .iter()
            .position(|other| other.named.name == root_use.root)?;
        Some((at, root_use))
    });
    known.next()
}
