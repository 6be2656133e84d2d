//! The command line.

use crate::Ended;
use crate::output::Format;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

mod data;

pub use data::{
    ContainerFilterArguments, ContainerSelection, ContainerStateArgument, ContainersCommand,
    DeletionSelection, DeletionsCommand, DeliveriesCommand, DeliveryFilterArguments,
    DeliverySelection, DeliveryStateArgument, DestinationsCommand, ListPage, NotificationsCommand,
    ReplayArguments, When,
};

const BEGIN_WITH: &str = "Begin with:
  rounds demo --changes 10    see the whole way on this machine
  rounds check                what your rounds.yaml will do
  rounds help COMMAND         what a command takes, with examples";

/// Real-time notifications for EHR APIs that have none.
#[derive(Debug, Parser)]
#[command(
    name = "rounds",
    version,
    about = "Real-time notifications for EHR APIs that have none",
    long_about = "Rounds polls an EHR's API on the interval that you choose for each action, finds the records that \
                  changed, and delivers one notification per changed record to your endpoint.\n\n\
                  Data goes to stdout; progress, hints, diagnostics and logs go to stderr.",
    after_help = BEGIN_WITH,
    max_term_width = 100,
    propagate_version = true,
    disable_help_subcommand = false
)]
pub struct Arguments {
    /// What all commands take.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What all commands take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of all commands")]
pub struct Common {
    /// The configuration: a YAML file, or a folder of them.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        default_value = "rounds.yaml",
        env = "ROUNDS_CONFIG",
        hide_env_values = true
    )]
    pub config: PathBuf,
    /// Where Rounds keeps what it must not forget.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "rounds-data",
        env = "ROUNDS_DATA_DIR",
        hide_env_values = true
    )]
    pub data_dir: PathBuf,
    /// Print one JSON object with stable keys on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// Logs for people, or one JSON object a line.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "terminal",
        value_enum
    )]
    pub log_format: LogFormat,
    /// What is logged: off, error, warn, info, debug, trace, or a filter such as `info,rounds_http=debug`.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "ROUNDS_LOG",
        hide_env_values = true
    )]
    pub log: Option<String>,
    /// Colours on the terminal. `auto` also minds the variable `NO_COLOR`.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        value_enum
    )]
    pub color: Color,
}

