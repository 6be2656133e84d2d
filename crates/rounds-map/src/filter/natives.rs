//! The native functions of the language: jaq's, without those that reach outside, and with ours that count.

use super::meter::{Gauge, MAX_PATH_LENGTH, Metered, Stop, is_unshared, to_text};
use crate::Json;
use jaq_core::box_iter::{box_once, then};
use jaq_core::native::{Filter, Fun, bome, run, v};
use jaq_core::{Cv, Error, Exn, Native, RunPtr, ValR, ValT as _, ValX, ValXs};
use jaq_json::{Num, Val};

/// What reads or changes the world outside, and is therefore not there: an evaluation depends on its input alone.
pub(super) const REMOVED: &[&str] = &[
    "debug",
    "debug_empty",
    "env",
    "halt",
    "halt_error",
    "input",
    "inputs",
    "localtime",
    "now",
    "stderr",
    "stderr_empty",
    "strflocaltime",
];

/// Replaced outright by one of ours of the same name.
const REPLACED: &[&str] = &["range", "fromjson"];

/// Renamed to `__name`, and wrapped by a definition of the old name in `guard_first.jq`.
const RENAMED: &[(&str, &str)] = &[
    ("ascii_downcase", "__ascii_downcase"),
    ("ascii_upcase", "__ascii_upcase"),
    ("decode_base64", "__decode_base64"),
    ("decode_uri", "__decode_uri"),
    ("encode_base64", "__encode_base64"),
    ("encode_uri", "__encode_uri"),
    ("escape_html", "__escape_html"),
    ("escape_sh", "__escape_sh"),
    ("explode", "__explode"),
    ("group_by", "__group_by"),
    ("implode", "__implode"),
    ("indices", "__indices"),
    ("key_values", "__key_values"),
    ("keys_unsorted", "__keys_unsorted"),
    ("matches", "__matches"),
    ("path", "__path"),
    ("path_value", "__path_value"),
    ("reverse", "__reverse"),
    ("sort", "__sort"),
    ("sort_by", "__sort_by"),
    ("split_", "__split_"),
    ("split_matches", "__split_matches"),
    ("strftime", "__strftime"),
    ("tobytes", "__tobytes"),
    ("tojson", "__tojson"),
    ("unescape_html", "__unescape_html"),
];

/// The largest whole number that a multiplication may give, in bits: squaring over and over doubles it each time.
const MAX_PRODUCT_BITS: u64 = 8_192;

/// Beyond this, a float no longer holds every whole number.
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

pub(super) fn all() -> impl Iterator<Item = Fun<Metered>> {
    let theirs = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let theirs = theirs.filter(|(name, ..)| !REMOVED.contains(name) && !REPLACED.contains(name));
    let renamed = theirs.map(|(name, arguments, native)| {
        let new = RENAMED
            .iter()
            .find(|(old, _)| *old == name)
            .map_or(name, |(_, new)| *new);
        (new, arguments, native)
    });
    renamed.chain(counting()).chain([step(), recurse()])
}

fn gauge<'a>(cv: &Cv<'a, Metered>) -> Gauge<'a> {
    *cv.0.data()
}

/// Ours that only ever run (and are neither paths nor targets of updates).
fn counting() -> impl Iterator<Item = Fun<Metered>> {
    let natives: [Filter<RunPtr<Metered>>; 8] = [
        ("range", v(3), |mut cv| {
            let by = cv.0.pop_var();
            let to = cv.0.pop_var();
            let from = cv.0.pop_var();
            range(gauge(&cv), from, to, by)
        }),
        // Before an addition: what is copied by it is accounted for.
        ("__operand", v(0), |cv| {
            if !is_unshared(&cv.1) {
                gauge(&cv).meter.build_shallow(&cv.1);
            }
            box_once(Ok(cv.1))
        }),
        ("__addend", v(0), |cv| {
            gauge(&cv).meter.build_shallow(&cv.1);
            box_once(Ok(cv.1))
        }),
        ("__multiply", v(2), |mut cv| {
            let right = cv.0.pop_var();
            let left = cv.0.pop_var();
            bome(multiply(gauge(&cv), left, right))
        }),
        // After a division.
        ("__quotient", v(0), |cv| {
            gauge(&cv).meter.build_deep(&cv.1);
            box_once(Ok(whole_if_exact(cv.1)))
        }),
        // After something was built around existing values.
        ("__build", v(0), |cv| {
            gauge(&cv).meter.build_shallow(&cv.1);
            gauge(&cv).meter.walk(&cv.1);
            box_once(Ok(cv.1))
        }),
        // After something was built that is new in all its parts.
        ("__build_deep", v(0), |cv| {
            gauge(&cv).meter.walk(&cv.1);
            gauge(&cv).meter.build_deep(&cv.1);
            box_once(Ok(cv.1))
        }),
        // An interpolated value in a string.
        ("__text", v(0), |cv| {
            let meter = gauge(&cv).meter;
            let text = to_text(cv.1);
            meter.build_shallow(&text);
            box_once(Ok(text))
        }),
    ];
    let parsing: [Filter<RunPtr<Metered>>; 2] = [
        ("fromjson", v(0), |cv| bome(from_json(gauge(&cv), &cv.1))),
        ("__tonumber", v(0), |cv| bome(to_number(&cv.1))),
    ];
    natives.into_iter().chain(parsing).map(run::<Metered>)
}

