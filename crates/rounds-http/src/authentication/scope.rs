//! Whether what was granted is what was asked for.
//!
//! A server may grant less than was asked for (RFC 6749, 3.3), and then some records are missing without an error. SMART has
//! wildcards and two ways to write permissions: `system/*.read` (version 1) is `system/*.rs` (version 2).

/// The scopes that were asked for and that nothing granted covers.
pub(super) fn missing<'s>(asked: &'s str, granted: &str) -> Vec<&'s str> {
    let granted: Vec<&str> = granted.split_whitespace().collect();
    let covered = |asked: &str| granted.iter().any(|granted| covers(granted, asked));
    asked
        .split_whitespace()
        .filter(|asked| !covered(asked))
        .collect()
}

fn covers(granted: &str, asked: &str) -> bool {
    if granted == asked {
        return true;
    }
    let (Some(granted), Some(asked)) = (parts(granted), parts(asked)) else {
        return false;
    };
    granted.context == asked.context
        && (granted.resource == "*" || granted.resource == asked.resource)
        && asked.may.chars().all(|deed| granted.may.contains(deed))
        && (granted.only.is_none() || granted.only == asked.only)
}

/// `system/Patient.rs?_security=...`
struct Parts<'s> {
    context: &'s str,
    resource: &'s str,
    /// Out of `cruds`.
    may: &'s str,
    only: Option<&'s str>,
}

fn parts(scope: &str) -> Option<Parts<'_>> {
    let (context, rest) = scope.split_once('/')?;
    let (rest, only) = match rest.split_once('?') {
        Some((rest, only)) => (rest, Some(only)),
        None => (rest, None),
    };
    let (resource, may) = rest.rsplit_once('.')?;
    let may = match may {
        "read" => "rs",
        "write" => "cud",
        "*" => "cruds",
        letters
            if !letters.is_empty() && letters.chars().all(|letter| "cruds".contains(letter)) =>
        {
            letters
        }
        _ => return None,
    };
    Some(Parts {
        context,
        resource,
        may,
        only,
    })
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn narrower_is_narrower_and_the_same_in_other_words_is_not() {
        for (asked, granted) in [
            ("system/*.read", "system/*.read"),
            ("system/*.read", "system/*.rs"),
            ("system/*.rs", "system/*.*"),
            ("system/Patient.read", "system/*.read"),
            (
                "system/Patient.rs system/Encounter.rs",
                "system/Encounter.rs system/Patient.cruds",
            ),
            ("athena/service/X.*", "openid athena/service/X.*"),
        ] {
            assert_eq!(missing(asked, granted), [""; 0], "{asked} by {granted}");
        }
        for (asked, granted, lacks) in [
            ("system/*.read", "system/Patient.read", "system/*.read"),
            ("system/Patient.rs", "system/Patient.r", "system/Patient.rs"),
            (
                "system/Patient.rs",
                "system/Patient.rs?x=y",
                "system/Patient.rs",
            ),
            ("system/Patient.rs", "user/Patient.rs", "system/Patient.rs"),
            ("a b", "a", "b"),
        ] {
            assert_eq!(missing(asked, granted), [lacks], "{asked} by {granted}");
        }
    }
}
