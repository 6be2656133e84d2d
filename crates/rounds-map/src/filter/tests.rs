//! What the language gives, and that nothing gets out of its bounds. Run on ordinary test threads of 2 MiB, on purpose.

use super::*;
use pretty::{gives, outcome};

mod pretty {
    use super::*;

    /// All outputs as JSON texts, or the error as it is shown.
    pub(super) fn outcome(text: &str, input: &str) -> Result<String, String> {
        let filter = Filter::compile(text).map_err(|e| format!("{}..{}: {e}", e.offset, e.offset + e.length))?;
        let input = Json::parse(input.as_bytes()).map_err(|e| e.to_string())?;
        let outputs = filter.all(&input).map_err(|e| e.to_string())?;
        let outputs: Vec<_> = outputs.iter().map(|o| String::from_utf8_lossy(&o.to_bytes()).into_owned()).collect();
        Ok(outputs.join(" "))
    }

    #[track_caller]
    pub(super) fn gives(text: &str, input: &str, expected: &str) {
        assert_eq!(outcome(text, input).as_deref(), Ok(expected), "{text}");
    }
}

fn stopped(text: &str) -> EvaluateError {
    let filter = Filter::compile(text).unwrap_or_else(|e| panic!("`{text}` does not compile: {e}"));
    match filter.all(&Json::null()) {
        Ok(outputs) => panic!("`{text}` was not stopped and gave {} values", outputs.len()),
        Err(error) => error,
    }
}

fn is_a_bound(error: &EvaluateError) -> bool {
    matches!(error, EvaluateError::TooLarge { .. } | EvaluateError::OutOfFuel { .. } | EvaluateError::TooDeep)
}