impl Common {
    /// Text or JSON.
    pub const fn format(&self) -> Format {
        if self.json {
            Format::Json
        } else {
            Format::Text
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Terminal,
    /// One JSON object a line.
    Json,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that has them, and unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether stderr gets colours.
    pub fn for_stderr(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
            }
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make rounds until SIGTERM, SIGHUP or Ctrl-C, then finish what is under way.
    #[command(
        after_help = "Examples:\n  rounds run\n  rounds run --config hospital/ --data-dir /var/lib/rounds --log-format json"
    )]
    Run(RunArguments),
    /// Say everything that is wrong with the configuration, what it will do and what that costs.
    #[command(
        after_help = "Examples:\n  rounds check\n  rounds check --config hospital/ --json\n\nErrors end with exit code 65. A secret that cannot be read here is a warning, because it may be there where Rounds runs."
    )]
    Check,
    /// Print the JSON Schema of the configuration, for editors.
    #[command(after_help = "Example:\n  rounds schema > rounds.schema.json")]
    Schema,
    /// Make one round of one action, now.
    #[command(
        after_help = "Examples:\n  rounds poll appointments --dry-run    shows everything and changes nothing\n  rounds poll appointments --dry-run --sample 3    whatever is known: three of the records that are there, told as new\n  rounds poll appointments --dry-run --since 24h    all that changed since then, told as new\n  rounds poll appointments --dry-run --record 17    one record: its last known state, or as the EHR shows it\n  rounds poll appointments --dry-run --redact    with types for values, to be shared\n  rounds poll appointments              commits what was found; `rounds run` fills and delivers it\n  rounds poll appointments --feed reconcile --dry-run    the same for its reconciling sweep\n\nA dry run of which not every change could be told ends with exit code 65. The output shows patient data, because that is what was asked for. Without --dry-run no `rounds run` may be using the data directory."
    )]
    Poll(PollArguments),
    /// Show the whole way of changes on this machine: an EHR, Rounds and a receiver on loopback.
    #[command(
        after_help = "Examples:\n  rounds demo                               until Ctrl-C\n  rounds demo --changes 40 --interval 2s    ends by itself; exit code 0 only if nothing was lost, repeated or reordered\n  rounds demo --changes 40 --json           the result as one JSON object"
    )]
    Demo(DemoArguments),
    /// Show how every action and destination stands. Works while `rounds run` runs.
    #[command(
        after_help = "Examples:\n  rounds status\n  rounds status --json\n\nExit code 0: all is well; 3: something is failing, held, paused or given up, with since when and why; 4: no `rounds run` is at work on the data directory."
    )]
    Status,
    /// Why a record was told, or was not: all that is known of it, in order.
    #[command(
        after_help = "Examples:\n  rounds why appointments 17\n  rounds why appointments --key P1001    all that was changed last under this key (`order_by`)\n\nWhere nothing is known, it says what the action asked for, and what would have to be true of a record to be shown. Works while `rounds run` runs, and asks the EHR nothing. What is finished is known until it is removed after `keep`."
    )]
    Why(WhyArguments),
    /// What was told.
    #[command(subcommand)]
    Notifications(NotificationsCommand),
    /// What is owed to destinations, was refused or was given up.
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// Send what was told once more, because a receiver lost it. Ids stay the same.
    #[command(
        after_help = "Examples:\n  rounds replay ntf_.../my-app\n  rounds replay --destination my-app --since 6h --dry-run    how many it would be\n  rounds replay --destination my-app --since 2026-11-24T08:00:00Z --until 2026-11-24T09:00:00Z --rate 100/m\n  rounds replay --event Scheduling.Cancel --since 24h\n\nWithout --state it means what was delivered or given up. What is kept is what `finished_for` of the configuration leaves."
    )]
    Replay(ReplayArguments),
    /// How the endpoints stand: hold, release and test them.
    #[command(subcommand)]
    Destinations(DestinationsCommand),
    /// Changes on their way to becoming notifications: waiting, parked after a failure, or given up.
    #[command(subcommand)]
    Containers(ContainersCommand),
    /// Records that sweeps do not show any more, and so many at once that they are not told as deleted.
    #[command(subcommand)]
    Deletions(DeletionsCommand),
    /// Say where an action goes on: after an edit of its configuration, or to ask for a time once more.
    #[command(
        after_help = "Examples:\n  rounds reset appointments --dry-run             shows what would happen\n  rounds reset appointments --to here             an edit is meant: it goes on where it is, with all that it knows\n  rounds reset appointments --to 2026-11-01T00:00:00Z    asks from then on; what was told stays told\n  rounds reset appointments --to beginning --ledger drop    tells everything again\n\nWithout --to the action begins anew as `start` says, and --yes must say that this is meant. No `rounds run` may be using the data directory. Containers and deliveries that are open stay as they are."
    )]
    Reset(ResetArguments),
    /// Ask and try what a FHIR server can be polled by.
    #[command(
        after_help = "Examples:\n  rounds probe clinic\n  rounds probe clinic --resource Appointment --resource Slot"
    )]
    Probe(ProbeArguments),
    /// Show what is known of EHRs' APIs: which actions can be polled, and how.
    #[command(subcommand)]
    Connectors(ConnectorsCommand),
    /// Show the data models that notifications may have the shape of: their fields, and a JSON Schema of each.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Work on what notifications look like.
    #[command(subcommand)]
    Map(MapCommand),
    /// Make keys for SMART Backend Services, and show their public halves.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Explain an error code; without one, list all of them.
    #[command(after_help = "Examples:\n  rounds explain R0311\n  rounds explain")]
    Explain {
        /// The code, such as R0311.
        code: Option<String>,
    },
}

