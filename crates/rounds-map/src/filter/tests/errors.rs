//! What is said when something is wrong.

use super::*;

#[test]
fn nothing_outside_can_be_reached() {
    for (text, name) in [
        ("halt", "halt"),
        ("1 | halt_error", "halt_error"),
        ("halt(3)", "halt"),
        ("env", "env"),
        ("env.HOME", "env"),
        ("input", "input"),
        ("[inputs]", "inputs"),
        ("debug", "debug"),
        ("stderr", "stderr"),
        ("now", "now"),
        ("localtime", "localtime"),
        ("strflocaltime(\"%Y\")", "strflocaltime"),
        ("__halt", "__halt"),
        ("__build", "__build"),
        ("debug_empty", "debug_empty"),
    ] {
        let error = Filter::compile(text).expect_err(text);
        assert_eq!(
            error.message,
            format!("undefined function `{name}`"),
            "{text}"
        );
        assert_eq!(
            &text[error.offset..error.offset + error.length],
            name,
            "{text}"
        );
    }
    assert_eq!(
        outcome("$ENV.HOME", "null").unwrap_err(),
        "0..4: undefined variable `$ENV`"
    );
    assert!(outcome("include \"x\"; .", "null").is_err());
    assert!(outcome("import \"x\" as x; .", "null").is_err());
}

#[test]
fn what_does_not_compile_says_where_and_how_to_mend_it() {
    let said = |text: &str| {
        let e = Filter::compile(text).expect_err(text);
        let place = text
            .get(e.offset..e.offset + e.length)
            .expect("within the text");
        format!(
            "{}@{}`{}`: {} ({})",
            text,
            e.offset,
            place,
            e.message,
            e.hint.unwrap_or_default()
        )
    };
    let all = [
        "",
        ".a | frist(.b)",
        "record.id",
        "(.a | .b",
        "[.a",
        "{a: 1",
        "\"abc",
        ".a)",
        "'x'",
        ".a && .b",
        ".a | ",
        "if .a then 1",
        "\"\\q\"",
        "$x",
        "first(1; 2)",
        "map",
        "nowhere_near",
        ".a as x | x",
        "def f(g): f(g | .); f(.)",
        "break $x",
        "a::b",
        "1 2",
    ];
    let all: Vec<String> = all.into_iter().map(said).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn errors_hold_no_value_of_the_record() {
    let input = r#"{"name":"Ada Lovelace","list":[1,2],"flag":true,"n":5,"none":null}"#;
    for (text, expected) in [
        (".name.id", "cannot index a string with a string"),
        (".list.id", "cannot index an array with a string"),
        (".n[0]", "cannot index a number with a number"),
        (
            ".name[]",
            "cannot use a string as iterable (array or object)",
        ),
        (
            ".name + .list",
            "cannot calculate with a string and an array",
        ),
        (". - .name", "cannot calculate with an object and a string"),
        ("-.name", "cannot use a string as number"),
        (".flag | length", "a boolean has no length"),
        (".name | tonumber", "cannot parse as number"),
        (".name | fromjson", "cannot parse as JSON"),
        (
            ".name | strptime(\"%Y\")",
            "the text is no time of this format",
        ),
        (".name | test(\"(\")", "invalid regular expression"),
        (
            ".name | fromdate",
            "an error was raised whose words may hold values of the record, so they are not shown",
        ),
        ("error(\"no visit number\")", "no visit number"),
        (
            "error(.name)",
            "an error was raised whose words may hold values of the record, so they are not shown",
        ),
        (
            "error({n: .name})",
            "an error was raised whose words may hold values of the record, so they are not shown",
        ),
        (
            "error(\"bad: \\(.name)\")",
            "an error was raised whose words may hold values of the record, so they are not shown",
        ),
        ("(1, .name) = 2", "this is no path, and cannot be updated"),
        (".list[9] = 1", "an index is out of bounds"),
        (
            "error",
            "an error was raised whose words may hold values of the record, so they are not shown",
        ),
        ("try error(.name) catch error(\"known\")", "known"),
    ] {
        let error = outcome(text, input).expect_err(text);
        assert!(
            !error.contains("Ada") && !error.contains("Lovelace"),
            "{text}: {error}"
        );
        assert_eq!(
            error,
            format!("the expression failed: {expected}"),
            "{text}"
        );
    }
}
