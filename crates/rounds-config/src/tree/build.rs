//! From the events of the YAML parser to the tree.

use super::syntax::explain;
use super::{Entry, MAX_DEPTH, MAX_NODES, Node, NodeKind, Parsed, Scalar, Style};
use crate::codes;
use crate::diagnostic::Findings;
use crate::source::{MAX_FILE_BYTES, Place};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// The tree of a text.
pub(crate) fn parse(file: usize, findings: &mut Findings<'_>) -> Parsed {
    let text = findings.sources.text(file);
    if text.len() > MAX_FILE_BYTES {
        findings
            .error(
                codes::TOO_LARGE,
                Place::new(file, 0, 0),
                "the file is too large",
            )
            .expected(format!("at most {MAX_FILE_BYTES} bytes"))
            .help("split it into several files and give their folder");
        return Parsed::Failed;
    }
    let mut builder = Builder {
        offsets: Offsets::of(text),
        file,
        open: Vec::new(),
        root: None,
        nodes: 0,
        documents: 0,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, span)) => {
                if let Err(Stopped) = builder.take(event, span, findings) {
                    return Parsed::Failed;
                }
            }
            Err(error) => {
                builder.syntax_error(&error, findings);
                return Parsed::Failed;
            }
        }
    }
    builder.root.map_or(Parsed::Empty, Parsed::Tree)
}

/// The parser counts characters, everything else bytes.
enum Offsets {
    Ascii(usize),
    Table(Vec<usize>),
}

impl Offsets {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text.len());
        }
        let mut table: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        table.push(text.len());
        Self::Table(table)
    }

    fn bytes(&self, characters: usize) -> usize {
        match self {
            Self::Ascii(length) => characters.min(*length),
            Self::Table(table) => table.get(characters).or(table.last()).copied().unwrap_or(0),
        }
    }
}

/// Reported; nothing more can be read.
struct Stopped;

/// A list or mapping that has not ended yet.
struct Open {
    place: Place,
    flow: Flow,
    content: Content,
}

#[derive(PartialEq, Eq)]
enum Flow {
    Brackets,
    Indentation,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        key: Option<KeySeen>,
    },
}

enum KeySeen {
    Key(Scalar),
    /// Something that cannot be a key, and was reported.
    Refused,
}

struct Builder {
    offsets: Offsets,
    file: usize,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

impl Builder {
    fn place(&self, span: Span) -> Place {
        let start = self.offsets.bytes(span.start.index());
        Place::new(
            self.file,
            start,
            self.offsets.bytes(span.end.index()).max(start),
        )
    }

    fn take(
        &mut self,
        event: Event<'_>,
        span: Span,
        findings: &mut Findings<'_>,
    ) -> Result<(), Stopped> {
        let place = self.place(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    findings
                        .error(
                            codes::UNSUPPORTED_YAML,
                            place,
                            "a second document in one file",
                        )
                        .help("put it into a file of its own and give the folder of both");
                    return Err(Stopped);
                }
            }
            Event::Alias(_) => {
                findings
                    .error(codes::UNSUPPORTED_YAML, place, "an alias")
                    .expected("the value itself")
                    .help("anchors and aliases are not used here: write the value out");
                self.add(
                    Node {
                        place,
                        kind: NodeKind::Refused,
                    },
                    findings,
                )?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_extras(anchor, tag.is_some(), place, findings);
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::SingleQuoted,
                    ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let place = Self::trimmed(place, style, findings);
                let text = text.into_owned();
                let kind = NodeKind::Scalar(Scalar { text, style, place });
                self.add(Node { place, kind }, findings)?;
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_extras(anchor, tag.is_some(), place, findings);
                self.enter(place, Content::Sequence(Vec::new()), findings)?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_extras(anchor, tag.is_some(), place, findings);
                let content = Content::Mapping {
                    entries: Vec::new(),
                    key: None,
                };
                self.enter(place, content, findings)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(place, findings)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// A value that is left out is placed by the parser wherever it noticed; a block ends after its line breaks.
    fn trimmed(place: Place, style: Style, findings: &Findings<'_>) -> Place {
        let excerpt = findings.sources.excerpt(place);
        match style {
            Style::Literal | Style::Folded => {
                // The parser counts the next line's indentation in.
                let indented = excerpt.trim_end_matches(' ');
                let lines = if indented.ends_with('\n') {
                    indented
                } else {
                    excerpt
                };
                let length = lines.trim_end_matches(['\n', '\r']).len();
                Place {
                    end: place.start + length,
                    ..place
                }
            }
            _ => place,
        }
    }

    fn enter(
        &mut self,
        place: Place,
        content: Content,
        findings: &mut Findings<'_>,
    ) -> Result<(), Stopped> {
        if self.open.len() >= MAX_DEPTH {
            findings
                .error(
                    codes::TOO_LARGE,
                    place,
                    "mappings and lists nest too deeply",
                )
                .expected(format!("at most {MAX_DEPTH} levels"));
            return Err(Stopped);
        }
        let opening = findings.sources.excerpt(place);
        let flow = if opening.starts_with(['[', '{']) {
            Flow::Brackets
        } else {
            Flow::Indentation
        };
        self.open.push(Open {
            place,
            flow,
            content,
        });
        Ok(())
    }

    fn leave(&mut self, end: Place, findings: &mut Findings<'_>) -> Result<(), Stopped> {
        let Some(Open {
            place,
            flow,
            content,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let kind = match content {
            Content::Sequence(items) => NodeKind::Sequence(items),
            Content::Mapping { entries, .. } => NodeKind::Mapping(entries),
        };
        // A block has no bracket to point at: its first piece stands for it.
        let place = match (&flow, &kind) {
            (Flow::Brackets, _) => Place {
                end: end.end.max(place.start),
                ..place
            },
            (Flow::Indentation, NodeKind::Mapping(entries)) => {
                entries.first().map_or(place, |entry| entry.key.place)
            }
            (Flow::Indentation, NodeKind::Sequence(items)) => {
                items.first().map_or(place, |item| item.place)
            }
            (Flow::Indentation, _) => place,
        };
        self.add(Node { place, kind }, findings)
    }

    fn add(&mut self, node: Node, findings: &mut Findings<'_>) -> Result<(), Stopped> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            findings
                .error(codes::TOO_LARGE, node.place, "the file has too many values")
                .expected(format!("at most {MAX_NODES}"));
            return Err(Stopped);
        }
        let Some(parent) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        match &mut parent.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, key } => match key.take() {
                None => *key = Some(as_key(node, findings)),
                Some(KeySeen::Key(key)) => entries.push(Entry { key, value: node }),
                Some(KeySeen::Refused) => {}
            },
        }
        Ok(())
    }

