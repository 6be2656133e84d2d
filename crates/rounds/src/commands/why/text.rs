//! The answer for people.

use super::WhyPage;
use super::asked::AskedRow;
use super::story::Story;
use crate::output::{Ago, Report, plural};
use jiff::Timestamp;
use rounds_domain::plain;
use std::io::{self, Write};

impl Report for WhyPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(key) = &self.key {
            let (action, key) = (&self.action, plain(key));
            match self.records.len() {
                0 => writeln!(out, "Nothing of key {key} is known by `{action}`.")?,
                count => writeln!(
                    out,
                    "Key {key} of `{action}`: {}, the last changed first.",
                    plural(u64::try_from(count).unwrap_or(u64::MAX), "record")
                )?,
            }
            writeln!(out)?;
        }
        for story in &self.records {
            self.write_story(story, out)?;
        }
        writeln!(out, "What `{}` asks for", self.action)?;
        for asked in &self.asked {
            write_asked(asked, self.now, out)?;
        }
        for advice in &self.advice {
            writeln!(out, "help: {}", plain(advice))?;
        }
        Ok(())
    }
}

impl WhyPage {
    fn write_story(&self, story: &Story, out: &mut dyn Write) -> io::Result<()> {
        let record = plain(&story.record);
        if story.is_empty() {
            return writeln!(
                out,
                "Nothing is known of record {record} by `{}`: no round has shown it.\n",
                self.action
            );
        }
        writeln!(out, "Record {record} of `{}`", self.action)?;
        if story.is_cut {
            writeln!(
                out,
                "  ... what happened before is left out: `rounds notifications list --record` has it"
            )?;
        }
        for event in &story.events {
            writeln!(out, "  {}  {}", event.at, plain(&event.words))?;
            if let Some(id) = &event.id {
                writeln!(out, "    {id}")?;
            }
            for detail in &event.details {
                writeln!(out, "    {}", plain(detail))?;
            }
        }
        if let Some(standing) = &story.now {
            writeln!(out, "  now  {}", plain(standing))?;
        }
        writeln!(out)
    }
}

fn write_asked(asked: &AskedRow, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let last = asked
        .last_started_at
        .map_or_else(|| "never yet".to_owned(), |at| Ago { at, now }.to_string());
    let shown = asked.shown.map_or_else(String::new, |shown| {
        format!(", {} shown", plural(shown, "record"))
    });
    let rounds = plural(asked.rounds, "good round");
    writeln!(out, "  {}  {}", asked.feed, plain(&asked.request))?;
    writeln!(out, "    asked {last}; {rounds}{shown}")?;
    if let Some(failure) = &asked.failure {
        writeln!(out, "    failing: {}", plain(failure))?;
    }
    if !asked.conditions.is_empty() {
        writeln!(out, "    shows the record if")?;
        for condition in &asked.conditions {
            writeln!(out, "    - {}", plain(condition))?;
        }
    }
    Ok(())
}
