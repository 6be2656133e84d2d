//! What the YAML parser says, said so that a person can mend it.

/// The parser's words in plainer ones, and a mend where one is likely.
pub(super) fn explain(
    info: &str,
    next: Option<char>,
    text: &str,
    at: usize,
) -> (String, Option<String>) {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let has = |piece: &str| info.contains(piece);
    let (message, help) = if has("tab") || text[line_start..at].contains('\t') || next == Some('\t')
    {
        ("a tab in the indentation", Some("indent with spaces"))
    } else if has("expected ',' or") {
        (
            "something between brackets that is neither a `,` nor the end",
            Some("put a value with brackets, braces or `,` in it into quotes"),
        )
    } else if has("illegal placement of ':'") {
        (
            "a key where a list or mapping in brackets goes on",
            Some("close the bracket first"),
        )
    } else if has("indentation in quoted scalar") {
        (
            "a quote that is not closed",
            Some("close it with the same quote; further lines of a quoted value are indented"),
        )
    } else if has("unknown anchor") {
        (
            "an alias",
            Some("anchors and aliases are not used here: write the value out"),
        )
    } else if has("mapping values are not allowed") {
        (
            "a `:` where no key can stand",
            Some(
                "put the value into quotes if the `:` belongs to it; otherwise see whether the line is indented like its neighbours",
            ),
        )
    } else if has("quoted scalar") && has("end of stream") {
        (
            "a quote that is not closed",
            Some("close it with the same quote"),
        )
    } else if has("after double-quoted scalar") || has("trailing content") {
        (
            "text after the closing quote",
            Some("put the whole value into quotes; inside single quotes a quote is written twice"),
        )
    } else if has("unexpected character") {
        (
            "a character that no plain value can begin with",
            Some("put the value into quotes"),
        )
    } else if has("escape") {
        (
            "an escape sequence that YAML does not know",
            Some("write `\\\\` for a backslash, or use single quotes"),
        )
    } else if has("'-' indicator") || has("block collection") {
        (
            "a key among the items of a list, or an item with another indentation",
            Some("begin all items with `-` in the same column"),
        )
    } else if has("block mapping") || has("expected key") {
        (
            "no key where one is needed",
            Some("see whether the line is indented like its neighbours"),
        )
    } else if has("recursion") || has("depth") {
        ("mappings and lists nest too deeply", None)
    } else {
        return (format!("not YAML: {info}"), None);
    };
    (message.to_owned(), help.map(str::to_owned))
}
