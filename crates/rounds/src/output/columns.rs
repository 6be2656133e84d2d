//! Tables for people: aligned columns, two spaces between them, no frame.

use rounds_domain::plain;
use std::io::{self, Write};

/// On which side a column is even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table. Widths are counted in characters.
#[derive(Debug)]
pub struct Columns {
    heads: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// A table with these heads; without a head line if all of them are empty.
    pub fn new(heads: &[(&'static str, Align)]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; what is missing at its end is empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // Control characters of a record's id must not reach the terminal.
        let clean = |cell: String| plain(&cell).into_owned();
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    /// Writes it, each line with this indent.
    pub fn write(&self, out: &mut dyn Write, indent: &str) -> io::Result<()> {
        let heads: Vec<String> = self
            .heads
            .iter()
            .map(|(head, _)| (*head).to_owned())
            .collect();
        let lines = || std::iter::once(&heads).chain(&self.rows);
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| {
                let width = |line: &Vec<String>| line.get(column).map_or(0, |c| c.chars().count());
                lines().map(width).max().unwrap_or(0)
            })
            .collect();
        let has_heads = self.heads.iter().any(|(head, _)| !head.is_empty());
        for line in lines().skip(usize::from(!has_heads)) {
            let mut text = indent.to_owned();
            for (column, ((_, align), width)) in self.heads.iter().zip(&widths).enumerate() {
                let cell = line.get(column).map_or("", String::as_str);
                let gap = if column == 0 { "" } else { "  " };
                let cell = match align {
                    Align::Left => format!("{gap}{cell:<width$}"),
                    Align::Right => format!("{gap}{cell:>width$}"),
                };
                text.push_str(&cell);
            }
            writeln!(out, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_even_on_the_right_and_control_characters_are_shown_as_such() {
        let mut table = Columns::new(&[("name", Align::Left), ("n", Align::Right)]);
        table.row(["a\x1b[2J".to_owned(), "1".to_owned()]);
        table.row(["longer".to_owned(), "100".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out, "  ").expect("a vector takes all");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text, "  name      n\n  a\u{fffd}[2J     1\n  longer  100\n");
    }
}