    fn syntax_error(&self, error: &ScanError, findings: &mut Findings<'_>) {
        let text = findings.sources.text(self.file);
        let mut at = self.offsets.bytes(error.marker().index());
        if error.info().contains("tab") {
            // The parser notices a tab in the indentation where the value before it began.
            let tab = text[at..]
                .find("\n\t")
                .map_or(at, |newline| at + newline + 1);
            at = if text[at..].starts_with('\t') {
                at
            } else {
                tab
            };
        }
        let next = text[at..].chars().next();
        let width = next.filter(|c| !c.is_control()).map_or(0, char::len_utf8);
        let place = Place::new(self.file, at, at + width);
        let (message, help) = explain(error.info(), next, text, at);
        let too_deep = error.info().contains("recursion");
        let code = if too_deep {
            codes::TOO_LARGE
        } else {
            codes::SYNTAX
        };
        let diagnostic = findings.error(code, place, message);
        if let Some(help) = help {
            diagnostic.help(help);
        }
        if let Some(open) = self
            .open
            .iter()
            .rev()
            .find(|open| open.flow == Flow::Brackets)
        {
            let bracket = Place {
                end: open.place.start + 1,
                ..open.place
            };
            diagnostic.also(bracket, "opened here and not closed");
        }
    }
}

fn refuse_extras(anchor: usize, tagged: bool, place: Place, findings: &mut Findings<'_>) {
    if anchor > 0 {
        findings
            .error(codes::UNSUPPORTED_YAML, place, "an anchor")
            .help("anchors and aliases are not used here: take the `&name` out");
    }
    if tagged {
        findings
            .error(codes::UNSUPPORTED_YAML, place, "a tag")
            .help("tags are not used here: take the `!name` out; quotes make text of anything");
    }
}

fn as_key(node: Node, findings: &mut Findings<'_>) -> KeySeen {
    match node.kind {
        NodeKind::Scalar(scalar) if scalar.text == "<<" && scalar.style == Style::Plain => {
            findings
                .error(codes::UNSUPPORTED_YAML, scalar.place, "a merge key")
                .help("merging is not used here: write the keys out");
            KeySeen::Refused
        }
        NodeKind::Scalar(scalar) => KeySeen::Key(scalar),
        NodeKind::Mapping(_) if findings.sources.excerpt(node.place).starts_with('{') => {
            findings
                .error(codes::UNSUPPORTED_YAML, node.place, "a mapping as a key")
                .expected("text in quotes")
                .help("a value with `{{ ... }}` stands in quotes, or YAML takes the braces for a mapping");
            KeySeen::Refused
        }
        NodeKind::Refused => KeySeen::Refused,
        NodeKind::Mapping(_) | NodeKind::Sequence(_) => {
            findings
                .error(codes::UNSUPPORTED_YAML, node.place, "a key that is no text")
                .expected("a name");
            KeySeen::Refused
        }
    }
}
