//! XML as JSON, so that jq serves everywhere.
//!
//! The rule stands at [`Json::parse_xml`](super::Json::parse_xml). It is made for what EHRs send as XML, SOAP answers and
//! Atom feeds: what matters is reached by plain names (`.Envelope.Body.GetPatientsResponse`), whatever the prefixes of
//! the day are; what is empty is null, so a path through it goes on being null and is not an error; and the blanks of pretty
//! printing are not data. What it gives up: the order of children with different names, and where in mixed text they stood.
//!
//! One child is a value and several are an array, which no rule without a schema can avoid: `many` in jq makes both a list.

use super::MAX_NESTING;
use super::room::{MEMBER, OBJECT, Room, STRING, VALUE};
use crate::ParseError;
use jaq_json::{Map, Val};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;
use std::collections::HashSet;

const LANGUAGE: &str = "XML";

/// How many attributes an element may have. Documents of EHRs have a dozen.
const MOST_ATTRIBUTES: usize = 1_000;

/// The member that holds the text of an element that has more than text.
const TEXT: &str = "#text";

pub(super) fn read(bytes: &[u8]) -> Result<Val, ParseError> {
    let text = decoded(bytes)?;
    let mut reader = Reader::from_str(&text);
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<(String, Val)> = None;
    let mut room = Room::of(text.len());
    loop {
        let at = place(&reader);
        let event = reader
            .read_event()
            .map_err(|error| failure(error_place(&reader), words(&error)))?;
        match event {
            Event::Start(start) => {
                let element = begin(&start, open.len(), root.is_some(), at, &mut room)?;
                open.push(element);
            }
            Event::Empty(start) => {
                let element = begin(&start, open.len(), root.is_some(), at, &mut room)?;
                end(element, &mut open, &mut root, &mut room, at)?;
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    end(element, &mut open, &mut root, &mut room, at)?;
                }
            }
            Event::Text(text) => {
                let text = text
                    .decode()
                    .map_err(|_| failure(at, "text that cannot be read"))?;
                match open.last_mut() {
                    Some(element) => element.text.push_str(&text),
                    None if text.trim().is_empty() => {}
                    None => return Err(failure(at, "text outside of the root element")),
                }
            }
            Event::CData(data) => {
                let text = data
                    .decode()
                    .map_err(|_| failure(at, "text that cannot be read"))?;
                match open.last_mut() {
                    Some(element) => element.text.push_str(&text),
                    None => return Err(failure(at, "text outside of the root element")),
                }
            }
            Event::GeneralRef(reference) => {
                let character = character(&reference)
                    .ok_or_else(|| failure(at, "an entity that XML itself does not have"))?;
                match open.last_mut() {
                    Some(element) => element.text.push(character),
                    None => return Err(failure(at, "text outside of the root element")),
                }
            }
            Event::DocType(_) => return Err(failure(at, "a document type, which is not read")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    if !open.is_empty() {
        return Err(failure(text.len(), "the text ends within an element"));
    }
    match root {
        Some((name, value)) => Ok(object([(name, value)])),
        None => Err(failure(text.len(), "expected an element")),
    }
}

/// An element that is being read.
struct Element {
    name: String,
    is_nil: bool,
    /// Attributes and children, in the order of their first appearance.
    members: Vec<(String, Member)>,
    places: std::collections::HashMap<String, usize>,
    text: String,
}

enum Member {
    One(Val),
    Several(Vec<Val>),
}

fn begin(
    start: &BytesStart<'_>,
    depth: usize,
    has_root: bool,
    at: usize,
    room: &mut Room,
) -> Result<Element, ParseError> {
    if depth >= MAX_NESTING {
        return Err(failure(at, "elements nest too deeply"));
    }
    if depth == 0 && has_root {
        return Err(failure(at, "a second root element"));
    }
    let mut element = Element {
        name: local(start.local_name().as_ref()),
        is_nil: false,
        members: Vec::new(),
        places: std::collections::HashMap::new(),
        text: String::new(),
    };
    // The library's own check for names that come twice costs the square of their number.
    let mut names = HashSet::new();
    for (number, attribute) in start.attributes().with_checks(false).enumerate() {
        if number >= MOST_ATTRIBUTES {
            return Err(failure(at, "an element with too many attributes"));
        }
        let attribute = attribute.map_err(|_| failure(at, "an attribute that cannot be read"))?;
        let key = attribute.key;
        if !names.insert(key.as_ref().to_vec()) {
            return Err(failure(at, "an attribute that cannot be read"));
        }
        if key.as_namespace_binding().is_some() {
            continue;
        }
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|_| failure(at, "an attribute that cannot be read"))?;
        let name = local(key.local_name().as_ref());
        if name == "nil" && key.prefix().is_some() && matches!(value.trim(), "true" | "1") {
            element.is_nil = true;
            continue;
        }
        let weight = STRING + value.len();
        let weight = weight + element.add(format!("@{name}"), Val::from(value.into_owned()));
        room.take(weight, LANGUAGE, at)?;
    }
    Ok(element)
}

fn end(
    element: Element,
    open: &mut [Element],
    root: &mut Option<(String, Val)>,
    room: &mut Room,
    at: usize,
) -> Result<(), ParseError> {
    let text = element.text.len();
    let (name, value) = element.finished();
    let weight = if let Some(parent) = open.last_mut() {
        parent.add(name, value)
    } else {
        *root = Some((name, value));
        VALUE
    };
    let of_text = if text > 0 { STRING + text } else { 0 };
    room.take(weight + of_text, LANGUAGE, at)
}

impl Element {
    /// Adds a member and says what its place takes.
    fn add(&mut self, name: String, value: Val) -> usize {
        if let Some(place) = self.places.get(&name) {
            let member = &mut self.members[*place].1;
            match member {
                Member::Several(values) => values.push(value),
                Member::One(first) => {
                    let first = std::mem::replace(first, Val::Null);
                    *member = Member::Several(vec![first, value]);
                }
            }
            VALUE
        } else {
            let first = if self.members.is_empty() { OBJECT } else { 0 };
            let weight = first + MEMBER + VALUE + name.len();
            self.places.insert(name.clone(), self.members.len());
            self.members.push((name, Member::One(value)));
            weight
        }
    }

    fn finished(self) -> (String, Val) {
        let text = self.text.trim();
        let value = if self.is_nil {
            Val::Null
        } else if self.members.is_empty() {
            match text {
                "" => Val::Null,
                text => Val::from(text.to_owned()),
            }
        } else {
            let members = self.members.into_iter().map(|(name, member)| match member {
                Member::One(value) => (name, value),
                Member::Several(values) => (name, values.into_iter().collect()),
            });
            let text = (!text.is_empty()).then(|| (TEXT.to_owned(), Val::from(text.to_owned())));
            object(members.chain(text))
        };
        (self.name, value)
    }
}

fn object(members: impl IntoIterator<Item = (String, Val)>) -> Val {
    let members = members.into_iter();
    Val::obj(
        members
            .map(|(key, value)| (Val::from(key), value))
            .collect::<Map>(),
    )
}

fn local(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// The character of a reference: by number, or one of the five entities of XML itself (XML 1.0, 4.6).
fn character(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok().flatten();
    }
    match &**reference {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"apos" => Some('\''),
        b"quot" => Some('"'),
        _ => None,
    }
}

/// The text, whatever it was encoded in: by its mark (XML 1.0, appendix F), by its declaration, otherwise UTF-8.
fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, ParseError> {
    let declared = encoding_rs::Encoding::for_bom(bytes)
        .map(|(encoding, _)| encoding)
        .or_else(|| declared_encoding(bytes));
    let Some(encoding) = declared else {
        return std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| failure(error.valid_up_to(), "the text is not UTF-8"));
    };
    let (text, _, had_errors) = encoding.decode(bytes);
    if had_errors {
        return Err(failure(
            0,
            "the text is not in the encoding that it declares",
        ));
    }
    Ok(text)
}

/// What `<?xml ... encoding="..."?>` says, if it is known.
fn declared_encoding(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let end = bytes.iter().take(256).position(|byte| *byte == b'>')?;
    let declaration = std::str::from_utf8(bytes.get(..end)?).ok()?;
    if !declaration.trim_start().starts_with("<?xml") {
        return None;
    }
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    let (label, _) = rest[1..].split_once(quote)?;
    encoding_rs::Encoding::for_label(label.trim().as_bytes())
}

fn place(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn error_place(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.error_position()).unwrap_or(usize::MAX)
}

/// The reader's own words may hold a piece of the text, a name of an element at the least.
fn words(error: &quick_xml::Error) -> &'static str {
    match error {
        quick_xml::Error::Syntax(_) => "a tag, comment or section that does not end",
        quick_xml::Error::IllFormed(_) => "tags that do not fit each other",
        quick_xml::Error::InvalidAttr(_) => "an attribute that cannot be read",
        _ => "text that cannot be read",
    }
}

fn failure(offset: usize, reason: &str) -> ParseError {
    ParseError {
        language: LANGUAGE,
        offset,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
