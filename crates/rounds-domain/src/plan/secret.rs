//! Secrets by reference.

use std::path::PathBuf;

/// Where a secret is to be read from. The plan never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretReference {
    /// An environment variable.
    Environment(String),
    /// A file's content, without a trailing line break.
    File(PathBuf),
    /// A program and its arguments; its standard output, without a trailing line break. No shell is involved.
    Command(Vec<String>),
}
