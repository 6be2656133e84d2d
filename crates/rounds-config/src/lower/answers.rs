//! What answers mean.

use super::unmarked;
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::AnswerKeys;
use crate::kinds::{Many, MeaningWord, Wait, header_name};
use crate::reading::{At, Given};
use rounds_domain::plan::{After, AnswerRule, Meaning};

/// The rules, in order. None if one is wrong.
pub(super) fn lower(
    given: &Given<Many<AnswerKeys>>,
    findings: &mut Findings<'_>,
) -> Option<Vec<AnswerRule>> {
    let rules = match given {
        Given::Absent => return Some(Vec::new()),
        Given::Wrong => return None,
        Given::Here(here) => &here.value.0,
    };
    let lowered: Vec<Option<AnswerRule>> = rules.iter().map(|rule| one(rule, findings)).collect();
    lowered.into_iter().collect()
}

fn one(rule: &At<AnswerKeys>, findings: &mut Findings<'_>) -> Option<AnswerRule> {
    let keys = &rule.value;
    let says_nothing = keys.status.is_absent()
        && keys.headers.is_absent()
        && keys.text.is_absent()
        && keys.body.is_absent();
    if says_nothing {
        findings
            .error(
                codes::BAD_ANSWER_RULE,
                rule.place,
                "a rule that every answer fits",
            )
            .expected("no answer would be read any more as its status says")
            .help("say which: by `status`, `headers`, `text` or `body`");
        return None;
    }
    let word = *keys.means.value()?;
    if let (Some(after), false) = (keys.after.here(), word == MeaningWord::Throttled) {
        findings
            .error(
                codes::BAD_ANSWER_RULE,
                after.key,
                "`after` of an answer that does not ask to wait",
            )
            .help("it goes with `means: throttled`");
        return None;
    }
    let after = match &keys.after {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(here) => Some(match &here.value {
            Wait::Length(length) => After::Span(*length),
            Wait::Expression(filter) => After::Body(filter.clone()),
        }),
    };
    let mut headers = Vec::new();
    for pair in keys
        .headers
        .value()
        .into_iter()
        .flat_map(|pairs| &pairs.pairs)
    {
        headers.push((header_name(&pair.key, findings)?, pair.value.0.text.clone()));
    }
    let is_wrong = matches!(keys.status, Given::Wrong)
        || matches!(keys.headers, Given::Wrong)
        || matches!(keys.text, Given::Wrong)
        || matches!(keys.body, Given::Wrong);
    if is_wrong {
        return None;
    }
    let statuses = keys
        .status
        .value()
        .into_iter()
        .flat_map(|statuses| &statuses.0);
    Some(AnswerRule {
        statuses: statuses.map(|status| status.value.0).collect(),
        headers,
        text: keys.text.value().map(|text| {
            unmarked::check_plain(&text.0, findings);
            text.0.text.clone()
        }),
        body: keys.body.value().map(|body| body.filter.clone()),
        means: match word {
            MeaningWord::Ok => Meaning::Ok,
            MeaningWord::Empty => Meaning::Empty,
            MeaningWord::Throttled => Meaning::Throttled { after },
            MeaningWord::AuthExpired => Meaning::AuthExpired,
            MeaningWord::NeedsSetup => Meaning::NeedsSetup,
            MeaningWord::Unsupported => Meaning::Unsupported,
            MeaningWord::Gone => Meaning::Gone,
            MeaningWord::Retry => Meaning::Retry,
            MeaningWord::Fatal => Meaning::Fatal,
        },
    })
}
