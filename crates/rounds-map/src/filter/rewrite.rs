//! Putting the counting into a program: a pass over the parsed text, before it is compiled.
//!
//! Fuel alone does not bound an evaluation. `. + .` forty times over is forty steps and a terabyte; `[., .]` sixty times
//! is no memory at all and a tree that no output gets through; `.[]` yields a million values in one step. So every
//! place of the syntax tree that builds or yields in bulk gets one of our native functions beside it:
//!
//! | written | becomes |
//! |---|---|
//! | `[f]`, `{k: f}`, `p = f`, `p \|= f` | the same `\| __build` |
//! | `f + g` | `(f \| __operand) + (g \| __addend)` |
//! | `f * g` | `__multiply(f; g)` |
//! | `f / g` | `(f / g) \| __quotient` |
//! | `p += f` | `f as $x \| p \|= . + $x`, and that again as above |
//! | `.[]` | `.[] \| .`, which takes a step for each value |
//! | `..` | `__recurse` |
//! | `"\(f)"` | `"\(f \| __text)"` |
//! | a call of a function of the program's own | `__step \| f` |
//! | `reduce f as $x (i; g)`, `foreach` | the same with `g \| __step` |

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};
use std::collections::BTreeSet;

/// A name that only our own definitions may use begins with this.
pub(super) const PRIVATE: &str = "__";

/// How many parts one path (`.a.b[0][]`) may be written with: jaq recurses over them without taking a step.
pub(super) const MAX_PATH_PARTS: usize = 200;

/// Variable that holds the right side of `p += f` while `p` is updated.
const UPDATE_OPERAND: &str = "$__operand";

/// Rewrites terms, and notes what they call.
#[derive(Debug, Default)]
pub(super) struct Rewrite<'s> {
    /// The names of all functions that were called, defined here or not.
    pub(super) calls: BTreeSet<&'s str>,
    /// Functions that call themselves and take filters: see [`Rewrite::call`].
    pub(super) growing: Vec<&'s str>,
    /// Whether a path has more parts than [`MAX_PATH_PARTS`].
    pub(super) too_long_path: bool,
    /// Names that begin with [`PRIVATE`] and were called.
    pub(super) private: Vec<&'s str>,
    /// The functions that the program itself defines.
    pub(super) own: BTreeSet<(&'s str, usize)>,
    open: Vec<(&'s str, usize, Arguments)>,
}

/// What a definition takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arguments {
    ValuesOnly,
    Filters,
}

fn call<'s>(name: &'static str) -> Term<&'s str> {
    Term::Call(name, Vec::new())
}

fn pipe<'s>(left: Term<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(left), BinaryOp::Pipe(None), Box::new(right))
}

impl<'s> Rewrite<'s> {
    /// Rewrites a definition of a prelude or of the program.
    pub(super) fn definition(&mut self, definition: Def<&'s str>) -> Def<&'s str> {
        let Def { name, args, body } = definition;
        let arguments = if args.iter().all(|arg| arg.starts_with('$')) {
            Arguments::ValuesOnly
        } else {
            Arguments::Filters
        };
        self.open.push((name, args.len(), arguments));
        let body = self.term(body);
        self.open.pop();
        Def { name, args, body }
    }

    fn counted(&mut self, term: Term<&'s str>, with: &'static str) -> Term<&'s str> {
        self.calls.insert(with);
        pipe(term, call(with))
    }

