//! What is made of schemas themselves.

use super::super::{OwnModel, OwnModelError};
use super::{filled, json, template};
use crate::models::SourceTimes;

/// What is wrong with a schema, or nothing.
fn wrong(text: &str) -> String {
    match OwnModel::read("x", text.as_bytes()) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_no_schema_says_where_and_what_to_write() {
    assert!(wrong("{").starts_with("is no JSON: "), "{}", wrong("{"));
    assert_eq!(
        wrong(r#"{"type":"array"}"#),
        OwnModelError::NoObject.to_string()
    );
    let table = [
        (
            r#"{"properties":{"a":{"type":"strnig"}}}"#,
            "`/properties/a/type`: `strnig` is no type; did you mean `string`?",
        ),
        (
            r#"{"properties":{"a/b":{"anyOf":[{"type":["text","null"]}]}}}"#,
            "`/properties/a~1b/anyOf/0/type`: `text` is no type; a type is one of",
        ),
        (
            r#"{"$schema":"https://example.org/my"}"#,
            "`/$schema`: names no draft",
        ),
        (
            r#"{"properties":{"a":{"$ref":"https://example.org/b.json"}}}"#,
            "`/properties/a/$ref`: `https://example.org/b.json` is another document",
        ),
        (
            r##"{"properties":{"a":{"$ref":"#/$defs/none"}}}"##,
            "`/properties/a/$ref`: `#/$defs/none` leads to nothing",
        ),
        (
            r##"{"properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"$ref":"#/$defs/c"},"c":{"allOf":[{"$ref":"#/$defs/b"}]}}}"##,
            "`/$defs/b`: `$ref` leads back to itself",
        ),
        (r#"{"required":"a"}"#, "`/required`: "),
        (
            r#"{"properties":{"a":{"pattern":"("}}}"#,
            "`/properties/a/pattern`: ",
        ),
    ];
    for (schema, words) in table {
        let said = wrong(schema);
        assert!(
            said.starts_with("is no JSON Schema at ") && said.contains(words),
            "{schema}: {said}"
        );
    }
    for right in [
        r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#,
        r#"{"properties":{"$ref":{"type":"string"},"type":{"type":"object"},"a":{"default":{"$ref":"x.json","type":"x"}}}}"#,
        r#"{"properties":{"a":{"$ref":"b.json"}},"$defs":{"b":{"$id":"b.json"}},"$id":"https://example.org/"}"#,
    ] {
        assert_eq!(wrong(right), "", "{right}");
    }
}

#[test]
fn what_no_validator_heeds_is_warned_of() {
    let schema = r#"{"requird":["a"],"properties":{"a":{"type":"string","nullable":true},"b":{"nullable":false,"x-order":1,"example":"requird"},
        "nullable":{"type":"boolean"}},"x-made-by":"us"}"#;
    let model = OwnModel::read("x", schema.as_bytes()).expect("is a schema");
    let said: Vec<String> = model.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "`/requird` is no word of JSON Schema; did you mean `required`?",
            "`/properties/a/nullable` is a word of OpenAPI and none of JSON Schema; write the type as a list: `[\"string\", \"null\"]`",
        ]
    );
}

#[test]
fn literals_and_defaults_are_held_to_what_the_schema_says_of_them() {
    let schema = r#"{"type":"object","required":["kind","state"],"properties":{
        "kind":{"enum":["visit"]},"state":{"type":"string","enum":["open","closed"],"default":"opened"},"day":{"type":"string","format":"date"},
        "at":{"type":"string","format":"date-time"},"mail":{"type":"string","format":"email"},"count":{"type":"integer","maximum":5},
        "tags":{"type":"array","minItems":1,"items":{"type":"string","pattern":"^[a-z]+$"}},"never":false}}"#;
    let model = OwnModel::read("x", schema.as_bytes()).expect("is a schema");
    let found = |body: &str| -> Vec<String> {
        let errors = model.check_shape(&template(&json(body)));
        errors.iter().map(ToString::to_string).collect()
    };
    let right = r#"{"state":"open","day":"20260701","at":"2026-07-01 09:30","mail":"a@example.org","count":5,"tags":["a","= .b"]}"#;
    assert_eq!(found(right), [""; 0]);
    assert_eq!(
        found("{}"),
        [
            r#"`state` is completed with its default, which does not fit the schema's `enum: ["open","closed"]`"#
        ]
    );
    let wrong = r#"{"kind":"visits","state":"opn","day":"soon","at":"9","mail":"me","count":6,"tags":["A"],"never":"= .x"}"#;
    assert_eq!(
        found(wrong),
        [
            r#"`kind` does not fit the schema's `enum: ["visit"]`"#,
            r#"`state` does not fit the schema's `enum: ["open","closed"]`"#,
            "`day` cannot be read as a date",
            "`at` cannot be read as a date and time",
            "`mail` does not fit the schema's `format: email`",
            "`count` does not fit the schema's `maximum: 5`",
            "`tags[0]` does not fit the schema's `pattern: ^[a-z]+$`",
            "`never` is not in the schema",
        ]
    );
    assert_eq!(
        found(r#"{"state":"open","tags":[]}"#),
        ["`tags` does not fit the schema's `minItems: 1`"]
    );
    assert_eq!(
        filled(&model, r#"{"state":"open"}"#),
        r#"{"kind":"visit","state":"open"}"#,
        "a choice of one is no choice"
    );
}

#[test]
fn what_all_parts_say_together_closes_an_object() {
    let schema = r##"{"allOf":[{"$ref":"#/$defs/named"}],"properties":{"id":{"type":"string"}},"unevaluatedProperties":false,
        "$defs":{"named":{"type":"object","properties":{"name":{"type":"string"}}}}}"##;
    let model = OwnModel::read("x", schema.as_bytes()).expect("is a schema");
    let errors = model.check_shape(&template(&json(
        r#"{"id":"= .a","name":"= .b","nam":"= .c"}"#,
    )));
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["`nam` is not in the schema; did you mean `name`?"]);
}

