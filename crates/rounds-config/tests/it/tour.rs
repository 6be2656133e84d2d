//! THE TOUR: mistakes as people make them, and what they read then. Each stop changes the small example in one place.

use crate::{SMALL, rendered};
use rounds_config::{Severity, Sources, codes, load, to_json};
use std::collections::BTreeSet;

/// A mistake: its name, what is replaced in the small example, and by what.
type Stop = (&'static str, &'static str, &'static str);

const STOPS: &[Stop] = &[
    (
        "rows_that_cannot_be_counted",
        "      records: .[]",
        "      records: '[.[] | select(.kept)] | .[]'\n      paging: { offset: { parameter: offset, size: 50 } }",
    ),
    (
        "a_partition_that_names_nobody",
        "      query: { changedsince: \"{{ cursor }}\" }",
        "      query: { changedsince: \"{{ cursor }}\", site: \"{{ partition }}\" }\n      for_each: [north, \"*\"]",
    ),
    (
        "what_may_be_left_out_is_not_there",
        "      patient: { get: \"/patient/{{ record.patientID }}\" }",
        "      patient: { get: /patients, query: { mrn: \"{{ record.patientID }}\", site: north }, optional: [sites] }",
    ),
    (
        "setup_without_a_request",
        "    timeout: 30s",
        "    timeout: 30s\n    setup: { settle: 5m }",
    ),
    (
        "setup_with_a_cursor",
        "    timeout: 30s",
        "    timeout: 30s\n    setup: { post: \"/subscribe/{{ cursor }}\" }",
    ),
    (
        "pushes_from_nowhere",
        "    timeout: 30s",
        "    timeout: 30s\n    receive: { version: .updated }",
    ),
    (
        "pushes_that_nobody_proves",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    receive: { listen: 127.0.0.1:8750 }",
    ),
    (
        "pushes_to_no_address",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    receive: { listen: localhost, bearer: { env: PUSH_TOKEN } }",
    ),
    (
        "pushes_over_the_open_network",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    receive: { listen: 0.0.0.0:8750, bearer: { env: PUSH_TOKEN } }",
    ),
    (
        "token_and_bearer",
        "    verification_token: { env: MY_APP_TOKEN }",
        "    bearer: { env: MY_APP_TOKEN }\n    oauth2: { token_url: /token, client_id: rounds, client_secret: { env: SECRET } }",
    ),
    (
        "a_refresh_token_for_a_destination",
        "    verification_token: { env: MY_APP_TOKEN }",
        "    oauth2: { grant: refresh_token, token_url: /token, client_id: rounds, refresh_token: { env: SECRET } }",
    ),
    (
        "rate_of_a_calendar_week",
        "rate: 10/s",
        "rate: 100/calendar week",
    ),
    (
        "rate_within_and_outside",
        "rate: 10/s",
        "rate: { rate: 1/m, between: Mon-Fri, outside: 06:00-18:00 }",
    ),
    (
        "condition_reads_what_there_is_not",
        "patient: { get: \"/patient/{{ record.patientID }}\" }",
        "patient: { get: \"/patient/{{ record.patientID }}\", when: .recrod.patientID != null }",
    ),
    (
        "body_without_post",
        "      start: now",
        "      body: { json: { since: = .cursor } }\n      start: now",
    ),
    (
        "body_of_two_kinds",
        "      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }",
        "      post: /appointments\n      body: { json: { since: = .cursor }, text: \"{{ cursor }}\" }",
    ),
    (
        "body_reads_what_there_is_not",
        "      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }",
        "      post: /appointments\n      body: { json: { since: = .cursor, page: = .pages } }",
    ),
    (
        "body_with_a_content_type_of_its_own",
        "      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }",
        "      post: /appointments\n      body: { form: { since: \"{{ cursor }}\" }, content_type: application/json }",
    ),
    (
        "body_with_no_content_type",
        "      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }",
        "      post: /appointments\n      body: { text: \"{{ cursor }}\", content_type: json }",
    ),
    (
        "body_without_the_cursor",
        "      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }",
        "      post: /appointments\n      body: { graphql: { query: \"{ a { id } }\", variables: { first: 10 } } }",
    ),
    (
        "body_with_a_secret_that_is_not_there",
        "      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }",
        "      post: /appointments\n      body: { xml: \"<a key='{{ secret.key }}'>{{ cursor }}</a>\" }",
    ),
    (
        "body_with_a_session_of_no_login",
        "      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }",
        "      post: /appointments\n      body: { form: { token: \"{{ session }}\", since: \"{{ cursor }}\" } }",
    ),
    (
        "secret_inside_an_expression",
        "      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }",
        "      post: /appointments\n      body: { form: { token: \"{{ secret.key | ascii_upcase }}\", since: \"{{ cursor }}\" } }",
    ),
    (
        "secret_in_the_query",
        "      query: { changedsince: \"{{ cursor }}\" }",
        "      query: { changedsince: \"{{ cursor }}\", key: \"{{ secret.key }}\" }",
    ),
    (
        "secret_name_with_minus",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    secrets: { customer-key: { env: KEY } }",
    ),
    (
        "page_that_nothing_gives",
        "      query: { changedsince: \"{{ cursor }}\" }",
        "      query: { changedsince: \"{{ cursor }}\", page: \"{{ page }}\" }",
    ),
    (
        "page_in_no_part_of_the_request",
        "      start: now",
        "      paging: { token: { from: .next } }\n      start: now",
    ),
    (
        "page_sent_twice",
        "      query: { changedsince: \"{{ cursor }}\" }",
        "      query: { changedsince: \"{{ cursor }}\", page: \"{{ page }}\" }\n      paging: { token: { parameter: page, from: .next } }",
    ),
    (
        "answers_that_fit_everything",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    answers: [{ means: ok }]",
    ),
    (
        "answers_with_a_wait_that_is_none",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    answers: [{ status: 403, means: fatal, after: 30s }]",
    ),
    (
        "answers_of_no_status",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    answers: [{ status: [40x, 6xx, 99], means: retry }]",
    ),
    (
        "answers_of_unknown_meaning",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    answers: [{ status: 403, means: throtled }]",
    ),
    (
        "format_unknown",
        "    limits: { rate: 10/s, in_flight: 4 }",
        "    format: soap",
    ),
    (
        "sweep_without_every",
        "    every: 1m",
        "    every: 1m\n    reconcile: 1d",
    ),
    (
        "sweep_with_bad_duration",
        "    every: 1m",
        "    every: 1m\n    reconcile: every day",
    ),
    (
        "sweep_without_interval",
        "    every: 1m",
        "    every: 1m\n    trailing: { horizon: 2h }",
    ),
    (
        "horizon_within_overlap",
        "    every: 1m",
        "    every: 1m\n    trailing: { every: 5m, horizon: 2m }",
    ),
    (
        "sweep_more_often_than_changes",
        "    every: 1m",
        "    every: 1m\n    trailing: { every: 10s, horizon: 1h }",
    ),
    (
        "dates_without_own_request",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, dates: { from: -1d, to: 1d, field: .start } }",
    ),
    (
        "dates_that_end_before_they_begin",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: \"/all?from={{ from }}\", dates: { from: 2d, to: -1w, field: .start } }",
    ),
    (
        "dates_in_no_days",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: \"/all?from={{ from }}\", dates: { from: 36h, to: 1w, field: .start } }",
    ),
    (
        "dates_that_are_not_asked_for",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: /all, dates: { from: -1d, to: 1d, field: .start } }",
    ),
    (
        "from_without_dates",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: \"/all?from={{ from }}\" }",
    ),
    (
        "sweep_with_get_and_post",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: /all, post: /all }",
    ),
    (
        "query_without_own_request",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, query: { status: all } }",
    ),
    (
        "dates_without_year",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: \"/all?from={{ from }}\", dates: { from: -1d, to: 1d, field: .start, format: \"%d.%m.\" } }",
    ),
    (
        "dates_with_time",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: \"/all?from={{ from }}\", dates: { from: -1d, to: 1d, field: .start, format: \"%Y-%m-%dT%H\" } }",
    ),
    (
        "dates_beyond_a_lifetime",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: \"/all?from={{ from }}\", dates: { from: -9000w, to: 1d, field: .start } }",
    ),
    (
        "cursor_in_a_sweep_of_its_own",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: \"/all?since={{ cursor }}\" }",
    ),
    (
        "horizon_within_settle",
        "    timeout: 30s\n    changes:\n      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "    timeout: 30s\n    trailing: { every: 5m, horizon: 30m }\n    changes:\n      get: /appointments\n      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, settle: 1h }",
    ),
    (
        "hold_back_without_deletions",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, deletions: ignored, hold_back: 20% }",
    ),
    (
        "hold_back_with_a_cursor",
        "      id: .id\n",
        "      id: .id\n      hold_back: 20%\n",
    ),
    (
        "hold_back_without_a_word",
        "      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }\n",
        "      hold_back: 20%\n",
    ),
    (
        "deletions_from_moving_pages_without_a_cursor",
        "      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }\n",
        "      deletions: told\n      paging: { page_number: { parameter: page } }\n",
    ),
    (
        "reconcile_without_a_cursor",
        "      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }\n      start: now\n      records: .[]\n      id: .id\n",
        "      start: now\n      records: .[]\n      id: .id\n    reconcile: every 1d\n",
    ),
    (
        "since_with_an_hour_and_no_offset",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, since: 2020-01-01T10 }",
    ),
    (
        "over_the_limit_with_sweeps",
        "rate: 10/s, in_flight: 4 }\nactions:\n  appointments:\n    connection: fakedata\n",
        "rate: 50/h, in_flight: 4 }\nactions:\n  appointments:\n    connection: fakedata\n    reconcile: every 1d\n",
    ),
    (
        "since_with_own_request",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: /all, since: 2020-01-01 }",
    ),
    (
        "since_without_offset",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, since: \"2020-01-01T00:00:00\" }",
    ),
    (
        "deletions_from_moving_pages",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: /all, paging: { offset: { parameter: o, size: 9 } } }",
    ),
    (
        "deletions_with_a_cursor",
        "      id: .id\n",
        "      id: .id\n      deletions: told\n",
    ),
    // Case 34: EC:416fdab82 filtered on one date and kept the other as its checkpoint.
    (
        "cursor_by_another_field",
        "query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "query: { _lastUpdated: \"ge{{ cursor }}\" }\n      cursor: { time: rfc3339, field: .created }",
    ),
    (
        "order_without_field",
        "overlap: 2m }",
        "overlap: 2m, order: ascending }",
    ),
    (
        "slices_without_an_upper_bound",
        "overlap: 2m }",
        "overlap: 2m, window: { longest: 7d } }",
    ),
    (
        "slices_within_overlap",
        "{ changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "{ changedsince: \"{{ cursor }}\", to: \"{{ until }}\" }\n      cursor: { time: \"%m/%d/%Y\", window: { longest: 3d } }",
    ),
    (
        "slices_from_1970",
        "{ changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }\n      start: now",
        "{ changedsince: \"{{ cursor }}\", to: \"{{ until }}\" }\n      cursor: { time: rfc3339, window: { longest: 7d } }\n      start: beginning",
    ),
    (
        "dates_in_slices_of_a_day",
        "    every: 1m",
        "    every: 1m\n    reconcile: { every: 1d, get: \"/all?from={{ from }}\", dates: { from: -1d, to: 1w, field: .start, longest: 1d } }",
    ),
    (
        "order_with_an_answer",
        "overlap: 2m }",
        "answer: .clock, field: .changed, order: ascending }",
    ),
    (
        "newest_on_one_page",
        "      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "      cursor: { time: rfc3339, field: .changed, order: descending }",
    ),
    (
        "queue_with_a_cursor_in_the_request",
        "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "cursor: { queue: {} }",
    ),
    (
        "queue_by_offset",
        "      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "      cursor: { queue: {} }\n      paging: { offset: { parameter: offset, size: 50 } }",
    ),
    (
        "queue_with_overlap",
        "      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "      cursor: { queue: {}, overlap: 2m }",
    ),
    (
        "recover_without_from",
        "      query: { changedsince: \"{{ cursor }}\" }\n      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "      cursor: { queue: { recover: { query: { processed: \"yes\" }, last: 12h } } }",
    ),
    (
        "links_without_links",
        "overlap: 2m }",
        "overlap: 2m }\n      paging: { token: { parameter: page, from: .next }, links: rebased }",
    ),
    (
        "unknown_key",
        "    every: 1m",
        "    evry: 1m\n    every: 1m",
    ),
    (
        "unknown_key_far_from_all",
        "    every: 1m",
        "    description: x\n    every: 1m",
    ),
    ("wrong_type", "changes:\n", "changes: []\n    ignored:\n"),
    ("number_for_name", "connection: fakedata", "connection: 123"),
    ("nothing_given", "connection: fakedata", "connection:"),
    ("missing_key", "      records: .[]\n", ""),
    ("missing_start", "      start: now\n", ""),
    ("tab", "    every: 1m", "\tevery: 1m"),
    ("unclosed_bracket", "to: [my-app]", "to: [my-app"),
    (
        "unclosed_quote",
        "get: /appointments",
        "get: \"/appointments",
    ),
    (
        "colon_in_plain_text",
        "get: /appointments",
        "get: /appointments: all",
    ),
    (
        "template_without_quotes",
        "\"{{ cursor }}\"",
        "{{ cursor }}",
    ),
    (
        "percent_without_quotes",
        "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "cursor:\n        time: %Y-%m-%d",
    ),
    (
        "duplicate_key",
        "    every: 1m",
        "    every: 1m\n    every: 5m",
    ),
    (
        "alias",
        "limits: { rate: 10/s, in_flight: 4 }",
        "limits: &limits { rate: 10/s }\n    headers: *limits",
    ),
    (
        "get_and_post",
        "get: /appointments",
        "get: /appointments\n      post: /appointments",
    ),
    (
        "unknown_word",
        "{ get: \"/patient/{{ record.patientID }}\" }",
        "{ get: \"/patient/{{ record.patientID }}\", when_missing: prak }",
    ),
    ("bad_name", "  appointments:", "  New Appointments:"),
    ("no_interval", "    every: 1m\n", ""),
    (
        "every_and_at",
        "every: 1m",
        "every: 1m\n    at: \"0 * * * *\"",
    ),
    ("duration_without_unit", "every: 1m", "every: 60"),
    ("duration_with_slip", "every: 1m", "every: 5 minuts"),
    ("interval_too_short", "every: 1m", "every: 500ms"),
    (
        "cron_and_windows_that_never_meet",
        "every: 1m",
        "at: \"30 3 * * *\"\n    between: [\"Mon-Fri 07:00-19:00\", \"22:00-02:00\"]",
    ),
    ("cron_that_never_comes", "every: 1m", "at: \"0 3 30 2 *\""),
    (
        "zone_without_summer",
        "zone: UTC, overlap: 2m",
        "zone: EST, overlap: 2m",
    ),
    ("bad_cron", "every: 1m", "at: \"0 25 * * *\""),
    ("cron_with_seconds", "every: 1m", "at: \"*/30 * * * * *\""),
    ("unknown_zone", "zone: UTC", "zone: America/NewYork"),
    ("zone_by_city", "zone: UTC", "zone: new york"),
    (
        "bad_window",
        "every: 1m",
        "every: 1m\n    between: [\"Mon-Fri 07:00-19:00\", \"Son 9:00-12:00\"]",
    ),
    (
        "unknown_connection",
        "connection: fakedata",
        "connection: fakdata",
    ),
    ("unknown_destination", "to: [my-app]", "to: [my-app, my-ap]"),
    (
        "same_name",
        "destinations:\n",
        "destinations:\n  my-app: { url: \"https://other.example.org\" }\n",
    ),
    ("jq_plain", "id: .id", "id: .id | tostrng"),
    (
        "jq_single_quoted",
        "id: .id",
        "id: '.id | select(.name == ''x'' )'",
    ),
    (
        "jq_double_quoted",
        "id: .id",
        "id: \".id | select(.name == \\\"x\\\") | frist\"",
    ),
    (
        "jq_block",
        "records: .[]",
        "records: |\n        .entry[]\n        | select(.kind == \"a\")\n        | .resorce |",
    ),
    (
        "jq_folded",
        "records: .[]",
        "records: >-\n        .entry[]\n        | selct(.kind == \"a\")\n        | .resource",
    ),
    ("jq_needs_quotes", "records: .[]", "records: [.entry]"),
    (
        "template_unknown_name",
        "record.patientID",
        "recrod.patientID",
    ),
    (
        "template_unclosed",
        "{{ record.patientID }}",
        "{{ record.patientID",
    ),
    ("unknown_lookup", "= .patient.mrn", "= .patiant.mrn"),
    (
        "lookups_in_a_circle",
        "patient: { get: \"/patient/{{ record.patientID }}\" }",
        "patient: { get: \"/patient/{{ insurer.holder }}\" }\n      insurer: { get: \"/insurer/{{ patient.insurerID }}\" }",
    ),
    (
        "reserved_lookup_name",
        "      patient: {",
        "      change: { get: /change }\n      patient: {",
    ),
    (
        "lookup_name_with_minus",
        "      patient: {",
        "      next-of-kin: { get: /kin }\n      patient: {",
    ),
    (
        "timeout_longer_than_interval",
        "timeout: 30s",
        "timeout: 2m",
    ),
    (
        "cursor_not_sent",
        "      query: { changedsince: \"{{ cursor }}\" }\n",
        "",
    ),
    (
        "cursor_not_given",
        "      cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }\n",
        "",
    ),
    ("time_format_unknown", "\"%Y-%m-%dT%H:%M:%S\"", "rfc339"),
    ("time_format_with_bad_directive", "%H:%M:%S", "%H:%M:%K"),
    (
        "time_format_without_am_pm",
        "%Y-%m-%dT%H:%M:%S",
        "%m/%d/%Y %I:%M",
    ),
    ("time_format_without_day", "%Y-%m-%dT%H:%M:%S", "%Y-%m"),
    ("granularity_too_fine", "overlap: 2m", "granularity: 1ms"),
    ("start_without_offset", "start: now", "start: 2026-01-01"),
    (
        "start_at_instant_without_time",
        "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }\n      start: now",
        "cursor: { number: .Last }\n      start: 2026-01-01T00:00:00Z",
    ),
    (
        "overlap_without_time",
        "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "cursor: { number: .Last, overlap: 2m }",
    ),
    ("zone_by_gmt", "zone: UTC", "zone: GMT-6"),
    ("zone_by_half_hours", "zone: UTC", "zone: \"+05:30\""),
    (
        "end_with_time",
        "zone: UTC, overlap: 2m }",
        "zone: UTC, overlap: 2m, end: { query: { since: now } } }",
    ),
    (
        "end_asked_from_a_place",
        "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "cursor: { number: .Last, end: { query: { since: \"{{ cursor }}\" } } }",
    ),
    (
        "order_of_a_token",
        "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "cursor: { token: .next, order: ascending }",
    ),
    (
        "version_and_ignore",
        "id: .id",
        "id: .id\n      version: .v\n      ignore: [.fetchedAt]",
    ),
    (
        "literal_secret",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { bearer: eyJhbGciOi.very-secret }",
    ),
    (
        "secret_in_environment_name",
        "env: MY_APP_TOKEN",
        "env: whsec_MfKQ9r8GKYqrTwjU=",
    ),
    (
        "number_in_environment_name",
        "env: MY_APP_TOKEN",
        "env: 8675309",
    ),
    (
        "environment_name_like_a_shell",
        "env: MY_APP_TOKEN",
        "env: ${MY_APP_TOKEN}",
    ),
    (
        "authorization_header",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "headers: { Authorization: Bearer very-secret }",
    ),
    (
        "password_in_url",
        "https://fakedata.com",
        "https://joe:very-secret@fakedata.com",
    ),
    (
        "url_without_scheme",
        "https://fakedata.com",
        "fakedata.com/api",
    ),
    (
        "query_in_base_url",
        "https://fakedata.com",
        "https://fakedata.com?key=1",
    ),
    (
        "plain_http",
        "https://app.example.org",
        "http://app.example.org",
    ),
    (
        "private_destination",
        "https://app.example.org",
        "http://localhost:8080",
    ),
    ("bad_rate", "rate: 10/s", "rate: 10"),
    (
        "bad_size",
        "    limits:",
        "    body_limit: 64mb\n    limits:",
    ),
    ("nothing_in_flight", "in_flight: 4", "in_flight: 0"),
    ("no_pages", "start: now", "start: now\n      max_pages: 0"),
    (
        "challenge_without_token",
        "verification_token: { env: MY_APP_TOKEN }",
        "challenge: post",
    ),
    ("unknown_model", "model: Scheduling", "model: Schedulng"),
    (
        "unknown_event",
        "model: Scheduling",
        "model: Scheduling\n      event: Cancelled",
    ),
    ("unknown_body_field", "IDType: MR", "IDTyp: MR"),
    ("number_for_text_in_body", "IDType: MR", "IDType: 7"),
    ("number_with_leading_zeros", "IDType: MR", "IDType: 007"),
    ("event_without_model", "model: Scheduling", "event: New"),
    (
        "unknown_without_codes",
        "model: Scheduling",
        "model: Scheduling\n      unknown: park",
    ),
    (
        "unmarked_expression",
        "Department: = .record.clinic",
        "Department: .record.clinic",
    ),
    (
        "placeholder_in_a_body",
        "Department: = .record.clinic",
        "Department: \"{{ record.clinic }}, {{ record.floor }}\"",
    ),
    (
        "perhaps_an_expression",
        "Department: = .record.clinic",
        "Department: record.clinic",
    ),
    (
        "expression_as_a_code",
        "model: Scheduling",
        "model: Scheduling\n      codes: { Visit.VisitNumber: { a: = .record.b } }",
    ),
    (
        "condition_that_gives_a_text",
        "start: now",
        "start: now\n      gone: .status // \"there\"",
    ),
    (
        "event_that_there_is_not",
        "to: [my-app]",
        "to: { destination: my-app, when: .event == \"Scheduling.Canceled\" }",
    ),
    (
        "event_listed_that_there_is_not",
        "to: [my-app]",
        "to: { destination: my-app, allow: { Meta.EventType: [New, Cancelled] } }",
    ),
    (
        "list_of_nothing",
        "to: [my-app]",
        "to: { destination: my-app, allow: { Visit.PatientClass: [Inpatient] } }",
    ),
    (
        "only_of_nothing",
        "model: Scheduling",
        "model: Scheduling\n      only: [Visit.VisitDateTime, Visit.Reason]",
    ),
    (
        "everything_skipped",
        "start: now",
        "start: now\n      skip: true",
    ),
    (
        "list_of_jq",
        "to: [my-app]",
        "to: { destination: my-app, allow: { Visit.VisitNumber: [= .record.id] } }",
    ),
    (
        "shape_that_sends_no_body",
        "model: Scheduling",
        "shape: fhir_message",
    ),
    (
        "order_by_without_its_mark",
        "model: Scheduling",
        "model: Scheduling\n      order_by: .record.patientID",
    ),
    (
        "placeholder_in_the_url_of_a_destination",
        "url: https://app.example.org/redox",
        "url: \"https://app.example.org/{{ record.id }}\"",
    ),
    (
        "placeholder_of_another_kind",
        "get: \"/patient/{{ record.patientID }}\"",
        "get: \"/patients/{record.patientID}\"",
    ),
    (
        "placeholder_as_in_routes",
        "get: \"/patient/{{ record.patientID }}\"",
        "get: \"/patients/:patientID\"",
    ),
    (
        "zone_without_model",
        "model: Scheduling",
        "zone: America/Chicago",
    ),
    (
        "codes_of_no_path",
        "model: Scheduling",
        "model: Scheduling\n      codes: { Patient.Demographics.Sexx: { F: Female } }",
    ),
    (
        "statuses_without_model",
        "model: Scheduling",
        "statuses: { cancelled: X }",
    ),
    (
        "filter_that_reads_what_there_is_not",
        "to: [my-app]",
        "to: { destination: my-app, when: .bodi.Visit != null }",
    ),
    (
        "list_of_a_path_that_the_model_has_not",
        "to: [my-app]",
        "to: { destination: my-app, allow: { Visit.Place: [3N] } }",
    ),
    (
        "subscription_without_destination",
        "to: [my-app]",
        "to: { when: .body.Visit != null }",
    ),
    (
        "unknown_state",
        "model: Scheduling",
        "model: Scheduling\n      statuses: { canceled: X }",
    ),
    (
        "status_without_mark",
        "model: Scheduling",
        "model: Scheduling\n      status: .record.status",
    ),
    (
        "only_what_there_is_not",
        "model: Scheduling",
        "model: Scheduling\n      only: [Visit.Time]",
    ),
    (
        "status_of_a_model_that_follows_none",
        "model: Scheduling",
        "model: Media\n      status: = .record.status",
    ),
    (
        "order_by_without_mark",
        "model: Scheduling",
        "model: Scheduling\n      order_by: .patientID",
    ),
    ("nothing_is_sent", "to: [my-app]", "to: []"),
    (
        "unused",
        "destinations:\n",
        "destinations:\n  other: { url: \"https://other.example.org\" }\n",
    ),
    (
        "reserved_header",
        "verification_token:",
        "headers: { webhook-id: x }\n    verification_token:",
    ),
    (
        "bad_header_name",
        "verification_token:",
        "headers: { \"x tenant\": x }\n    verification_token:",
    ),
    (
        "partition_that_is_not_sent",
        "      start: now",
        "      for_each: [1, 2]\n      start: now",
    ),
    (
        "partition_without_partitions",
        "get: /appointments",
        "get: \"/appointments/{{ partition }}\"",
    ),
    (
        "job_without_what_its_manifest_says",
        "get: /appointments",
        "get: /appointments\n      job: fhir_bulk",
    ),
    (
        "batch_whose_ids_are_not_sent",
        "patient: { get: \"/patient/{{ record.patientID }}\" }",
        "patient: { get: /patients, batch: { key: .record.patientID, records: \".[]\", id: .id } }",
    ),
    (
        "batch_that_reads_one_container",
        "patient: { get: \"/patient/{{ record.patientID }}\" }",
        "patient: { get: \"/patients/{{ record.clinic }}\", query: { id: '{{ ids | join(\",\") }}' }, batch: { key: .recrod.patientID, records: \".[]\", id: .id } }",
    ),
    (
        "batch_of_none",
        "patient: { get: \"/patient/{{ record.patientID }}\" }",
        "patient: { get: /patients, query: { id: '{{ ids | join(\",\") }}' }, batch: { key: .record.patientID, records: \".[]\", id: .id, most: 5000 } }",
    ),
    (
        "job_with_pages",
        "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
        "job: fhir_bulk\n      cursor: { time: rfc3339, answer: .transactionTime, overlap: 0s }\n      paging: { next_link: .next }",
    ),
    (
        "partition_twice",
        "get: /appointments",
        "for_each: [a, b, a]\n      get: \"/appointments/{{ partition }}\"",
    ),
    (
        "no_partition",
        "get: /appointments",
        "for_each: []\n      get: \"/appointments/{{ partition }}\"",
    ),
    (
        "partitions_from_nowhere",
        "get: /appointments",
        "for_each: { records: \".[]\", id: .id }\n      get: \"/appointments/{{ partition }}\"",
    ),
    (
        "dates_with_a_cursor",
        "      start: now",
        "      dates: { from: 0d, to: 1d, field: .start }\n      start: now",
    ),
    (
        "from_in_a_change_query",
        "get: /appointments",
        "get: \"/appointments/{{ from }}\"",
    ),
    (
        "zone_without_use",
        "every: 1m",
        "every: 1m\n    zone: Europe/Berlin",
    ),
    (
        "bad_percentage",
        "every: 1m",
        "every: 1m\n    retry: { jitter: 20 }",
    ),
    (
        "bad_address",
        "verification_token:",
        "allow_addresses: [app.example.org]\n    verification_token:",
    ),
    (
        "metadata_address_in_another_notation",
        "url: https://app.example.org/redox",
        "url: \"https://[::ffff:169.254.169.254]/redox\"",
    ),
    (
        "metadata_address_that_is_allowed",
        "verification_token:",
        "allow_addresses: [100.100.100.200]\n    verification_token:",
    ),
    (
        "address_as_one_number",
        "url: https://app.example.org/redox",
        "url: https://2130706433/redox",
    ),
    (
        "address_of_everything",
        "url: https://app.example.org/redox",
        "url: https://0.0.0.0/redox",
    ),
    (
        "auth_query_without_value",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { query: { name: api_key } }",
    ),
    (
        "auth_literal_query",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { query: { name: api_key, value: very-secret } }",
    ),
    (
        "auth_two_kinds",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { bearer: { env: A }, login: { post: /login, token: .token } }",
    ),
    (
        "oauth2_without_token_url",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client_id: rounds, client_secret: { env: S } } }",
    ),
    (
        "oauth2_with_two_token_urls",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client_id: rounds, client_secret: { env: S }, token_url: /token, discover: true } }",
    ),
    (
        "oauth2_without_secret",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client_id: rounds, token_url: /token } }",
    ),
    (
        "oauth2_forgotten_grant",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client_id: rounds, client_secret: { env: S }, token_url: /token, refresh_token: { env: R } } }",
    ),
    (
        "oauth2_password_without_user",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { grant: password, client_id: rounds, token_url: /token, password: { env: P } } }",
    ),
    (
        "oauth2_unknown_grant",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { grant: client_credential, client_id: rounds, client_secret: { env: S }, token_url: /token } }",
    ),
    (
        "oauth2_unknown_client",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client: basic-raw, client_id: rounds, client_secret: { env: S }, token_url: /token } }",
    ),
    (
        "oauth2_reserved_parameter",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client_id: rounds, client_secret: { env: S }, token_url: /token, parameters: { client_secret: very-secret } } }",
    ),
    (
        "oauth2_discover_maybe",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client_id: rounds, client_secret: { env: S }, discover: maybe } }",
    ),
    (
        "oauth2_plain_token_url",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client_id: rounds, client_secret: { env: S }, token_url: \"http://auth.example.org/token\" } }",
    ),
    (
        "oauth2_token_path_that_leaves",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { oauth2: { client_id: rounds, client_secret: { env: S }, token_url: ../token } }",
    ),
    (
        "smart_scope_of_a_person",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { smart_backend: { client_id: rounds, private_key: { file: key.pem }, scope: patient/*.read offline_access } }",
    ),
    (
        "smart_key_in_the_file",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { smart_backend: { client_id: rounds, private_key: very-secret, scope: system/*.read } }",
    ),
    (
        "login_without_request",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { login: { token: .token } }",
    ),
    (
        "login_get_with_body",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { login: { get: /login, json: { user: rounds, password: { env: P } }, token: .token } }",
    ),
    (
        "login_two_bodies",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { login: { post: /login, json: { user: rounds }, form: { user: rounds }, token: .token } }",
    ),
    (
        "login_literal_password",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { login: { post: /login, json: { user: rounds, Password: very-secret }, token: .token } }",
    ),
    (
        "login_bad_token",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { login: { post: /login, token: .token[ } }",
    ),
    (
        "login_token_from_nowhere",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { login: { post: /login, token: {} } }",
    ),
    (
        "login_prefix_without_header",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: { login: { post: /login, token: .token, send: { query: sid, prefix: \"Bearer \" } } }",
    ),
    (
        "secret_authorization_header",
        "auth: { bearer: { env: FAKEDATA_TOKEN } }",
        "auth: none\n    headers: { authorization: { env: A } }",
    ),
    ("over_the_limit", "rate: 10/s", "rate: 50/h"),
    ("near_the_limit", "rate: 10/s", "rate: 100/h"),
];

fn changed((name, from, to): Stop) -> Sources {
    assert!(SMALL.contains(from), "{name}: nothing to replace");
    Sources::from_text("rounds.yaml", SMALL.replacen(from, to, 1))
}

#[test]
fn the_small_example_has_nothing_wrong() {
    assert_eq!(rendered(&Sources::from_text("rounds.yaml", SMALL)), "");
}

#[test]
fn every_mistake_is_told_where_it_is_and_how_to_mend_it() {
    for stop in STOPS {
        let text = rendered(&changed(*stop));
        assert!(!text.is_empty(), "{}: nothing was said", stop.0);
        assert!(
            !text.contains("very-secret"),
            "{}: the secret is shown",
            stop.0
        );
        assert!(!text.contains("8675309"), "{}: the secret is shown", stop.0);
        assert!(!text.contains("whsec_"), "{}: the secret is shown", stop.0);
        insta::assert_snapshot!(stop.0, text);
    }
}

#[test]
fn the_tour_visits_every_code_but_those_of_files() {
    let mut visited: BTreeSet<_> = STOPS
        .iter()
        .flat_map(|stop| load(&changed(*stop)).diagnostics)
        .map(|diagnostic| diagnostic.code)
        .collect();
    // These are about files and folders, or take more than one change, and have tests of their own.
    visited.extend([
        codes::TOO_LARGE,
        codes::UNREADABLE,
        codes::DELETION_UNSEEN,
        codes::VERSIONS_DISAGREE,
        codes::FEED_NAME_TAKEN,
        codes::NOT_POLLABLE,
        codes::UNKNOWN_CONNECTOR,
        codes::UNKNOWN_CONNECTOR_ACTION,
        codes::BAD_SETTINGS,
        codes::BAD_CONNECTOR,
        codes::UNKNOWN_MAP,
        codes::MAP_OVER_ITSELF,
        codes::BAD_TRANSLATION,
        codes::BAD_SCHEMA,
    ]);
    let missed: Vec<_> = codes::ALL
        .iter()
        .filter(|code| !visited.contains(*code))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn every_code_has_a_page() {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes");
    for code in codes::ALL {
        let page = std::fs::read_to_string(pages.join(format!("{code}.md"))).unwrap_or_default();
        assert!(
            page.starts_with(&format!("# {code}: ")),
            "docs/codes/{code}.md is missing or begins otherwise"
        );
    }
}

#[test]
fn five_mistakes_are_told_together_in_the_order_of_the_file() {
    let text = SMALL
        .replacen("rate: 10/s", "rate: ten", 1)
        .replacen("every: 1m", "every: 60", 1)
        .replacen("id: .id", "id: .id |", 1)
        .replacen("IDType: MR", "IDTyp: MR", 1)
        .replacen("to: [my-app]", "to: [my-ap]", 1);
    let sources = Sources::from_text("rounds.yaml", text);
    let outcome = load(&sources);
    assert!(outcome.plan.is_none());
    let codes: Vec<_> = outcome
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.as_str())
        .collect();
    assert_eq!(codes, ["R0223", "R0202", "R0209", "R0228", "R0207"]);
    insta::assert_snapshot!("five_mistakes", rendered(&sources));
}

#[test]
fn programs_read_the_same_as_people() {
    let sources = changed(("", "id: .id", "id: .id | tostrng"));
    let json = to_json(&sources, &load(&sources).diagnostics);
    insta::assert_snapshot!(
        "as_json",
        serde_json::to_string_pretty(&json).expect("is JSON")
    );
}

#[test]
fn a_warning_alone_keeps_the_plan() {
    let sources = changed(("", "to: [my-app]", "to: []"));
    let outcome = load(&sources);
    assert!(outcome.plan.is_some());
    assert!(
        outcome
            .diagnostics
            .iter()
            .all(|diagnostic| diagnostic.severity == Severity::Warning)
    );
}

/// The small example with several changes.
fn changed_in(places: &[(&str, &str)]) -> Sources {
    let text = places.iter().fold(SMALL.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    Sources::from_text("rounds.yaml", text)
}

#[test]
fn a_log_by_number_needs_a_sweep_with_its_own_request() {
    let sources = changed_in(&[
        (
            "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
            "cursor: { number: .Last }",
        ),
        (
            "    every: 1m",
            "    every: 1m\n    trailing: { every: 5m, horizon: 2h }",
        ),
    ]);
    insta::assert_snapshot!("trailing_after_a_number", rendered(&sources));
    let sources = changed_in(&[
        (
            "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
            "cursor: { number: .Last }",
        ),
        ("    every: 1m", "    every: 1m\n    reconcile: every 1d"),
    ]);
    insta::assert_snapshot!("reconcile_after_a_number", rendered(&sources));
}

#[test]
fn a_deletion_that_nobody_sees_is_a_warning() {
    let sources = changed_in(&[
        ("    every: 1m", "    every: 1m\n    reconcile: every 1d"),
        ("      model: Scheduling\n", ""),
    ]);
    assert!(load(&sources).plan.is_some());
    insta::assert_snapshot!("deletions_that_nobody_sees", rendered(&sources));
    let sources = changed_in(&[
        ("    every: 1m", "    every: 1m\n    reconcile: every 1d"),
        ("      model: Scheduling\n", ""),
        (
            "        Visit:",
            "        Gone: '= .change.kind == \"deleted\"'\n        Visit:",
        ),
    ]);
    assert!(load(&sources).diagnostics.is_empty());
}

#[test]
fn several_change_queries_tell_of_the_same_records_in_the_same_words() {
    let found = |also: &str, version: &str| {
        let also = format!("    every: 1m\n    also: {also}");
        let sources = changed_in(&[
            ("    every: 1m", &also),
            ("      id: .id\n", &format!("      id: .id\n{version}")),
            (
                "        Visit:",
                "        Gone: '= .change.kind == \"deleted\"'\n        Visit:",
            ),
            ("      model: Scheduling\n", ""),
        ]);
        (load(&sources).plan.is_some(), rendered(&sources))
    };
    let (is_right, report) = found("{ cancelled: { get: /cancelled } }", "");
    assert!(!is_right);
    insta::assert_snapshot!("versions_that_disagree", report);
    let (is_right, report) = found(
        "{ cancelled: { get: /cancelled } }",
        "      version: .updated\n",
    );
    assert!(is_right, "{report}");
    let (is_right, report) = found("{ deleted: { get: /deleted, gone: true } }", "");
    assert!(is_right, "{report}");
    for (name, wrong) in [
        (
            "feed_name_taken",
            "{ reconcile: { get: /all, gone: true } }",
        ),
        (
            "also_with_two_schedules",
            "{ deleted: { every: 1m, at: '1 * * * *', get: /deleted, gone: true } }",
        ),
        (
            "also_between_without_interval",
            "{ deleted: { between: Mon-Fri, get: /deleted, gone: true } }",
        ),
    ] {
        let (is_right, report) = found(wrong, "");
        assert!(!is_right);
        insta::assert_snapshot!(name, report);
    }
}

#[test]
fn a_job_is_not_swept_by_its_own_query() {
    let found = |sweep: &str| {
        let sweep = format!("    every: 1m\n    {sweep}");
        let sources = changed_in(&[
            ("    every: 1m", &sweep),
            (
                "cursor: { time: \"%Y-%m-%dT%H:%M:%S\", zone: UTC, overlap: 2m }",
                "job: fhir_bulk\n      cursor: { time: rfc3339, answer: .transactionTime, overlap: 0s }",
            ),
        ]);
        (load(&sources).plan.is_some(), rendered(&sources))
    };
    let (is_right, report) = found("reconcile: { every: 1d, get: /all }");
    assert!(is_right, "{report}");
    for (name, sweep) in [
        ("job_with_trailing", "trailing: { every: 1h, horizon: 2h }"),
        ("job_with_reconcile", "reconcile: { every: 1d }"),
    ] {
        let (is_right, report) = found(sweep);
        assert!(!is_right);
        insta::assert_snapshot!(name, report);
    }
}

#[test]
fn a_zone_is_of_use_to_the_dates_of_a_sweep() {
    let dates = |zone: &str| {
        format!(
            "    every: 1m\n    zone: Europe/Berlin\n    reconcile: {{ every: 1d, get: \"/all?from={{{{ from }}}}\", dates: {{ from: -1d, to: 1d, field: .start{zone} }} }}"
        )
    };
    let found = |zone: &str| {
        let outcome = load(&changed_in(&[("    every: 1m", &dates(zone))]));
        assert!(outcome.plan.is_some());
        let codes = outcome.diagnostics.iter().map(|found| found.code);
        codes.collect::<Vec<_>>()
    };
    assert_eq!(found(""), []);
    assert_eq!(found(", zone: UTC"), [codes::MISMATCHED_KEYS]);
}
