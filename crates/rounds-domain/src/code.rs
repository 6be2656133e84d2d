//! Stable codes of errors that users see.

use std::fmt;

/// A stable code such as `R0301`, with a page that `rounds explain R0301` prints.
///
/// The first two digits name the room: `R01` and `R02` the configuration, `R03` rounds and EHRs, `R04` containers,
/// lookups and mapping, `R05` deliveries, `R06` the store, `R07` the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    /// Names a code. Every code that is made anywhere has a page under `docs/codes/`; a test keeps that true.
    pub const fn new(code: &'static str) -> Self {
        Self(code)
    }

    /// The code as written, `R0301`.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
