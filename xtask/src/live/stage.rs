//! What the tests with [`Written`] have in common: a server, the release binary and a receiver, and waiting for what must be told.
//!
//! A change that is not told in time does not end the story: it goes on, so that the line at the end says of everything what became of it.

use super::node::Server;
use super::written::{Span, Verdict, WAYS, Way, Written};
use super::{Data, SIGNING_SECRET, configuration, remove};
use crate::shared::process::Process;
use crate::shared::wait::{Look, pause, wait_for};
use crate::{give, say};
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use rounds_testkit::clock::{Clock, system_clock};
use rounds_testkit::receiver::{FakeReceiver, Fate, SigningSecret};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// How long a notification or a sweep may take: many rounds, and some sweeps for a second look.
const PATIENCE: Duration = Duration::from_secs(40);
/// Long enough for several rounds and sweeps: whatever is told too much comes in it.
const QUIET: Duration = Duration::from_secs(8);
/// How many complaints are shown; thousands say no more.
const SHOWN: usize = 12;

/// The folders and the program.
pub(super) struct Ground {
    name: &'static str,
    /// Where packages are kept.
    pub(super) live: PathBuf,
    /// Where this test writes.
    pub(super) folder: PathBuf,
    executable: PathBuf,
}

impl Ground {
    /// Builds the program and clears the folder.
    pub(super) async fn ready(name: &'static str) -> Result<Self> {
        say(&format!("live {name}: building the release binary"));
        let program = crate::shared::build::release_binary().await?;
        let live = program.target_folder.join("live");
        let folder = live.join(name);
        if folder.exists() {
            remove(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        say(&format!("live {name}: logs in {}", folder.display()));
        Ok(Self {
            name,
            live,
            folder,
            executable: program.executable,
        })
    }
}

/// All of it, running.
pub(super) struct Stage {
    name: &'static str,
    folder: PathBuf,
    pub(super) server: Server,
    receiver: FakeReceiver,
    rounds: Process,
    clock: Clock,
    pub(super) written: Written,
}

impl Stage {
    /// Starts the receiver and Rounds. `config` makes the configuration of the server's address and the destinations, which are named as
    /// the hooks of [`WAYS`].
    pub(super) async fn set(
        ground: Ground,
        server: Server,
        written: Written,
        config: impl FnOnce(&str, &str) -> String,
    ) -> Result<Self> {
        let secret = SigningSecret::parse(SIGNING_SECRET).context("the test's signing secret")?;
        let receiver = FakeReceiver::builder()
            .signing_secret(secret)
            .start()
            .await?;
        let mut destinations = "destinations:\n".to_owned();
        for Way { hook, .. } in &WAYS {
            writeln!(
                destinations,
                "  {hook}: {{ url: \"{}\", signing_secret: {{ env: MY_APP_SECRET }}, allow_addresses: [127.0.0.1] }}",
                receiver.url(hook)
            )?;
        }
        let text = config(&server.base_url, &destinations);
        fs::write(ground.folder.join("rounds.yaml"), text).context("writing rounds.yaml")?;
        let rounds = configuration::Rounds {
            executable: ground.executable,
            folder: ground.folder.clone(),
        };
        Ok(Self {
            name: ground.name,
            folder: ground.folder,
            server,
            receiver,
            rounds: rounds.start()?,
            clock: system_clock(),
            written,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Since when a write is under way that is done now.
    pub(super) fn since(&self, begun: Timestamp) -> Span {
        Span {
            begun,
            done: self.now(),
        }
    }

    pub(super) fn say(&self, what: &str) {
        say(&format!("live {}: {what}", self.name));
    }

    pub(super) fn still_run(&mut self) -> Result<()> {
        self.server.still_runs()?;
        self.rounds.still_runs()
    }

    /// Waits until all that must be told was, as long as it may take.
    pub(super) async fn told(&mut self, step: &str) -> Result<()> {
        self.look_for("notifications", step, |stage| {
            let verdict = Verdict::now(&stage.written, &stage.receiver)?;
            Ok(match verdict.lost() {
                0 => Look::There(()),
                lost => Look::NotYet(format!("{lost} were not told")),
            })
        })
        .await
    }

    /// Waits until a whole round was made, from now on, whose first page is such a line of the server's log. Where pages are joined, a round asks
    /// for its first page twice: four lines are the rest of one that is under way, one from its beginning to its end, and the next.
    pub(super) async fn asked(&mut self, what: &str, such: fn(&str) -> bool) -> Result<()> {
        let wanted = self.server.requests(such)? + 4;
        self.look_for(what, &format!("after {what}"), |stage| {
            let requests = stage.server.requests(such)?;
            Ok(if requests >= wanted {
                Look::There(())
            } else {
                Look::NotYet(format!("{requests} of {wanted} came"))
            })
        })
        .await
    }

    async fn look_for(
        &mut self,
        what: &str,
        step: &str,
        look: impl Fn(&Self) -> Result<Look<()>>,
    ) -> Result<()> {
        let found = wait_for(what, PATIENCE, async || {
            self.still_run()?;
            look(self)
        })
        .await;
        // Who ended by itself ends the story; who is late is judged.
        self.still_run()?;
        match found {
            Ok(()) => {
                let told = self.receiver.taken().len();
                self.say(&format!("{told:>3} told: {step}"));
            }
            Err(late) => self.say(&format!("{step}: {late:#}; going on")),
        }
        Ok(())
    }

    /// Judges, prints the line, and ends everything. `held` asks the server what it holds.
    pub(super) async fn judge(
        mut self,
        data: Data,
        held: impl AsyncFnOnce(&Self) -> Result<BTreeMap<String, String>>,
    ) -> Result<()> {
        pause(QUIET).await;
        self.still_run()?;
        let server_holds = held(&self).await?;
        self.written.must_be(&server_holds)?;
        let verdict = Verdict::now(&self.written, &self.receiver)?;
        give(&format!("live {}: {verdict}", self.name));
        let complaints: Vec<&String> = verdict.complaints().collect();
        for complaint in complaints.iter().take(SHOWN) {
            self.say(complaint);
        }
        if complaints.len() > SHOWN {
            self.say(&format!("... and {} more", complaints.len() - SHOWN));
        }
        for received in self.receiver.attempts() {
            if let Fate::Refused(reason) = &received.fate {
                anyhow::bail!("an attempt was refused by the receiver: {reason}");
            }
        }
        ensure!(verdict.is_clean(), "what was notified is not what happened");
        self.rounds.kill().await?;
        self.receiver.stop().await;
        self.server.stop().await?;
        if data == Data::RemoveWhenClean {
            remove(&self.folder.join("rounds-data"))?;
        }
        Ok(())
    }
}
