//! What happens at the hospital while Rounds watches.

use super::configuration::Rounds;
use super::redox::{Event, Expected};
use super::sekmet::Server;
use super::verdict::Key;
use super::{HOOKS_BESIDE, SEARCH_HOOK, tellings, told_as_deleted};
use crate::say;
use crate::shared::process::Process;
use crate::shared::wait::{Look, wait_for};
use anyhow::{Context, Result, ensure};
use rounds_testkit::receiver::FakeReceiver;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many versions the story leaves that had to be told: 18 step by step, 3 of the scenario at full speed.
pub(super) const FEWEST_CHANGES: usize = 21;

/// How long a notification may take before it counts as lost. Rounds are a second apart; the rest is for a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many rounds are watched for repetitions when all was told. Each of them sees everything again, because the overlap of the example
/// (two minutes) is longer than the story.
const ROUNDS_AFTERWARDS: usize = 5;

/// What happened besides what the server's history shows.
pub(super) struct Told {
    /// Which appointments were deleted.
    pub(super) deleted: Vec<String>,
    /// Which events of Redox's Scheduling each appointment of the steps had to become.
    pub(super) events: Expected,
}

pub(super) struct Story<'s> {
    server: &'s mut Server,
    receiver: &'s FakeReceiver,
    rounds: &'s Rounds,
    program: Option<Process>,
    events: Expected,
}

impl<'s> Story<'s> {
    pub(super) fn new(
        server: &'s mut Server,
        receiver: &'s FakeReceiver,
        rounds: &'s Rounds,
    ) -> Self {
        Self {
            server,
            receiver,
            rounds,
            program: None,
            events: Expected::default(),
        }
    }

    /// Runs it. An error says where it could not go on; what was told until then is still to be judged.
    pub(super) async fn run(mut self) -> Result<Told> {
        let registered = self.server.workflow("adt.register_patient", &[]).await?;
        let patient = id_of(&registered["patient"])?;
        self.server
            .workflow("scheduling.create_schedule", &[])
            .await?;
        self.start().await?;

        self.a_visit_from_request_to_end(&patient).await?;
        self.a_move_and_a_no_show(&patient).await?;
        self.edits_and_a_cancellation(&patient).await?;
        self.changes_while_rounds_is_down(&patient).await?;

        self.server.scenario("appointment_book_cancel").await?;
        self.told("sekmet's scenario at full speed").await?;

        let polls = self.server.polls()?.rounds;
        self.until_polled(polls + ROUNDS_AFTERWARDS).await?;
        let next_pages = self.server.polls()?.next_pages;
        ensure!(next_pages > 0, "no next link was followed");
        let deleted = self.a_deletion(&patient).await?;
        self.kill().await?;
        Ok(Told {
            deleted,
            events: self.events,
        })
    }

    /// One appointment is deleted: searches do not show it any more, the history does.
    async fn a_deletion(&mut self, patient: &str) -> Result<Vec<String>> {
        let appointment = self.book(patient, "booked").await?;
        self.events.add(&appointment, Event::New);
        self.told("one more is booked").await?;
        self.server.delete(&appointment).await?;
        self.events.add(&appointment, Event::Cancel);
        wait_for("the deletion to be told", PATIENCE, async || {
            self.still_run()?;
            let told = told_as_deleted(self.receiver)?;
            Ok(
                if told.contains(&appointment) && self.events.missing(self.receiver)?.is_empty() {
                    Look::There(())
                } else {
                    Look::NotYet(format!("{} deletions were told", told.len()))
                },
            )
        })
        .await?;
        say("live sekmet: its deletion is told");
        Ok(vec![appointment])
    }

    /// Four versions of one appointment.
    async fn a_visit_from_request_to_end(&mut self, patient: &str) -> Result<()> {
        let visit = self.book(patient, "proposed").await?;
        // What is only proposed is no appointment yet.
        self.told("an appointment is requested").await?;
        self.on(&visit, "scheduling.respond").await?;
        self.events.add(&visit, Event::New);
        self.told("the practitioner accepts").await?;
        self.on(&visit, "scheduling.check_in").await?;
        self.events.add(&visit, Event::Modification);
        self.told("the patient arrives").await?;
        self.on(&visit, "scheduling.complete").await?;
        self.events.add(&visit, Event::Modification);
        self.told("the visit ends").await
    }

    /// Three versions of the first appointment, and two of the one in its place.
    async fn a_move_and_a_no_show(&mut self, patient: &str) -> Result<()> {
        let first = self.book(patient, "booked").await?;
        self.events.add(&first, Event::New);
        self.told("another one is booked").await?;
        self.edit(&first, |appointment| {
            appointment["description"] = json!("Follow-up: bring the X-ray");
        })
        .await?;
        self.events.add(&first, Event::Modification);
        self.told("its description changes").await?;
        let moved = self.on(&first, "scheduling.reschedule").await?;
        let second = id_of(&moved["appointment"])?;
        self.events.add(&first, Event::Cancel);
        self.events.add(&second, Event::New);
        self.told("it moves: the old one is cancelled, a new one booked")
            .await?;
        self.edit(&second, |appointment| {
            appointment["status"] = json!("noshow");
        })
        .await?;
        self.events.add(&second, Event::NoShow);
        self.told("the patient does not come").await
    }