fn range(gauge: Gauge<'_>, from: Val, to: Val, by: Val) -> ValXs<'_, Val> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let direction = by.cmp(&Val::from(0_isize));
    let mut next = Some(from);
    Box::new(std::iter::from_fn(move || {
        gauge.meter.step();
        let current = next.take()?;
        let within = match direction {
            Greater => current < to,
            Less => current > to,
            Equal => current != to,
        };
        if !within {
            return None;
        }
        match current.clone() + by.clone() {
            Ok(following) => {
                next = Some(following);
                Some(Ok(current))
            }
            Err(e) => Some(Err(Exn::from(e))),
        }
    }))
}

fn multiply(gauge: Gauge<'_>, left: Val, right: Val) -> ValR<Val> {
    match (&left, &right) {
        (Val::TStr(text) | Val::BStr(text), Val::Num(times))
        | (Val::Num(times), Val::TStr(text) | Val::BStr(text)) => {
            let times = match times {
                Num::Int(times) => usize::try_from(*times).unwrap_or(0),
                Num::BigInt(_) if *times > Num::Int(0) => usize::MAX,
                _ => 0,
            };
            gauge.meter.build(text.len().saturating_mul(times));
        }
        (Val::Num(left), Val::Num(right)) if bits(left) + bits(right) > MAX_PRODUCT_BITS => {
            Stop::OutOfMemory.now()
        }
        (Val::Num(_), Val::Num(_)) => {}
        (left, right) => {
            gauge.meter.build_shallow(left);
            gauge.meter.build_shallow(right);
        }
    }
    left * right
}

fn bits(number: &Num) -> u64 {
    match number {
        Num::BigInt(number) => number.bits(),
        Num::Int(_) | Num::Float(_) | Num::Dec(_) => 64,
    }
}

/// jq says that `60 / 2` is `30`, jaq that it is `30.0`. Text made from it should not show the difference.
pub(super) fn whole_if_exact(value: Val) -> Val {
    match value {
        Val::Num(Num::Float(float)) if float.fract() == 0.0 && float.abs() <= MAX_EXACT_FLOAT => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within 2^53: exact in 64 bits"
            )]
            let whole = float as isize;
            Val::from(whole)
        }
        value => value,
    }
}

fn from_json(gauge: Gauge<'_>, value: &Val) -> ValR<Val> {
    let text = match value {
        Val::TStr(text) => text,
        value => return Err(Error::typ(value.clone(), "string")),
    };
    let parsed = Json::parse(text).map_err(|_| Error::str("cannot parse as JSON"))?;
    gauge.meter.build_deep(&parsed.0);
    Ok(parsed.0)
}

fn to_number(value: &Val) -> ValR<Val> {
    let text = match value {
        Val::TStr(text) => text,
        value => return Err(Error::typ(value.clone(), "number")),
    };
    let plain = text.len() <= crate::json::MAX_NUMBER_BYTES && text.iter().any(u8::is_ascii_digit);
    let number = plain
        .then(|| jaq_json::read::parse_single_num(text))
        .flatten();
    number
        .map(Val::Num)
        .ok_or_else(|| Error::str("cannot parse as number"))
}

/// Stands in every loop: bounds the length of paths, is nothing otherwise.
fn step() -> Fun<Metered> {
    let native = Native::new(|cv: Cv<'_, Metered>| box_once(Ok(cv.1)))
        .with_paths(|cv| {
            let (_, path) = &cv.1;
            if path.iter().nth(MAX_PATH_LENGTH).is_some() {
                Stop::TooDeep.now();
            }
            box_once(Ok(cv.1))
        })
        .with_update(|cv, f| f(cv.1));
    ("__step", v(0), native)
}

/// `..`, counted.
fn recurse() -> Fun<Metered> {
    let native = Native::new(|cv: Cv<'_, Metered>| {
        let gauge = gauge(&cv);
        every(gauge, cv.1)
    })
    .with_paths(|cv| {
        let gauge = *cv.0.data();
        let mut pending = vec![cv.1];
        Box::new(std::iter::from_fn(move || {
            gauge.meter.step();
            let (value, path) = pending.pop()?;
            let first = pending.len();
            if matches!(value, Val::Arr(_) | Val::Obj(_)) {
                let members = value.clone().key_values().filter_map(Result::ok);
                pending.extend(members.map(|(key, member)| (member, path.clone().cons(key))));
                pending[first..].reverse();
            }
            Some(Ok((value, path)))
        }))
    })
    .with_update(|cv, f| {
        let gauge = gauge(&cv);
        update_every(gauge, cv.1, &f)
    });
    ("__recurse", v(0), native)
}

/// A value and all values in it, each before what is in it.
fn every(gauge: Gauge<'_>, value: Val) -> ValXs<'_, Val> {
    let mut pending = vec![value];
    Box::new(std::iter::from_fn(move || {
        gauge.meter.step();
        let value = pending.pop()?;
        match &value {
            Val::Arr(items) => pending.extend(items.iter().rev().cloned()),
            Val::Obj(members) => pending.extend(members.values().rev().cloned()),
            _ => {}
        }
        Some(Ok(value))
    }))
}

/// Updates all values in a value, and then itself, as jaq does.
fn update_every<'a>(
    gauge: Gauge<'a>,
    value: Val,
    f: &impl Fn(Val) -> ValXs<'a, Val>,
) -> ValXs<'a, Val> {
    gauge.meter.step();
    let inner: ValX<'a, Val> =
        value.map_values(jaq_core::path::Opt::Optional, |v| update_every(gauge, v, f));
    then(inner, f)
}
