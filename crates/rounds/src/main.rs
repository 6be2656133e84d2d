//! `rounds`: from the command line to the exit code, step by step.

use rounds::cli::{self, Parsed};
use rounds::output::Terminal;
use rounds::{commands, logging, problem, wiring};
use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic says where, never what: its message may quote a record.
    problem::say_panics_without_their_message();

    // The command line, or the help that was asked for.
    let arguments = match cli::parse(std::env::args_os()) {
        Parsed::Run(arguments) => arguments,
        Parsed::Done(ended) => return ended.into(),
    };

    // Where data, talk and logs go.
    let mut terminal = Terminal::new(arguments.common.format(), arguments.common.color);
    if let Err(problem) = logging::start(&arguments) {
        return terminal.refuse(&problem).into();
    }

    // Threads.
    let runtime = match wiring::runtime() {
        Ok(runtime) => runtime,
        Err(problem) => return terminal.refuse(&problem).into(),
    };

    // The command itself; `run` drains before it comes back.
    let ended = runtime.block_on(commands::perform(arguments, &mut terminal));

    // What still waits on a blocking thread is not waited for: all that matters is on the disk.
    runtime.shutdown_background();

    match ended {
        Ok(ended) => ended.into(),
        Err(problem) => terminal.refuse(&problem).into(),
    }
}
