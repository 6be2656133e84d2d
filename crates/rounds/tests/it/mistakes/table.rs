//! The mistakes.

/// Which EHR it is made against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ehr {
    /// A list of all that changed; times in UTC.
    Usual,
    /// Pages of two, each with the link of the next.
    Paged,
    /// Times without an offset, in the zone of Chicago.
    Local,
}

/// One mistake.
pub(super) struct Mistake {
    pub(super) name: &'static str,
    pub(super) ehr: Ehr,
    /// What stands in the configuration that works.
    pub(super) right: &'static str,
    /// What stands there instead.
    pub(super) wrong: &'static str,
}

const fn of(name: &'static str, right: &'static str, wrong: &'static str) -> Mistake {
    against(Ehr::Usual, name, right, wrong)
}

const fn against(
    ehr: Ehr,
    name: &'static str,
    right: &'static str,
    wrong: &'static str,
) -> Mistake {
    Mistake {
        name,
        ehr,
        right,
        wrong,
    }
}

/// As users make them, in the order of the file.
pub(super) const MISTAKES: &[Mistake] = &[
    of(
        "a_tab",
        "    connection: hospital",
        "\tconnection: hospital",
    ),
    of("a_colon_forgotten", "    every: 1s", "    every 1s"),
    of(
        "a_key_twice",
        "    every: 1s",
        "    every: 1s\n    every: 2s",
    ),
    of(
        "an_unquoted_placeholder",
        r#""{{ cursor }}""#,
        "{{ cursor }}",
    ),
    of("a_section_misspelt", "actions:\n", "actoins:\n"),
    of(
        "a_key_misspelt",
        "    connection: hospital",
        "    conection: hospital",
    ),
    of(
        "a_key_in_the_wrong_place",
        "    every: 1s\n",
        "    every: 1s\n    records: .[]\n",
    ),
    of("an_interval_without_a_unit", "every: 1s", "every: 60"),
    of("an_interval_in_words", "every: 1s", "every: 1 minute"),
    of("no_interval", "    every: 1s\n", ""),
    of(
        "a_cron_pattern_as_interval",
        "every: 1s",
        r#"every: "*/5 * * * *""#,
    ),
    of(
        "an_hour_that_there_is_not",
        "every: 1s",
        r#"at: "0 25 * * *""#,
    ),
    of("a_day_that_never_comes", "every: 1s", r#"at: "0 0 30 2 *""#),
    of(
        "hours_in_words",
        "every: 1s",
        "every: 1s\n    between: 8am-6pm",
    ),
    of(
        "hours_that_never_meet",
        "every: 1s",
        "at: \"0 3 * * *\"\n    between: 08:00-18:00",
    ),
    of("too_often_for_the_limit", "rate: 50/s", "rate: 10/m"),
    of("a_rate_in_words", "rate: 50/s", "rate: 50 per second"),
    of("nothing_in_flight", "in_flight: 4", "in_flight: 0"),
    of(
        "a_connection_that_there_is_not",
        "connection: hospital",
        "connection: hospitl",
    ),
    of(
        "a_destination_that_there_is_not",
        "to: [my-app]",
        "to: [my_app]",
    ),
    of(
        "a_lookup_that_there_is_not",
        "= .patient.mrn",
        "= .patients.mrn",
    ),
    of(
        "a_root_that_there_is_not",
        "= .record.status",
        "= .recrod.status",
    ),
    of(
        "an_address_without_a_scheme",
        "base_url: http://127",
        "base_url: 127",
    ),
    of(
        "a_metadata_address",
        "base_url: http://127.0.0.1",
        "base_url: http://169.254.169.254",
    ),
    of(
        "a_metadata_address_in_disguise",
        "url: http://127.0.0.1",
        "url: http://[::ffff:169.254.169.254]",
    ),
    of(
        "a_private_receiver",
        "    allow_addresses: [127.0.0.1]\n",
        "",
    ),
    of(
        "a_query_in_the_base_url",
        "    auth:",
        "    query_extra: 1\n    auth:",
    ),
    of(
        "a_port_of_another_program",
        "base_url: http://127.0.0.1",
        "base_url: http://127.0.0.2",
    ),
    of(
        "https_at_a_plain_port",
        "base_url: http://",
        "base_url: https://",
    ),
    of(
        "a_secret_in_the_file",
        "{ bearer: { env: EHR_TOKEN } }",
        "{ bearer: sk-live-4242424242 }",
    ),
    of("a_shell_variable", "env: EHR_TOKEN", "env: $EHR_TOKEN"),
    of(
        "a_variable_that_is_not_set",
        "env: EHR_TOKEN",
        "env: EHR_TOKN",
    ),
    of(
        "a_token_that_is_not_good",
        "env: EHR_TOKEN",
        "env: OLD_TOKEN",
    ),
    of(
        "a_signing_secret_that_is_none",
        "env: SIGNING_SECRET",
        "env: EHR_TOKEN",
    ),
    of(
        "no_authentication",
        "    auth: { bearer: { env: EHR_TOKEN } }\n",
        "",
    ),
    of("a_start_in_words", "start: beginning", "start: yesterday"),
    of(
        "a_month_that_there_is_not",
        "start: beginning",
        "start: 2022-13-10T00:00:00Z",
    ),
    of("a_zone_by_its_letters", "zone: UTC", "zone: EST"),
    of("a_zone_misspelt", "zone: UTC", "zone: America/NewYork"),
    of(
        "a_zone_whose_sign_is_turned",
        "zone: UTC",
        "zone: Etc/GMT-6",
    ),
    of(
        "the_zone_of_another_continent",
        "zone: UTC",
        "zone: Asia/Tokyo",
    ),
    of(
        "months_for_minutes",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%M-%dT%H:%m:%S",
    ),
    of("hours_of_twelve", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%I:%M:%S"),
    of(
        "a_pattern_of_another_tool",
        "%Y-%m-%dT%H:%M:%S",
        "yyyy-MM-ddTHH:mm:ss",
    ),
    against(
        Ehr::Local,
        "the_zone_of_the_wrong_place",
        "zone: America/Chicago",
        "zone: UTC",
    ),
    of(
        "a_field_without_its_dot",
        "field: .lastModified",
        "field: lastModified",
    ),
    of(
        "a_field_that_no_record_has",
        "field: .lastModified",
        "field: .modified",
    ),
    of("records_by_name", "records: .[]", "records: appointments"),
    of("records_by_jsonpath", "records: .[]", "records: $.data[*]"),
    of(
        "records_of_another_shape",
        "records: .[]",
        "records: .data[]",
    ),
    of("records_that_are_a_list", "records: .[]", "records: ."),
    of("an_id_that_no_record_has", "id: .id", "id: .identifier"),
    of("an_id_that_is_not_unique", "id: .id", "id: .patientID"),
    of("one_brace", r#""{{ cursor }}""#, r#""{ cursor }""#),
    of("a_placeholder_misspelt", "{{ cursor }}", "{{ curser }}"),
    of("a_shell_placeholder", "{{ cursor }}", "${cursor}"),
    of(
        "a_placeholder_without_its_root",
        "{{ record.patientID }}",
        "{{ patientID }}",
    ),
    of("a_leaf_that_is_not_marked", "= .record.id", ".record.id"),
    of(
        "a_template_in_a_body",
        "= .record.id",
        r#""{{ record.id }}""#,
    ),
    of(
        "an_expression_without_its_dot",
        "= .record.id",
        "= record.id",
    ),
    of("an_expression_cut_short", "= .record.id", "= .record.id |"),
    of(
        "an_assignment_for_a_comparison",
        "      id: .id",
        "      skip: .status = \"draft\"\n      id: .id",
    ),
    of(
        "a_word_without_quotes",
        "      id: .id",
        "      skip: .status == draft\n      id: .id",
    ),
    of(
        "a_condition_that_is_a_text",
        "      id: .id",
        "      gone: .status\n      id: .id",
    ),
    of(
        "a_condition_that_always_skips",
        "      id: .id",
        "      skip: .status != \"draft\"\n      id: .id",
    ),
    of(
        "a_condition_over_what_no_record_has",
        "      id: .id",
        "      skip: .sttus == \"draft\"\n      id: .id",
    ),
    of(
        "a_version_that_no_record_has",
        "      id: .id",
        "      version: .revision\n      id: .id",
    ),
    of(
        "an_order_by_what_no_record_has",
        "    notify:\n",
        "    notify:\n      order_by: = .record.patientId\n",
    ),
    of("a_path_misspelt", "get: /appointments", "get: /appointment"),
    of(
        "a_filter_that_the_ehr_does_not_know",
        "{ changedsince:",
        "{ changedSince:",
    ),
    of(
        "no_filter_at_all",
        "      query: { changedsince: \"{{ cursor }}\" }\n",
        "",
    ),
    against(
        Ehr::Paged,
        "pages_that_nobody_follows",
        "      paging: { next_link: .next }\n",
        "",
    ),
    against(
        Ehr::Paged,
        "a_next_link_of_another_name",
        "next_link: .next",
        "next_link: .nextPage",
    ),
    against(
        Ehr::Paged,
        "pages_by_another_rule",
        "paging: { next_link: .next }",
        "paging: { offset: { parameter: offset, size: 2 } }",
    ),
    of(
        "a_lookup_of_another_path",
        r#""/patient/"#,
        r#""/patients/"#,
    ),
    of(
        "a_lookup_by_another_field",
        "{{ record.patientID }}",
        "{{ record.patientId }}",
    ),
    of(
        "a_lookup_by_the_wrong_identifier",
        "{{ record.patientID }}",
        "{{ record.id }}",
    ),
    of(
        "a_field_of_the_patient_misspelt",
        "= .patient.mrn",
        "= .patient.mnr",
    ),
    of(
        "a_mapping_that_fails",
        "= .patient.mrn",
        "= .patient.mrn | fromjson",
    ),
    of(
        "a_model_misspelt",
        "    notify:\n",
        "    notify:\n      model: Schedulling\n",
    ),
    of(
        "a_model_without_its_fields",
        "    notify:\n",
        "    notify:\n      model: Scheduling\n",
    ),
    of(
        "an_overlap_of_less_than_nothing",
        "field: .lastModified",
        "overlap: -5m, field: .lastModified",
    ),
    of(
        "an_order_that_is_a_word",
        "    notify:\n",
        "    notify:\n      order_by: patientID\n",
    ),
    of(
        "waits_that_are_no_list",
        "    to: [my-app]",
        "    to: [my-app]\n    retry: { waits: 5 }",
    ),
    of(
        "something_for_ever",
        "connections:\n",
        "keep: forever\nconnections:\n",
    ),
];