/// What `reset` takes.
#[derive(Debug, Args)]
pub struct ResetArguments {
    /// Which action.
    pub action: String,
    /// Only this feed of it: `changes`, or the name of another of its queries.
    #[arg(long, value_name = "FEED")]
    pub feed: Option<String>,
    /// Where it goes on: `now`, `beginning`, `here`, an instant, or a number or token of its cursor's kind.
    #[arg(long, value_name = "PLACE")]
    pub to: Option<String>,
    /// What becomes of what is known of its records.
    #[arg(long, value_enum, value_name = "FATE", default_value = "keep")]
    pub ledger: LedgerArgument,
    /// Show what would happen, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// It is meant.
    #[arg(long)]
    pub yes: bool,
}

/// What becomes of what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LedgerArgument {
    /// What was told stays told.
    Keep,
    /// What is shown is new.
    Drop,
}

/// What `probe` takes.
#[derive(Debug, Args)]
pub struct ProbeArguments {
    /// Which connection of the configuration.
    pub connection: String,
    /// Which resource types; the common ones that the server has if none is named.
    #[arg(long, value_name = "TYPE")]
    pub resource: Vec<String>,
}

/// What `connectors` does.
#[derive(Debug, Subcommand)]
pub enum ConnectorsCommand {
    /// Every action of every connector, and how it is polled.
    List,
    /// One connector: its actions, settings, quirks and sources, and an example.
    #[command(
        after_help = "Examples:\n  rounds connectors show fhir-r4\n  rounds connectors show epic --json"
    )]
    Show {
        /// Its name.
        connector: String,
    },
}

/// What `models` does.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Every data model, with its events.
    List,
    /// The fields of a model, in the order of a message: of one event, or of all.
    #[command(
        after_help = "Examples:\n  rounds models show Scheduling\n  rounds models show Scheduling Reschedule\n  rounds models show Results New --json"
    )]
    Show {
        /// Its name.
        model: String,
        /// One of its events.
        event: Option<String>,
    },
    /// The JSON Schema (2020-12) of a message, for a receiver's own validator.
    #[command(
        after_help = "Examples:\n  rounds models schema Scheduling New > scheduling.new.schema.json"
    )]
    Schema {
        /// Its name.
        model: String,
        /// The event.
        event: String,
    },
}

/// What `map` does.
#[derive(Debug, Subcommand)]
pub enum MapCommand {
    /// Say whether files hold whole notifications of Redox data models, and where not.
    #[command(
        after_help = "Examples:\n  rounds map validate notification.json\n  rounds map validate golden/*.json --json\n\nA message that is none ends with exit code 65. Only paths are shown, never values."
    )]
    Validate {
        /// JSON, one message each; `-` for what comes in.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Every built-in map, from which kind of record to which data model.
    List,
    /// Print a built-in map, to start from.
    #[command(
        after_help = "Examples:\n  rounds map show fhir-r4/scheduling > rounds.d/my-scheduling.yaml"
    )]
    Show {
        /// Which.
        name: String,
    },
    /// Map fixtures as actions would map their changes, and compare with what is kept beside them.
    #[command(
        after_help = "A fixture is `FIXTURES/ACTION/NAME.json`: { \"record\": ..., \"previous\": ..., \"kind\": \"updated\", \"lookups\": { NAME: ... } }; or as the EHR\ngave it: `NAME.json` or `NAME.xml` with the record, or an answer that holds it, `NAME.previous.json` with what it was, `NAME.LOOKUP.json` with\nwhat each lookup answered. What became of it stands in `NAME.golden.json` beside it, which `--update` writes,\nalso of one whose mapping fails, and says so.\n\nExamples:\n  rounds map test\n  rounds map test appointments --fixtures tests/fixtures\n  rounds map test --map fhir-r4/scheduling --fixtures tests/appointments\n  rounds map test --map ./my-map.yaml --fixtures tests/appointments\n  rounds map test --update\n\nA difference, a fixture without a golden file, and one that cannot be read end with exit code 65, after all the others were mapped."
    )]
    Test {
        /// Which actions; all that have fixtures if none is named.
        #[arg(value_name = "ACTION")]
        actions: Vec<String>,
        /// The folder of fixtures.
        #[arg(long, value_name = "FOLDER", default_value = "fixtures")]
        fixtures: PathBuf,
        /// A map instead of actions, by its name or its YAML file: the fixtures stand in the folder itself.
        #[arg(long, value_name = "MAP", conflicts_with = "actions")]
        map: Option<String>,
        /// Keep what comes out as what is expected.
        #[arg(long, visible_alias = "renew")]
        update: bool,
    },
    /// Ask the EHR for records and show what the mapping makes of them, beside what each value comes from; changes nothing.
    #[command(
        after_help = "Without --record and FILE one page of the change query is asked for. FILE holds a record, or is a fixture of any\nform that `rounds map test` reads; what a fixture says of lookups is taken, and then none is asked.\n\nExamples:\n  rounds map try appointments\n  rounds map try appointments --sample 20 --json\n  rounds map try appointments --record 4711       the state that is known\n  rounds map try appointments record.json\n  rounds map try appointments fixtures/appointments/moved.json\n\nShows values: patient data goes to your terminal. A record that cannot be mapped ends with exit code 65."
    )]
    Try(TryArguments),
    /// How often each field had a value in the last notifications of an action.
    #[command(
        after_help = "Examples:\n  rounds map filled appointments\n  rounds map filled appointments --last 1000 --json\n\nOnly paths are shown, never values."
    )]
    Filled {
        /// Which action.
        action: String,
        /// How many of its notifications are looked at, the newest first.
        #[arg(long, value_name = "N", default_value_t = 200)]
        last: usize,
    },
}

