use crate::{Json, MAX_NESTING};
use proptest::prelude::*;

fn read(text: &str) -> String {
    let json = Json::parse_xml(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    String::from_utf8_lossy(&json.to_bytes()).into_owned()
}

fn refused(text: &[u8]) -> String {
    Json::parse_xml(text)
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn a_soap_answer_is_reached_by_plain_names() {
    let answer = r#"<?xml version="1.0" encoding="utf-8"?>
        <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
          <s:Body>
            <GetPatientsResponse xmlns="http://www.kareo.com/api/schemas/" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
              <GetPatientsResult>
                <ErrorResponse><IsError>false</IsError><ErrorMessage i:nil="true"/></ErrorResponse>
                <Patients>
                  <PatientData><ID> 7 </ID><LastName>O&apos;Neil &amp; &#x4D;ay</LastName></PatientData>
                  <PatientData><ID>8</ID><LastName><![CDATA[<b>]]></LastName></PatientData>
                </Patients>
              </GetPatientsResult>
            </GetPatientsResponse>
          </s:Body>
        </s:Envelope>"#;
    assert_eq!(
        read(answer),
        concat!(
            r#"{"Envelope":{"Body":{"GetPatientsResponse":{"GetPatientsResult":{"#,
            r#""ErrorResponse":{"IsError":"false","ErrorMessage":null},"#,
            r#""Patients":{"PatientData":[{"ID":"7","LastName":"O'Neil & May"},{"ID":"8","LastName":"<b>"}]}"#,
            r#"}}}}}"#
        )
    );
}

#[test]
fn attributes_text_and_children_stand_side_by_side() {
    assert_eq!(
        read(
            r#"<p id="1" x:type="a"><!-- no --><q/>some <q>2</q><?pi no?>text<r k="">&lt;</r></p>"#
        ),
        r##"{"p":{"@id":"1","@type":"a","q":[null,"2"],"r":{"@k":"","#text":"<"},"#text":"some text"}}"##
    );
    assert_eq!(read("<a/>"), r#"{"a":null}"#);
    assert_eq!(read("<a>\n  \n</a>"), r#"{"a":null}"#);
}

#[test]
fn other_encodings_are_read_as_they_are_declared() {
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><n>M\xfcller</n>";
    let json = Json::parse_xml(latin).expect("is Latin-1");
    assert_eq!(json.to_bytes(), "{\"n\":\"Müller\"}".as_bytes());
    let marked = b"\xef\xbb\xbf<n>x</n>";
    assert_eq!(
        Json::parse_xml(marked).expect("has a mark").to_bytes(),
        b"{\"n\":\"x\"}"
    );
    assert!(refused(b"<n>M\xfcller</n>").contains("not UTF-8"));
}

#[test]
fn what_is_no_xml_or_more_than_we_read_is_refused_with_its_place_and_without_its_words() {
    insta::assert_snapshot!(
        [
            &b""[..],
            b"secret",
            b"<a><b></a></b>",
            b"<a>secret",
            b"<a/><secret/>",
            b"<a>&secret;</a>",
            b"<!DOCTYPE a [<!ENTITY e 'secret'>]><a>&e;</a>",
            b"<a b=secret/>",
            b"<a b='1' b='2'/>",
            b"{\"a\": 1}",
        ]
        .map(refused)
        .join("\n")
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(Json::parse_xml(nested(MAX_NESTING).as_bytes()).is_ok());
    assert!(refused(nested(MAX_NESTING + 1).as_bytes()).contains("too deeply"));
    assert!(Json::parse_xml("<a>".repeat(1_000_000).as_bytes()).is_err());
}

/// A tree of elements, simple enough for a second way to write the rule down.
#[derive(Debug, Clone)]
enum Tree {
    Text(String),
    Children(Vec<(String, Tree)>),
}

impl Tree {
    fn xml(&self, name: &str) -> String {
        let inside = match self {
            Self::Text(text) => text.replace('&', "&amp;").replace('<', "&lt;"),
            Self::Children(children) => children
                .iter()
                .flat_map(|(name, child)| ["\n  ".to_owned(), child.xml(name)])
                .collect(),
        };
        format!("<x:{name}>{inside}</x:{name}>")
    }

    fn json(&self) -> Json {
        match self {
            Self::Text(text) if text.trim().is_empty() => Json::null(),
            Self::Text(text) => Json::string(text.trim()),
            Self::Children(children) if children.is_empty() => Json::null(),
            Self::Children(children) => {
                let mut names: Vec<&str> = Vec::new();
                for (name, _) in children {
                    if !names.contains(&name.as_str()) {
                        names.push(name);
                    }
                }
                Json::object(names.into_iter().map(|name| {
                    let values: Vec<Json> = (children.iter())
                        .filter(|(other, _)| other == name)
                        .map(|(_, child)| child.json())
                        .collect();
                    let value = match values.as_slice() {
                        [one] => one.clone(),
                        _ => Json::array(values),
                    };
                    (name, value)
                }))
            }
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let text = "[ a-zé&<>'\"\n]{0,6}".prop_map(Tree::Text);
    text.prop_recursive(5, 40, 6, |inner| {
        proptest::collection::vec(("[a-c]", inner), 0..6).prop_map(Tree::Children)
    })
}

proptest! {
    #[test]
    fn a_tree_is_read_as_the_rule_says(tree in trees()) {
        let read = Json::parse_xml(tree.xml("root").as_bytes()).expect("is XML");
        let expected = Json::object([("root", tree.json())]);
        prop_assert_eq!(read.to_bytes(), expected.to_bytes());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[<>/a!\\[\\]?\"'=&;#x -]{0,40}") {
        let _ = Json::parse_xml(text.as_bytes());
    }
}

#[test]
fn an_element_with_very_many_attributes_is_refused_at_once() {
    // RUSTSEC-2026-0194: 80,000 of them took half a minute, because each was compared with all others.
    let with = |count: u32| {
        let attributes: Vec<String> = (0..count)
            .map(|number| format!("a{number}=\"1\""))
            .collect();
        format!("<a {}/>", attributes.join(" "))
    };
    let error = Json::parse_xml(with(80_000).as_bytes()).expect_err("refused");
    assert!(error.to_string().contains("too many attributes"), "{error}");
    Json::parse_xml(with(900).as_bytes()).expect("is read");
}