#[test]
fn a_part_that_holds_itself_or_nothing_ends_with_nothing() {
    let schema = r##"{"$ref":"#/$defs/visit","$defs":{"visit":{"type":"object","required":["id","child"],"properties":{"id":{"type":"string"},
        "child":{"anyOf":[{"$ref":"#/$defs/visit"},{"type":"null"}]}}}}}"##;
    let model = OwnModel::read("x", schema.as_bytes()).expect("is a schema");
    assert_eq!(
        filled(&model, r#"{"id":"1"}"#),
        r#"{"id":"1","child":null}"#
    );
    assert!(
        model
            .check_shape(&template(&json(r#"{"id":"= .a"}"#)))
            .is_empty()
    );
}

#[test]
fn an_object_of_nothing_that_need_not_be_there_is_left_out() {
    let schema = r#"{"type":"object","properties":{"id":{"type":"string"},"by":{"type":"object","required":["id"],
        "properties":{"id":{"type":"string"},"name":{"type":["string","null"]}}},"note":{"type":"object","properties":{"text":{"type":["string","null"]}}}}}"#;
    let model = OwnModel::read("x", schema.as_bytes()).expect("is a schema");
    assert_eq!(
        filled(
            &model,
            r#"{"id":"1","by":{"id":null,"name":null},"note":{"text":null}}"#
        ),
        r#"{"id":"1","note":{"text":null}}"#
    );
    assert_eq!(
        filled(&model, r#"{"id":"1","by":{"id":null,"name":"SECRET"}}"#),
        "`by.id` is required and has no value",
        "half of somebody is nobody"
    );
}

#[test]
fn of_alternatives_that_do_not_fit_the_nearest_says_why() {
    let schema = r#"{"type":"object","properties":{"visit":{"oneOf":[
        {"type":"object","required":["kind","start"],"properties":{"kind":{"const":"booked"},"start":{"type":"string"}}},
        {"type":"object","required":["kind","reason"],"properties":{"kind":{"const":"cancelled"},"reason":{"type":"string"}}}]}}}"#;
    let model = OwnModel::read("x", schema.as_bytes()).expect("is a schema");
    assert_eq!(
        filled(&model, r#"{"visit":{"kind":"cancelled","start":"SECRET"}}"#),
        "`visit.reason` is required and has no value (in the nearest alternative of the schema's `oneOf`)"
    );
}

#[test]
fn schemas_that_turn_in_circles_or_branch_without_end_are_read() {
    let circle = r##"{"type":"object","required":["next"],"properties":{"next":{"$ref":"#"},"id":{"type":["string","null"]}}}"##;
    assert!(OwnModel::read("x", circle.as_bytes()).is_ok());
    let level = |of: usize| {
        let next = of + 1;
        format!(
            r##""l{of}":{{"type":"object","properties":{{"a":{{"$ref":"#/$defs/l{next}"}},"b":{{"$ref":"#/$defs/l{next}"}}}}}}"##
        )
    };
    let levels: Vec<String> = (0..40).map(level).collect();
    let wide = format!(
        r##"{{"$ref":"#/$defs/l0","$defs":{{{},"l40":{{"type":"object"}}}}}}"##,
        levels.join(",")
    );
    assert!(OwnModel::read("x", wide.as_bytes()).is_ok());
}

