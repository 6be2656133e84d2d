//! What the plan only refers to: read late, kept briefly, shown never.
//!
//! A secret is read when a request needs it, kept for a minute, and read anew at once after the other side refused it:
//! so a rotated file or an expired token of a command is picked up without a restart. Equal references are read once at
//! a time, however many requests wait for them.
//!
//! Where reading anew fails (the password manager is restarted, a file is being replaced), the value that was had before
//! goes on serving for a while, because it most likely still opens the door; it is tried again each minute, and said in
//! the log. A value that was refused never serves again: a secret that opens nothing would only hide the trouble.

use rounds_domain::plan::SecretReference;
use rounds_domain::ports::Clock;
use secrecy::SecretString;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// How long a value is used without being read again.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// A value younger than this is not forgotten: a receiver that refuses everything must not make us run a command for
/// every request.
const YOUNGEST_FORGOTTEN: Duration = Duration::from_secs(5);
/// How long a value serves that cannot be read anew, counted from when it was last read. Long enough for a restart of
/// what keeps it, short enough that a secret that was taken away on purpose is not used for the rest of the day.
const SERVES_FOR: Duration = Duration::from_mins(15);
/// The longest secret.
const LIMIT_BYTES: usize = 64 * 1024;
/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

type Environment = dyn Fn(&str) -> Option<OsString> + Send + Sync;
type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// Reads secrets by reference.
pub struct Secrets {
    clock: Arc<dyn Clock>,
    environment: Box<Environment>,
    /// One slot per reference, so at most as many as the plan has.
    slots: Mutex<HashMap<SecretReference, Slot>>,
}

struct Kept {
    value: SecretString,
    read_at: Duration,
    /// When it was last read, or tried to be.
    tried_at: Duration,
}

/// A secret that could not be had. Names the reference, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference} {reason}")]
pub struct SecretError {
    /// Which secret: the variable, the file or the program (without its arguments).
    pub reference: String,
    /// What went wrong, to be read after the reference.
    pub reason: String,
    /// How to mend it.
    pub hint: String,
}

impl SecretError {
    /// An error about a secret, by us or by those who use it.
    pub(crate) fn new(
        reference: &SecretReference,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            reference: described(reference),
            reason: reason.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads environment variables of this process.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_environment(clock, |name| std::env::var_os(name))
    }

    /// Reads environment variables through a function.
    pub fn with_environment(
        clock: Arc<dyn Clock>,
        environment: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock,
            environment: Box::new(environment),
            slots: Mutex::default(),
        }
    }

    /// The secret: at most a minute old, or the one before while it cannot be read anew.
    pub async fn read(&self, reference: &SecretReference) -> Result<SecretString, SecretError> {
        let slot = self.slot(reference);
        let mut slot = slot.lock().await;
        let since = |moment| self.clock.monotonic().saturating_sub(moment);
        if let Some(kept) = &*slot
            && since(kept.tried_at) < KEPT_FOR
            && since(kept.read_at) < SERVES_FOR
        {
            return Ok(kept.value.clone());
        }
        match self.fetch(reference).await {
            Ok(value) => {
                let now = self.clock.monotonic();
                *slot = Some(Kept {
                    value: value.clone(),
                    read_at: now,
                    tried_at: now,
                });
                Ok(value)
            }
            Err(error) => match slot.as_mut() {
                Some(kept) if since(kept.read_at) < SERVES_FOR => {
                    kept.tried_at = self.clock.monotonic();
                    tracing::warn!(
                        hint = error.hint,
                        "{error}; the value that was read before is used, for {} minutes at most",
                        SERVES_FOR.as_secs() / 60
                    );
                    Ok(kept.value.clone())
                }
                _ => {
                    *slot = None;
                    Err(error)
                }
            },
        }
    }

    /// Whether the secret can be had now, for `rounds check`.
    pub async fn check(&self, reference: &SecretReference) -> Result<(), SecretError> {
        self.fetch(reference).await.map(|_| ())
    }

    /// Says that the other side refused the secret: the next one who needs it reads it anew.
    pub async fn forget(&self, reference: &SecretReference) {
        let slot = self.slot(reference);
        let mut kept = slot.lock().await;
        let now = self.clock.monotonic();
        if kept
            .as_ref()
            .is_some_and(|kept| now.saturating_sub(kept.read_at) >= YOUNGEST_FORGOTTEN)
        {
            *kept = None;
        }
    }

    fn slot(&self, reference: &SecretReference) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(reference.clone()).or_default())
    }

    async fn fetch(&self, reference: &SecretReference) -> Result<SecretString, SecretError> {
        let bytes = match reference {
            SecretReference::Environment(name) => (self.environment)(name)
                .ok_or_else(|| {
                    SecretError::new(
                        reference,
                        "is not set",
                        format!("set {name} for the process that runs Rounds"),
                    )
                })?
                .into_encoded_bytes(),
            SecretReference::File(path) => read_file(reference, path).await?,
            SecretReference::Command(words) => run(reference, words).await?,
        };
        text(reference, bytes)
    }
}

