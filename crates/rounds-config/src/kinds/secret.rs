//! Secrets by reference. A literal one is refused, and not shown.

use super::{LiteralText, Many, Text};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{AuthKeys, SecretKeys};
use crate::reading::{At, Definitions, Given, Here, Read, wrong_type};
use crate::tree::{Node, NodeKind, Scalar};
use rounds_domain::plan::SecretReference;
use serde_json::{Value, json};

/// Where a secret is to be read from.
#[derive(Debug, Clone)]
pub(crate) struct Secret(pub(crate) SecretReference);

/// How to prove who asks: nothing, or one of several keys.
#[derive(Debug, Clone)]
pub(crate) enum Auth {
    None,
    Keys(Box<AuthKeys>),
}

/// The value of a header or the like: literal, or a secret.
#[derive(Debug, Clone)]
pub(crate) enum HeaderValueSource {
    Literal(Scalar),
    Secret(SecretReference),
}

const MEND: &str = "put it into an environment variable and write `{ env: NAME }`, or `{ file: /path }`, or `{ command: [program, argument] }`";

impl Read for Secret {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Scalar(scalar) if !node.is_null() => {
                findings
                    .error(codes::LITERAL_SECRET, scalar.place, "a secret in the file")
                    .expected("expected a reference to it")
                    .help(MEND)
                    .help("and change the secret if others could read this file")
                    .conceal(scalar.place);
                None
            }
            NodeKind::Mapping(_) => {
                let keys = SecretKeys::read(node, findings)?;
                reference(&keys, findings).map(Self)
            }
            _ => {
                wrong_type(
                    node,
                    findings,
                    "a secret's reference: `{ env: NAME }`, `{ file: /path }` or `{ command: [...] }`",
                );
                None
            }
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        SecretKeys::schema(definitions)
    }
}

fn reference(keys: &SecretKeys, findings: &mut Findings<'_>) -> Option<SecretReference> {
    match (keys.env.here(), keys.file.here(), keys.command.here()) {
        (Some(env), None, None) => environment(env, findings),
        (None, Some(file), None) => {
            if file.value.0.text.is_empty() {
                findings.error(codes::BAD_SECRET, file.place, "an empty path");
                return None;
            }
            let path = findings
                .sources
                .path_beside(file.place.file, &file.value.0.text);
            Some(SecretReference::File(path))
        }
        (None, None, Some(command)) => {
            let words: Vec<String> = command
                .value
                .0
                .iter()
                .map(|word| word.value.clone())
                .collect();
            if words.first().is_none_or(String::is_empty) {
                findings
                    .error(
                        codes::BAD_SECRET,
                        command.place,
                        "a command without a program",
                    )
                    .expected("expected `[program, argument, ...]`");
                return None;
            }
            Some(SecretReference::Command(words))
        }
        // None or several: reported by the keys' own rule, or wrong and reported.
        _ => None,
    }
}

fn environment(
    env: &Here<EnvironmentName>,
    findings: &mut Findings<'_>,
) -> Option<SecretReference> {
    let name = env.value.0.text.as_str();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(|c: char| fits(c) && !c.is_ascii_digit()) && name.chars().all(fits) {
        return Some(SecretReference::Environment(name.to_owned()));
    }
    let inner = name
        .strip_prefix('$')
        .map(|rest| rest.trim_matches(['{', '}']));
    let mend = inner
        .filter(|inner| !inner.is_empty() && inner.chars().all(fits))
        .map(str::to_owned);
    let diagnostic = findings.error(
        codes::BAD_SECRET,
        env.place,
        "no name of an environment variable",
    );
    diagnostic.expected("expected letters, digits and `_`, such as `FAKEDATA_TOKEN`");
    match mend {
        Some(mend) => diagnostic.help(format!("did you mean `{mend}`?")),
        // It may be the secret itself.
        None => diagnostic.help(MEND).conceal(env.place),
    };
    None
}

/// What should be the name of an environment variable, and may be the secret itself: no message repeats it.
#[derive(Debug, Clone)]
pub(crate) struct EnvironmentName(pub(crate) Scalar);

impl Read for EnvironmentName {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        LiteralText::read(node, findings).map(|literal| Self(literal.0))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" })
    }
}

/// A program and its arguments: a list, or a text that is split as a shell would, without one.
#[derive(Debug, Clone)]
pub(crate) struct Command(pub(crate) Vec<At<String>>);

impl Read for Command {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        if let NodeKind::Sequence(_) = node.kind {
            let Many(words) = Many::<LiteralText>::read(node, findings)?;
            let words = words.into_iter().map(|word| At {
                place: word.place,
                value: word.value.0.text,
            });
            return Some(Self(words.collect()));
        }
        let text = Text::read(node, findings)?.0;
        if let Some(words) = split(&text.text) {
            let words = words.into_iter().map(|value| At {
                place: text.place,
                value,
            });
            Some(Self(words.collect()))
        } else {
            findings
                .error(
                    codes::BAD_SECRET,
                    text.place,
                    "a quote in the command that is not closed",
                )
                .help("a list needs no quotes: `[program, argument, ...]`");
            None
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": ["string", "number", "boolean"] }, "minItems": 1 }] })
    }
}

/// Words between blanks; quotes hold words together, a backslash takes the next character as it is (not between single
/// quotes). Nothing else means anything.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (None, ' ' | '\t' | '\n') => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(characters.next()?),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

impl Read for Auth {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Scalar(scalar) if scalar.text == "none" => Some(Self::None),
            NodeKind::Scalar(scalar) if !node.is_null() => {
                // Someone may have written the token here.
                let place = scalar.place;
                wrong_type(
                    node,
                    findings,
                    "`none`, or one of `bearer`, `basic`, `header`, `query`, `oauth2`, `smart_backend`, `login`",
                );
                findings.amend_last(|diagnostic| {
                    diagnostic
                        .help("for example `auth: { bearer: { env: FAKEDATA_TOKEN } }`")
                        .conceal(place);
                });
                None
            }
            _ => AuthKeys::read(node, findings).map(|keys| Self::Keys(Box::new(keys))),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [{ "const": "none" }, AuthKeys::schema(definitions)] })
    }
}

impl Read for HeaderValueSource {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Mapping(_) => {
                Secret::read(node, findings).map(|secret| Self::Secret(secret.0))
            }
            _ => LiteralText::read(node, findings).map(|literal| Self::Literal(literal.0)),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [LiteralText::schema(definitions), Secret::schema(definitions)] })
    }
}

impl Given<Secret> {
    pub(crate) fn reference(&self) -> Option<SecretReference> {
        self.value().map(|secret| secret.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_command_is_split_without_a_shell() {
        let words = |text| split(text).map(|words| words.join("|"));
        assert_eq!(
            words("pass show 'my ehr'/token").as_deref(),
            Some("pass|show|my ehr/token")
        );
        assert_eq!(
            words(r#"a "b \"c" d\ e ''"#).as_deref(),
            Some("a|b \"c|d e|")
        );
        assert_eq!(words("a $(b) | c").as_deref(), Some("a|$(b)|||c"));
        assert_eq!(words("a 'b"), None);
    }
}
