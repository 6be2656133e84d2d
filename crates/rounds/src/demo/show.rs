//! What the person who watches the demo is told: all of it on stderr.

use crate::output::{Terminal, duration_in_words};
use jiff::Timestamp;
use rounds_domain::ports::Clock;
use rounds_testkit::traffic::ChangeEvent;
use std::sync::Arc;
use std::time::Duration;

/// Where nobody watches, a long wait is said this often.
const QUIET: Duration = Duration::from_secs(10);

/// Tells.
pub(super) struct Show<'a> {
    terminal: &'a mut Terminal,
    clock: Arc<dyn Clock>,
    last_said: Duration,
    is_over_line: bool,
}

impl<'a> Show<'a> {
    pub(super) fn new(terminal: &'a mut Terminal, clock: Arc<dyn Clock>) -> Self {
        let last_said = clock.monotonic();
        Self {
            terminal,
            clock,
            last_said,
            is_over_line: false,
        }
    }

    /// One line.
    pub(super) fn say(&mut self, line: &str) {
        self.end();
        self.terminal.say(line);
        self.last_said = self.clock.monotonic();
    }

    /// The configuration, before anything else.
    pub(super) fn configuration(&mut self, text: &str) {
        self.say("# This is what Rounds runs with. The EHR and the receiver are on this machine.");
        self.say(text);
    }

    /// A change at the EHR.
    pub(super) fn changed(&mut self, number: u64, change: &ChangeEvent) {
        self.say(&format!(
            "{}  EHR       {:<12} {}  (change {number}: {})",
            at(change.at),
            change.kind,
            change.appointment_id,
            change.description,
        ));
    }

    /// The notification that came of a change.
    pub(super) fn arrived(&mut self, change: &ChangeEvent, event: &str, received_at: Timestamp) {
        let delay = received_at.duration_since(change.at).unsigned_abs();
        self.say(&format!(
            "{}  received  {event:<12} {}  {} after the change",
            at(received_at),
            change.appointment_id,
            duration_in_words(delay)
        ));
    }

    /// A change that did not arrive.
    pub(super) fn too_late(&mut self, change: &ChangeEvent, patience: Duration) {
        self.say(&format!(
            "Appointment {} was {} and did not arrive within {}: ending here.",
            change.appointment_id,
            change.kind,
            duration_in_words(patience)
        ));
    }

    /// That something is waited for: in place where a person watches, else a quiet line now and then.
    pub(super) fn progress(&mut self, awaited: usize, made: u64, wanted: Option<u64>) {
        let quiet = self.clock.monotonic().saturating_sub(self.last_said);
        let of = wanted.map_or_else(String::new, |wanted| format!(" of {wanted}"));
        let line = format!(
            "... {made}{of} changes made, {awaited} on their way, quiet for {}",
            duration_in_words(Duration::from_secs(quiet.as_secs()))
        );
        if self.terminal.is_watched() {
            if quiet >= Duration::from_secs(1) {
                self.terminal.say_over(&line);
                self.is_over_line = true;
            }
        } else if quiet >= QUIET {
            self.say(&line);
        }
    }

    /// Takes a line away that was to be written over.
    pub(super) fn end(&mut self) {
        if self.is_over_line {
            self.terminal.say_over("");
            self.is_over_line = false;
        }
    }
}

fn at(instant: Timestamp) -> String {
    instant.strftime("%H:%M:%S%.3f").to_string()
}
