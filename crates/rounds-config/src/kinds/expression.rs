//! jq expressions and templates.

use super::Problem;
use super::text::literal_of;
use crate::codes;
use crate::diagnostic::Findings;
use crate::reading::{Definitions, Read, wrong_type};
use crate::tree::{Node, Scalar, ScalarType};
use rounds_map::{CompileError, EvaluateError, Filter, Json};
use serde_json::{Value, json};

/// The longest expression or template, in bytes.
const MAX_EXPRESSION_BYTES: usize = 64 * 1024;

/// A key whose value is always jq.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) filter: Filter,
}

/// jq that gives true or false; or simply one of them.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) filter: Filter,
}

/// A text that is jq if it begins with `=`, and a literal otherwise.
#[derive(Debug, Clone)]
pub(crate) enum Marked {
    Literal(Scalar),
    Expression(Compiled),
}

/// A compiled expression with the text that it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) filter: Filter,
    pub(crate) scalar: Scalar,
    /// How many bytes of the scalar stand before the expression.
    pub(crate) prefix: usize,
}

/// A text with placeholders. What they may name depends on where it stands, so it is compiled when it is lowered.
#[derive(Debug, Clone)]
pub(crate) struct TemplateText(pub(crate) Scalar);

impl Compiled {
    /// Reports the first of the names that are read and not known here.
    pub(crate) fn check_reads(&self, known: &[&str], findings: &mut Findings<'_>) {
        let unknown = self
            .filter
            .reads()
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()));
        let Some((name, offset)) = unknown else {
            return;
        };
        let place = crate::tree::inside(
            findings.sources,
            &self.scalar,
            self.prefix + offset,
            name.len(),
        );
        let shown = crate::reading::shortened(name);
        findings
            .error(
                codes::UNKNOWN_ROOT,
                place,
                format!("`.{shown}` is not known here"),
            )
            .expected(match known {
                [] => "nothing is known here: it is asked once, for no record".to_owned(),
                _ => format!("expected one of {}", crate::diagnostic::list(known)),
            })
            .nearest(name, known.iter().copied());
    }
}

/// Compiles what stands after `prefix` bytes of the scalar, or reports why not.
pub(crate) fn compile(
    scalar: &Scalar,
    prefix: usize,
    findings: &mut Findings<'_>,
) -> Option<Filter> {
    let text = &scalar.text[prefix..];
    if text.len() > MAX_EXPRESSION_BYTES {
        findings
            .error(
                codes::TOO_LARGE,
                scalar.place,
                "an expression that is too long",
            )
            .expected(format!("at most {MAX_EXPRESSION_BYTES} bytes"));
        return None;
    }
    match Filter::compile(text) {
        Ok(filter) => Some(filter),
        Err(error) => {
            problem(error, prefix).report(
                codes::BAD_EXPRESSION,
                scalar,
                "a jq expression",
                findings,
            );
            None
        }
    }
}

/// An error of a compiler as a problem of the scalar.
pub(crate) fn problem(error: CompileError, prefix: usize) -> Problem {
    let start = prefix + error.offset;
    Problem {
        at: start..start + error.length,
        message: error.message,
        help: error.hint,
    }
}

impl Read for Expression {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        let expected = "a jq expression such as `.id`";
        let scalar = match node.scalar() {
            Some(scalar) if scalar.scalar_type() == ScalarType::Text => scalar.clone(),
            _ => {
                wrong_type(node, findings, expected);
                if matches!(
                    node.kind,
                    crate::tree::NodeKind::Sequence(_) | crate::tree::NodeKind::Mapping(_)
                ) {
                    quote_it(node, findings);
                }
                return None;
            }
        };
        // The mark of bodies does no harm where everything is an expression.
        let prefix = mark_length(&scalar.text);
        let filter = compile(&scalar, prefix, findings)?;
        Some(Self { filter })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string" })
    }
}

impl Read for Condition {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        if let Some(scalar) = node.scalar()
            && let ScalarType::Boolean(_) = scalar.scalar_type()
        {
            return compile(scalar, 0, findings).map(|filter| Self { filter });
        }
        let Expression { filter } = Expression::read(node, findings)?;
        // Of nothing a condition says false; one that says something else says so of many records.
        let nothing = Json::object::<String>([]);
        if let Err(EvaluateError::NoCondition { found }) = filter.holds(&nothing) {
            findings
                .error(
                    codes::BAD_EXPRESSION,
                    node.place,
                    format!("a condition that gives {found}"),
                )
                .expected("expected true or false")
                .help("compare, such as `.status == \"cancelled\"` or `.deletedAt != null`");
            return None;
        }
        Some(Self { filter })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": ["string", "boolean"] })
    }
}

fn quote_it(node: &Node, findings: &mut Findings<'_>) {
    let excerpt = findings.sources.excerpt(node.place);
    if excerpt.starts_with(['[', '{']) {
        let help = "put it into single quotes, or YAML takes the brackets for its own";
        findings.amend_last(|diagnostic| _ = diagnostic.help(help));
    }
}

/// How much of a text is the mark `=` and the space after it.
fn mark_length(text: &str) -> usize {
    match text.strip_prefix('=') {
        Some(rest) => text.len() - rest.trim_start().len(),
        None => 0,
    }
}

impl Marked {
    /// A scalar by the rule of bodies: `=` marks jq, `==` is a literal `=`.
    pub(crate) fn of(scalar: &Scalar, findings: &mut Findings<'_>) -> Option<Self> {
        if scalar.text.starts_with("==") {
            let mut literal = scalar.clone();
            literal.text.remove(0);
            return Some(Self::Literal(literal));
        }
        if !scalar.text.starts_with('=') {
            return Some(Self::Literal(scalar.clone()));
        }
        let prefix = mark_length(&scalar.text);
        let filter = compile(scalar, prefix, findings)?;
        Some(Self::Expression(Compiled {
            filter,
            scalar: scalar.clone(),
            prefix,
        }))
    }
}

impl Read for Marked {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        match node.scalar() {
            Some(scalar) if scalar.scalar_type() == ScalarType::Text => Self::of(scalar, findings),
            _ => {
                wrong_type(node, findings, "a word, or a jq expression marked with `=`");
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string" })
    }
}

impl Read for TemplateText {
    fn read(node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        if let crate::tree::NodeKind::Mapping(_) = node.kind
            && findings.sources.excerpt(node.place).starts_with("{{")
        {
            // The key that is no text was reported where the tree was built, with the mend.
            return None;
        }
        let scalar = literal_of(node, findings)?;
        if scalar.text.len() > MAX_EXPRESSION_BYTES {
            findings
                .error(
                    codes::TOO_LARGE,
                    scalar.place,
                    "a template that is too long",
                )
                .expected(format!("at most {MAX_EXPRESSION_BYTES} bytes"));
            return None;
        }
        Some(Self(scalar))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": ["string", "number", "boolean"] })
    }
}
