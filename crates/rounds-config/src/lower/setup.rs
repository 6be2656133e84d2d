//! What must be set up before an action's first round.

use super::request::{self, Around, Written};
use crate::diagnostic::Findings;
use crate::face::SetupKeys;
use crate::reading::Given;
use rounds_domain::plan::Setup;

/// The setup, if there is one; None if it is wrong.
#[expect(
    clippy::option_option,
    reason = "whether it is right, and whether there is one"
)]
pub(super) fn lower(
    given: &Given<SetupKeys>,
    around: Around<'_>,
    findings: &mut Findings<'_>,
) -> Option<Option<Setup>> {
    let keys = match given {
        Given::Absent => return Some(None),
        Given::Wrong => return None,
        Given::Here(here) => &here.value,
    };
    let written = Written {
        get: &keys.get,
        post: &keys.post,
        query: &keys.query,
        headers: &keys.headers,
        body: &keys.body,
        format: &Given::Absent,
        around,
    };
    let lowered = request::lower(&written, &[], findings);
    Some(Some(Setup {
        request: lowered.rule?,
        settle: (keys.settle.value()).map_or(Setup::DEFAULT_SETTLE, |settle| settle.0),
    }))
}