/// What is tried.
#[derive(Debug, Args)]
pub struct TryArguments {
    /// Which action.
    pub action: String,
    /// A file with a record, or a fixture, instead of asking for one.
    #[arg(value_name = "FILE", conflicts_with_all = ["record", "sample"])]
    pub file: Option<PathBuf>,
    /// The record that is known under this id, in its last state.
    #[arg(long, value_name = "ID", conflicts_with = "sample")]
    pub record: Option<String>,
    /// How many records are tried.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub sample: usize,
}

/// What `keys` does.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a private key, as PKCS #8 in PEM. Its name (kid) is said on stderr.
    #[command(
        after_help = "Examples:\n  rounds keys generate --algorithm ES384 --out key.pem\n  rounds keys generate --algorithm RS384 > key.pem\n\nA file is made for its owner alone, and none is ever overwritten. ES384 is the smaller; some EHRs take RS384 only."
    )]
    Generate {
        /// How it will sign.
        #[arg(long, value_name = "ALGORITHM", value_enum, ignore_case = true)]
        algorithm: AlgorithmArgument,
        /// Where to; without it the key goes to stdout.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make a secret that signs notifications (Standard Webhooks): one that both ends know, or a private key.
    #[command(
        after_help = "Examples:\n  rounds keys webhook --out my-app.secret               whsec_..., for both ends\n  rounds keys webhook --asymmetric --out my-app.key    whsk_... for Rounds; the receiver gets whpk_..., said on stderr\n\nUse it as `signing_secret: { file: my-app.secret }`. For rotation list the old and the new one until every receiver knows the new."
    )]
    Webhook {
        /// An ed25519 key (v1a) instead of a shared secret (v1): nobody but Rounds can sign.
        #[arg(long)]
        asymmetric: bool,
        /// Where to; without it the secret goes to stdout.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print the public halves of private keys as one JWK Set, for registration with an EHR.
    #[command(
        after_help = "Examples:\n  rounds keys jwks key.pem > jwks.json\n  rounds keys jwks key-2026.pem key-2027.pem    the old one and the new one, while keys are changed"
    )]
    Jwks {
        /// Private keys, PEM or JWK.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlgorithmArgument {
    /// ECDSA on the curve P-384.
    #[value(name = "ES384")]
    Es384,
    /// RSA with 3072 bits.
    #[value(name = "RS384")]
    Rs384,
}

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// How long work that is under way may take to finish after SIGTERM, SIGHUP or Ctrl-C. A second signal ends it at once.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub drain_for: Duration,
    /// How large the database may become. For tests of a full disk, and not promised to stay.
    #[arg(long, value_name = "BYTES", hide = true)]
    pub database_limit_bytes: Option<u64>,
}

