use super::*;
use rounds_domain::LookupName;
use rounds_domain::plan::{AnswerFormat, Expect, RequestRule, WhenMissing};
use rounds_map::{Filter, Template};

fn lookup(path: &str, query: &[(&str, &str)], id: Option<&str>) -> Lookup {
    let template = |text: &str| Template::compile(text, &["record"]).expect("compiles");
    Lookup {
        name: LookupName::new("patient"),
        request: RequestRule {
            method: http::Method::GET,
            path: template(path),
            query: (query.iter())
                .map(|(name, text)| ((*name).to_owned(), template(text)))
                .collect(),
            headers: Vec::new(),
            body: None,
            format: AnswerFormat::Json,
            timeout: None,
        },
        when: None,
        optional: Vec::new(),
        expect: Expect::One,
        id: id.map(|id| Filter::compile(id).expect("compiles")),
        when_missing: WhenMissing::Null,
        batch: None,
    }
}

fn judged(lookup: &Lookup, answer: &str) -> Identity {
    let scope = Json::parse(br#"{"record":{"patient":"17","mrn":"M-4"}}"#).expect("is JSON");
    let answer = Json::parse(answer.as_bytes()).expect("is JSON");
    AskedFor::of(lookup, &scope).judge(lookup, &answer)
}

#[test]
fn an_answer_to_a_read_is_judged_by_its_own_identifier() {
    let read = lookup("/patients/{{ record.patient }}", &[], None);
    let cases = [
        (r#"{"id":17,"name":"A"}"#, Identity::AsAsked),
        (r#"{"id":"99","name":"B"}"#, Identity::Another),
        (r#"{"patient_id":"99"}"#, Identity::Another),
        (r#"{"PatientID":99}"#, Identity::Another),
        (r#"{"data":{"id":"99"}}"#, Identity::Another),
        (
            r#"{"status":"ok","patient":{"uuid":"99"}}"#,
            Identity::Another,
        ),
        (r#"[{"patientid":"99"}]"#, Identity::Another),
        (r#"[{"patientid":"17"}]"#, Identity::AsAsked),
        (
            r#"{"data":[{"id":"17"},{"id":"18"}]}"#,
            Identity::Several(2),
        ),
        (r#"[{"id":"17"},{"id":"18"}]"#, Identity::Several(2)),
        // Its room is 17, and it is somebody else.
        (r#"{"id":"99","room":"17"}"#, Identity::Another),
        // Looked up by one identifier, answered with another beside it.
        (r#"{"id":"99","externalId":"17"}"#, Identity::AsAsked),
        (
            r#"{"id":"99","identifiers":[{"system":"mrn","value":"17"}]}"#,
            Identity::AsAsked,
        ),
        // Nothing is said, so nothing is proved.
        (r#"{"name":"A"}"#, Identity::AsAsked),
        (
            r#"{"name":"A","phones":[{"kind":"home"},{"kind":"work"}]}"#,
            Identity::AsAsked,
        ),
        ("[]", Identity::Nothing),
        ("null", Identity::Nothing),
    ];
    for (answer, wanted) in cases {
        assert_eq!(judged(&read, answer), wanted, "{answer}");
    }
}

#[test]
fn a_search_by_identifier_gives_one_record_or_none() {
    let search = lookup("/patients", &[("mrn", "{{ record.mrn }}")], None);
    let cases = [
        (r#"[{"id":"1","mrn":"M-4"}]"#, Identity::AsAsked),
        (r#"[{"id":"1","mrn":"M-5"}]"#, Identity::Another),
        (
            r#"[{"id":"1","mrn":"M-4"},{"id":"2","mrn":"M-4"}]"#,
            Identity::Several(2),
        ),
        (
            r#"{"total":3,"patients":[{"id":"1","mrn":"M-4"}]}"#,
            Identity::Several(3),
        ),
        (r#"{"total":0,"patients":[]}"#, Identity::Nothing),
        (
            r#"{"count":2,"results":[{"id":"1"},{"id":"2"}]}"#,
            Identity::Several(2),
        ),
    ];
    for (answer, wanted) in cases {
        assert_eq!(judged(&search, answer), wanted, "{answer}");
    }
}

#[test]
fn a_fhir_answer_is_judged_by_the_rules_of_fhir() {
    let read = lookup("/Patient/{{ record.patient }}", &[], None);
    let cases = [
        (r#"{"resourceType":"Patient","id":"17"}"#, Identity::AsAsked),
        // An identifier of that value does not make it the resource that was read.
        (
            r#"{"resourceType":"Patient","id":"99","identifier":[{"value":"17"}]}"#,
            Identity::Another,
        ),
        (
            r#"{"resourceType":"Practitioner","id":"17"}"#,
            Identity::Another,
        ),
    ];
    for (answer, wanted) in cases {
        assert_eq!(judged(&read, answer), wanted, "{answer}");
    }
    let search = lookup(
        "/Patient",
        &[("identifier", "urn:mrn|{{ record.mrn }}")],
        None,
    );
    let one = r#"{"resource":{"resourceType":"Patient","id":"1","identifier":[{"value":"M-4"}]},"search":{"mode":"match"}}"#;
    let included =
        r#"{"resource":{"resourceType":"Organization","id":"o"},"search":{"mode":"include"}}"#;
    let said = r#"{"resource":{"resourceType":"OperationOutcome"},"search":{"mode":"outcome"}}"#;
    let bundle = |entries: &[&str], rest: &str| {
        format!(
            r#"{{"resourceType":"Bundle","entry":[{}]{rest}}}"#,
            entries.join(",")
        )
    };
    assert_eq!(
        judged(&search, &bundle(&[one, included, said], r#","total":3"#)),
        Identity::AsAsked
    );
    assert_eq!(
        judged(&search, &bundle(&[one, one], "")),
        Identity::Several(2)
    );
    let next = r#","link":[{"relation":"next","url":"?page=2"}]"#;
    assert_eq!(judged(&search, &bundle(&[one], next)), Identity::Several(2));
    assert_eq!(judged(&search, &bundle(&[said], "")), Identity::Nothing);
    assert_eq!(
        judged(&search, r#"{"resourceType":"Bundle","total":0}"#),
        Identity::Nothing
    );
}

#[test]
fn an_identifier_that_is_named_by_the_user_counts_alone() {
    let read = lookup("/patients/{{ record.patient }}", &[], Some(".chart.number"));
    assert_eq!(
        judged(&read, r#"{"id":"99","chart":{"number":17}}"#),
        Identity::AsAsked
    );
    assert_eq!(
        judged(&read, r#"{"id":"17","chart":{"number":18}}"#),
        Identity::Another
    );
    assert_eq!(judged(&read, r#"{"id":"17"}"#), Identity::Another);
}
