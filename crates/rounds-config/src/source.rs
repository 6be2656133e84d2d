//! The texts that a configuration is made of, and places in them.

use crate::built_in::BUILT_IN;
use rounds_domain::Code;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest configuration file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The most files that one configuration may have.
pub const MAX_FILES: usize = 1_000;

/// The texts that one configuration is made of, in the order in which they are read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
    /// What the texts name, where it is no file on the disk.
    beside: Vec<Source>,
}

#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: String,
}

/// A piece of one of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Which text, counted from 0.
    pub file: usize,
    /// Byte offset of its first byte.
    pub start: usize,
    /// Byte offset after its last byte.
    pub end: usize,
}

impl Place {
    pub(crate) const fn new(file: usize, start: usize, end: usize) -> Self {
        Self { file, start, end }
    }
}

/// A line and a column as people count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

/// The configuration cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refuses.
    #[error("cannot read the configuration `{}`", path.display())]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A folder without a single file of ours.
    #[error("the folder `{}` has no `*.yaml` or `*.yml` file", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with too many files.
    #[error("the folder `{}` has more than {MAX_FILES} configuration files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
    /// Something that is no file, where one is named.
    #[error("`{}` is no file", path.display())]
    NoFile {
        /// What was named.
        path: PathBuf,
    },
    /// A file with too many bytes.
    #[error("the configuration `{}` is larger than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file that is not text.
    #[error("the configuration `{}` is not UTF-8 text: byte {offset} is not part of a character", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is wrong, counted from 0.
        offset: usize,
    },
}

impl ReadError {
    /// The stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } | Self::TooMany { .. } => crate::codes::TOO_LARGE,
            Self::Io { .. } | Self::Empty { .. } | Self::NoFile { .. } | Self::NotText { .. } => {
                crate::codes::UNREADABLE
            }
        }
    }

    /// How to mend it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "name a YAML file, or a folder of them, that this user may read",
            Self::Empty { .. } => {
                "put a file such as `rounds.yaml` there; files in folders below are not read"
            }
            Self::NoFile { .. } => "name a file that this user may read",
            Self::TooMany { .. } => "put several actions into one file",
            Self::TooLarge { .. } => "split it into several files and give their folder",
            Self::NotText { .. } => "save it as UTF-8",
        }
    }
}

impl Sources {
    /// Reads one file, or all `*.yaml` and `*.yml` files of a folder in the order of their names.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let io = |source| ReadError::Io {
            path: path.to_owned(),
            source,
        };
        if !std::fs::metadata(path).map_err(io)?.is_dir() {
            return Ok(Self {
                files: vec![read_file(path)?],
                beside: Vec::new(),
            });
        }
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(path).map_err(io)? {
            let candidate = entry.map_err(io)?.path();
            let extension = candidate.extension().and_then(|e| e.to_str());
            if matches!(extension, Some("yaml" | "yml")) && candidate.is_file() {
                paths.push(candidate);
            }
            if paths.len() > MAX_FILES {
                return Err(ReadError::TooMany {
                    path: path.to_owned(),
                });
            }
        }
        if paths.is_empty() {
            return Err(ReadError::Empty {
                path: path.to_owned(),
            });
        }
        paths.sort();
        let files = paths.iter().map(|path| read_file(path));
        Ok(Self {
            files: files.collect::<Result<_, _>>()?,
            beside: Vec::new(),
        })
    }

    /// Takes one text; `name` stands in diagnostics where a file's path would.
    pub fn from_text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::default().with_text(name, text)
    }

    /// Adds a further text, as a further file of a folder would be.
    #[must_use]
    pub fn with_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.push(Source {
            name: name.into(),
            text: text.into(),
        });
        self
    }

    /// Adds a file that a text may name, as a file beside it would be.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.beside.push(Source {
            name: path.into(),
            text: text.into(),
        });
        self
    }

    /// Reads one more file, behind all others; the number of its text. A file that is among them already is not read twice.
    pub fn and_read(&mut self, path: &Path) -> Result<usize, ReadError> {
        let is_it =
            |known: &Source| match (path.canonicalize(), Path::new(&known.name).canonicalize()) {
                (Ok(path), Ok(known)) => path == known,
                _ => false,
            };
        if let Some(known) = self.files.iter().position(is_it) {
            return Ok(known);
        }
        self.files.push(read_regular(path)?);
        Ok(self.files.len() - 1)
    }

    /// The text of a file that one of the texts names: from the folder of that text on, unless the path is absolute. A byte order mark, which
    /// spreadsheets write, is no part of it.
    pub(crate) fn beside(&self, file: usize, path: &str) -> Result<String, ReadError> {
        let given = self.beside.iter().find(|given| given.name == path);
        let text = if let Some(given) = given {
            given.text.clone()
        } else {
            read_regular(&self.path_beside(file, path))?.text
        };
        Ok(match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        })
    }

    /// A path that one of the texts names, from the folder of that text on, unless it is absolute.
    pub(crate) fn path_beside(&self, file: usize, path: &str) -> PathBuf {
        let folder = Path::new(self.name(file)).parent();
        folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
    }

    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The path or name of a text.
    pub fn name(&self, file: usize) -> &str {
        match self.files.get(file) {
            Some(source) => &source.name,
            None => self.built_in(file).map_or("", |(name, _)| name),
        }
    }

    /// A text, whole.
    pub fn text(&self, file: usize) -> &str {
        match self.files.get(file) {
            Some(source) => &source.text,
            None => self.built_in(file).map_or("", |(_, text)| text),
        }
    }

    /// The connector files that come along stand behind the user's own.
    fn built_in(&self, file: usize) -> Option<(&'static str, &'static str)> {
        let index = file.checked_sub(self.files.len())?;
        BUILT_IN.get(index).copied()
    }

    /// The text at a place.
    pub fn excerpt(&self, place: Place) -> &str {
        self.text(place.file)
            .get(place.start..place.end)
            .unwrap_or_default()
    }

    /// Where a place begins, as people count.
    pub fn position(&self, place: Place) -> Position {
        let text = self.text(place.file);
        let before = text.get(..place.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Reads a file, if it is one: reading from a pipe would wait for ever.
fn read_regular(path: &Path) -> Result<Source, ReadError> {
    let facts = std::fs::metadata(path).map_err(|source| ReadError::Io {
        path: path.to_owned(),
        source,
    })?;
    if !facts.is_file() {
        return Err(ReadError::NoFile {
            path: path.to_owned(),
        });
    }
    read_file(path)
}

fn read_file(path: &Path) -> Result<Source, ReadError> {
    let io = |source| ReadError::Io {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    let bound = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX) + 1;
    file.take(bound).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = String::from_utf8(bytes).map_err(|error| ReadError::NotText {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    Ok(Source {
        name: path.display().to_string(),
        text,
    })
}
