//! `rounds map filled`: how often each field of what was told had a value.

use crate::cli::Common;
use crate::output::{Align, Columns, Report, Terminal};
use crate::{Ended, Problem, data};
use rounds_domain::ActionName;
use rounds_domain::ports::{NotificationFilter, Operations, PageRequest};
use rounds_map::{Json, JsonKind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// How many are asked for at once.
const AT_ONCE: usize = 100;

/// How often each field had a value.
#[derive(Debug, Serialize)]
pub struct FilledPage {
    /// The action.
    pub action: String,
    /// How many notifications were looked at.
    pub notifications: usize,
    /// Each field that any of them has, in the order of the first.
    pub fields: Vec<FieldRow>,
}

/// One field.
#[derive(Debug, Serialize)]
pub struct FieldRow {
    /// Like `Visit.Location.Department`; `[]` stands for any item.
    pub path: String,
    /// In how many of the notifications it has a value.
    pub filled: usize,
}

/// Looks at the newest notifications of an action.
pub async fn filled(
    operations: &dyn Operations,
    action: &str,
    last: usize,
) -> Result<FilledPage, Problem> {
    let filter = NotificationFilter {
        action: Some(ActionName::new(action)),
        record_id: None,
    };
    let mut counts = Counts::default();
    let mut seen = 0;
    while seen < last {
        let page = PageRequest {
            offset: seen,
            limit: AT_ONCE.min(last - seen),
        };
        let listed = operations.notifications(filter.clone(), page).await?;
        if listed.is_empty() {
            break;
        }
        seen += listed.len();
        for summary in listed {
            let detail = operations.notification(&summary.id).await?;
            if let Some(body) = detail.and_then(|detail| Json::parse(detail.body.bytes()).ok()) {
                counts.add(&body);
            }
        }
    }
    Ok(FilledPage {
        action: action.to_owned(),
        notifications: seen,
        fields: counts.rows(),
    })
}

/// In how many bodies each path has a value.
#[derive(Default)]
struct Counts {
    order: Vec<String>,
    filled: BTreeMap<String, usize>,
}

impl Counts {
    fn add(&mut self, body: &Json) {
        let mut found = BTreeMap::new();
        self.walk(body, &mut String::new(), &mut found);
        for (path, filled) in found {
            *self.filled.entry(path).or_default() += usize::from(filled);
        }
    }

    /// A leaf counts once a body, however many items of a list have it.
    fn walk(&mut self, value: &Json, path: &mut String, found: &mut BTreeMap<String, bool>) {
        let length = path.len();
        match value.kind() {
            JsonKind::Object => {
                for (key, member) in value.members() {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key);
                    self.walk(&member, path, found);
                    path.truncate(length);
                }
                return;
            }
            JsonKind::Array if value.items().next().is_some() => {
                path.push_str("[]");
                for item in value.items() {
                    self.walk(&item, path, found);
                }
                path.truncate(length);
                return;
            }
            _ => {}
        }
        let filled = !matches!(value.kind(), JsonKind::Null | JsonKind::Array);
        if !self.filled.contains_key(path.as_str()) && !found.contains_key(path.as_str()) {
            self.order.push(path.clone());
        }
        *found.entry(path.clone()).or_default() |= filled;
    }

    fn rows(self) -> Vec<FieldRow> {
        let filled = self.filled;
        let rows = self.order.into_iter().map(|path| FieldRow {
            filled: filled.get(&path).copied().unwrap_or_default(),
            path,
        });
        rows.collect()
    }
}

/// Does it.
pub(super) async fn perform(
    common: &Common,
    action: &str,
    last: usize,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let store = data::open_for_operator(&common.data_dir)?;
    terminal.give(&filled(&store, action, last).await?)?;
    Ok(Ended::Fine)
}

impl Report for FilledPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "{} notifications of {}",
            self.notifications, self.action
        )?;
        let mut table = Columns::new(&[
            ("field", Align::Left),
            ("filled", Align::Right),
            ("share", Align::Right),
        ]);
        for row in &self.fields {
            let share = row.filled * 100 / self.notifications.max(1);
            table.row([
                row.path.clone(),
                row.filled.to_string(),
                format!("{share} %"),
            ]);
        }
        table.write(out, "")
    }
}
