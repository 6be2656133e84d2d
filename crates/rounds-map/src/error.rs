//! What can go wrong with an expression: when it is compiled, and when it is evaluated.

/// Text that is not what it should be. Says where, never what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {language} at byte {offset}: {reason}")]
pub struct ParseError {
    /// What it should be: `JSON` or `XML`.
    pub language: &'static str,
    /// Byte offset into the text.
    pub offset: usize,
    /// What was expected, in plain words; never a piece of the text.
    pub reason: String,
}

/// An expression or template that does not compile: a place inside its text and a mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// Byte offset of the trouble inside the text that was given.
    pub offset: usize,
    /// Length in bytes of the piece that is wrong; may be 0 at the end of the text.
    pub length: usize,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// How to mend it, if known.
    pub hint: Option<String>,
}

impl EvaluateError {
    /// Whether there was nothing where something is needed, as against something that is wrong.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Blank { .. } => true,
            // `null` is what a member gives that is not there.
            Self::NotText { found, .. } => *found == "null",
            Self::Count { count } => *count == 0,
            _ => false,
        }
    }
}

/// An expression that compiled and then failed on a record. Never carries a value of the record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// jq raised an error (a wrong type, `error(...)`).
    #[error("the expression failed: {reason}")]
    Failed {
        /// jq's words with all values of the record taken out.
        reason: String,
    },
    /// Exactly one value was needed.
    #[error("the expression gave {count} values where one is needed")]
    Count {
        /// How many came (2 stands for "2 or more").
        count: usize,
    },
    /// A template's placeholder gave null, an object or an array.
    #[error("placeholder `{placeholder}` gave {found} where text is needed")]
    NotText {
        /// The placeholder as written.
        placeholder: String,
        /// null, an array, an object.
        found: &'static str,
    },
    /// What was to identify something identifies nothing: it holds no letter and no digit.
    #[error("{} gave {found} where an identifier is needed", placeholder.as_ref().map_or_else(|| "the expression".to_owned(), |written| format!("placeholder `{written}`")))]
    Blank {
        /// The placeholder as written; None for a leaf of a body.
        placeholder: Option<String>,
        /// null, an empty text, a text without a letter or a digit.
        found: &'static str,
    },
    /// A condition gave something else than true or false.
    #[error("the expression gave {found} where true or false is needed")]
    NoCondition {
        /// With its article: "a string".
        found: &'static str,
    },
    /// The evaluation was stopped: too many steps.
    #[error("the expression was stopped after {steps} steps")]
    OutOfFuel {
        /// How many steps were granted.
        steps: u64,
    },
    /// The evaluation was stopped: it went too deep.
    #[error("the expression nests too deeply")]
    TooDeep,
    /// The evaluation was stopped: its output is larger than allowed.
    #[error("the expression's output is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The bound, in bytes.
        limit_bytes: usize,
    },
}
