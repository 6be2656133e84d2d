use super::*;
use proptest::prelude::*;

fn parsed(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn it_leaves_as_it_came() {
    for text in [
        "null",
        "[true,false,null]",
        r#"{"b":1,"a":{"z":[],"y":{}}}"#,
        "[12345678901234567890,9007199254740993,-9223372036854775809,1.10,1e400,1E-7,-0,-0.0,0]",
        r#""é\"\\\n\u0001 😀""#,
    ] {
        assert_eq!(String::from_utf8_lossy(&parsed(text).to_bytes()), text);
    }
    assert_eq!(
        parsed(r#""\u0041\/\b\f\ud83d\ude00""#).as_str(),
        Some("A/\u{8}\u{c}😀")
    );
    assert_eq!(parsed(" \t\r\n[ 1 , 2 ] ").to_bytes(), b"[1,2]");
}

#[test]
fn the_last_of_several_members_counts() {
    assert_eq!(
        parsed(r#"{"a":1,"b":2,"a":3}"#).to_bytes(),
        br#"{"a":3,"b":2}"#
    );
}

#[test]
fn only_json_is_read() {
    let said = |text: &[u8]| {
        let error = Json::parse(text).expect_err("is not JSON");
        format!("{} {error}", String::from_utf8_lossy(text))
    };
    let texts: [&[u8]; 40] = [
        b"",
        b" ",
        b"nul",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"+1",
        b"-",
        b"01",
        b"-01",
        b".5",
        b"1.",
        b"1e",
        b"1e+",
        b"0x1",
        b"1 2",
        b"# comment\n1",
        b"// c\n1",
        b"b\"x\"",
        b"'x'",
        b"\"x",
        b"\"\\x41\"",
        b"\"\\u12g4\"",
        b"\"\\u12\"",
        b"\"\\ud800\"",
        b"\"\\ud800\\u0041\"",
        b"\"\\udc00\"",
        b"\"\n\"",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[1 2]",
        b"{\"a\"",
        b"{\"a\":",
        b"{\"a\":1",
        b"{\"a\":1,}",
        b"{1:2}",
        b"\xef\xbb\xbf1",
        b"\"\xff\"",
        b"<html>",
    ];
    insta::assert_snapshot!(texts.map(said).join("\n"));
}

#[test]
fn hostile_text_is_refused_before_it_hurts() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::parse(deep(MAX_NESTING).as_bytes()).is_ok());
    assert!(Json::parse(deep(MAX_NESTING + 1).as_bytes()).is_err());
    assert!(Json::parse("[".repeat(10_000_000).as_bytes()).is_err());
    assert!(Json::parse("{\"a\":".repeat(1_000_000).as_bytes()).is_err());
    assert!(Json::parse("9".repeat(1_000_000).as_bytes()).is_err());
    assert!(Json::parse("9".repeat(MAX_NUMBER_BYTES).as_bytes()).is_ok());
}

#[test]
fn nothing_is_shown_by_debug() {
    assert_eq!(
        format!("{:?}", parsed(r#"{"ssn":"123"}"#)),
        "Json(redacted)"
    );
}

#[test]
fn it_can_be_made_and_looked_into() {
    let value = Json::object([
        ("id", Json::integer(i64::MIN)),
        ("on", Json::boolean(true)),
        ("list", Json::array([Json::null(), Json::string("x")])),
        ("id", Json::integer(7)),
    ]);
    assert_eq!(value.to_bytes(), br#"{"id":7,"on":true,"list":[null,"x"]}"#);
    assert_eq!(
        value.get("id").and_then(|id| id.scalar_text()).as_deref(),
        Some("7")
    );
    assert_eq!(value.get("on").and_then(|on| on.as_bool()), Some(true));
    assert!(
        value.get("nothing").is_none()
            && value
                .get("list")
                .is_some_and(|list| list.get("x").is_none())
    );
    assert_eq!(value.scalar_text(), None);
    assert_eq!(parsed("1.10").scalar_text().as_deref(), Some("1.10"));
    assert_eq!(Json::integer(i64::MIN).to_bytes(), b"-9223372036854775808");
}

#[test]
fn the_fingerprint_does_not_change_from_version_to_version() {
    // Stored in ledgers: a change of this would report every known record as changed.
    let value = parsed(r#"{"b":[1.10,"é\n"],"a":{"d":null,"c":12345678901234567890}}"#);
    assert_eq!(
        value.canonical_bytes(),
        "{\"a\":{\"c\":12345678901234567890,\"d\":null},\"b\":[1.10,\"é\\n\"]}".as_bytes()
    );
    insta::assert_snapshot!(format!("{:02x?}", value.fingerprint()));
}

/// JSON text, with the pieces in any order that objects allow.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn text(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::List(items) => format!(
                "[{}]",
                items.iter().map(Self::text).collect::<Vec<_>>().join(",")
            ),
            Self::Object(members) => {
                let members = members
                    .iter()
                    .map(|(key, member)| format!("\"{key}\":{}", member.text()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }

    fn reversed(&self) -> Self {
        match self {
            Self::Leaf(text) => Self::Leaf(text.clone()),
            Self::List(items) => Self::List(items.iter().map(Self::reversed).collect()),
            Self::Object(members) => Self::Object(
                members
                    .iter()
                    .rev()
                    .map(|(key, member)| (key.clone(), member.reversed()))
                    .collect(),
            ),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        number,
        "\"[a-zé ]{0,6}\""
    ];
    leaf.prop_map(Tree::Leaf).prop_recursive(4, 40, 5, |inner| {
        let members = prop::collection::btree_map("[a-z]{1,4}", inner.clone(), 0..5);
        let members = members
            .prop_map(|members| members.into_iter().collect::<Vec<_>>())
            .prop_shuffle();
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Tree::List),
            members.prop_map(Tree::Object)
        ]
    })
}

proptest! {
    #[test]
    fn reading_and_writing_changes_nothing(tree in tree()) {
        let text = tree.text();
        prop_assert_eq!(String::from_utf8(parsed(&text).to_bytes()).expect("is UTF-8"), text);
    }

    #[test]
    fn the_order_of_keys_does_not_matter_to_the_canonical_form(tree in tree()) {
        let (one, other) = (parsed(&tree.text()), parsed(&tree.reversed().text()));
        prop_assert_eq!(one.canonical_bytes(), other.canonical_bytes());
        prop_assert_eq!(one.fingerprint(), other.fingerprint());
        let canonical = one.canonical_bytes();
        prop_assert_eq!(Json::parse(&canonical).expect("is JSON").canonical_bytes(), canonical);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Err(error) = Json::parse(&bytes) {
            prop_assert!(error.offset <= bytes.len());
        }
    }

    #[test]
    fn any_text_is_written_so_that_it_can_be_read(text in any::<String>()) {
        let written = Json::string(text.as_str()).to_bytes();
        let read = Json::parse(&written).expect("is JSON");
        prop_assert_eq!(read.as_str(), Some(text.as_str()));
    }
}

#[test]
fn what_a_server_sends_is_read_around_signs_that_are_none() {
    let cases: [(&[u8], &str, u64); 8] = [
        (b"\xef\xbb\xbf{\"id\":1}", r#"{"id":1}"#, 0),
        (br#"{"name":"\ud83d"}"#, "{\"name\":\"\u{fffd}\"}", 1),
        (
            br#"{"name":"\ud83dx\udc00"}"#,
            "{\"name\":\"\u{fffd}x\u{fffd}\"}",
            2,
        ),
        (
            br#"{"name":"\ud83d\ud83d\ude00"}"#,
            "{\"name\":\"\u{fffd}\u{1f600}\"}",
            1,
        ),
        (b"{\"name\":\"a\x01b\"}", "{\"name\":\"a\u{fffd}b\"}", 1),
        (b"{\"name\":\"a\nb\"}", "{\"name\":\"a\u{fffd}b\"}", 1),
        (
            b"{\"name\":\"M\xfcller\"}",
            "{\"name\":\"M\u{fffd}ller\"}",
            1,
        ),
        (
            "{\"name\":\"M\u{fc}ller\"}".as_bytes(),
            "{\"name\":\"M\u{fc}ller\"}",
            0,
        ),
    ];
    for (text, wanted, replaced) in cases {
        let (read, mended) = Json::parse_mending(text).expect("is read");
        assert_eq!(
            (read.to_bytes(), mended),
            (wanted.as_bytes().to_vec(), replaced)
        );
        assert_eq!(
            Json::parse(text).is_err(),
            replaced > 0 || text.starts_with(b"\xef")
        );
    }
    // Structure is not mended: it would be another document.
    for text in [
        &b"{\"id\":1"[..],
        b"{\"name\":\"Ja",
        b"{\"id\":1}}",
        b"<html>",
    ] {
        assert!(Json::parse_mending(text).is_err());
    }
}
