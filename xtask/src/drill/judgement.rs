//! What all lives together show: where the kills fell, how soon Rounds was at work again, and whether all that came twice is explained.

use super::life::{Delivery, End, Life, Phase, Recovery, Seen};
use super::verdict::{Verdict, percentile};
use anyhow::{Result, ensure};
use rounds_testkit::ehr::FakeEhr;
use rounds_testkit::receiver::{FakeReceiver, Fate, RefusalReason};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The interval of the drill's action is a second; what is beyond that is for a busy machine.
const LONGEST_IDLE: Duration = Duration::from_secs(2);
/// From so many kills on, none of the phases may be missing.
const MANY_KILLS: usize = 200;

/// Everything that is judged beside what was told.
pub(super) struct Judgement {
    lives: BTreeMap<u32, Life>,
    redelivered: Vec<(u32, Delivery)>,
    unsigned: usize,
}

impl Judgement {
    /// Reads the lives' logs, and asks both ends.
    pub(super) fn of(
        lives: &BTreeMap<u32, (jiff::Timestamp, End)>,
        log: impl Fn(u32) -> PathBuf,
        ehr: &FakeEhr,
        receiver: &FakeReceiver,
    ) -> Result<Self> {
        let seen = Seen::by(ehr, receiver);
        let read = |(number, known): (&u32, &_)| {
            let life = Life::of(*number, *known, &log(*number), &seen)?;
            Ok((*number, life))
        };
        let attempts = receiver.attempts();
        let unsigned = attempts.iter().filter(|attempt| {
            matches!(&attempt.fate, Fate::Refused(reason) if *reason != RefusalReason::Scripted)
        });
        Ok(Self {
            lives: lives.iter().map(read).collect::<Result<_>>()?,
            redelivered: seen.redelivered(),
            unsigned: unsigned.count(),
        })
    }

    /// How long each life after the first took to be at work.
    pub(super) fn recoveries(&self) -> Vec<Duration> {
        let each = self.each_recovery();
        each.map(|(_, recovery)| recovery.whole).collect()
    }

    fn each_recovery(&self) -> impl Iterator<Item = (u32, Recovery)> {
        let after_a_kill = self.lives.iter().skip(1);
        after_a_kill.filter_map(|(number, life)| Some((*number, life.recovery()?)))
    }

    /// For the person who watches.
    pub(super) fn lines(&self) -> Vec<String> {
        let phases = Phase::ALL.map(|phase| format!("{} {}", phase.name(), self.kills_in(phase)));
        let starts: Vec<Duration> = self
            .each_recovery()
            .map(|(_, recovery)| recovery.start)
            .collect();
        let of = |percent| {
            let whole = percentile(&self.recoveries(), percent).unwrap_or_default();
            let start = percentile(&starts, percent).unwrap_or_default();
            format!(
                "p{percent} {} ms, of it until the store was open {} ms",
                whole.as_millis(),
                start.as_millis()
            )
        };
        let unsettled: usize = self.lives.values().map(|life| life.unsettled().len()).sum();
        let fell = self.lives.values().filter(|life| life.phase().is_some());
        let between = fell.filter(|life| !life.unsettled().is_empty()).count();
        vec![
            format!("drill kill: kills fell into: {}", phases.join(", ")),
            format!(
                "drill kill: recovery of {} lives: {}; {}",
                starts.len(),
                of(50),
                of(99)
            ),
            format!(
                "drill kill: {between} kills came between an attempt that was taken and its record, for {unsettled} attempts; {} came again",
                self.redelivered.len()
            ),
        ]
    }

    fn kills_in(&self, phase: Phase) -> usize {
        let lives = self.lives.values();
        lives.filter(|life| life.phase() == Some(phase)).count()
    }

    /// Whether all is as it must be.
    pub(super) fn judge(&self, verdict: &Verdict) -> Result<()> {
        ensure!(verdict.is_clean(), "what was notified is not what happened");
        for (life, (hook, id)) in &self.redelivered {
            let is_explained = self.lives.get(life).is_some_and(|life| {
                let unsettled = life.unsettled();
                life.phase().is_some() && unsettled.contains(&(hook.clone(), id.clone()))
            });
            ensure!(
                is_explained,
                "{id} came to {hook} again although life {life} had recorded it, or was not killed"
            );
        }
        for (life, recovery) in self.each_recovery() {
            let idle = recovery.idle;
            ensure!(idle <= LONGEST_IDLE, "life {life} was idle for {idle:?}");
        }
        let last = self.lives.values().next_back();
        ensure!(
            last.is_some_and(|last| last.recovery().is_some()),
            "the last life never came to work"
        );
        let unsigned = self.unsigned;
        ensure!(unsigned == 0, "{unsigned} attempts had no valid signature");
        let kills: usize = Phase::ALL
            .into_iter()
            .map(|phase| self.kills_in(phase))
            .sum();
        let missing = Phase::ALL
            .into_iter()
            .find(|phase| self.kills_in(*phase) == 0);
        if let Some(phase) = missing.filter(|_| kills >= MANY_KILLS) {
            anyhow::bail!("no kill fell into {}", phase.name());
        }
        Ok(())
    }
}
