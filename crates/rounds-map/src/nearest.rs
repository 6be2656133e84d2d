//! The known name nearest to one that is not known, for hints.

/// Nobody has so many names, and every slip looks at all of them.
const MAX_CANDIDATES: usize = 300;

/// The candidate that is fewest edits away from `name`, if it is near enough to be meant.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A name far longer than any of ours is not compared: the work grows with the square.
    let name: Vec<char> = name.chars().take(80).flat_map(char::to_lowercase).collect();
    let enough = (name.len() / 3).max(1);
    let distances = candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .map(|candidate| (distance(&name, candidate), candidate));
    distances
        .filter(|(distance, _)| *distance <= enough)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Characters added, dropped, changed or swapped with their neighbour; upper and lower case are the same.
fn distance(name: &[char], candidate: &str) -> usize {
    let candidate: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
    let width = candidate.len() + 1;
    let mut table: Vec<usize> = (0..width).collect();
    table.resize(width * (name.len() + 1), 0);
    for row in 1..=name.len() {
        table[row * width] = row;
        for column in 1..width {
            let (typed, meant) = (name[row - 1], candidate[column - 1]);
            let above = (row - 1) * width + column;
            let left = row * width + column - 1;
            let mut best = (table[above] + 1)
                .min(table[left] + 1)
                .min(table[above - 1] + usize::from(typed != meant));
            let swapped =
                row > 1 && column > 1 && typed == candidate[column - 2] && name[row - 2] == meant;
            if swapped {
                best = best.min(table[(row - 2) * width + column - 2] + 1);
            }
            table[row * width + column] = best;
        }
    }
    table.last().copied().unwrap_or(0)
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
