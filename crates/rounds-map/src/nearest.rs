//! The known name nearest to one that is not known, for hints.

/// The candidate that is fewest edits away from `name`, if it is near enough to be meant.
pub(crate) fn nearest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let enough = (name.chars().count() / 3).max(1);
    let scored = candidates
        .into_iter()
        .map(|candidate| (edits(name, candidate), candidate));
    scored
        .filter(|(edits, _)| *edits <= enough)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters must be added, dropped, changed or swapped with their neighbour; the case of letters is free.
fn edits(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in right.iter().enumerate() {
            let change = last[j] + usize::from(from != to);
            let mut best = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == right[j - 1] && left[i - 1] == *to {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_slip_finds_its_name() {
        let known = ["record", "previous", "change", "patient"];
        assert_eq!(nearest("recrod", known), Some("record"));
        assert_eq!(nearest("patiant", known), Some("patient"));
        assert_eq!(nearest("Record", known), Some("record"));
        assert_eq!(nearest("cursor", known), None);
    }
}
