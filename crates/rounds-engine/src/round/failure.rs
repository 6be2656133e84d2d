//! Why a round failed, in words for the person who has to mend it.

use rounds_domain::ports::{EhrError, EhrResponse};
use rounds_domain::{Code, RoundFailure};
use rounds_map::NotEvaluated;

/// The list of partitions cannot be used.
pub(crate) const PARTITIONS: Code = Code::new("R0324");
/// The EHR refused the credentials.
pub(crate) const REFUSED_CREDENTIALS: Code = Code::new("R0311");
/// The EHR said that it was asked too often.
pub(crate) const THROTTLED: Code = Code::new("R0312");
/// The EHR answered with another status that is no success.
pub(crate) const UNEXPECTED_STATUS: Code = Code::new("R0313");
/// The EHR's answer is not JSON, or not the format that was said.
pub(crate) const UNREADABLE: Code = Code::new("R0314");
/// `records` failed on a page.
pub(crate) const RECORDS_FAILED: Code = Code::new("R0315");
/// A condition gives neither true nor false.
pub(crate) const NO_CONDITION: Code = Code::new("R0343");
/// Pages repeat themselves.
pub(crate) const PAGES_LOOP: Code = Code::new("R0316");
/// There are more pages than allowed.
pub(crate) const TOO_MANY_PAGES: Code = Code::new("R0317");
/// A next link cannot be followed.
pub(crate) const NEXT_LINK: Code = Code::new("R0318");
/// The EHR seems to ignore the change filter.
pub(crate) const FILTER_IGNORED: Code = Code::new("R0319");
/// The cursor in the answer cannot be used.
pub(crate) const CURSOR_UNUSABLE: Code = Code::new("R0320");
/// The cursor cannot be written into the request.
pub(crate) const CURSOR_UNWRITABLE: Code = Code::new("R0321");
/// A sweep showed fewer records than the EHR says there are.
pub(crate) const SWEEP_TRUNCATED: Code = Code::new("R0323");
/// A good answer is not the document that was asked for.
pub(crate) const WRONG_DOCUMENT: Code = Code::new("R0325");
/// An answer says of itself that it is not whole.
pub(crate) const NOT_WHOLE: Code = Code::new("R0326");
/// An answer showed fewer records than it says there are.
pub(crate) const FEWER_THAN_TOTAL: Code = Code::new("R0327");
/// A log ends before the place up to which it was read.
pub(crate) const LOG_WENT_BACK: Code = Code::new("R0328");
/// The EHR does not know the place any more up to which it was read.
pub(crate) const PLACE_EXPIRED: Code = Code::new("R0329");
/// The EHR says that there are more pages and does not say where.
pub(crate) const MORE_PAGES: Code = Code::new("R0350");
/// An answer that no other one follows.
pub(crate) const FATAL_ANSWER: Code = Code::new("R0340");
/// The EHR wants something set up first.
pub(crate) const NEEDS_SETUP: Code = Code::new("R0341");
/// The EHR cannot do what is asked.
pub(crate) const UNSUPPORTED: Code = Code::new("R0342");
/// A push cannot be read.
pub(super) const PUSH_UNREADABLE: Code = Code::new("R0390");
/// An evaluation was given up by the evaluator itself.
pub(crate) const EVALUATOR: Code = Code::new("R0322");

/// What to do about a connection that is asked too often.
pub(crate) const SLOWER: &str = "the EHR allows fewer requests than are made: set the connection's `limits.rate`, or a longer `every`";

/// A failure with a mend.
pub(crate) fn failure(
    code: Code,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> RoundFailure {
    RoundFailure {
        code,
        message: message.into(),
        hint: Some(hint.into()),
    }
}

/// An evaluation that was given up. `what` is what was being done.
pub(crate) fn not_evaluated(what: &str, error: NotEvaluated) -> RoundFailure {
    failure(EVALUATOR, format!("{what}: {error}"), error.hint())
}

/// No answer came.
pub(crate) fn no_answer(error: &EhrError, what: &str) -> RoundFailure {
    RoundFailure {
        code: error.code,
        message: format!("{what}: {}", error.message),
        hint: error.hint.clone(),
    }
}

/// An answer came whose status is no success.
pub(crate) fn status(response: &EhrResponse, what: &str) -> RoundFailure {
    let status = response.status;
    let (code, hint) = match status.as_u16() {
        401 | 403 => (
            REFUSED_CREDENTIALS,
            "check the connection's `auth` and what the EHR allows this credential",
        ),
        429 => (THROTTLED, SLOWER),
        300..=399 => (
            UNEXPECTED_STATUS,
            "redirects are not followed, so that credentials stay with one host: put the final address into `base_url`",
        ),
        400..=499 => (
            UNEXPECTED_STATUS,
            "the EHR does not accept the request: `rounds poll ACTION --dry-run` shows it whole",
        ),
        _ => (
            UNEXPECTED_STATUS,
            "the trouble is at the EHR; Rounds goes on asking",
        ),
    };
    failure(code, format!("{what}: the EHR answered {status}"), hint)
}

/// An answer came that cannot be read.
pub(crate) fn unreadable(
    response: &EhrResponse,
    what: &str,
    error: &rounds_map::ParseError,
) -> RoundFailure {
    let kind = response
        .headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map_or_else(String::new, |kind| {
            format!(" (it calls itself `{}`)", kind.escape_debug())
        });
    failure(
        UNREADABLE,
        format!(
            "{what}: the answer of {} bytes is {error}{kind}",
            response.body.len(),
        ),
        "an HTML page often comes from a login form or a proxy in between: check `base_url` and the path with `rounds poll ACTION --dry-run`",
    )
}
