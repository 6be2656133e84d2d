//! What one evaluation may use up, and how it is stopped.
//!
//! jaq sets no limits by design. But every step of its interpreter asks our data for its lookup table
//! ([`HasLut::lut`]), and there we count. To stop, we unwind ([`std::panic::resume_unwind`], which does not call the
//! panic hook) to the boundary in [`super::run`], where the payload is caught. No `try`/`catch` of jq can hold that up.
//! jaq forbids unsafe code, so unwinding through it is sound.

use jaq_core::data::{DataT, HasLut};
use jaq_core::{Lut, ValT};
use jaq_json::Val;
use std::cell::Cell;

#[cfg(panic = "abort")]
compile_error!(
    "a runaway expression is stopped by unwinding: rounds-map cannot be built with panic = \"abort\""
);

/// What one evaluation may use up. Steps and bytes, never time: the same evaluation always ends in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps of the interpreter. A usual mapping takes a few hundred; a million take about 50 ms (optimized).
    pub steps: u64,
    /// Bytes of strings, arrays and objects that may be built in passing.
    pub memory_bytes: usize,
    /// Bytes of all outputs together, as JSON text.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 1_000_000,
            memory_bytes: 64 << 20,
            output_bytes: 64 << 20,
        }
    }
}

/// How deep a value may nest that an expression builds. Above [`crate::MAX_NESTING`], so that an expression can wrap
/// anything that could be read.
pub(super) const MAX_BUILT_NESTING: usize = 320;

/// How long a path (`path(recurse(.a))`) may become.
pub(super) const MAX_PATH_LENGTH: usize = 2_000;

/// Values looked at per step, where a whole value is walked.
const NODES_PER_STEP: u64 = 16;

/// Why an evaluation was stopped; the payload of the unwinding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    OutOfFuel,
    TooDeep,
    OutOfMemory,
}

impl Stop {
    pub(super) fn now(self) -> ! {
        std::panic::resume_unwind(Box::new(self))
    }
}

thread_local! {
    /// How much stack an evaluation may use on this thread. An ordinary thread has 2 MiB; half of it is left for what
    /// runs between two checks (comparing, dropping and printing values of the greatest depth, compiling a regex).
    static STACK_BUDGET_BYTES: Cell<usize> = const { Cell::new(1 << 20) };
}

/// Says that this thread has a larger stack than usual.
pub(crate) fn grant_stack(budget_bytes: usize) {
    STACK_BUDGET_BYTES.set(budget_bytes);
}

/// The address of a local, as a measure of how deep the stack is. Stacks grow downwards on all our platforms.
#[inline(never)]
fn stack_position() -> usize {
    let marker = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&marker)).addr()
}

/// Counts what one evaluation uses up.
#[derive(Debug)]
pub(super) struct Meter {
    steps_left: Cell<u64>,
    bytes_left: Cell<usize>,
    stack_floor: usize,
}

impl Meter {
    /// Starts counting; the stack is measured from here.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            steps_left: Cell::new(limits.steps),
            bytes_left: Cell::new(limits.memory_bytes),
            stack_floor: stack_position().saturating_sub(STACK_BUDGET_BYTES.get()),
        }
    }

    /// One step of the interpreter.
    pub(super) fn step(&self) {
        self.steps(1);
        if stack_position() < self.stack_floor {
            Stop::TooDeep.now();
        }
    }

    fn steps(&self, steps: u64) {
        match self.steps_left.get().checked_sub(steps) {
            Some(left) => self.steps_left.set(left),
            None => Stop::OutOfFuel.now(),
        }
    }

    /// So many bytes are about to be, or were just, built.
    pub(super) fn build(&self, bytes: usize) {
        match self.bytes_left.get().checked_sub(bytes) {
            Some(left) => self.bytes_left.set(left),
            None => Stop::OutOfMemory.now(),
        }
    }

    /// Accounts for the outermost level of a value.
    pub(super) fn build_shallow(&self, value: &Val) {
        self.build(shallow_bytes(value));
    }

    /// Walks a whole value that was just built around others: its depth must be bounded (dropping it recurses) and so
    /// must its size as a tree. Parts may be shared, so that `[., .]` thirty times over takes no memory and yet is a
    /// tree that no comparison and no output would ever get through.
    pub(super) fn walk(&self, value: &Val) {
        let mut nodes = 0;
        self.walk_at(value, 0, &mut nodes);
        self.steps(nodes / NODES_PER_STEP);
    }

    fn walk_at(&self, value: &Val, depth: usize, nodes: &mut u64) {
        *nodes += 1;
        if *nodes > (NODES_PER_STEP << 10) {
            self.steps(*nodes / NODES_PER_STEP);
            *nodes = 0;
        }
        if depth > MAX_BUILT_NESTING {
            Stop::TooDeep.now();
        }
        match value {
            Val::Arr(items) => items
                .iter()
                .for_each(|item| self.walk_at(item, depth + 1, nodes)),
            Val::Obj(members) => members.iter().for_each(|(key, member)| {
                self.walk_at(key, depth + 1, nodes);
                self.walk_at(member, depth + 1, nodes);
            }),
            _ => {}
        }
    }

    /// Accounts for a value that is new in all its parts, such as the matches of a regex.
    pub(super) fn build_deep(&self, value: &Val) {
        self.build_shallow(value);
        if let Val::Arr(items) = value {
            for item in items.iter() {
                self.build_deep(item);
            }
        }
        if let Val::Obj(members) = value {
            for member in members.values() {
                self.build_deep(member);
            }
        }
    }
}

/// About how many bytes the outermost level of a value takes.
fn shallow_bytes(value: &Val) -> usize {
    const ITEM_BYTES: usize = 16;
    const MEMBER_BYTES: usize = 64;
    match value {
        Val::TStr(text) | Val::BStr(text) => text.len() + 32,
        Val::Arr(items) => items.len() * ITEM_BYTES + 32,
        Val::Obj(members) => members.len() * MEMBER_BYTES + 96,
        Val::Null | Val::Bool(_) | Val::Num(_) => 0,
    }
}

/// The kind of data that our expressions work on: jaq's own values, and the meter beside the lookup table.
pub(super) struct Metered;

impl DataT for Metered {
    type V<'a> = Val;
    type Data<'a> = Gauge<'a>;
}

/// What every step of the interpreter has at hand.
#[derive(Clone, Copy)]
pub(super) struct Gauge<'a> {
    pub(super) lut: &'a Lut<Metered>,
    pub(super) meter: &'a Meter,
}

impl<'a> HasLut<'a, Metered> for Gauge<'a> {
    fn lut(&self) -> &'a Lut<Metered> {
        self.meter.step();
        self.lut
    }
}

/// Whether `l + r` may extend `value` in place: then only what is added is new.
pub(super) fn is_unshared(value: &Val) -> bool {
    match value {
        Val::TStr(text) | Val::BStr(text) => text.is_unique(),
        Val::Arr(items) => std::sync::Arc::strong_count(items) == 1,
        Val::Obj(members) => std::sync::Arc::strong_count(members) == 1,
        Val::Null | Val::Bool(_) | Val::Num(_) => true,
    }
}

/// A value's text as jq makes it.
pub(super) fn to_text(value: Val) -> Val {
    ValT::into_string(value)
}