    /// Five versions, one of which differs from the one before in its number only.
    async fn edits_and_a_cancellation(&mut self, patient: &str) -> Result<()> {
        let appointment = self.book(patient, "booked").await?;
        self.events.add(&appointment, Event::New);
        self.told("a third one is booked").await?;
        self.edit(&appointment, |_unchanged| {}).await?;
        self.events.add(&appointment, Event::Modification);
        self.told("it is saved with nothing changed").await?;
        self.edit(&appointment, |appointment| {
            appointment["comment"] = json!("Größe 178 cm, “needs an interpreter” 通訳");
        })
        .await?;
        self.events.add(&appointment, Event::Modification);
        self.told("it gets a comment").await?;
        self.edit(&appointment, move_by_an_hour).await?;
        self.events.add(&appointment, Event::Reschedule);
        self.told("it is an hour later").await?;
        self.on(&appointment, "scheduling.cancel").await?;
        self.events.add(&appointment, Event::Cancel);
        self.told("it is cancelled").await
    }

    /// Four versions; the two last come while nobody looks. The kill comes when all is told and settled, so nothing may be told again.
    async fn changes_while_rounds_is_down(&mut self, patient: &str) -> Result<()> {
        let before = self.book(patient, "booked").await?;
        self.events.add(&before, Event::New);
        self.told("a fourth one is booked").await?;
        self.edit(&before, |appointment| {
            appointment["priority"] = json!(1);
        })
        .await?;
        self.events.add(&before, Event::Modification);
        self.told("it becomes urgent").await?;
        let polls = self.server.polls()?.rounds;
        self.until_polled(polls + 2).await?;

        self.kill().await?;
        self.on(&before, "scheduling.cancel").await?;
        self.events.add(&before, Event::Cancel);
        let after = self.book(patient, "booked").await?;
        self.events.add(&after, Event::New);
        self.start().await?;
        self.told("Rounds is killed; one is cancelled, one booked; Rounds starts again")
            .await
    }

    async fn start(&mut self) -> Result<()> {
        let polls = self.server.polls()?.rounds;
        self.program = Some(self.rounds.start()?);
        // The second round begins when the first one is committed: from then on every change is one that it has not seen.
        self.until_polled(polls + 2).await
    }

    async fn kill(&mut self) -> Result<()> {
        let program = self.program.take().context("rounds does not run")?;
        program.kill().await
    }

    async fn book(&mut self, patient: &str, status: &str) -> Result<String> {
        let arguments = [("patient", patient), ("status", status)];
        let made = self.server.workflow("scheduling.book", &arguments).await?;
        id_of(&made["appointment"])
    }

    async fn on(&mut self, appointment: &str, workflow: &str) -> Result<Value> {
        let arguments = [("appointment", appointment)];
        self.server.workflow(workflow, &arguments).await
    }

    async fn edit(&mut self, id: &str, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut appointment = self.server.appointment(id).await?;
        change(&mut appointment);
        self.server.put(&appointment).await
    }

    /// Waits until the server was polled so many times.
    async fn until_polled(&mut self, wanted: usize) -> Result<()> {
        wait_for("rounds to poll", PATIENCE, async || {
            self.still_run()?;
            let polls = self.server.polls()?.rounds;
            Ok(if polls >= wanted {
                Look::There(())
            } else {
                Look::NotYet(format!("{polls} of {wanted} polls came"))
            })
        })
        .await
    }

    /// Waits until every version that a search shows now was told.
    async fn told(&mut self, step: &str) -> Result<()> {
        let current = self.server.history().await?.current();
        wait_for("notifications", PATIENCE, async || {
            self.still_run()?;
            let mut missing = Vec::new();
            for hook in [SEARCH_HOOK].into_iter().chain(HOOKS_BESIDE) {
                let told = tellings(self.receiver, hook)?;
                let told: BTreeSet<Key> = told.into_iter().map(|telling| telling.key).collect();
                missing.extend(current.difference(&told).map(Key::to_string));
            }
            missing.extend(self.events.missing(self.receiver)?);
            Ok(if missing.is_empty() {
                Look::There(())
            } else {
                Look::NotYet(format!("{} not told", missing.join(", ")))
            })
        })
        .await
        .with_context(|| format!("after the step: {step}"))?;
        let notifications = self.receiver.taken().len();
        say(&format!("live sekmet: {notifications:>3} told: {step}"));
        Ok(())
    }

    fn still_run(&mut self) -> Result<()> {
        self.server.still_runs()?;
        match &mut self.program {
            Some(program) => program.still_runs(),
            None => Ok(()),
        }
    }
}

/// Sekmet's own reschedule makes a new appointment; most EHRs move the one that there is.
fn move_by_an_hour(appointment: &mut Value) {
    for key in ["start", "end"] {
        let instant = appointment[key].as_str().unwrap_or_default();
        let later = instant
            .parse::<jiff::Timestamp>()
            .and_then(|instant| instant.checked_add(jiff::SignedDuration::from_hours(1)));
        if let Ok(later) = later {
            appointment[key] = json!(later.to_string());
        }
    }
}

fn id_of(resource: &Value) -> Result<String> {
    let id = resource["id"].as_str();
    Ok(id
        .context("sekmet made something without an id")?
        .to_owned())
}