/// What `poll` takes.
#[derive(Debug, Args)]
pub struct PollArguments {
    /// Which action of the configuration.
    pub action: String,
    /// Which of its feeds: the change query, or one of its sweeps.
    #[arg(long, value_name = "FEED", default_value = "changes")]
    pub feed: String,
    /// Show everything, also the notifications that would be sent, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Ask from this time on, as if nothing were known: an instant, or how long ago.
    #[arg(long, value_name = "TIME", requires = "dry_run", value_parser = data::when)]
    pub since: Option<When>,
    /// Tell of so many of the records that are there, as if nothing were known: one page is asked for.
    #[arg(long, value_name = "N", requires = "dry_run", value_parser = clap::value_parser!(u16).range(1..))]
    pub sample: Option<u16>,
    /// Tell of this record alone, in the last state that is known of it, or as the EHR shows it.
    #[arg(
        long,
        value_name = "ID",
        requires = "dry_run",
        conflicts_with = "sample"
    )]
    pub record: Option<String>,
    /// Show what the EHR answered whole, as it came.
    #[arg(long)]
    pub raw: bool,
    /// Show types instead of values, for a ticket or a colleague: no patient data.
    #[arg(long, conflicts_with = "raw")]
    pub redact: bool,
}

/// What `why` takes.
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// Which action of the configuration.
    pub action: String,
    /// The record's id, as `rounds notifications list` shows it.
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    pub record: Option<String>,
    /// Instead of a record: a key that `notify.order_by` gives, such as a patient.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

/// What `demo` takes.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// End after so many changes at the EHR; without it the demo goes on until Ctrl-C.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub changes: Option<u64>,
    /// How often Rounds asks the EHR for changes.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    pub interval: Duration,
    /// How often something changes at the EHR.
    #[arg(long, value_name = "DURATION", default_value = "1400ms", value_parser = duration)]
    pub change_every: Duration,
    /// An endpoint of your own that is told as well, on this machine or on the internet. How its signatures are verified is said at the
    /// beginning.
    #[arg(long, value_name = "URL")]
    pub to: Option<url::Url>,
}

/// What became of the command line.
#[derive(Debug)]
pub enum Parsed {
    /// A command.
    Run(Box<Arguments>),
    /// Help, the version or a mistake: it was said.
    Done(Ended),
}

/// The definition, with the exit codes at the end of the long help.
pub fn definition() -> clap::Command {
    Arguments::command().after_long_help(format!("{BEGIN_WITH}\n\n{}", Ended::table()))
}

/// Reads the command line; says help, version or mistakes itself.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Parsed {
    let parsed = definition()
        .try_get_matches_from(words)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => Parsed::Run(Box::new(arguments)),
        Err(error) => {
            // Where the terminal is gone, nobody is left to be told.
            let _ = error.print();
            Parsed::Done(if error.use_stderr() {
                Ended::Usage
            } else {
                Ended::Fine
            })
        }
    }
}

/// A duration as the configuration writes it.
fn duration(text: &str) -> Result<Duration, String> {
    let mend = || {
        format!("`{text}` is not a duration; write a number with its unit, such as 500ms, 2s or 1m")
    };
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(mend());
    }
    let span: jiff::SignedDuration = text.parse().map_err(|_| mend())?;
    Duration::try_from(span).map_err(|_| mend())
}

/// A duration that the configuration takes as an interval.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < Duration::from_secs(1) {
        return Err("an interval is at least 1s".to_owned());
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_cli() {
        definition().debug_assert();
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("1400ms"), Ok(Duration::from_millis(1400)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(duration("5").is_err_and(|mend| mend.contains("unit")));
        assert!(duration("-5s").is_err());
        assert!(interval("900ms").is_err());
    }
}
