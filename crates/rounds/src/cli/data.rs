//! The part of the command line that looks into the data directory.

use clap::{Args, Subcommand, ValueEnum};
use rounds_domain::ports::PageRequest;

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
    /// Only in this state; may be given several times.
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Vec<DeliveryStateArgument>,
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
    #[arg(conflicts_with_all = ["destination", "state", "all"])]
    pub ids: Vec<String>,
    /// By filter.
    #[command(flatten)]
    pub filter: DeliveryFilterArguments,
    /// All of them.
    #[arg(long, conflicts_with_all = ["destination", "state"])]
    pub all: bool,
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
