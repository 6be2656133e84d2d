//! The page for people.

use super::report::{AsOf, NotificationRow, PollPage};
use crate::output::{Align, Columns, Report, bytes_in_words, duration_in_words, plural};
use rounds_domain::{RoundEnd, plain};
use std::io::{self, Write};
use std::time::Duration;

impl Report for PollPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (action, feed) = (&self.action, &self.feed);
        if self.dry_run {
            let about = about(&self.subject);
            writeln!(
                out,
                "One round of {action}/{feed}, a dry run{about}: nothing is changed and nothing is sent.\n"
            )?;
        } else {
            writeln!(out, "One round of {action}/{feed}, for real.\n")?;
        }
        self.write_requests(out)?;
        self.write_records(out)?;
        // As if nothing were known there is none.
        if matches!(self.subject, AsOf::NextRound) {
            writeln!(out, "Cursor")?;
            writeln!(out, "  before  {}", self.cursor_before)?;
            writeln!(out, "  after   {}\n", self.cursor_after)?;
        }
        if self.dry_run {
            self.write_notifications(out)?;
        }
        for finding in &self.findings {
            finding.write("Look at", self.now, out)?;
            writeln!(out)?;
        }
        for note in &self.notes {
            writeln!(out, "Note: {note}\n")?;
        }
        self.write_end(out)
    }
}

/// What a dry run is of, if not of the round that is due.
fn about(subject: &AsOf) -> String {
    match subject {
        AsOf::NextRound => String::new(),
        AsOf::Record => {
            " of one record, in the last state that is known or shown, as if it were new".to_owned()
        }
        AsOf::Shown { since, sample } => {
            let records = match sample {
                Some(1) => " of one record that is there".to_owned(),
                Some(most) => format!(" of {most} records that are there"),
                None => String::new(),
            };
            let since = since.map_or_else(String::new, |since| {
                format!(" from {} on", since.strftime("%FT%TZ"))
            });
            format!("{records}{since}, as if nothing were known")
        }
    }
}

impl PollPage {
    fn write_requests(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Requests")?;
        for request in &self.requests {
            let answer = match (request.status, &request.error) {
                (Some(status), _) => format!(
                    "{status}, {}",
                    bytes_in_words(u64::try_from(request.body_bytes).unwrap_or(u64::MAX))
                ),
                (None, Some(error)) => error.clone(),
                (None, None) => "no answer".to_owned(),
            };
            let took = duration_in_words(Duration::from_millis(request.took_ms));
            writeln!(out, "  {} {}", request.method, request.url)?;
            for line in request.body.iter().flat_map(|body| body.lines()) {
                writeln!(out, "    > {line}")?;
            }
            writeln!(out, "    {answer}, {took}")?;
            for line in request.answer.iter().flat_map(|text| text.lines()) {
                writeln!(out, "    < {}", plain(line))?;
            }
        }
        writeln!(out)
    }

    fn write_records(&self, out: &mut dyn Write) -> io::Result<()> {
        let counts = &self.counted;
        writeln!(
            out,
            "Records: {} in {}",
            counts.records,
            plural(counts.pages, "page")
        )?;
        let mut table = Columns::new(&[
            ("record", Align::Left),
            ("choice", Align::Left),
            ("why", Align::Left),
        ]);
        for record in &self.records {
            table.row([
                record.id.clone().unwrap_or_else(|| "-".to_owned()),
                record.choice.to_owned(),
                record.why.to_owned(),
            ]);
        }
        if !self.records.is_empty() {
            table.write(out, "  ")?;
        }
        if counts.skipped > 0 {
            writeln!(
                out,
                "  {} more {} left out by `skip`",
                counts.skipped,
                if counts.skipped == 1 { "is" } else { "are" }
            )?;
        }
        writeln!(out)
    }

    fn write_notifications(&self, out: &mut dyn Write) -> io::Result<()> {
        let is_wanted = |told: &&NotificationRow| !(told.to.is_empty() && self.has_destinations);
        let count = self.notifications.iter().filter(is_wanted).count();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        writeln!(out, "{} would be sent", plural(count, "notification"))?;
        for notification in &self.notifications {
            let record = plain(&notification.record);
            writeln!(
                out,
                "  {} for record {record} ({}){}",
                notification.event,
                notification.kind,
                self.to_whom(notification)
            )?;
            for lookup in &notification.missing {
                writeln!(out, "  missing: lookup {lookup}")?;
            }
            writeln!(out, "  {}", notification.body.indented("  "))?;
        }
        if self.beyond > 0 {
            writeln!(
                out,
                "  and {} more, beyond what `--sample` says",
                self.beyond
            )?;
        }
        for failure in &self.failures {
            let record = plain(&failure.record);
            writeln!(
                out,
                "  none for record {record}: {} ({})",
                failure.reason, failure.code
            )?;
        }
        for silent in &self.silent {
            let record = plain(&silent.record);
            writeln!(
                out,
                "  not told of record {record}: {} ({})",
                silent.reason, silent.code
            )?;
        }
        writeln!(out)
    }

    /// To whom a notification goes, where the action has destinations.
    fn to_whom(&self, told: &NotificationRow) -> String {
        if !told.to.is_empty() {
            format!(", to {}", told.to.join(", "))
        } else if self.has_destinations {
            ", to nobody: no destination of the action wants it".to_owned()
        } else {
            String::new()
        }
    }

    /// Why a dry run tells nothing, or what to do about it.
    const fn why_nothing(&self) -> &'static str {
        match self.subject {
            _ if self.records.is_empty() && self.counted.skipped > 0 => {
                "`skip` leaves out all that the EHR shows; check that it is true of placeholders only"
            }
            AsOf::NextRound => "with `--sample 3` it tells of records that are there, new or not",
            AsOf::Shown { .. } | AsOf::Record if self.records.is_empty() => {
                "the EHR shows no record there; `--since` asks from further back"
            }
            AsOf::Shown { .. } | AsOf::Record => "why is said beside each record",
        }
    }

    fn write_end(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.end {
            RoundEnd::Failed(failure) => {
                writeln!(
                    out,
                    "The round failed ({}): {}",
                    failure.code, failure.message
                )?;
                if let Some(hint) = &failure.hint {
                    writeln!(out, "  help: {hint}")?;
                }
                Ok(())
            }
            RoundEnd::Succeeded | RoundEnd::Unfinished if self.dry_run => {
                let changes = self.notifications.len() + self.failures.len() + self.silent.len();
                match self.failures.len() {
                    0 if changes == 0 => writeln!(
                        out,
                        "The round would have gone well, and nothing would have been told: {}.",
                        self.why_nothing()
                    ),
                    0 if self.findings.is_empty() => {
                        writeln!(out, "The round would have gone well.")
                    }
                    0 => writeln!(
                        out,
                        "The round would have gone well; what is said above is to be looked at."
                    ),
                    failed => writeln!(
                        out,
                        "The EHR would have been asked well, and {failed} of {changes} changes could not be told: why is said above. Each would be kept, to be tried again or as given up."
                    ),
                }
            }
            RoundEnd::Unfinished => writeln!(
                out,
                "The EHR's answer is not there yet; the next round goes on from here."
            ),
            RoundEnd::Succeeded => writeln!(
                out,
                "Committed; {} for `rounds run`.",
                match self.counted.changed {
                    1 => "1 container waits".to_owned(),
                    count => format!("{count} containers wait"),
                }
            ),
        }
    }
}
