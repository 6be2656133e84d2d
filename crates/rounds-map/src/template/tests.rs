use super::*;
use proptest::prelude::*;

fn scope() -> Json {
    let text = r#"{"record":{"id":12345678901234567890,"name":"a/b?c#d%e f","dots":"..","none":null,"on":true,"list":[1],
        "empty":"","o":{"a":{"b":1}}},"cursor":"2022-05-10T10:00:00"}"#;
    Json::parse(text.as_bytes()).expect("is JSON")
}

fn render(text: &str, escape: Escape) -> Result<String, String> {
    let template = Template::compile(text, &["record", "cursor"]).map_err(|e| e.to_string())?;
    template.render(&scope(), escape).map_err(|e| e.to_string())
}

#[test]
fn placeholders_are_filled() {
    let path = |text: &str| render(text, Escape::PathSegment).expect(text);
    let verbatim = |text: &str| render(text, Escape::Verbatim).expect(text);
    assert_eq!(
        path("/patient/{{ record.id }}/x"),
        "/patient/12345678901234567890/x"
    );
    assert_eq!(path("/p/{{ record.name }}"), "/p/a%2Fb%3Fc%23d%25e%20f");
    assert_eq!(path("/p/{{record.on}}"), "/p/true");
    assert_eq!(path("/plain"), "/plain");
    assert_eq!(verbatim("{{ cursor }}"), "2022-05-10T10:00:00");
    assert_eq!(
        verbatim("{{ .cursor }}{{cursor|length}}"),
        "2022-05-10T10:00:0019"
    );
    assert_eq!(verbatim("{{ record.name }}"), "a/b?c#d%e f");
    assert_eq!(
        verbatim("{{ if .record.on then \"y\" else \"n\" end }}").as_str(),
        "y"
    );
}

#[test]
fn braces_inside_an_expression_do_not_end_it() {
    let verbatim = |text: &str| render(text, Escape::Verbatim).expect(text);
    assert_eq!(verbatim("<{{ \"}}\" }}>"), "<}}>");
    assert_eq!(verbatim("<{{ \"{{\" }}>"), "<{{>");
    assert_eq!(verbatim("{{ \"\\\"}}\" }}"), "\"}}");
    assert_eq!(verbatim("{{ {a:{b:.record.on}}.a.b }}"), "true");
    assert_eq!(verbatim("{{ \"x\\({a:{b:\"}}\"}}.a.b)y\" }}"), "x}}y");
}

#[test]
fn a_segment_is_never_empty_or_dots() {
    let failure = |text: &str| render(text, Escape::PathSegment).expect_err(text);
    assert_eq!(
        failure("/p/{{ record.dots }}/x"),
        "placeholder `record.dots` gave only dots where text is needed"
    );
    assert_eq!(
        failure("/p/{{ record.empty }}"),
        "placeholder `record.empty` gave an empty string where text is needed"
    );
    assert_eq!(
        failure("{{ \".\" }}{{ \".\" }}?a"),
        "placeholder `\".\"` gave only dots where text is needed"
    );
    assert_eq!(
        failure("/p/.{{ \".\" }}"),
        "placeholder `\".\"` gave only dots where text is needed"
    );
    // In a literal query, and within a longer segment, they mean nothing.
    assert_eq!(
        render(
            "/p?x={{ record.dots }}/{{ record.empty }}",
            Escape::PathSegment
        ),
        Ok("/p?x=../".to_owned())
    );
    assert_eq!(
        render("/p/v{{ record.dots }}", Escape::PathSegment),
        Ok("/p/v..".to_owned())
    );
}

#[test]
fn what_is_no_text_is_refused() {
    let failure = |text: &str| render(text, Escape::Verbatim).expect_err(text);
    assert_eq!(
        failure("{{ record.none }}"),
        "placeholder `record.none` gave null where text is needed"
    );
    assert_eq!(
        failure("{{ record.list }}"),
        "placeholder `record.list` gave an array where text is needed"
    );
    assert_eq!(
        failure("{{ record }}"),
        "placeholder `record` gave an object where text is needed"
    );
    assert_eq!(
        failure("{{ record.list[] , 2 }}"),
        "the expression gave 2 values where one is needed"
    );
}

