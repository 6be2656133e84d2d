//! Changes, and what comes of them.

use super::configuration::{RECORD_POINTER, VERSION_POINTER};
use super::show::Show;
use super::stage::Stage;
use crate::Problem;
use crate::cli::DemoArguments;
use crate::signals::Stopping;
use rounds_testkit::hospital::AppointmentId;
use rounds_testkit::receiver::Received;
use rounds_testkit::traffic::{ChangeEvent, Traffic};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the wait is looked at: deadlines, progress.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether changes are still made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// They are.
    Changes,
    /// They are not: those under way are awaited.
    Waiting,
}

/// How the play came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curtain {
    /// All changes were made and awaited, and a further round was seen; or a person ended it.
    Fell,
    /// Something that was waited for did not come.
    Stuck,
}

/// What happened in a turn.
enum Turn {
    Asked,
    ChangeDue,
    Arrived(Vec<std::sync::Arc<Received>>),
    Nothing,
}

/// A change that has not arrived yet, and since when it is awaited.
struct Awaited {
    change: ChangeEvent,
    since: Duration,
}

/// Makes changes and awaits their notifications.
pub(super) struct Play<'a> {
    stage: &'a Stage,
    traffic: Traffic,
    wanted: Option<u64>,
    change_every: Duration,
    patience: Duration,
    made: u64,
    arrived: usize,
    awaited: BTreeMap<AppointmentId, Awaited>,
}

impl<'a> Play<'a> {
    /// A change may take as long as `patience` to arrive; then the demo ends, and says so.
    pub(super) fn new(stage: &'a Stage, options: &DemoArguments, patience: Duration) -> Self {
        Self {
            stage,
            traffic: Traffic::new(stage.ehr.hospital().clone(), stage.seed),
            wanted: options.changes,
            change_every: options.change_every,
            patience,
            made: 0,
            arrived: 0,
            awaited: BTreeMap::new(),
        }
    }

    /// Goes on until all wanted changes have arrived and a further round has shown nothing, a person asks to end, or
    /// something does not arrive in time.
    pub(super) async fn perform(
        &mut self,
        stopping: &mut Stopping,
        show: &mut Show<'_>,
    ) -> Result<Curtain, Problem> {
        let clock = std::sync::Arc::clone(&self.stage.surroundings.clock);
        let mut act = Act::Changes;
        let mut next_change = clock.monotonic();
        loop {
            if self.wanted.is_some_and(|wanted| self.made >= wanted) {
                act = Act::Waiting;
            }
            if act == Act::Waiting && self.awaited.is_empty() {
                break;
            }
            let until_change = next_change.saturating_sub(clock.monotonic());
            let more = u64::try_from(self.arrived).unwrap_or(u64::MAX) + 1;
            let turn = tokio::select! {
                biased;
                _ = stopping.asked() => Turn::Asked,
                came = self.stage.receiver.wait_for(more, LOOK_EVERY) => {
                    came.map_or(Turn::Nothing, Turn::Arrived)
                }
                () = clock.sleep(until_change), if act == Act::Changes => Turn::ChangeDue,
            };
            match turn {
                Turn::Asked if act == Act::Waiting => return Ok(Curtain::Fell),
                Turn::Asked => {
                    show.say("Ending: waiting for what is under way. Ctrl-C again ends at once.");
                    act = Act::Waiting;
                    self.wanted = Some(self.made);
                }
                Turn::ChangeDue => {
                    self.change(clock.monotonic(), show);
                    next_change = clock.monotonic() + self.change_every;
                }
                Turn::Arrived(all) => self.arrive(&all, show),
                Turn::Nothing => show.progress(self.awaited.len(), self.made, self.wanted),
            }
            if !self.is_in_time(clock.monotonic(), show) {
                return Ok(Curtain::Stuck);
            }
        }
        self.one_more_round(stopping, show).await
    }

    fn change(&mut self, now: Duration, show: &mut Show<'_>) {
        let awaited = &self.awaited;
        let change = self.traffic.step(|id| !awaited.contains_key(&id));
        self.made += 1;
        show.changed(self.made, &change);
        let awaited = Awaited { change, since: now };
        self.awaited.insert(awaited.change.appointment_id, awaited);
    }

    fn arrive(&mut self, all: &[std::sync::Arc<Received>], show: &mut Show<'_>) {
        for received in all.get(self.arrived..).unwrap_or_default() {
            let Ok(body) = received.json() else {
                show.say("received something that is not JSON");
                continue;
            };
            let number = |pointer| {
                let text = body.pointer(pointer).and_then(Value::as_str);
                text.and_then(|text| text.parse::<u64>().ok())
            };
            let told = number(RECORD_POINTER)
                .map(AppointmentId)
                .zip(number(VERSION_POINTER));
            let event = body.pointer("/Meta/EventType").and_then(Value::as_str);
            let awaited = told.and_then(|(id, version)| {
                let is_it = self.awaited.get(&id)?.change.version == version;
                is_it.then(|| self.awaited.remove(&id)).flatten()
            });
            match awaited {
                Some(awaited) => show.arrived(&awaited.change, event.unwrap_or("?"), received.at),
                None => show.say("received a notification that no change waits for"),
            }
        }
        self.arrived = all.len();
    }

    /// Whether Rounds works and every change may still arrive.
    fn is_in_time(&self, now: Duration, show: &mut Show<'_>) -> bool {
        if !self.stage.is_working() {
            show.say("Rounds stopped by itself.");
            return false;
        }
        let late = |awaited: &&Awaited| now.saturating_sub(awaited.since) > self.patience;
        match self.awaited.values().find(late) {
            Some(awaited) => {
                show.too_late(&awaited.change, self.patience);
                false
            }
            None => true,
        }
    }

    /// A repetition would come with the next round; and nothing may be left open.
    async fn one_more_round(
        &mut self,
        stopping: &mut Stopping,
        show: &mut Show<'_>,
    ) -> Result<Curtain, Problem> {
        show.say("All arrived. One more round, to see that nothing is told again ...");
        // The second request from now shows that the round of the first is committed.
        let requests = self.stage.ehr.total_requests() + 2;
        let clock = std::sync::Arc::clone(&self.stage.surroundings.clock);
        let deadline = clock.monotonic() + self.patience;
        loop {
            let came = tokio::select! {
                biased;
                _ = stopping.asked() => return Ok(Curtain::Fell),
                came = self.stage.ehr.wait_for_requests(requests, LOOK_EVERY) => came,
            };
            if came.is_ok() {
                break;
            }
            if clock.monotonic() > deadline {
                show.say("Rounds made no further round.");
                return Ok(Curtain::Stuck);
            }
            show.progress(0, self.made, self.wanted);
        }
        if !self.stage.is_settled_within(self.patience).await? {
            show.say("Rounds still has work under way.");
            return Ok(Curtain::Stuck);
        }
        Ok(Curtain::Fell)
    }
}
