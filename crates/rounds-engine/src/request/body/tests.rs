use super::*;
use rounds_map::{Body, Filter};

const ROOTS: &[&str] = &["cursor", "page", "secret", "session"];

fn template(text: &str) -> Template {
    Template::compile(text, ROOTS).expect("a template")
}

fn scope() -> Json {
    Json::object([
        ("cursor", Json::string("2026-11-01 & \"later\"")),
        ("page", Json::string("")),
    ])
}

fn shown(rule: &RequestBodyRule) -> String {
    let body = build(rule, &scope(), Blanks::LeftOut).expect("is built");
    let pieces: String = (body.pieces.iter())
        .map(|piece| match piece {
            BodyPiece::Ready(text) => text.clone(),
            BodyPiece::Secret { source, escape } => format!("<{source:?} as {escape:?}>"),
        })
        .collect();
    format!("{}: {pieces}", body.content_type.to_str().expect("is text"))
}

#[test]
fn bodies_of_all_kinds() {
    let tree = Body::Object(vec![
        (
            "since".to_owned(),
            Body::Expression(Filter::compile(".cursor").expect("jq")),
        ),
        ("kind".to_owned(), Body::Literal(Json::integer(3))),
        (
            "no".to_owned(),
            Body::Expression(Filter::compile("empty").expect("jq")),
        ),
    ]);
    let text = |text: &str, content_type: &'static str, escape| RequestBodyRule::Text {
        template: template(text),
        content_type: HeaderValue::from_static(content_type),
        escape,
    };
    let all = [
        RequestBodyRule::Json(tree.clone()),
        RequestBodyRule::GraphQl {
            query: "query ($since: String) { a }".to_owned(),
            variables: Some(tree),
        },
        RequestBodyRule::Form(vec![
            ("_last Updated".to_owned(), template("ge{{ cursor }}")),
            ("page".to_owned(), template("{{ page }}")),
            ("empty".to_owned(), template("")),
            ("key".to_owned(), template("k-{{ secret.key }}")),
        ]),
        text(
            "<a since='{{ cursor }}'>{{ secret.password }}<t>{{ session }}</t></a>",
            "text/xml",
            Escape::Xml,
        ),
        text(
            r#"{"Token": "{{ session }}", "Parameter1": "{{ cursor }}"}"#,
            "application/json",
            Escape::JsonString,
        ),
        text("{{ cursor }}", "text/plain", Escape::Verbatim),
    ];
    insta::assert_snapshot!(all.iter().map(shown).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_failing_leaf_is_named_and_its_value_is_not() {
    let tree = Body::Object(vec![(
        "since".to_owned(),
        Body::Expression(Filter::compile(".cursor + 1").expect("jq")),
    )]);
    let Err(error) = build(&RequestBodyRule::Json(tree), &scope(), Blanks::LeftOut) else {
        panic!("text and a number cannot be added");
    };
    let words = error.to_string();
    assert!(words.starts_with("body: `since`: "), "{words}");
    assert!(!words.contains("later"), "{words}");
}
