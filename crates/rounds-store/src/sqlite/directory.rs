//! The data directory: made for its owner alone, and had by one running process at a time.
//!
//! The lock is the operating system's on an open file, so it ends with the process however that ends; the file's
//! content, the process id, is only there for the message.

use super::error::{Result, Trouble};
use jiff::Timestamp;
use rounds_domain::ports::StoreErrorKind;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

const DATABASE: &str = "rounds.db";
const LOCK: &str = "rounds.lock";
/// How often the lock is tried while somebody looks whether it is taken.
const PATIENCE: usize = 100_000;

/// Where the database of a data directory is.
pub(crate) fn database_path(directory: &Path) -> PathBuf {
    directory.join(DATABASE)
}

/// Makes the directory if it is not there, with mode 0700 where that means something. One that is there keeps the mode
/// that its owner gave it.
pub(crate) fn prepare_directory(directory: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    Ok(builder.create(directory)?)
}

/// Makes an empty database file if there is none, with mode 0600. `SQLite` would make it by the umask; its files beside
/// it take the mode of this one.
pub(crate) fn prepare_database(directory: &Path) -> Result<()> {
    private_file(&database_path(directory)).map(drop)
}

/// That this process has the data directory. Ends when dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes it, or says who has it.
    pub(crate) fn take(directory: &Path, purpose: Purpose) -> Result<Self> {
        let mut file = private_file(&directory.join(LOCK))?;
        let mut taken = file.try_lock();
        // Whoever only looks whether somebody has it holds a shared lock, for a moment.
        for _ in 0..PATIENCE {
            if !matches!(taken, Err(TryLockError::WouldBlock)) || file.try_lock_shared().is_err() {
                break;
            }
            file.unlock()?;
            std::thread::yield_now();
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => {
                file.set_len(0)?;
                file.rewind()?;
                write!(file, "{}{}", std::process::id(), purpose.mark())?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(Trouble::new(
                StoreErrorKind::Busy,
                format!(
                    "another process{} has the data directory {}",
                    holder(&mut file),
                    directory.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

/// Who has a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its process id, in its own namespace.
    pub process: Option<u32>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What for.
    pub purpose: Purpose,
}

/// What a process has a data directory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// It makes the rounds, until it is stopped.
    #[default]
    Service,
    /// One command of a person.
    ByHand,
}

impl Purpose {
    /// What stands behind the process id in the lock's file.
    const fn mark(self) -> &'static str {
        match self {
            Self::Service => "",
            Self::ByHand => " by hand",
        }
    }
}

impl Holder {
    /// Looks who has it; None if nobody does.
    ///
    /// # Errors
    ///
    /// When the directory cannot be looked into.
    pub fn of(directory: &Path) -> std::io::Result<Option<Self>> {
        let mut file = match File::open(directory.join(LOCK)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => {
                // It writes into the file when it takes the lock, and never again.
                let written = file.metadata().and_then(|about| about.modified()).ok();
                let text = text_of(&mut file);
                Ok(Some(Self {
                    process: process_in(&text),
                    purpose: if text.ends_with(Purpose::ByHand.mark()) {
                        Purpose::ByHand
                    } else {
                        Purpose::Service
                    },
                    since: written.and_then(|at| Timestamp::try_from(at).ok()),
                }))
            }
        }
    }
}

/// ` (pid 123)`, or nothing if that cannot be read.
fn holder(file: &mut File) -> String {
    process_in(&text_of(file)).map_or_else(String::new, |process| format!(" (pid {process})"))
}

fn text_of(file: &mut File) -> String {
    let mut text = String::new();
    // What cannot be read says nothing.
    let _ = file.take(40).read_to_string(&mut text);
    text
}

fn process_in(text: &str) -> Option<u32> {
    text.split(' ').next()?.parse().ok()
}

fn private_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| Trouble::from(error).at(path))
}
