//! From text to a compiled program: parse, rewrite, compile, and say plainly what is wrong.

use super::meter::Metered;
use super::rewrite::Rewrite;
use super::{natives, prelude, reads, trouble};
use crate::CompileError;
use jaq_core::load::parse::{Def, Parser, Term};
use jaq_core::load::{Arena, File, Lexer, Loader};
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// How long an expression may be, in bytes.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// Up to this many bytes, text cannot nest deep enough to need more stack than an ordinary thread has.
const SHORT_TEXT_BYTES: usize = 256;

/// The parser and the compiler recurse once per level of nesting, which is less than once per byte.
const COMPILE_STACK_BYTES: usize = 128 << 20;

/// Under this name the user's text is a definition, the last one; the main program only calls it.
const MAIN: &str = "__main";

/// A compiled expression.
pub(super) struct Program {
    pub(super) text: Arc<str>,
    pub(super) filter: jaq_core::Filter<Metered>,
    pub(super) reads: Vec<(String, usize)>,
}

/// Programs that are in use, by their text: the same text is compiled and kept once, however many actions use it.
static IN_USE: LazyLock<Mutex<HashMap<Arc<str>, Weak<Program>>>> = LazyLock::new(Mutex::default);

pub(super) fn shared(text: &str) -> Result<Arc<Program>, CompileError> {
    let known = IN_USE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(text)
        .and_then(Weak::upgrade);
    if let Some(program) = known {
        return Ok(program);
    }
    let program = Arc::new(with_enough_stack(text)?);
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    if in_use.len() == in_use.capacity() {
        in_use.retain(|_, program| program.strong_count() > 0);
    }
    in_use.insert(Arc::clone(&program.text), Arc::downgrade(&program));
    Ok(program)
}

fn with_enough_stack(text: &str) -> Result<Program, CompileError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(CompileError {
            offset: MAX_TEXT_BYTES,
            length: 0,
            message: format!("the expression is longer than {MAX_TEXT_BYTES} bytes"),
            hint: Some("split it over several leaves".to_owned()),
        });
    }
    if text.len() <= SHORT_TEXT_BYTES {
        return compile(text);
    }
    let no_thread = || CompileError {
        offset: 0,
        length: 0,
        message: "no thread could be started to compile the expression".to_owned(),
        hint: None,
    };
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new()
            .name("rounds-compile".to_owned())
            .stack_size(COMPILE_STACK_BYTES);
        let thread = builder
            .spawn_scoped(scope, || compile(text))
            .map_err(|_| no_thread())?;
        thread.join().unwrap_or_else(|_| Err(no_thread()))
    })
}

fn parse(text: &str) -> Result<Term<&str>, CompileError> {
    let tokens = Lexer::new(text)
        .lex()
        .map_err(|errors| trouble::lexing(text, &errors))?;
    Parser::new(&tokens)
        .parse(Parser::term)
        .map_err(|errors| trouble::parsing(text, &errors))
}

fn compile(text: &str) -> Result<Program, CompileError> {
    let term = parse(text)?;
    let reads = reads::of(text, &term);
    let mut rewrite = Rewrite::default();
    let body = rewrite.term(term);
    if let Some(name) = rewrite.growing.first() {
        return Err(trouble::growing(text, name));
    }
    if rewrite.too_long_path {
        return Err(trouble::too_long_path(text));
    }
    let defined = rewrite.own_names();
    if let Some(name) = rewrite.private.first() {
        return Err(trouble::undefined_function(text, name, 0, &defined));
    }

    let definitions = prelude::needed(&rewrite.calls);
    let main = Def {
        name: MAIN,
        args: Vec::new(),
        body,
    };
    let arena = Arena::default();
    let loader = Loader::new(definitions.into_iter().chain([main]));
    // The main program is one word, and the prelude is parsed: loading cannot fail.
    let modules = loader
        .load(
            &arena,
            File {
                code: MAIN,
                path: (),
            },
        )
        .map_err(|_| trouble::unexplained())?;
    let compiler = jaq_core::Compiler::default().with_funs(natives::all());
    let filter = compiler.compile(modules).map_err(|errors| {
        let undefined = errors.iter().flat_map(|(_, errors)| errors).next();
        undefined.map_or_else(trouble::unexplained, |(name, what)| {
            trouble::undefined(text, name, what, &defined)
        })
    })?;
    Ok(Program {
        text: text.into(),
        filter,
        reads,
    })
}

impl<'s> Rewrite<'s> {
    fn own_names(&self) -> BTreeSet<&'s str> {
        self.own.iter().map(|(name, _)| *name).collect()
    }
}