#[test]
fn the_language_is_jq() {
    gives(".a.b", r#"{"a":{"b":1}}"#, "1");
    gives(".[] | .x // \"none\"", r#"[{"x":1},{"x":null},{}]"#, r#"1 "none" "none""#);
    gives("[.[] | select(.on) | .id]", r#"[{"on":true,"id":1},{"on":false,"id":2}]"#, "[1]");
    gives("{id, n: .name, (.k): 1}", r#"{"id":7,"name":"x","k":"q"}"#, r#"{"id":7,"n":"x","q":1}"#);
    gives("\"\\(.a)-\\(.b)\"", r#"{"a":1.10,"b":"x"}"#, r#""1.10-x""#);
    gives(".a += 1 | .b *= 3 | .c //= 9 | .d |= . + \"!\"", r#"{"a":1,"b":2,"d":"d"}"#, r#"{"a":2,"b":6,"d":"d!","c":9}"#);
    gives("[..]", r#"[1,[2]]"#, "[[1,[2]],1,[2],2]");
    gives("[.. | numbers]", r#"{"a":1,"b":[2,{"c":3}]}"#, "[1,2,3]");
    gives("(.. | strings) |= ascii_upcase", r#"{"a":"x","b":["y",1]}"#, r#"{"a":"X","b":["Y",1]}"#);
    gives("walk(if type == \"number\" then . + 1 else . end)", "[1,[2]]", "[2,[3]]");
    gives("[paths]", r#"{"a":[1]}"#, r#"[["a"],["a",0]]"#);
    gives("[path(..)]", r#"{"a":[1]}"#, r#"[[],["a"],["a",0]]"#);
    gives("to_entries | from_entries", r#"{"b":1,"a":2}"#, r#"{"b":1,"a":2}"#);
    gives("with_entries(.value += 1)", r#"{"b":1,"a":2}"#, r#"{"b":2,"a":3}"#);
    gives("group_by(.k) | map(length)", r#"[{"k":1},{"k":2},{"k":1}]"#, "[2,1]");
    gives("split(\",\") | join(\";\")", r#""a,b,c""#, r#""a;b;c""#);
    gives("gsub(\"-\"; \"\")", r#""1-2-3""#, r#""123""#);
    gives("[range(3)], [range(5; 0; -2)], [range(0; 1; 0.5)]", "null", "[0,1,2] [5,3,1] [0,0.5]");
    gives("[limit(3; repeat(1))], [recurse(if . < 3 then . + 1 else empty end)]", "0", "[1,1,1] [0,1,2,3]");
    gives("[while(. < 4; . + 1)], until(. > 3; . + 1)", "1", "[1,2,3] 4");
    gives("reduce .[] as [$a, $b] (0; . + $a * $b)", "[[1,2],[3,4]]", "14");
    gives("def double: . * 2; map(double)", "[1,2]", "[2,4]");
    gives("def sum($n): if $n == 0 then 0 else $n + sum($n - 1) end; sum(10)", "null", "55");
    gives("label $out | .[] | if . == 2 then ., break $out else . end", "[1,2,3]", "1 2");
    gives("try error(\"x\") catch .", "null", r#""x""#);
    gives("\"abc\" * 2, {a:{b:1}} * {a:{c:2}}", "null", r#""abcabc" {"a":{"b":1,"c":2}}"#);
    gives("tonumber, (\"007\" | tonumber), (\"12.50\" | tonumber)", "\"5\"", "5 7 12.50");
    gives("fromjson, (tojson | fromjson)", r#""{\"a\":1.10}""#, r#"{"a":1.10} "{\"a\":1.10}""#);
    gives("@base64, @uri, (@base64 | @base64d)", "\"a b\"", r#""YSBi" "a%20b" "a b""#);
    gives("\"2022-05-10T10:00:00Z\" | fromdate | todate", "null", r#""2022-05-10T10:00:00Z""#);
    gives("[splits(\", *\")], test(\"B\"; \"i\"), [scan(\"[a-z]\")]", "\"a, b\"", r#"["a","b"] true ["a","b"]"#);
    gives("min_by(.a), (map(.a) | add, any(. > 1), max)", r#"[{"a":2},{"a":1}]"#, r#"{"a":1} 3 true 2"#);
    gives("del(.a, .b[0])", r#"{"a":1,"b":[1,2]}"#, r#"{"b":[2]}"#);
    gives("flatten, transpose, (.[0] | combinations)", "[[[1,2],[3]]]", "[1,2,3] [[[1,2]],[[3]]] [1,3] [2,3]");
    gives(".[1:], .[-1:], first, last, nth(1), index(2)", "[1,2,3]", "[2,3] [3] 1 3 2 1");
}

#[test]
fn numbers_survive() {
    let exact = "[12345678901234567890123,9007199254740993,1.10,1E400,-0,0.1]";
    gives(".", exact, exact);
    gives(".[]|{n:.}|.n", "[9007199254740993,1.10]", "9007199254740993 1.10");
    gives(".[0] + 1", "[9007199254740993]", "9007199254740994");
    // Computed: as jq writes them.
    gives("60 / 2, 1 / 4, \"\\(90 / 2) min\", (2.5 | ceil), 2 * 1.5", "null", r#"30 0.25 "45 min" 3 3"#);
}

#[test]
fn what_is_not_json_does_not_come_out() {
    assert_eq!(outcome("nan", "null").unwrap_err(), "the expression failed: the result holds a number that JSON has not");
    assert_eq!(outcome("[infinite]", "null").unwrap_err(), "the expression failed: the result holds a number that JSON has not");
    assert_eq!(outcome("{(1): 2}", "null").unwrap_err(), "the expression failed: the result holds an object whose key is not a string");
    assert_eq!(outcome("\"/w==\" | @base64d", "null").unwrap_err(), "the expression failed: the result holds text that is not UTF-8");
    assert_eq!(outcome("\"a\" | tobytes", "null").unwrap_err(), "the expression failed: the result holds bytes that are not text");
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
        assert_eq!(stopped(text), EvaluateError::OutOfFuel { steps: 1_000_000 }, "{text}");
    }
}

#[test]
fn deep_recursion_is_stopped_before_the_stack_ends() {
    for text in ["def f: 1 + f; f", "def f: [f]; f", "def f: f | f; f", "def f: {a: f}; f", "def f: try f catch 1 | 1; f"] {
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
        "reduce range(300000) as $i (.; setpath([\"a\"]; .))",
        "[range(300000) | \"a\"] as $p | setpath($p; 1)",
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
        let begun = std::time::Instant::now();
        let error = stopped(text);
        eprintln!("TIMING {:?} {text}", begun.elapsed());
        assert!(is_a_bound(&error), "{text}: {error:?}");
    }
}

#[test]
fn the_output_is_bounded() {
    let limits = Limits { output_bytes: 100, ..Limits::default() };
    let filter = Filter::compile("\"x\" * 200").expect("compiles").with_limits(limits);
    assert_eq!(filter.all(&Json::null()), Err(EvaluateError::TooLarge { limit_bytes: 100 }));
    let filter = Filter::compile("range(1000)").expect("compiles").with_limits(limits);
    assert_eq!(filter.all(&Json::null()), Err(EvaluateError::TooLarge { limit_bytes: 100 }));
}

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
        assert_eq!(error.message, format!("undefined function `{name}`"), "{text}");
        assert_eq!(&text[error.offset..error.offset + error.length], name, "{text}");
    }
    assert_eq!(outcome("$ENV.HOME", "null").unwrap_err(), "0..4: undefined variable `$ENV`");
    assert!(outcome("include \"x\"; .", "null").is_err());
    assert!(outcome("import \"x\" as x; .", "null").is_err());
}

#[test]
fn what_does_not_compile_says_where_and_how_to_mend_it() {
    let said = |text: &str| {
        let e = Filter::compile(text).expect_err(text);
        let place = text.get(e.offset..e.offset + e.length).expect("within the text");
        format!("{}@{}`{}`: {} ({})", text, e.offset, place, e.message, e.hint.unwrap_or_default())
    };
    let all = [
        "", ".a | frist(.b)", "record.id", "(.a | .b", "[.a", "{a: 1", "\"abc", ".a)", "'x'", ".a && .b", ".a | ",
        "if .a then 1", "\"\\q\"", "$x", "first(1; 2)", "map", "nowhere_near", ".a as x | x",
        "def f(g): f(g | .); f(.)", "break $x", "a::b", "1 2",
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
        (".name[]", "cannot use a string as iterable (array or object)"),
        (".name + .list", "cannot calculate with a string and an array"),
        (". - .name", "cannot calculate with an object and a string"),
        ("-.name", "cannot use a string as number"),
        (".flag | length", "a boolean has no length"),
        (".name | tonumber", "cannot parse as number"),
        (".name | fromjson", "cannot parse as JSON"),
        (".name | strptime(\"%Y\")", "the text is no time of this format"),
        (".name | test(\"(\")", "invalid regular expression"),
        (".name | fromdate", "an error was raised whose words may hold values of the record, so they are not shown"),
        ("error(\"no visit number\")", "no visit number"),
        ("error(.name)", "an error was raised whose words may hold values of the record, so they are not shown"),
        ("error({n: .name})", "an error was raised whose words may hold values of the record, so they are not shown"),
        ("error(\"bad: \\(.name)\")", "an error was raised whose words may hold values of the record, so they are not shown"),
        ("(1, .name) = 2", "this is no path, and cannot be updated"),
        (".list[9] = 1", "an index is out of bounds"),
        ("error", "an error was raised whose words may hold values of the record, so they are not shown"),
        ("try error(.name) catch error(\"known\")", "known"),
    ] {
        let error = outcome(text, input).expect_err(text);
        assert!(!error.contains("Ada") && !error.contains("Lovelace"), "{text}: {error}");
        assert_eq!(error, format!("the expression failed: {expected}"), "{text}");
    }
}

#[test]
fn one_none_and_many() {
    let many = Filter::compile(".[]").expect("compiles");
    let list = |text: &str| Json::parse(text.as_bytes()).expect("is JSON");
    assert_eq!(many.one(&list("[1]")), Ok(Json::integer(1)));
    assert_eq!(many.one(&list("[]")), Err(EvaluateError::Count { count: 0 }));
    assert_eq!(many.one(&list("[1,2,3]")), Err(EvaluateError::Count { count: 2 }));
    assert_eq!(many.optional(&list("[]")), Ok(None));
    assert_eq!(many.optional(&list("[1,2,3]")), Err(EvaluateError::Count { count: 2 }));
    assert_eq!(many.all(&list("[1,2,3]")).map(|all| all.len()), Ok(3));
}

#[test]
fn what_is_plainly_read_is_known() {
    let reads = |text: &str| {
        let filter = Filter::compile(text).expect(text);
        let reads = filter.reads().iter();
        for (name, offset) in reads.clone() {
            assert_eq!(&text[*offset..*offset + name.len()], name, "{text}");
        }
        reads.map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(reads(".record.id"), "record");
    assert_eq!(reads(".record.id + .previous.id"), "record previous");
    assert_eq!(reads(".record | .id"), "record");
    assert_eq!(reads(". | .record"), "record");
    assert_eq!(reads(".record as $r | .patient[$r.id]"), "record patient");
    assert_eq!(reads("{record, n: .patient.name, (.change): 1}"), "record patient change");
    assert_eq!(reads("[.record.list[] | .x]"), "record");
    assert_eq!(reads("if .change == \"deleted\" then .previous else .record end"), "change previous record");
    assert_eq!(reads("\"a \\(.patient.name)\""), "patient");
    assert_eq!(reads("map(.x)"), "");
    assert_eq!(reads("select(.change) | .x"), "change");
    assert_eq!(reads(".[\"record\"].id, .\"patient\""), "record patient");
}

#[test]
fn the_same_text_is_compiled_once() {
    let first = Filter::compile(".shared.text").expect("compiles");
    let second = Filter::compile(".shared.text").expect("compiles");
    assert!(Arc::ptr_eq(&first.program, &second.program));
}

#[test]
fn long_and_deeply_nested_text_does_no_harm() {
    let nested = format!("{}1{}", "(".repeat(8_000), ")".repeat(8_000));
    gives(&nested, "null", "1");
    let chained = format!("1{}", " | .".repeat(4_000));
    assert!(outcome(&chained, "null").is_err() || outcome(&chained, "null") == Ok("1".to_owned()));
    let negated = format!("{}1", "-".repeat(200));
    assert!(Filter::compile(&negated).is_ok() || Filter::compile(&negated).is_err());
    assert!(Filter::compile(&" ".repeat(20_000)).is_err());
    let filters = fn_is_send_sync::<Filter>;
    filters();
}

fn fn_is_send_sync<T: Send + Sync>() {}
