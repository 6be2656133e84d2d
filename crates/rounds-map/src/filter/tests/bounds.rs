//! That nothing gets out of its bounds.

use super::*;

fn stopped(text: &str) -> EvaluateError {
    stopped_within(text, Limits::default())
}

fn stopped_within(text: &str, limits: Limits) -> EvaluateError {
    let filter = Filter::compile(text).unwrap_or_else(|e| panic!("`{text}` does not compile: {e}"));
    match filter.with_limits(limits).all(&Json::null()) {
        Ok(outputs) => panic!("`{text}` was not stopped and gave {} values", outputs.len()),
        Err(error) => error,
    }
}

fn is_a_bound(error: &EvaluateError) -> bool {
    matches!(
        error,
        EvaluateError::TooLarge { .. } | EvaluateError::OutOfFuel { .. } | EvaluateError::TooDeep
    )
}

#[test]
fn runaways_are_stopped() {
    for text in [
        "def f: f; f",
        "def f: f, f; f",
        "last(repeat(1))",
        "until(false; .)",
        "[while(true; .)]",
        "[recurse(.)]",
        "[limit(1e9; repeat(1))]",
        "[range(1e12)]",
        "[range(0; 1; 0)]",
        "last(range(1e12))",
        "first(range(1e12) | select(. < 0))",
        "reduce range(1e12) as $i (0; . + 1)",
        "[foreach range(1e12) as $i (0; . + 1)]",
        "isempty(range(1e12) | empty)",
        "skip(1e12; repeat(1))",
        "[[range(200)] | ., ., ., . | .[]] | [combinations(4)]",
        "try (def f: f; f) catch 1",
        "try last(repeat(1)) catch 1",
        "(def f: f; f)?",
        "[.[]?] | last(label $out | repeat(1))",
    ] {
        assert_eq!(
            stopped(text),
            EvaluateError::OutOfFuel { steps: 1_000_000 },
            "{text}"
        );
    }
}

#[test]
fn deep_recursion_is_stopped_before_the_stack_ends() {
    for text in [
        "def f: 1 + f; f",
        "def f: [f]; f",
        "def f: f | f; f",
        "def f: {a: f}; f",
        "def f: try f catch 1 | 1; f",
    ] {
        assert_eq!(stopped(text), EvaluateError::TooDeep, "{text}");
    }
    // Depth of values and of paths takes no stack to build, and all of it to drop.
    for text in [
        "reduce range(300000) as $i (.; [.])",
        "reduce range(300000) as $i (.; {a: .})",
        "reduce range(300000) as $i (.; . as $x | {} | .a = $x)",
        "reduce range(300000) as $i ([1]; [group_by(.)])",
        "path(last(limit(300000; recurse(.a))))",
        "path(def f: .a | f; f)",
        "last(path(until(false; .a)))",
        "last(path(repeat(.a) | recurse(.b)))",
        "reduce range(300000) as $i (.; . as $x | {} | setpath([\"a\"]; $x))",
        "[range(300000) | \"a\"] as $p | path(getpath($p))",
        "path(reduce range(300000) as $i (.; .a))",
        "last(path(foreach range(300000) as $i (.; .a)))",
    ] {
        let error = stopped(text);
        assert!(is_a_bound(&error), "{text}: {error:?}");
    }
}

#[test]
fn growing_without_steps_is_stopped() {
    for text in [
        "\"x\" * 10000000000",
        "10000000000000000000000 * \"x\"",
        "reduce range(60) as $i (\"x\"; . + .)",
        "reduce range(60) as $i (\"x\"; \"\\(.)\\(.)\")",
        "reduce range(60) as $i ([1]; . + .)",
        "reduce range(60) as $i ([1]; [.[], .[]])",
        "reduce range(60) as $i (1; [., .])",
        "reduce range(60) as $i (1; {a: ., b: .})",
        "reduce range(60) as $i ([1]; . += .)",
        "reduce range(60) as $i (\"x\"; . *= 2)",
        "reduce range(99) as $i (2; . * .)",
        "reduce range(99) as $i (\"'x\"; @sh)",
        "reduce range(99) as $i (\"x\"; @base64)",
        "reduce range(99) as $i (\"\\\"\"; tojson)",
        "reduce range(99) as $i (\"x\"; @json \"\\(.)\\(.)\")",
        "reduce range(60) as $i (\"x\"; [., .] | join(\"\"))",
        "reduce range(60) as $i (\"x\"; [., .] | add)",
        "reduce range(60) as $i (\"x\"; gsub(\"x\"; \"xx\"))",
        "[range(100000) | \"x\" * 100000]",
        "(\"x\" * 9000000) | explode | map([., ., .])",
        "(\"x,\" * 9000000) / \",\" | length",
    ] {
        // Sixteen times less memory than usual, because this is built without optimization.
        let limits = Limits {
            memory_bytes: 4 << 20,
            ..Limits::default()
        };
        let error = stopped_within(text, limits);
        assert!(is_a_bound(&error), "{text}: {error:?}");
    }
}

#[test]
fn the_output_is_bounded() {
    let limits = Limits {
        output_bytes: 100,
        ..Limits::default()
    };
    let filter = Filter::compile("\"x\" * 200")
        .expect("compiles")
        .with_limits(limits);
    assert_eq!(
        filter.all(&Json::null()),
        Err(EvaluateError::TooLarge { limit_bytes: 100 })
    );
    let filter = Filter::compile("range(1000)")
        .expect("compiles")
        .with_limits(limits);
    assert_eq!(
        filter.all(&Json::null()),
        Err(EvaluateError::TooLarge { limit_bytes: 100 })
    );
}

#[test]
fn long_and_deeply_nested_text_does_no_harm() {
    let nested = format!("{}1{}", "(".repeat(8_000), ")".repeat(8_000));
    gives(&nested, "null", "1");
    let chained = format!("1{}", " | .".repeat(4_000));
    assert!(outcome(&chained, "null").is_err() || outcome(&chained, "null") == Ok("1".to_owned()));
    let path = |parts: usize| format!(".{}", "a.".repeat(parts).trim_end_matches('.'));
    gives(&path(200), "null", "null");
    assert!(Filter::compile(&path(201)).is_err() && Filter::compile(&path(8_000)).is_err());
    gives(&format!("path({}) | length", path(200)), "null", "200");
    assert!(outcome(&format!(".{}", "[]?".repeat(200)), "[]").is_ok());
    // Many short paths after each other, many alternatives, many members, many conditions.
    let many = |piece: &str, separator: &str| vec![piece; 2_000].join(separator);
    for text in [
        many(".a", " | "),
        format!("path({})", many(".a", " | ")),
        format!("({}) |= 1", many(".a", " | ")),
        many(".a", " // "),
        many(".a", ", "),
        many("1", " + "),
        many(". as $x", " | ") + " | 1",
        format!("{{{}}}", many("a: 1", ", ")),
        format!("[{}]", many("1", ", ")),
        many("if .", " then ") + " then 1 " + &"end ".repeat(2_000),
        many("try", " ") + " error",
        format!("\"{}\"", many("\\(1)", "")),
        many("-", "") + "1",
    ] {
        // Whatever becomes of it: a stack overflow would end the process, and this test with it.
        drop(Filter::compile(&text).map(|filter| filter.all(&Json::object::<&str>([]))));
    }
    assert!(Filter::compile(&" ".repeat(20_000)).is_err());
}
