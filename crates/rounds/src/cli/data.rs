//! The part of the command line that looks into the data directory.

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use rounds_domain::ports::PageRequest;
use std::time::Duration;

/// What was told.
#[derive(Debug, Subcommand)]
pub enum NotificationsCommand {
    /// List notifications, newest first.
    #[command(
        after_help = "Examples:\n  rounds notifications list --action appointments\n  rounds notifications list --record 4711 --json"
    )]
    List {
        /// Only of this action.
        #[arg(long)]
        action: Option<String>,
        /// Only of this record of the EHR.
        #[arg(long, value_name = "ID")]
        record: Option<String>,
        /// Which part of the list.
        #[command(flatten)]
        page: ListPage,
    },
    /// Show one notification with its body, its deliveries and their attempts.
    Show {
        /// Its id, `ntf_...`.
        id: String,
    },
}

/// What is owed to destinations, was refused or was given up.
#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List deliveries, oldest first.
    #[command(
        after_help = "Examples:\n  rounds deliveries list --state dead\n  rounds deliveries list --destination my-app --limit 5"
    )]
    List {
        /// Which.
        #[command(flatten)]
        filter: DeliveryFilterArguments,
        /// Which part of the list.
        #[command(flatten)]
        page: ListPage,
    },
    /// Send deliveries again now, with fresh attempts; serves a paused destination again.
    #[command(
        after_help = "Examples:\n  rounds deliveries retry ntf_.../my-app\n  rounds deliveries retry --destination my-app --state dead\n  rounds deliveries retry --all"
    )]
    Retry(DeliverySelection),
    /// Give deliveries up for good.
    #[command(
        after_help = "Example:\n  rounds deliveries drop ntf_.../my-app --reason 'told by phone'"
    )]
    Drop {
        /// Which.
        #[command(flatten)]
        selection: DeliverySelection,
        /// Why; it is kept with each.
        #[arg(long)]
        reason: String,
    },
}

/// Changes on their way.
#[derive(Debug, Subcommand)]
pub enum ContainersCommand {
    /// List containers, oldest first.
    #[command(
        after_help = "Examples:\n  rounds containers list --state parked --state dead\n  rounds containers list --action appointments --json"
    )]
    List {
        /// Which.
        #[command(flatten)]
        filter: ContainerFilterArguments,
        /// Which part of the list.
        #[command(flatten)]
        page: ListPage,
    },
    /// Show one container with its record.
    Show {
        /// Its id, `ctr_...`.
        id: String,
    },
    /// Try parked or dead containers again now, with fresh attempts.
    #[command(
        after_help = "Examples:\n  rounds containers retry ctr_...\n  rounds containers retry --action appointments --state dead\n  rounds containers retry --all"
    )]
    Retry(ContainerSelection),
    /// Give containers up for good: their changes are not told.
    #[command(
        after_help = "Example:\n  rounds containers drop ctr_... --reason 'entered by mistake'"
    )]
    Drop {
        /// Which.
        #[command(flatten)]
        selection: ContainerSelection,
        /// Why; it is kept with each.
        #[arg(long)]
        reason: String,
    },
}

/// Which containers.
#[derive(Debug, Clone, Default, Args)]
pub struct ContainerFilterArguments {
    /// Only of this action.
    #[arg(long)]
    pub action: Option<String>,
    /// Only of this record of the EHR.
    #[arg(long, value_name = "ID")]
    pub record: Option<String>,
    /// Only in this state; may be given several times.
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Vec<ContainerStateArgument>,
}

/// Which deliveries.
#[derive(Debug, Clone, Default, Args)]
pub struct DeliveryFilterArguments {
    /// Only to this destination.
    #[arg(long)]
    pub destination: Option<String>,
    /// Only of this action.
    #[arg(long)]
    pub action: Option<String>,
    /// Only of this record of the EHR.
    #[arg(long, value_name = "ID")]
    pub record: Option<String>,
    /// Only of notifications that are called so, such as Scheduling.Cancel.
    #[arg(long)]
    pub event: Option<String>,
    /// Only of changes that were found at this time or later: 2026-11-24T08:00:00Z, or 6h for six hours ago.
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub since: Option<When>,
    /// Only of changes that were found before this time.
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub until: Option<When>,
    /// Only in this state; may be given several times.
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Vec<DeliveryStateArgument>,
}

/// Deletions that are held back.
#[derive(Debug, Subcommand)]
pub enum DeletionsCommand {
    /// List them, by action and record.
    #[command(
        after_help = "Examples:\n  rounds deletions list\n  rounds deletions list --action appointments --json"
    )]
    List {
        /// Only of this action.
        #[arg(long)]
        action: Option<String>,
        /// Which part of the list.
        #[command(flatten)]
        page: ListPage,
    },
    /// Say that they are gone: the next complete sweep that misses them tells them, however many they are.
    #[command(
        after_help = "Examples:\n  rounds deletions release --action appointments\n  rounds deletions release --action appointments --record 17"
    )]
    Release(DeletionSelection),
    /// Say that they are not to be missed any more. A sweep that shows one again takes that back.
    #[command(after_help = "Example:\n  rounds deletions forget --action appointments --record 17")]
    Forget(DeletionSelection),
}