#[test]
fn parts_with_names_of_their_own_are_found_by_them() {
    let named = r##"{"type":"object","required":["z"],"properties":{"id":{},"z":{"$ref":"#r"}},"$defs":{"r":{"$anchor":"r","type":"string","default":"D"}}}"##;
    let model = OwnModel::read("x", named.as_bytes()).expect("is a schema");
    assert_eq!(filled(&model, r#"{"id":1}"#), r#"{"id":1,"z":"D"}"#);
    let root = r##"{"$ref":"#r","$defs":{"r":{"$anchor":"r","type":"object"}}}"##;
    assert_eq!(wrong(root), "");
    let none = r##"{"type":"object","properties":{"a":{"$ref":"#none"}}}"##;
    assert!(
        wrong(none).contains("`#none` leads to nothing"),
        "{}",
        wrong(none)
    );
}

#[test]
fn what_another_draft_has_and_formats_that_nobody_knows_are_warned_of() {
    let schema = r##"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","unevaluatedProperties":false,
        "properties":{"a":{"$ref":"#/definitions/b","maxLength":2},"d":{"type":"string","format":"date-tme"},"e":{"format":"mrn"}},"definitions":{"b":{"type":"string"}}}"##;
    let model = OwnModel::read("x", schema.as_bytes()).expect("is a schema");
    let said: Vec<String> = model.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "`/unevaluatedProperties` is passed over by the draft that `$schema` names: it does not have the word, or reads nothing beside a `$ref`",
            "`/properties/a/maxLength` is passed over by the draft that `$schema` names: it does not have the word, or reads nothing beside a `$ref`",
            "`/properties/d/format` names a format that is none; did you mean `date-time`?",
        ]
    );
}

#[test]
fn a_local_time_of_no_zone_says_what_is_missing() {
    let schema = r#"{"type":"object","properties":{"at":{"type":"string","format":"date-time"}}}"#;
    let model = OwnModel::read("x", schema.as_bytes()).expect("is a schema");
    let body = json(r#"{"at":"2026-05-01T10:00:00"}"#);
    let errors = model
        .fill(&body, SourceTimes::default())
        .expect_err("is local");
    assert_eq!(
        errors.to_string(),
        "`at` has no offset; `notify.zone` says in which zone it is"
    );
}

/// What others write, too, and is right.
#[test]
fn schemas_as_tools_and_old_drafts_write_them_are_read() {
    let table = [
        (
            r#"{"type":"object","properties":{"t":{"type":"array","prefixItems":[{"const":"a"},{"type":"number"}],"items":false}}}"#,
            r#"{"t":["a",1]}"#,
        ),
        (
            r#"{"type":"object","properties":{"id":{}},"allOf":[{"oneOf":[{"properties":{"k":{}},"required":["k"]},{"properties":{"m":{}},"required":["m"]}]}],"unevaluatedProperties":false}"#,
            r#"{"id":1,"k":"x"}"#,
        ),
        (
            r##"{"type":"object","$ref":"#/$defs/b","properties":{"id":{}},"unevaluatedProperties":false,"$defs":{"b":{"patternProperties":{"^x-":{}}}}}"##,
            r#"{"id":1,"x-k":"x"}"#,
        ),
        (
            r#"{"type":"object","allOf":[{"properties":{"id":{}},"additionalProperties":{"type":"string"}}],"unevaluatedProperties":false}"#,
            r#"{"id":1,"k":"x"}"#,
        ),
        (
            r##"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"id":{"$ref":"#addr"}},"definitions":{"a":{"$id":"#addr","type":"string"}}}"##,
            r#"{"id":"x"}"#,
        ),
        (
            r#"{"$schema":"http://json-schema.org/draft-07/schema/","type":"object"}"#,
            r#"{"id":"x"}"#,
        ),
        (
            r#"{"$schema":"http://json-schema.org/schema#","type":"object","x-enum":1,"propertyOrder":2}"#,
            r#"{"id":"x"}"#,
        ),
        (
            r#"{"$schema":"https://spec.openapis.org/oas/3.1/dialect/base","type":"object","properties":{"a":{"type":["string","null"],"nullable":true,"format":"ulid","example":"1"}}}"#,
            r#"{"a":null}"#,
        ),
    ];
    for (schema, body) in table {
        let model = match OwnModel::read("x", schema.as_bytes()) {
            Ok(model) => model,
            Err(error) => panic!("{schema}: {error}"),
        };
        assert_eq!(model.warnings(), [], "{schema}");
        let errors = model.check_shape(&template(&json(body)));
        assert!(errors.is_empty(), "{schema}: {errors:?}");
        assert_eq!(filled(&model, body), body, "{schema}");
    }
}