/// How a secret is called in messages. A command's arguments may be secrets themselves.
fn described(reference: &SecretReference) -> String {
    match reference {
        SecretReference::Environment(name) => format!("environment variable {name}"),
        SecretReference::File(path) => format!("secret file {}", path.display()),
        SecretReference::Command(words) => {
            format!(
                "secret command {}",
                words.first().map_or("", String::as_str)
            )
        }
    }
}

/// The bytes as text without one trailing line break.
fn text(reference: &SecretReference, bytes: Vec<u8>) -> Result<SecretString, SecretError> {
    let text = String::from_utf8(bytes)
        .map_err(|_| SecretError::new(reference, "is not UTF-8 text", "secrets are text"))?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err(SecretError::new(
            reference,
            "is empty",
            "put the secret there",
        ));
    }
    Ok(SecretString::from(value))
}

async fn read_file(reference: &SecretReference, path: &Path) -> Result<Vec<u8>, SecretError> {
    let failed = |error: &io::Error| {
        SecretError::new(
            reference,
            format!("cannot be read: {}", error.kind()),
            "check that the file is there and that this user may read it",
        )
    };
    let metadata = tokio::fs::metadata(path).await.map_err(|e| failed(&e))?;
    // Opening a pipe would wait for its writer, for ever if need be.
    if !metadata.is_file() {
        return Err(SecretError::new(
            reference,
            "is not a regular file",
            "name a file, or use a command",
        ));
    }
    let mut file = tokio::fs::File::open(path).await.map_err(|e| failed(&e))?;
    read_bounded(reference, &mut file)
        .await?
        .map_err(|e| failed(&e))
}

/// Runs the program, without a shell and without input. What it says on standard error is not ours to show.
async fn run(reference: &SecretReference, words: &[String]) -> Result<Vec<u8>, SecretError> {
    let (program, arguments) = words.split_first().ok_or_else(|| {
        SecretError::new(
            reference,
            "names no program",
            "name a program and its arguments",
        )
    })?;
    let failed = |error: &io::Error| {
        SecretError::new(
            reference,
            format!("cannot be run: {}", error.kind()),
            "check that the program is there and that this user may run it",
        )
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&error))?;
    let run = async {
        let mut output = match child.stdout.take() {
            Some(mut stdout) => read_bounded(reference, &mut stdout)
                .await?
                .map_err(|error| failed(&error))?,
            None => Vec::new(),
        };
        let status = child.wait().await.map_err(|error| failed(&error))?;
        if status.success() {
            return Ok(std::mem::take(&mut output));
        }
        Err(SecretError::new(
            reference,
            format!("failed with {status}"),
            "run it by hand to see what it says",
        ))
    };
    tokio::time::timeout(COMMAND_TIMEOUT, run)
        .await
        .unwrap_or_else(|_| {
            Err(SecretError::new(
                reference,
                format!("did not end within {COMMAND_TIMEOUT:?}"),
                "it gets no input; see whether it waits for some",
            ))
        })
}

/// All that there is, or an error where there is too much. The inner result is the reading's own.
async fn read_bounded(
    reference: &SecretReference,
    source: &mut (impl AsyncRead + Unpin),
) -> Result<io::Result<Vec<u8>>, SecretError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LIMIT_BYTES).unwrap_or(u64::MAX);
    if let Err(error) = source.take(limit + 1).read_to_end(&mut bytes).await {
        return Ok(Err(error));
    }
    if bytes.len() > LIMIT_BYTES {
        return Err(SecretError::new(
            reference,
            format!("gives more than {LIMIT_BYTES} bytes"),
            "see whether it is the right one",
        ));
    }
    Ok(Ok(bytes))
}

#[cfg(test)]
mod tests;