/// Deletions by filter, or all.
#[derive(Debug, Args)]
pub struct DeletionSelection {
    /// Only of this action.
    #[arg(long)]
    pub action: Option<String>,
    /// Only of this record of the EHR's.
    #[arg(long)]
    pub record: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["action", "record"])]
    pub all: bool,
}

/// Containers by id, by filter, or all.
#[derive(Debug, Args)]
pub struct ContainerSelection {
    /// Ids, `ctr_...`.
    #[arg(conflicts_with_all = ["action", "record", "state", "all"])]
    pub ids: Vec<String>,
    /// By filter.
    #[command(flatten)]
    pub filter: ContainerFilterArguments,
    /// All of them.
    #[arg(long, conflicts_with_all = ["action", "record", "state"])]
    pub all: bool,
}

/// Deliveries by id, by filter, or all.
#[derive(Debug, Args)]
pub struct DeliverySelection {
    /// Ids: `ntf_.../destination`, or `ntf_...` for all destinations of a notification.
    #[arg(conflicts_with_all = ["destination", "action", "record", "event", "since", "until", "state", "all"])]
    pub ids: Vec<String>,
    /// By filter.
    #[command(flatten)]
    pub filter: DeliveryFilterArguments,
    /// All of them.
    #[arg(long, conflicts_with_all = ["destination", "action", "record", "event", "since", "until", "state"])]
    pub all: bool,
}

impl DeliveryFilterArguments {
    /// Whether all match.
    pub const fn is_empty(&self) -> bool {
        self.destination.is_none()
            && self.action.is_none()
            && self.record.is_none()
            && self.event.is_none()
            && self.since.is_none()
            && self.until.is_none()
            && self.state.is_empty()
    }
}

/// What `replay` takes.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Which.
    #[command(flatten)]
    pub selection: DeliverySelection,
    /// How fast: so many in a second (s), minute (m) or hour (h).
    #[arg(long, value_name = "N/UNIT", default_value = "10/s", value_parser = rate)]
    pub rate: Duration,
    /// Say how many it would be, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// How the endpoints stand, and what is done to them.
#[derive(Debug, Subcommand)]
pub enum DestinationsCommand {
    /// Show how each stands.
    List,
    /// Send nothing to one until it is released. Its deliveries wait, and none is lost.
    #[command(
        after_help = "Example:\n  rounds destinations hold my-app --reason 'maintenance until six'"
    )]
    Hold {
        /// Which.
        name: String,
        /// Why; it is shown as long as it is held.
        #[arg(long)]
        reason: String,
    },
    /// Serve one again, from where it stood, whatever paused it.
    Release {
        /// Which.
        name: String,
    },
    /// Send a test, by the very way of notifications: the same addresses, headers, tokens and signatures.
    #[command(
        after_help = "Example:\n  rounds destinations test my-app\n\nThe body is a JSON object whose `Meta.DataModel` is `Rounds`, whose `Meta.EventType` is `Test` and whose `Meta.Test` is true. What is\nnot taken ends with exit code 2."
    )]
    Test {
        /// Which, of the configuration.
        name: String,
    },
}

/// An instant, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// This one.
    At(Timestamp),
    /// So long ago.
    Ago(Duration),
}

impl When {
    /// The instant that it means.
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

pub(super) fn when(text: &str) -> Result<When, String> {
    if let Ok(at) = text.parse() {
        return Ok(When::At(at));
    }
    super::duration(text).map(When::Ago).map_err(|_| {
        format!("`{text}` is neither an instant (2026-11-24T08:00:00Z) nor how long ago (6h)")
    })
}

/// A rate as the wait from one to the next.
fn rate(text: &str) -> Result<Duration, String> {
    let mend = || format!("`{text}` is not a rate; write 10/s, 100/m or 1000/h");
    let (number, unit) = text.split_once('/').ok_or_else(mend)?;
    let number: u32 = number.parse().map_err(|_| mend())?;
    let unit = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return Err(mend()),
    };
    unit.checked_div(number).ok_or_else(mend)
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, Args)]
pub struct ListPage {
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// How many to skip.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: u32,
}

impl ListPage {
    /// One more than asked for, to know whether there are more.
    pub fn request(self) -> PageRequest {
        PageRequest {
            offset: usize::try_from(self.offset).unwrap_or(usize::MAX),
            limit: self.limit().saturating_add(1),
        }
    }

    /// How many are shown at most.
    pub fn limit(self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }
}

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ContainerStateArgument {
    /// Behind an earlier change with the same ordering key.
    Waiting,
    /// To be filled as soon as possible.
    Due,
    /// Waiting for its own retry.
    Parked,
    /// Given up, until a person retries or drops it.
    Dead,
    /// Dropped.
    Dropped,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeliveryStateArgument {
    /// Behind an earlier one with the same ordering key.
    Waiting,
    /// To be tried as soon as it is due.
    Due,
    /// The receiver took it.
    Delivered,
    /// Given up, until a person retries or drops it.
    Dead,
    /// Dropped by a person.
    Dropped,
}
