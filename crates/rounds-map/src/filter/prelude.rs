//! The definitions that every program may use: jaq's, rewritten, with ours around them; read once per process.

use super::natives::{self, REMOVED};
use super::rewrite::Rewrite;
use jaq_core::load::{self, parse::Def};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// One definition and what it calls.
struct Entry {
    definition: Def<&'static str>,
    calls: BTreeSet<&'static str>,
}

static PRELUDE: LazyLock<Vec<Entry>> = LazyLock::new(read);

/// Each function's name, with the numbers of arguments that it takes.
static KNOWN: LazyLock<BTreeMap<&'static str, BTreeSet<usize>>> = LazyLock::new(|| {
    let mut known = BTreeMap::<_, BTreeSet<usize>>::new();
    for entry in PRELUDE.iter() {
        known
            .entry(entry.definition.name)
            .or_default()
            .insert(entry.definition.args.len());
    }
    for (name, arguments, _) in natives::all() {
        known.entry(name).or_default().insert(arguments.len());
    }
    known
});

pub(super) fn known() -> &'static BTreeMap<&'static str, BTreeSet<usize>> {
    &KNOWN
}

fn read() -> Vec<Entry> {
    // Both texts are ours and compiled in; were one broken, every test of this crate would fail.
    let ours = |text| load::parse(text, |parser| parser.defs()).unwrap_or_default();
    let first = ours(include_str!("guard_first.jq"));
    let last = ours(include_str!("guard_last.jq"));
    let fhir = ours(include_str!("fhir.jq"));
    let replaced: BTreeSet<(&str, usize)> = first
        .iter()
        .chain(&last)
        .map(|d| (d.name, d.args.len()))
        .collect();
    let theirs = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs());
    let theirs = theirs
        .filter(|d| !REMOVED.contains(&d.name) && !replaced.contains(&(d.name, d.args.len())));
    let theirs: Vec<_> = theirs.collect();
    first
        .into_iter()
        .chain(theirs)
        .chain(last)
        .chain(fhir)
        .map(entry)
        .collect()
}

fn entry(definition: Def<&'static str>) -> Entry {
    let mut rewrite = Rewrite::default();
    let definition = rewrite.definition(definition);
    Entry {
        definition,
        calls: rewrite.calls,
    }
}

/// The definitions that a program needs which calls `calls`, in order. Most programs need few of the two hundred, and
/// compiling all of them takes ten times as long as compiling the program.
pub(super) fn needed(calls: &BTreeSet<&str>) -> Vec<Def<&'static str>> {
    let mut wanted: BTreeSet<&str> = calls.clone();
    let mut taken = vec![false; PRELUDE.len()];
    // Definitions only call earlier ones (or themselves): one pass from the end finds them all.
    for (entry, taken) in PRELUDE.iter().zip(&mut taken).rev() {
        if wanted.contains(entry.definition.name) {
            *taken = true;
            wanted.extend(entry.calls.iter().copied());
        }
    }
    let entries = PRELUDE.iter().zip(taken).filter(|(_, taken)| *taken);
    entries.map(|(entry, _)| entry.definition.clone()).collect()
}
