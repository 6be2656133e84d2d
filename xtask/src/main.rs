//! What is not a cargo command: `cargo xtask simulate`, `cargo xtask live sekmet`, `cargo xtask live clinosim`, `cargo xtask live orthanc`, `cargo xtask live medplum`,
//! `cargo xtask live json-server`, `cargo xtask drill kill`, `cargo xtask drill first-run`, `cargo xtask drill order`.
//!
//! Results go to stdout, talk to stderr. A task that fails says why and ends with status 1.

mod drill;
mod live;
mod shared;
mod simulate;

use clap::{Parser, Subcommand};
use rounds_simulation::Break;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What is not a cargo command")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs the engine in simulated worlds, each from a seed, and judges what was notified.
    Simulate {
        /// How many worlds, from seed 0 on.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        seeds: u64,
        /// One world alone, with everything that happens in it.
        #[arg(long, conflicts_with = "seeds")]
        seed: Option<u64>,
        /// A rule of Rounds that is broken on purpose; fails if nobody notices.
        #[arg(long = "break", value_name = "NAME")]
        broken: Option<Break>,
        /// How many worlds run side by side; as many as there are cores if left out.
        #[arg(long)]
        jobs: Option<usize>,
    },
    /// Runs the release binary against a real server and compares what happened there with what was notified.
    Live {
        #[command(subcommand)]
        server: LiveServer,
    },
    /// Makes the release binary suffer and judges what was notified.
    Drill {
        #[command(subcommand)]
        drill: Drill,
    },
}

#[derive(Subcommand)]
enum Drill {
    /// Kills it with SIGKILL at random moments while a hospital changes and both ends have faults.
    Kill {
        /// How often it is killed.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        kills: u32,
        /// Where chance starts. Left out, another one each time; it is said on stderr.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Drains a large archive in one first round, kills it in the middle, and looks at its memory.
    FirstRun {
        /// How many records the archive has.
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
        records: u64,
    },
    /// Tells thousands of notifications, in order for each patient, to a receiver that refuses some and is away for a while.
    Order {
        /// How many.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
        notifications: u32,
    },
}

#[derive(Subcommand)]
enum LiveServer {
    /// sekmet-fhir, a FHIR R4 hospital from the Python package index. Needs python3 with venv.
    Sekmet {
        /// Keep the data of both sides in target/live/sekmet also when all went well.
        #[arg(long)]
        keep: bool,
    },
    /// Orthanc, a DICOM server from Debian, whose log of changes is polled; installed with apt-get if it is not there.
    Orthanc {
        /// Keep the data of both sides in target/live/orthanc also when all went well.
        #[arg(long)]
        keep: bool,
    },
    /// A hospital's records of two days, made up by clinosim and loaded into sekmet-fhir: 128 known changes, no more and no less.
    Clinosim {
        /// Keep the data of both sides in target/live/clinosim also when all went well.
        #[arg(long)]
        keep: bool,
    },
    /// Medplum's FHIR router, whose searches say that there is more and have no link to it. Needs node and npm.
    Medplum {
        /// Keep the data of Rounds in target/live/medplum also when all went well.
        #[arg(long)]
        keep: bool,
    },
    /// json-server, whose links hold page numbers, over rows that move while they are read. Needs node and npm.
    JsonServer {
        /// Keep the data of Rounds in target/live/json-server also when all went well.
        #[arg(long)]
        keep: bool,
    },
}

const fn data(keep: bool) -> live::Data {
    if keep {
        live::Data::Keep
    } else {
        live::Data::RemoveWhenClean
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Simulate {
            seed: Some(seed),
            broken,
            ..
        } => apart(move || simulate::one(seed, broken)),
        Task::Simulate {
            broken: Some(broken),
            jobs,
            ..
        } => apart(move || simulate::broken(broken, jobs)),
        Task::Simulate { seeds, jobs, .. } => apart(move || simulate::many(seeds, jobs)),
        Task::Live {
            server: LiveServer::Sekmet { keep },
        } => live::sekmet(data(keep)).await,
        Task::Live {
            server: LiveServer::Clinosim { keep },
        } => live::clinosim(data(keep)).await,
        Task::Live {
            server: LiveServer::Orthanc { keep },
        } => live::orthanc(data(keep)).await,
        Task::Live {
            server: LiveServer::Medplum { keep },
        } => live::medplum(data(keep)).await,
        Task::Live {
            server: LiveServer::JsonServer { keep },
        } => live::json_server(data(keep)).await,
        Task::Drill {
            drill: Drill::Kill { kills, seed },
        } => drill::kill(kills, seed).await,
        Task::Drill {
            drill: Drill::FirstRun { records },
        } => drill::first_run(records).await,
        Task::Drill {
            drill: Drill::Order { notifications },
        } => drill::order(usize::try_from(notifications).unwrap_or(usize::MAX)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs what has runtimes of its own on a thread of its own.
fn apart(work: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<()> {
    match std::thread::spawn(work).join() {
        Ok(done) => done,
        Err(_) => Err(anyhow::anyhow!("it panicked; its message is above")),
    }
}

/// Talk, for the person who watches.
#[expect(
    clippy::print_stderr,
    reason = "a task talks to the terminal that started it"
)]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// A task's result.
#[expect(
    clippy::print_stdout,
    reason = "the result is what the task was started for"
)]
pub(crate) fn give(line: &str) {
    println!("{line}");
}
