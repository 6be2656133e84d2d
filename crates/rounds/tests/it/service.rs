//! `rounds run` beside a test, an operator who asks it things, and a patient whose every text can be found again.

use crate::support::{Folder, Said};
use rounds_testkit::hospital::{Change, Hospital, Patient, PatientId};
use std::fs;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Stands in every name, number and reason that is a patient's.
pub(crate) const MARK: &str = "MARKED";
/// Long enough for anything that should happen, so that only what should not happen meets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// `rounds run`, logging all that it can. Dropped, it is killed.
pub(crate) struct Service {
    process: Child,
    stdout: Heard,
    log: Heard,
}

/// What comes out of a pipe, taken from it at once: one that nobody empties would hold up the service.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

impl Service {
    /// Starts it in `folder`, with these further words and this environment.
    pub(crate) fn start(
        folder: &Folder,
        further: &[&str],
        environment: &[(&str, &str)],
    ) -> Outcome<Self> {
        Self::spawn(folder.command(&WORDS), further, environment)
    }

    /// Starts it so that no file of it may become larger than this, until [`Service::lift_file_limit`].
    pub(crate) fn start_with_file_limit(
        folder: &Folder,
        limit_bytes: u64,
        environment: &[(&str, &str)],
    ) -> Outcome<Self> {
        // A shell is the way to a limit that needs no unsafe code. It counts in blocks of 512 bytes (POSIX). The soft limit alone
        // can be raised again from outside.
        let script = format!("ulimit -S -f {} && exec \"$@\"", limit_bytes / 512);
        let mut limited = std::process::Command::new("sh");
        limited
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_rounds")])
            .args(WORDS)
            .current_dir(folder.path())
            .stdin(Stdio::null());
        Self::spawn(limited, &[], environment)
    }

    fn spawn(
        command: std::process::Command,
        further: &[&str],
        environment: &[(&str, &str)],
    ) -> Outcome<Self> {
        let mut command = Command::from(command);
        command
            .args(further)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn()?;
        Ok(Self {
            stdout: Heard::from(process.stdout.take().ok_or("a pipe")?),
            log: Heard::from(process.stderr.take().ok_or("a pipe")?),
            process,
        })
    }

    /// The whole lines that it logged so far.
    pub(crate) fn log(&self) -> String {
        let mut log = self.log.text();
        log.truncate(log.rfind('\n').map_or(0, |end| end + 1));
        log
    }

    /// How much memory it had at most, in bytes. None where the system does not say.
    pub(crate) fn most_memory_bytes(&self) -> Option<u64> {
        let status = format!("/proc/{}/status", self.process.id()?);
        let text = fs::read_to_string(status).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// Lets its files grow again.
    pub(crate) async fn lift_file_limit(&self) -> Outcome {
        let process = self.process.id().ok_or("it runs")?.to_string();
        let lifted = Command::new("prlimit")
            .args(["--pid", &process, "--fsize=unlimited"])
            .status()
            .await?;
        assert!(lifted.success());
        Ok(())
    }

    /// Asks it to end, as a service manager does.
    pub(crate) async fn terminate(self) -> Outcome<Said> {
        self.end_by("-TERM").await
    }

    /// Sends it a signal that ends it.
    pub(crate) async fn end_by(mut self, signal: &str) -> Outcome<Said> {
        let process = self.process.id().ok_or("it runs")?.to_string();
        let sent = Command::new("kill")
            .args([signal, &process])
            .status()
            .await?;
        assert!(sent.success());
        let code = self.process.wait().await?.code();
        Ok(Said {
            code,
            stdout: self.stdout.all().await?,
            stderr: self.log.all().await?,
        })
    }
}

impl Heard {
    fn from(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let listening = tokio::spawn({
            let bytes = Arc::clone(&bytes);
            async move {
                let mut piece = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = pipe.read(&mut piece).await {
                    let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                    bytes.extend_from_slice(&piece[..length]);
                }
            }
        });
        Self { bytes, listening }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn all(mut self) -> Outcome<String> {
        (&mut self.listening).await?;
        Ok(self.text())
    }
}

/// All crates at their lowest level: that others are kept from it is part of what is shown.
const WORDS: [&str; 5] = ["run", "--log", "trace,rounds=trace", "--log-format", "json"];

/// Runs a command to its end.
pub(crate) async fn rounds(folder: &Folder, words: &[&str]) -> Said {
    let mut command = Command::from(folder.command(words));
    Said::from(command.output().await.expect("the program starts"))
}

/// Asks again and again until `is_so`, for a while, and gives the answer of which it is.
pub(crate) async fn until(
    folder: &Folder,
    words: &[&str],
    is_so: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let mut last = String::new();
    let asking = async {
        loop {
            let said = rounds(folder, words).await;
            // The database is made by the service; before, there is nothing to ask. That something fails is an answer.
            if matches!(said.code, Some(0 | 3 | 4)) && !said.stdout.is_empty() {
                let answer = said.json();
                if is_so(&answer) {
                    return answer;
                }
            }
            last = said.whole();
        }
    };
    let ended = tokio::time::timeout(PATIENCE, asking).await;
    ended.unwrap_or_else(|_| panic!("it did not come to pass:\n{last}"))
}

/// Takes in a patient of whom every text has the mark.
pub(crate) fn admit_marked(hospital: &Hospital) {
    let anyone = hospital.admit_anyone();
    let made_up = hospital.patient(&anyone).expect("it was just admitted");
    let mut marked = Patient {
        id: marked_patient(),
        mrn: format!("{MARK}-MRN"),
        phone: format!("{MARK}-PHONE"),
        ..made_up
    };
    marked.name.first = format!("{MARK}-FIRST");
    marked.name.last = format!("{MARK}-LAST");
    marked.address.street = format!("{MARK}-STREET");
    hospital.admit(marked);
}

/// Books an appointment for that patient.
pub(crate) fn book_marked(hospital: &Hospital) -> Outcome<Change> {
    let mut booking = hospital.imagine_booking();
    booking.patient_id = marked_patient();
    booking.reason = format!("{MARK}-REASON");
    Ok(hospital.book(booking)?)
}

fn marked_patient() -> PatientId {
    PatientId(format!("P-{MARK}-1"))
}

/// What a log may not say: the mark, and these. And that each of its lines is whole.
pub(crate) fn assert_log_tells_nothing_of<'a>(
    log: &str,
    hidden: impl IntoIterator<Item = &'a str>,
) -> Outcome {
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let is_whole = ["timestamp", "level", "target", "message"].map(|key| line[key].is_string());
        assert_eq!(is_whole, [true; 4], "{line}");
    }
    for hidden in hidden.into_iter().chain([MARK, "changedsince"]) {
        let line = log.lines().find(|line| line.contains(hidden));
        assert_eq!(line, None, "the log tells `{hidden}`");
    }
    Ok(())
}