    fn boxed(&mut self, term: Term<&'s str>) -> Box<Term<&'s str>> {
        Box::new(self.term(term))
    }

    /// Rewrites a term.
    pub(super) fn term(&mut self, term: Term<&'s str>) -> Term<&'s str> {
        match term {
            Term::Id | Term::Num(_) | Term::Var(_) | Term::Break(_) | Term::Arr(None) => term,
            Term::Recurse => {
                self.calls.insert("__recurse");
                call("__recurse")
            }
            Term::Str(format, parts) => self.string(format, parts),
            Term::Arr(Some(items)) => {
                let items = self.boxed(*items);
                self.counted(Term::Arr(Some(items)), "__build")
            }
            Term::Obj(members) if members.is_empty() => Term::Obj(members),
            Term::Obj(members) => {
                let members = members.into_iter();
                let members = members
                    .map(|(key, value)| (self.term(key), value.map(|value| self.term(value))));
                let members = members.collect();
                self.counted(Term::Obj(members), "__build")
            }
            Term::Neg(inner) => Term::Neg(self.boxed(*inner)),
            Term::BinOp(left, operator, right) => self.operation(*left, operator, *right),
            Term::Label(name, inner) => Term::Label(name, self.boxed(*inner)),
            Term::Fold(name, over, pattern, steps) => {
                let over = self.boxed(*over);
                let pattern = self.pattern(pattern);
                let steps = steps.into_iter().enumerate().map(|(index, step)| {
                    let step = self.term(step);
                    // The first is where it starts, the second is what is done over and over.
                    if index == 1 {
                        self.counted(step, "__step")
                    } else {
                        step
                    }
                });
                let steps = steps.collect();
                Term::Fold(name, over, pattern, steps)
            }
            Term::TryCatch(inner, catch) => {
                let inner = self.boxed(*inner);
                Term::TryCatch(inner, catch.map(|catch| self.boxed(*catch)))
            }
            Term::IfThenElse(branches, otherwise) => {
                let branches = branches
                    .into_iter()
                    .map(|(test, then)| (self.term(test), self.term(then)));
                let branches = branches.collect();
                Term::IfThenElse(branches, otherwise.map(|otherwise| self.boxed(*otherwise)))
            }
            Term::Def(definitions, then) => {
                self.own
                    .extend(definitions.iter().map(|d| (d.name, d.args.len())));
                let definitions = definitions
                    .into_iter()
                    .map(|definition| self.definition(definition))
                    .collect();
                Term::Def(definitions, self.boxed(*then))
            }
            Term::Call(name, arguments) => self.call(name, arguments),
            Term::Path(start, Path(parts)) => self.path(*start, parts),
        }
    }

    fn string(
        &mut self,
        format: Option<&'s str>,
        parts: Vec<StrPart<&'s str, Term<&'s str>>>,
    ) -> Term<&'s str> {
        self.calls.extend(format);
        let parts = parts.into_iter().map(|part| match part {
            StrPart::Term(inner) => {
                let inner = self.term(inner);
                StrPart::Term(if format.is_none() {
                    self.counted(inner, "__text")
                } else {
                    inner
                })
            }
            StrPart::Str(text) => StrPart::Str(text),
            StrPart::Char(character) => StrPart::Char(character),
        });
        let parts = parts.collect();
        Term::Str(format, parts)
    }

    fn operation(
        &mut self,
        left: Term<&'s str>,
        operator: BinaryOp<&'s str>,
        right: Term<&'s str>,
    ) -> Term<&'s str> {
        if let BinaryOp::UpdateMath(math) = operator {
            let operand = || Box::new(Term::Var(UPDATE_OPERAND));
            let change = Term::BinOp(Box::new(Term::Id), BinaryOp::Math(math), operand());
            let update = Term::BinOp(Box::new(left), BinaryOp::Update, Box::new(change));
            let bound = BinaryOp::Pipe(Some(Pattern::Var(UPDATE_OPERAND)));
            return self.operation(right, bound, update);
        }
        let left = self.term(left);
        let operator = match operator {
            BinaryOp::Pipe(Some(pattern)) => BinaryOp::Pipe(Some(self.pattern(pattern))),
            operator => operator,
        };
        let right = self.term(right);
        match operator {
            BinaryOp::Math(Math::Mul) => {
                self.calls.insert("__multiply");
                Term::Call("__multiply", vec![left, right])
            }
            BinaryOp::Math(Math::Add) => {
                let left = self.counted(left, "__operand");
                let right = self.counted(right, "__addend");
                Term::BinOp(Box::new(left), operator, Box::new(right))
            }
            BinaryOp::Math(Math::Div) => self.counted(
                Term::BinOp(Box::new(left), operator, Box::new(right)),
                "__quotient",
            ),
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateAlt => self.counted(
                Term::BinOp(Box::new(left), operator, Box::new(right)),
                "__build",
            ),
            operator => Term::BinOp(Box::new(left), operator, Box::new(right)),
        }
    }

    fn pattern(&mut self, pattern: Pattern<&'s str>) -> Pattern<&'s str> {
        match pattern {
            Pattern::Var(name) => Pattern::Var(name),
            Pattern::Arr(items) => {
                Pattern::Arr(items.into_iter().map(|item| self.pattern(item)).collect())
            }
            Pattern::Obj(members) => {
                let members = members
                    .into_iter()
                    .map(|(key, member)| (self.term(key), self.pattern(member)));
                Pattern::Obj(members.collect())
            }
        }
    }

    /// A definition that takes filters and calls itself binds a filter to a filter to a filter: a chain that takes no
    /// stack to build and all of it to drop. Such programs are refused; nothing that maps a record needs them.
    fn call(&mut self, name: &'s str, arguments: Vec<Term<&'s str>>) -> Term<&'s str> {
        self.calls.insert(name);
        if name.starts_with(PRIVATE) {
            self.private.push(name);
        }
        let signature = (name, arguments.len());
        if self
            .open
            .contains(&(signature.0, signature.1, Arguments::Filters))
        {
            self.growing.push(name);
        }
        let own = self.own.contains(&signature);
        let called = Term::Call(
            name,
            arguments
                .into_iter()
                .map(|argument| self.term(argument))
                .collect(),
        );
        if own {
            self.calls.insert("__step");
            return pipe(call("__step"), called);
        }
        called
    }

    fn path(
        &mut self,
        start: Term<&'s str>,
        parts: Vec<(Part<Term<&'s str>>, jaq_core::path::Opt)>,
    ) -> Term<&'s str> {
        let start = self.term(start);
        self.too_long_path |= parts.len() > MAX_PATH_PARTS;
        let mut iterates = false;
        let parts = parts.into_iter().map(|(part, optional)| {
            let part = match part {
                Part::Index(index) => Part::Index(self.term(index)),
                Part::Range(from, to) => {
                    iterates |= from.is_none() && to.is_none();
                    Part::Range(from.map(|from| self.term(from)), to.map(|to| self.term(to)))
                }
            };
            (part, optional)
        });
        let path = Term::Path(Box::new(start), Path(parts.collect()));
        if iterates { pipe(path, Term::Id) } else { path }
    }
}