#[test]
fn what_does_not_compile_points_into_the_text() {
    let said = |text: &str| {
        let e = Template::compile(text, &["record", "cursor"]).expect_err(text);
        let place = text
            .get(e.offset..e.offset + e.length)
            .expect("within the text");
        format!(
            "{text}\n  {}@`{place}`: {} ({})",
            e.offset,
            e.message,
            e.hint.unwrap_or_default()
        )
    };
    let all = [
        "/p/{{ recrod.id }}",
        "/p/{{ patient.id }}",
        "/p/{{ .patient.id }}",
        "/p/{{ record.id + .patient.id }}",
        "/p/{{ record.id // record.name }}",
        "/p/{{ record.id",
        "/p/{{ \"}} }}",
        "/p/{{ }}",
        "/p/{{{ record.id }}}",
        "/p/record.id }}",
        "/p/{{ record.id | frist(.x) }}",
        "/p/{{ (record.id }}",
        "/p/{{ record. }}",
        "é{{ recrod }}",
    ];
    insta::assert_snapshot!(all.map(said).join("\n"));
    let error = Template::compile("{{ x }}", &[]).expect_err("no names");
    assert_eq!(error.hint.as_deref(), Some("no names can be used here"));
}

#[test]
fn the_roots_are_known() {
    let template = Template::compile(
        "{{ record.id }}{{ cursor }}{{ .record.x }}",
        &["record", "cursor"],
    );
    assert_eq!(template.expect("compiles").roots(), ["record", "cursor"]);
}

#[test]
fn a_placeholder_may_be_left_for_later() {
    let template = Template::compile(
        "<a k=\"{{ secret.key }}\">{{ cursor }}</a>",
        &["cursor", "secret"],
    )
    .expect("compiles");
    let scope = Json::object([("cursor", Json::string("<1>"))]);
    let pieces = template
        .render_in_pieces(&scope, Escape::Xml, crate::Needs::Text, |written| {
            written.starts_with("secret.")
        })
        .expect("renders");
    let shown: Vec<String> = pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Left(written) => format!("[{written}]"),
        })
        .collect();
    assert_eq!(shown, ["<a k=\"", "[secret.key]", "\">&lt;1&gt;</a>"]);
}

proptest! {
    #[test]
    fn no_value_leaves_its_element_or_attribute(value in ".*") {
        let template = Template::compile("<a k=\"{{ v }}\"><b>-{{ v }}-</b></a>", &["v"]).expect("compiles");
        let scope = Json::object([("v", Json::string(value.as_str()))]);
        let text = template.render(&scope, Escape::Xml).expect("renders");
        let read = Json::parse_xml(text.as_bytes()).expect("is XML");
        let held: String = value.chars().filter(|c| super::is_xml(*c)).collect();
        let a = read.get("a").expect("has a");
        prop_assert_eq!(a.get("@k").and_then(|k| k.scalar_text()), Some(held.clone()));
        prop_assert_eq!(a.get("b").and_then(|b| b.scalar_text()), Some(format!("-{held}-")));
    }

    #[test]
    fn no_value_leaves_its_json_string(value in ".*") {
        let template = Template::compile(r#"{"k": "-{{ v }}-"}"#, &["v"]).expect("compiles");
        let scope = Json::object([("v", Json::string(value.as_str()))]);
        let text = template.render(&scope, Escape::JsonString).expect("renders");
        let read = Json::parse(text.as_bytes()).expect("is JSON");
        prop_assert_eq!(read.get("k").and_then(|k| k.scalar_text()), Some(format!("-{value}-")));
    }

    #[test]
    fn no_value_leaves_its_segment(value in ".*") {
        let template = Template::compile("/a/{{ v }}/b", &["v"]).expect("compiles");
        let scope = Json::object([("v", Json::string(value.as_str()))]);
        match template.render(&scope, Escape::PathSegment) {
            Ok(path) => {
                let segments: Vec<_> = path.split('/').collect();
                prop_assert_eq!(segments.len(), 4);
                prop_assert!(!path.contains(['?', '#', '\\', ' ']) && path.is_ascii());
                let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8_lossy().into_owned();
                prop_assert_eq!(decoded, value);
            }
            Err(_) => prop_assert!(["", ".", ".."].contains(&value.as_str())),
        }
    }

    #[test]
    fn no_text_makes_the_scanner_panic(text in "[{}\"\\\\(). a-c]{0,24}") {
        if let Err(error) = Template::compile(&text, &["a"]) {
            prop_assert!(text.get(error.offset..error.offset + error.length).is_some());
        }
    }
}
