//! What the language gives.

use super::*;

#[test]
fn the_language_is_jq() {
    gives(".a.b", r#"{"a":{"b":1}}"#, "1");
    gives(
        ".[] | .x // \"none\"",
        r#"[{"x":1},{"x":null},{}]"#,
        r#"1 "none" "none""#,
    );
    gives(
        "[.[] | select(.on) | .id]",
        r#"[{"on":true,"id":1},{"on":false,"id":2}]"#,
        "[1]",
    );
    gives(
        "{id, n: .name, (.k): 1}",
        r#"{"id":7,"name":"x","k":"q"}"#,
        r#"{"id":7,"n":"x","q":1}"#,
    );
    gives("\"\\(.a)-\\(.b)\"", r#"{"a":1.10,"b":"x"}"#, r#""1.10-x""#);
    gives(
        ".a += 1 | .b *= 3 | .c //= 9 | .d |= . + \"!\"",
        r#"{"a":1,"b":2,"d":"d"}"#,
        r#"{"a":2,"b":6,"d":"d!","c":9}"#,
    );
    gives("[..]", "[1,[2]]", "[[1,[2]],1,[2],2]");
    gives("[.. | numbers]", r#"{"a":1,"b":[2,{"c":3}]}"#, "[1,2,3]");
    gives(
        "(.. | strings) |= ascii_upcase",
        r#"{"a":"x","b":["y",1]}"#,
        r#"{"a":"X","b":["Y",1]}"#,
    );
    gives(
        "walk(if type == \"number\" then . + 1 else . end)",
        "[1,[2]]",
        "[2,[3]]",
    );
    gives("[paths]", r#"{"a":[1]}"#, r#"[["a"],["a",0]]"#);
    gives("[path(..)]", r#"{"a":[1]}"#, r#"[[],["a"],["a",0]]"#);
    gives(
        "to_entries | from_entries",
        r#"{"b":1,"a":2}"#,
        r#"{"b":1,"a":2}"#,
    );
    gives(
        "with_entries(.value += 1)",
        r#"{"b":1,"a":2}"#,
        r#"{"b":2,"a":3}"#,
    );
    gives(
        "group_by(.k) | map(length)",
        r#"[{"k":1},{"k":2},{"k":1}]"#,
        "[2,1]",
    );
    gives("split(\",\") | join(\";\")", r#""a,b,c""#, r#""a;b;c""#);
    gives("gsub(\"-\"; \"\")", r#""1-2-3""#, r#""123""#);
    gives(
        "[range(3)], [range(5; 0; -2)], [range(0; 1; 0.5)]",
        "null",
        "[0,1,2] [5,3,1] [0,0.5]",
    );
    gives(
        "[limit(3; repeat(1))], [recurse(if . < 3 then . + 1 else empty end)]",
        "0",
        "[1,1,1] [0,1,2,3]",
    );
    gives(
        "[while(. < 4; . + 1)], until(. > 3; . + 1)",
        "1",
        "[1,2,3] 4",
    );
}

#[test]
fn what_ehrs_need_again_and_again_is_there() {
    gives(
        "map(many)",
        "[null,[],[1],1,{\"a\":null}]",
        r#"[[],[],[1],[1],[{"a":null}]]"#,
    );
    gives(
        "[fhir_matches.id]",
        r#"{"entry":[
            {"resource":{"id":1},"search":{"mode":"match"}},
            {"resource":{"id":2},"search":{"mode":"include"}},
            {"resource":{"id":3}},
            {"resource":{"resourceType":"OperationOutcome","id":4},"search":{"mode":"outcome"}},
            {"resource":{"resourceType":"OperationOutcome","id":5}},
            {"search":{"mode":"match"}}
        ]}"#,
        "[1,3]",
    );
    gives("[fhir_matches]", "{\"total\":0}", "[]");
    gives(
        r#"fhir_reference("Patient"), fhir_reference("Location"), fhir_reference("Slot"), fhir_references("Practitioner"), fhir_reference("Practitioner"; "PPRF")"#,
        r#"{"resourceType":"Appointment",
            "contained":[{"resourceType":"Person","id":"x","link":[{"target":{"reference":"Patient/c"}}]}],
            "extension":[{"url":"u","valueReference":{"reference":"Patient/e"}}],
            "supportingInformation":[{"reference":"Patient/s"}],
            "participant":[{"actor":{"reference":"https://a/r4/Location/l1/_history/2"}},{"actor":{"reference":"Patient/p1/_history/3"}},
              {"actor":{"reference":"Practitioner/d1"}},{"type":[{"coding":[{"code":"PPRF"}]}],"actor":{"reference":"Practitioner/d2"}}]}"#,
        r#""p1" "https://a/r4/Location/l1" null ["d1","d2"] "d2""#,
    );
    // Nobody is guessed: of two patients none is the first, and one that is contained has no address.
    for record in [
        r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/p1"}},{"actor":{"reference":"Patient/p2"}}]}"#,
        r##"{"resourceType":"Appointment","contained":[{"resourceType":"Patient","id":"p"}],"participant":[{"actor":{"reference":"#p"}}]}"##,
        r##"{"reference":"#p"}"##,
    ] {
        gives(
            r#"try fhir_reference("Patient") catch "said""#,
            record,
            r#""said""#,
        );
    }
    gives(
        r#"fhir_reference("Patient")"#,
        r#"{"resourceType":"Observation","subject":{"reference":"Patient/p1"},"focus":[{"reference":"Patient/p2"}]}"#,
        r#""p1""#,
    );
    gives(
        "fhir_history",
        r#"{"entry":[
            {"request":{"method":"DELETE","url":"Patient/7/_history/3"},"response":{"etag":"W/\"3\"","lastModified":"2026-05-01T10:00:00Z"}},
            {"request":{"method":"PUT","url":"Patient/8"},"resource":{"resourceType":"Patient","id":"8"}},
            {"resource":{"id":"no history"}}
        ]}"#,
        r#"{"resourceType":"Patient","id":"7","deleted":true,"meta":{"versionId":"3","lastUpdated":"2026-05-01T10:00:00Z"}} {"resourceType":"Patient","id":"8"}"#,
    );
}

#[test]
fn what_readers_of_fhir_need_is_there() {
    gives(
        "[.[] | fhir_id]",
        r#"["Patient/7","https://a/r4/Patient/8/_history/2","9",null]"#,
        r#"["7","8","9",null]"#,
    );
    gives(
        "[.[] | fhir_used | .family]",
        r#"[[{"use":"old","family":"a"},{"family":"b"},{"use":"official","family":"c"}],[{"use":"old","family":"a"},{"family":"b"}],{"family":"d"},null]"#,
        r#"["c","b","d",null]"#,
    );
    gives(
        r#"fhir_contact("phone"; "mobile"), fhir_contact("phone"; "work")"#,
        r#"{"telecom":[{"system":"email","use":"mobile","value":"x"},{"system":"phone","use":"mobile","value":"1"}]}"#,
        r#""1" null"#,
    );
    gives(
        "[.[] | fhir_words], [.[] | fhir_coding | .code]",
        r#"[{"text":"a","coding":[{"code":"1"}]},[{"coding":[{"code":"2"},{"display":"b"}]}],{"coding":[{"code":"3"}]},{},null]"#,
        r#"["a","b","3",null,null] ["1","2","3",null,null]"#,
    );
    gives(
        "[.[] | fhir_codeset]",
        r#"["http://loinc.org","urn:oid:1.2",null]"#,
        r#"["LOINC","urn:oid:1.2",null]"#,
    );
    gives(
        r#"fhir_identifier("MR"), fhir_identifier("VN")"#,
        r#"{"identifier":[{"value":"0"},{"type":{"coding":[{"code":"MR"}]},"value":"1"}]}"#,
        r#""1" null"#,
    );
    gives(
        "[.[] | fhir_seconds]",
        r#"["1970-01-01T00:01:00Z","1970-01-01T01:01:00.250+01:00","1969-12-31T19:01:00-05:00","1970-01-01",null]"#,
        "[60,60,60,null,null]",
    );
    gives(
        "fhir_minutes(.a; .b), fhir_minutes(.a; .c)",
        r#"{"a":"2026-05-01T10:00:00Z","b":"2026-05-01T12:30:59+02:00"}"#,
        "30 null",
    );
}

#[test]
fn the_language_is_jq_with_all_its_functions() {
    gives(
        "reduce .[] as [$a, $b] (0; . + $a * $b)",
        "[[1,2],[3,4]]",
        "14",
    );
    gives("def double: . * 2; map(double)", "[1,2]", "[2,4]");
    gives(
        "def sum($n): if $n == 0 then 0 else $n + sum($n - 1) end; sum(10)",
        "null",
        "55",
    );
    gives(
        "label $out | .[] | if . == 2 then ., break $out else . end",
        "[1,2,3]",
        "1 2",
    );
    gives("try error(\"x\") catch .", "null", r#""x""#);
    gives(
        "\"abc\" * 2, {a:{b:1}} * {a:{c:2}}",
        "null",
        r#""abcabc" {"a":{"b":1,"c":2}}"#,
    );
    gives(
        "tonumber, (\"007\" | tonumber), (\"12.50\" | tonumber)",
        "\"5\"",
        "5 7 12.50",
    );
    gives(
        "fromjson, (tojson | fromjson)",
        r#""{\"a\":1.10}""#,
        r#"{"a":1.10} "{\"a\":1.10}""#,
    );
    gives(
        "@base64, @uri, (@base64 | @base64d)",
        "\"a b\"",
        r#""YSBi" "a%20b" "a b""#,
    );
    gives(
        "\"2022-05-10T10:00:00Z\" | fromdate | todate",
        "null",
        r#""2022-05-10T10:00:00Z""#,
    );
    gives(
        "[splits(\", *\")], test(\"B\"; \"i\"), [scan(\"[a-z]\")]",
        "\"a, b\"",
        r#"["a","b"] true ["a","b"]"#,
    );
    gives(
        "min_by(.a), (map(.a) | add, any(. > 1), max)",
        r#"[{"a":2},{"a":1}]"#,
        r#"{"a":1} 3 true 2"#,
    );
    gives("del(.a, .b[0])", r#"{"a":1,"b":[1,2]}"#, r#"{"b":[2]}"#);
    gives(
        "flatten, transpose, (.[0] | combinations)",
        "[[[1,2],[3]]]",
        "[1,2,3] [[[1,2]],[[3]]] [1,3] [2,3]",
    );
    gives(
        ".[1:], .[-1:], first, last, nth(1), index(2)",
        "[1,2,3]",
        "[2,3] [3] 1 3 2 1",
    );
}

#[test]
fn numbers_survive() {
    let exact = "[12345678901234567890123,9007199254740993,1.10,1E400,-0,0.1]";
    gives(".", exact, exact);
    gives(
        ".[]|{n:.}|.n",
        "[9007199254740993,1.10]",
        "9007199254740993 1.10",
    );
    gives(".[0] + 1", "[9007199254740993]", "9007199254740994");
    // Computed: as jq writes them.
    gives(
        "60 / 2, 1 / 4, \"\\(90 / 2) min\", (2.5 | ceil), 2 * 1.5",
        "null",
        r#"30 0.25 "45 min" 3 3"#,
    );
}

#[test]
fn what_is_not_json_does_not_come_out() {
    assert_eq!(
        outcome("nan", "null").unwrap_err(),
        "the expression failed: the result holds a number that JSON has not"
    );
    assert_eq!(
        outcome("[infinite]", "null").unwrap_err(),
        "the expression failed: the result holds a number that JSON has not"
    );
    assert_eq!(
        outcome("{(1): 2}", "null").unwrap_err(),
        "the expression failed: the result holds an object whose key is not a string"
    );
    assert_eq!(
        outcome("\"/w==\" | @base64d", "null").unwrap_err(),
        "the expression failed: the result holds text that is not UTF-8"
    );
    assert_eq!(
        outcome("\"a\" | tobytes", "null").unwrap_err(),
        "the expression failed: the result holds bytes that are not text"
    );
}

#[test]
fn one_none_and_many() {
    let many = Filter::compile(".[]").expect("compiles");
    let list = |text: &str| Json::parse(text.as_bytes()).expect("is JSON");
    assert_eq!(many.one(&list("[1]")), Ok(Json::integer(1)));
    assert_eq!(
        many.one(&list("[]")),
        Err(EvaluateError::Count { count: 0 })
    );
    assert_eq!(
        many.one(&list("[1,2,3]")),
        Err(EvaluateError::Count { count: 2 })
    );
    assert_eq!(many.optional(&list("[]")), Ok(None));
    assert_eq!(
        many.optional(&list("[1,2,3]")),
        Err(EvaluateError::Count { count: 2 })
    );
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
        reads
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(reads(".record.id"), "record");
    assert_eq!(reads(".record.id + .previous.id"), "record previous");
    assert_eq!(reads(".record | .id"), "record");
    assert_eq!(reads(". | .record"), "record");
    assert_eq!(reads(".record as $r | .patient[$r.id]"), "record patient");
    assert_eq!(
        reads("{record, n: .patient.name, (.change): 1}"),
        "record patient change"
    );
    assert_eq!(reads("[.record.list[] | .x]"), "record");
    assert_eq!(
        reads("if .change == \"deleted\" then .previous else .record end"),
        "change previous record"
    );
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
fn a_filter_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Filter>();
    shared::<Json>();
}
