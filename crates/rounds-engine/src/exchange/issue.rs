//! The words of an `OperationOutcome` that may be repeated.

/// Codes of an issue that say that the same request may go well later (FHIR R4, `IssueType`, under `transient`).
const TRANSIENT: [&str; 7] = [
    "transient",
    "lock-error",
    "no-store",
    "exception",
    "timeout",
    "incomplete",
    "throttled",
];

/// All others (FHIR R4 and R5).
const LASTING: [&str; 26] = [
    "invalid",
    "structure",
    "required",
    "value",
    "invariant",
    "security",
    "login",
    "unknown",
    "expired",
    "forbidden",
    "suppressed",
    "processing",
    "not-supported",
    "duplicate",
    "multiple-matches",
    "not-found",
    "deleted",
    "too-long",
    "code-invalid",
    "extension",
    "too-costly",
    "business-rule",
    "conflict",
    "limited-filter",
    "informational",
    "success",
];

/// A code as FHIR writes it. A server that writes something else there may write anything, a name or an escape sequence, so that is not repeated.
pub(crate) fn word(code: &str) -> &'static str {
    let mut all = TRANSIENT.iter().chain(&LASTING);
    let known = all.find(|known| **known == code);
    known.copied().unwrap_or("another code")
}

/// Whether a code says that the same request may go well later.
pub(crate) fn is_transient(code: &str) -> bool {
    TRANSIENT.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn only_words_of_the_standard_are_repeated() {
        assert_eq!(word("lock-error"), "lock-error");
        for other in ["jane-doe", "exception\n2026 ERROR", "\u{1b}[2J", ""] {
            assert_eq!(word(other), "another code");
        }
    }
}
