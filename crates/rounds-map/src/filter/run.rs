//! Running a program: the one boundary between jaq and the rest.

use super::meter::{Gauge, Limits, MAX_BUILT_NESTING, Meter, Metered, Stop};
use super::natives::whole_if_exact;
use super::program::Program;
use super::redact;
use crate::{EvaluateError, Json};
use jaq_core::{Ctx, Vars};
use jaq_json::{Num, Val};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `program` on `input` until it ends or has given `at_most` outputs.
pub(super) fn run(
    program: &Program,
    limits: &Limits,
    input: &Json,
    at_most: usize,
) -> Result<Vec<Json>, EvaluateError> {
    let meter = Meter::new(limits);
    // Nothing that was in use while unwinding is looked at again: the meter is dropped, the program is immutable.
    let run = AssertUnwindSafe(|| collect(program, limits, &meter, input, at_most));
    catch_unwind(run).unwrap_or_else(|payload| {
        Err(match payload.downcast_ref::<Stop>() {
            Some(Stop::OutOfFuel) => EvaluateError::OutOfFuel {
                steps: limits.steps,
            },
            Some(Stop::TooDeep) => EvaluateError::TooDeep,
            Some(Stop::OutOfMemory) => EvaluateError::TooLarge {
                limit_bytes: limits.memory_bytes,
            },
            None => EvaluateError::Failed {
                reason: "a defect in the expression's interpreter".to_owned(),
            },
        })
    })
}

fn collect(
    program: &Program,
    limits: &Limits,
    meter: &Meter,
    input: &Json,
    at_most: usize,
) -> Result<Vec<Json>, EvaluateError> {
    let gauge = Gauge {
        lut: &program.filter.lut,
        meter,
    };
    let context = Ctx::<Metered>::new(gauge, Vars::new([]));
    let mut bytes_left = limits.output_bytes;
    let mut outputs = Vec::new();
    for output in program
        .filter
        .id
        .run((context, input.0.clone()))
        .take(at_most)
    {
        let value = output.map_err(|exception| match exception.get_err() {
            Ok(error) => EvaluateError::Failed {
                reason: redact::reason(&program.text, &error),
            },
            // `halt` is removed, and jaq shows no other exception to its users.
            Err(_) => EvaluateError::Failed {
                reason: "the expression broke off".to_owned(),
            },
        })?;
        let mut admission = Admission {
            bytes_left,
            limit_bytes: limits.output_bytes,
        };
        let value = admission.admit(value, 0)?;
        bytes_left = admission.bytes_left;
        outputs.push(Json(value));
    }
    Ok(outputs)
}

/// What jq gives is more than JSON: only what is JSON, and small enough, comes out.
struct Admission {
    bytes_left: usize,
    limit_bytes: usize,
}

impl Admission {
    fn spend(&mut self, bytes: usize) -> Result<(), EvaluateError> {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.ok_or(EvaluateError::TooLarge {
            limit_bytes: self.limit_bytes,
        })?;
        Ok(())
    }

    fn admit(&mut self, value: Val, depth: usize) -> Result<Val, EvaluateError> {
        self.check(&value, depth)?;
        Ok(if holds_whole_float(&value) {
            with_whole_numbers(value)
        } else {
            value
        })
    }

    /// Counts the bytes that the value takes as text (about), and refuses what JSON does not have.
    fn check(&mut self, value: &Val, depth: usize) -> Result<(), EvaluateError> {
        let refuse = |what: &str| {
            Err(EvaluateError::Failed {
                reason: format!("the result holds {what}"),
            })
        };
        if depth > MAX_BUILT_NESTING {
            return Err(EvaluateError::TooDeep);
        }
        match value {
            Val::Null | Val::Bool(_) => self.spend(5),
            Val::Num(Num::Float(float)) if !float.is_finite() => {
                refuse("a number that JSON has not")
            }
            Val::Num(Num::Dec(text)) => self.spend(text.len() + 1),
            Val::Num(Num::BigInt(number)) => {
                self.spend(usize::try_from(number.bits() / 3).unwrap_or(usize::MAX))
            }
            Val::Num(_) => self.spend(8),
            Val::TStr(text) => {
                self.spend(text.len() + 3)?;
                match std::str::from_utf8(text) {
                    Ok(_) => Ok(()),
                    Err(_) => refuse("text that is not UTF-8"),
                }
            }
            Val::BStr(_) => refuse("bytes that are not text"),
            Val::Arr(items) => {
                self.spend(3)?;
                items
                    .iter()
                    .try_for_each(|item| self.check(item, depth + 1))
            }
            Val::Obj(members) => {
                self.spend(3)?;
                members.iter().try_for_each(|(key, member)| {
                    if !matches!(key, Val::TStr(_)) {
                        return refuse("an object whose key is not a string");
                    }
                    self.check(key, depth + 1)?;
                    self.check(member, depth + 1)
                })
            }
        }
    }
}

fn holds_whole_float(value: &Val) -> bool {
    match value {
        Val::Num(Num::Float(float)) => float.fract() == 0.0,
        Val::Arr(items) => items.iter().any(holds_whole_float),
        Val::Obj(members) => members.values().any(holds_whole_float),
        _ => false,
    }
}

/// Computed floats that are whole (`.minutes | ceil | . * 1.0`) are written as jq writes them: `30`, not `30.0`.
/// Numbers of the input are never floats, so they stay as they were written.
fn with_whole_numbers(value: Val) -> Val {
    match value {
        Val::Arr(items) => items.iter().cloned().map(with_whole_numbers).collect(),
        Val::Obj(members) => {
            let members = members
                .iter()
                .map(|(key, member)| (key.clone(), with_whole_numbers(member.clone())));
            Val::obj(members.collect())
        }
        value => whole_if_exact(value),
    }
}
