//! What is written becomes the plan.

use crate::{FULL, SMALL, rendered};
use rounds_config::{Sources, load, secret_references};
use rounds_domain::plan::{
    Action, BodyRule, Cadence, CursorRule, DateRange, Deletions, Destination, EventRule, FeedRole,
    HeaderSource, Job, Links, Missed, Only, OrderBy, PagingRule, Partitions, Plan, Queue,
    RetrySchedule, Rows, Start, Sweep, SweepScope, TimeCursor, TimeFormat, TimeSource, VersionRule,
    WhenMissing,
};
use rounds_map::Json;
use rounds_map::models::{FirstSeenOver, Ways};
use std::sync::Arc;
use std::time::Duration;

fn plan(text: &str) -> Plan {
    let sources = Sources::from_text("rounds.yaml", text);
    load(&sources)
        .plan
        .unwrap_or_else(|| panic!("{}", rendered(&sources)))
}

fn action(plan: &Plan, name: &str) -> Arc<Action> {
    Arc::clone(
        plan.actions
            .iter()
            .find(|action| action.name.as_str() == name)
            .expect("is there"),
    )
}

#[test]
fn every_documented_key_reaches_the_plan() {
    let plan = plan(FULL);
    assert_eq!(plan.keep_finished, Duration::from_hours(90 * 24));
    insta::assert_debug_snapshot!("full_connections", plan.connections);
    insta::assert_debug_snapshot!("full_destinations", plan.destinations);
    let names: Vec<_> = plan
        .actions
        .iter()
        .map(|action| action.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "appointments",
            "orders",
            "results",
            "visits",
            "patients",
            "charts",
            "slots",
            "messages",
            "exports",
            "rooms"
        ]
    );
    assert_eq!(action(&plan, "exports").changes.job, Some(Job::FhirBulk));
    let without_zones = insta::Settings::clone_current();
    without_zones
        .bind(|| insta::assert_debug_snapshot!("full_appointments", action(&plan, "appointments")));
    let asked: Vec<_> = ["patients", "charts"]
        .into_iter()
        .flat_map(|name| {
            let action = action(&plan, name);
            let lookups = action.lookups.iter().map(|lookup| lookup.request.clone());
            let lists = action.feeds().filter_map(|feed| match &feed.partitions {
                Some(Partitions::Asked(query)) => Some(query.list.request.clone()),
                _ => None,
            });
            let feeds = action.feeds().map(|feed| feed.request.clone());
            feeds.chain(lists).chain(lookups).collect::<Vec<_>>()
        })
        .collect();
    insta::assert_debug_snapshot!("full_bodies", asked);
    insta::assert_debug_snapshot!("full_answers", action(&plan, "patients").answers);
}

/// Debug leaves these out, because a path or a header may be a credential.
#[test]
fn urls_and_headers_reach_the_plan_whole() {
    let plan = plan(FULL);
    let urls: Vec<&str> = plan
        .connections
        .values()
        .map(|connection| connection.base_url.as_str())
        .chain(
            plan.destinations
                .values()
                .map(|destination| destination.url.as_str()),
        )
        .collect();
    insta::assert_debug_snapshot!("full_urls", urls);
    let fakedata = &plan.connections[&rounds_domain::ConnectionName::new("fakedata")];
    let HeaderSource::Literal(accept) = &fakedata.headers[0].1 else {
        panic!("it is no secret");
    };
    assert_eq!(accept, "application/fhir+json");
    let my_app = &plan.destinations[&rounds_domain::DestinationName::new("my-app")];
    insta::assert_debug_snapshot!("full_destination_headers", my_app.headers);
}

#[test]
fn schedules_and_cursors_of_every_kind() {
    let plan = plan(FULL);
    let cursor = |name| action(&plan, name).changes.cursor.clone();
    assert!(matches!(
        action(&plan, "orders").changes.schedule.cadence,
        Cadence::At(_)
    ));
    assert!(
        matches!(action(&plan, "results").changes.schedule.cadence, Cadence::Every(every) if every == Duration::from_mins(90))
    );
    assert!(matches!(cursor("orders"), CursorRule::Number(log) if log.place.text() == ".Last"));
    assert!(
        matches!(cursor("results"), CursorRule::Token(log) if log.place.text() == ".next_token")
    );
    assert!(matches!(cursor("rooms"), CursorRule::Sweep(_)));
    let CursorRule::Time(time) = cursor("slots") else {
        panic!("a time")
    };
    assert_eq!(time.format, TimeFormat::EpochSeconds);
    assert!(matches!(&time.source, TimeSource::Answer(from) if from.text() == ".[0].serverTime"));
    assert_eq!(time.longest_window, Some(Duration::from_hours(7 * 24)));
    assert_eq!(
        (time.granularity, time.overlap),
        (Duration::from_secs(1), Duration::from_secs(1)),
        "raised to one granule"
    );
    assert_eq!(
        action(&plan, "slots").changes.start,
        Start::Instant("2026-01-01T00:00:00Z".parse().expect("an instant"))
    );
    assert_eq!(action(&plan, "orders").changes.start, Start::Beginning);
    let paging = |name| action(&plan, name).changes.paging.rule.clone();
    assert!(
        matches!(paging("orders"), PagingRule::PageNumber { parameter, first: 0, size: Some(50), size_parameter: Some(size), .. } if parameter.as_deref() == Some("page") && size == "per_page")
    );
    assert!(matches!(paging("results"), PagingRule::LinkHeader { relation } if relation == "next"));
    assert!(matches!(
        paging("slots"),
        PagingRule::Offset { size: 50, .. }
    ));
    assert!(
        matches!(paging("rooms"), PagingRule::Token { from, .. } if from.text() == ".nextPageToken")
    );
    assert!(
        matches!(&action(&plan, "orders").changes.version, VersionRule::Field(filter) if filter.text() == ".version")
    );
    assert_eq!(
        action(&plan, "orders").changes.request.method,
        http::Method::POST
    );
    assert!(matches!(
        action(&plan, "slots").notify.order_by,
        OrderBy::Action
    ));
    assert!(matches!(
        action(&plan, "results").notify.body,
        BodyRule::Whole
    ));
    assert_eq!(
        action(&plan, "appointments").changes.request.query.len(),
        4,
        "a list repeats its parameter"
    );
}

#[test]
fn a_queue_is_asked_until_it_is_empty_and_says_how_to_ask_again() {
    let plan = plan(FULL);
    let messages = action(&plan, "messages");
    assert!(matches!(
        messages.changes.paging.rule,
        PagingRule::UntilEmpty
    ));
    let CursorRule::Queue(Queue {
        recover: Some(recover),
    }) = &messages.changes.cursor
    else {
        panic!("a queue with a recovery")
    };
    let names: Vec<&str> = (recover.request.query.iter())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["after", "before"], "instead of the queue's own");
    assert_eq!(recover.request.path.text(), "/messages/changed");
    assert_eq!(recover.reach, Duration::from_hours(12));
    assert_eq!(recover.written.overlap, Duration::from_mins(3));
    assert_eq!(recover.written.zone.iana_name(), Some("America/New_York"));
    assert!(
        matches!(&recover.paging.rule, PagingRule::After { from, size: Some(100), .. } if from.text() == ".id")
    );
}

#[test]
fn orders_and_links_reach_the_plan() {
    let text = SMALL.replacen("overlap: 2m }", "field: .at, order: descending }", 1);
    let CursorRule::Time(time) = action(&plan(&text), "appointments").changes.cursor.clone() else {
        panic!("a time")
    };
    assert!(matches!(time.source, TimeSource::DescendingField));
    let paging = action(&plan(FULL), "appointments").changes.paging.clone();
    assert_eq!(paging.links, Links::Rebased);
    assert!(paging.more.is_some_and(|more| more.text() == ".has_next"));
}

#[test]
fn a_format_tells_its_own_granularity() {
    for (format, expected) in [
        ("%m/%d/%Y", 86_400_000),
        ("%Y%m%d%H", 3_600_000),
        ("%m/%d/%Y %I:%M %p", 60_000),
        ("%Y-%m-%dT%H:%M:%S%:z", 1_000),
        ("%Y-%m-%dT%H:%M:%S.%3f", 1),
        ("rfc3339", 1),
        ("http_date", 1_000),
    ] {
        let text = SMALL.replacen("%Y-%m-%dT%H:%M:%S", format, 1);
        let CursorRule::Time(time) = action(&plan(&text), "appointments").changes.cursor.clone()
        else {
            panic!("a time")
        };
        assert_eq!(
            time.granularity,
            Duration::from_millis(expected),
            "{format}"
        );
        assert!(time.overlap >= time.granularity);
    }
}

#[test]
fn lookups_come_after_those_that_they_use() {
    let plan = plan(FULL);
    let lookups = &action(&plan, "appointments").lookups;
    let names: Vec<_> = lookups.iter().map(|lookup| lookup.name.as_str()).collect();
    assert_eq!(names, ["patient", "insurer"]);
    assert_eq!(lookups[0].when_missing, WhenMissing::Park);
    assert_eq!(lookups[0].request.timeout, Some(Duration::from_secs(30)));
}

#[test]
fn literals_of_a_body_keep_their_digits() {
    let plan = plan(FULL);
    let action = action(&plan, "orders");
    let BodyRule::Free(body) = &action.notify.body else {
        panic!("a free body")
    };
    let scope =
        Json::parse(br#"{"record":{"id":7},"change":{"kind":"created"}}"#).expect("is JSON");
    let rendered = body.render(&scope).expect("renders").to_bytes();
    assert_eq!(
        String::from_utf8_lossy(&rendered),
        r#"{"id":7,"big":12345678901234567890,"price":1.10,"none":null,"yes":"yes","flag":true,"list":[1,"created"]}"#
    );
}

#[test]
fn a_model_body_has_its_events() {
    let small = plan(SMALL);
    let BodyRule::Model {
        event: EventRule::Derived,
        model,
        status: None,
        ways,
        ..
    } = &action(&small, "appointments").notify.body
    else {
        panic!("derived")
    };
    assert_eq!(model.name(), "Scheduling");
    assert_eq!(*ways, Ways::default());
    let full = plan(FULL);
    assert!(matches!(
        action(&full, "appointments").notify.body,
        BodyRule::Model {
            event: EventRule::Expression(_),
            ..
        }
    ));
}

#[test]
fn an_event_from_the_state_may_be_said() {
    let text = SMALL.replace(
        "model: Scheduling",
        "model: Scheduling\n      event: from_state",
    );
    let plan = plan(&text);
    assert!(matches!(
        action(&plan, "appointments").notify.body,
        BodyRule::Model {
            event: EventRule::Derived,
            ..
        }
    ));
}

#[test]
fn a_user_says_how_their_records_say_it() {
    let text = SMALL.replace(
        "model: Scheduling",
        "model: Scheduling\n      status: = .record.state\n      statuses: { cancelled: [X, 7], noshow: DNA }\n      \
         first_seen_over: tell\n      only: [Visit.VisitDateTime, Visit.Location]",
    );
    let plan = plan(&text);
    let notify = &action(&plan, "appointments").notify;
    let BodyRule::Model {
        status: Some(status),
        ways,
        ..
    } = &notify.body
    else {
        panic!("has a status")
    };
    assert_eq!(status.text().trim(), ".record.state");
    assert_eq!(ways.words["cancelled"], ["X", "7"]);
    assert_eq!(ways.words["noshow"], ["DNA"]);
    assert_eq!(ways.first_seen_over, FirstSeenOver::Tell);
    let paths = ["Visit.VisitDateTime", "Visit.Location"].map(str::to_owned);
    assert_eq!(notify.only, Some(Only::Paths(paths.to_vec())));
}

#[test]
fn what_is_left_out_has_its_default() {
    let plan = plan(SMALL);
    assert_eq!(plan.keep_finished, Plan::DEFAULT_KEEP_FINISHED);
    let connection = plan.connections.values().next().expect("one");
    assert_eq!(connection.base_url.as_str(), "https://fakedata.com/");
    assert_eq!(connection.request_timeout, Duration::from_secs(30));
    let destination = plan.destinations.values().next().expect("one");
    assert_eq!(destination.retry, RetrySchedule::deliveries());
    assert_eq!(destination.in_flight, Destination::DEFAULT_IN_FLIGHT);
    let action = action(&plan, "appointments");
    assert_eq!(action.retry, RetrySchedule::containers());
    assert_eq!(action.changes.paging.max_pages, 1_000);
    assert!(matches!(action.notify.order_by, OrderBy::Record));
    assert!(matches!(
        action.changes.version,
        VersionRule::Fingerprint { counting: None }
    ));
}

/// A timeout that is given holds: nothing that is not given cuts it short.
#[test]
fn a_destinations_timeout_is_not_cut_short_by_a_default() {
    let of = |keys: &str| {
        let text = SMALL.replacen("    url: https", &format!("{keys}    url: https"), 1);
        assert_eq!(text == SMALL, keys.is_empty(), "{text}");
        let plan = plan(&text);
        let timeouts = plan.destinations.values().next().expect("one").timeouts;
        (timeouts.read.as_secs(), timeouts.total.as_secs())
    };
    assert_eq!(of(""), (30, 30));
    assert_eq!(of("    timeout: 90s\n"), (90, 90));
    assert_eq!(of("    timeout: 90s\n    read_timeout: 5s\n"), (5, 90));
}

#[test]
fn every_secret_is_listed_with_its_use() {
    let listed: Vec<_> = secret_references(&plan(FULL))
        .into_iter()
        .map(|(place, secret)| format!("{place}: {secret:?}"))
        .collect();
    assert_eq!(
        listed,
        [
            "connections.clinic.auth.basic.password: File(\"/run/secrets/clinic\")",
            "connections.fakedata.auth.bearer: Environment(\"FAKEDATA_TOKEN\")",
            "connections.lab.auth.header.value: Command([\"pass\", \"show\", \"lab key\"])",
            "connections.soap.auth.login.text: Environment(\"SOAP_PASSWORD\")",
            "connections.soap.secrets.customer_key: Environment(\"CUSTOMER_KEY\")",
            "destinations.my-app.signing_secret[0]: Environment(\"MY_APP_SECRET\")",
            "destinations.my-app.signing_secret[1]: Environment(\"MY_APP_OLD_SECRET\")",
            "destinations.my-app.verification_token: Environment(\"MY_APP_TOKEN\")",
            "destinations.my-app.bearer: Command([\"vault\", \"read\", \"app\"])",
            "destinations.my-app.headers.x-key: Environment(\"KEY\")",
        ]
    );
}

#[test]
fn sweeps_are_feeds_beside_the_change_query() {
    let plan = plan(FULL);
    let appointments = action(&plan, "appointments");
    let [trailing, reconcile] = &appointments.sweeps[..] else {
        panic!("two sweeps")
    };
    let CursorRule::Time(changes) = &appointments.changes.cursor else {
        panic!("a time cursor")
    };
    assert!(matches!(changes.source, TimeSource::AscendingField));
    let CursorRule::Time(TimeCursor {
        settle, overlap, ..
    }) = &trailing.cursor
    else {
        panic!("a time cursor")
    };
    // Its horizon is what its cursor stays behind by; all else is the change query's.
    assert_eq!(
        (*settle, *overlap),
        (Duration::from_hours(2), changes.overlap)
    );
    assert_eq!(trailing.role, FeedRole::Trailing);
    assert_eq!(trailing.name.as_str(), "trailing");
    assert_eq!(
        trailing.request.query.len(),
        appointments.changes.request.query.len()
    );
    assert!(trailing.dated_by.is_some());
    assert_eq!(trailing.schedule.zone.iana_name(), Some("Europe/Paris"));
    assert_eq!(trailing.schedule.windows.len(), 1);

    assert_eq!(reconcile.role, FeedRole::Reconcile);
    assert!(
        matches!(reconcile.schedule.cadence, Cadence::Every(every) if every == Duration::from_hours(24))
    );
    let CursorRule::Sweep(sweep) = &reconcile.cursor else {
        panic!("a sweep")
    };
    let told = |hold_back_above_percent, missed| Deletions::Told {
        hold_back_above_percent,
        missed,
    };
    assert_eq!(sweep.deletions, told(10, Missed::EveryKnownRecord));
    assert!(
        matches!(&sweep.scope, SweepScope::ChangesSince { since, .. } if *since == jiff::Timestamp::UNIX_EPOCH)
    );
}

#[test]
fn a_sweep_that_looks_less_far_back_than_the_change_query_misses_only_what_it_has_shown() {
    let reconcile = |start: &str, since: &str| {
        let text = SMALL.replacen("start: now", &format!("start: {start}"), 1);
        let sweep = format!("    every: 1m\n    reconcile: {{ every: 1d{since} }}");
        let plan = plan(&text.replacen("    every: 1m", &sweep, 1));
        let CursorRule::Sweep(Sweep {
            scope: SweepScope::ChangesSince { since, .. },
            deletions: Deletions::Told { missed, .. },
        }) = action(&plan, "appointments").sweeps[0].cursor.clone()
        else {
            panic!("a sweep by the change query")
        };
        (since.to_string(), missed)
    };
    let everything = |since: &str| (since.to_owned(), Missed::EveryKnownRecord);
    let own = |since: &str| (since.to_owned(), Missed::SweptBefore);
    for start in ["now", "beginning"] {
        assert_eq!(reconcile(start, ""), everything("1970-01-01T00:00:00Z"));
        assert_eq!(
            reconcile(start, ", since: 2020-01-01"),
            own("2020-01-01T00:00:00Z")
        );
    }
    // An EHR that takes its filter as "after" must be asked a step earlier to show the start's own instant.
    let start = "2026-01-01T00:00:00Z";
    assert_eq!(reconcile(start, ""), everything("2025-12-31T23:59:59Z"));
    assert_eq!(
        reconcile(start, ", since: 2020-01-01"),
        everything("2020-01-01T00:00:00Z")
    );
    assert_eq!(reconcile(start, ", since: 2026-01-01"), own(start));
}

#[test]
fn a_sweep_may_ask_in_its_own_way() {
    let plan = plan(FULL);
    let orders = action(&plan, "orders");
    let [reconcile] = &orders.sweeps[..] else {
        panic!("one sweep")
    };
    assert_eq!(reconcile.request.path.text(), "/orders/_list");
    assert_eq!(reconcile.request.method, http::Method::POST);
    assert_eq!(reconcile.records.filter().text(), ".list[]");
    assert_eq!(reconcile.paging.max_pages, 7);
    assert!(matches!(reconcile.paging.rule, PagingRule::Token { .. }));
    assert!(matches!(reconcile.schedule.cadence, Cadence::At(_)));
    let CursorRule::Sweep(Sweep {
        scope: SweepScope::Dates(range),
        deletions,
    }) = &reconcile.cursor
    else {
        panic!("a sweep over dates")
    };
    let DateRange {
        from_days,
        to_days,
        zone,
        format,
        field,
        longest_days,
    } = &**range;
    assert_eq!(*longest_days, Some(190));
    assert_eq!((*from_days, *to_days), (-30, 84));
    assert_eq!(zone.iana_name(), Some("America/New_York"));
    assert_eq!((format.as_str(), field.text()), ("%d.%m.%Y", ".due"));
    let expected = Deletions::Told {
        hold_back_above_percent: 25,
        missed: Missed::SweptBefore,
    };
    assert_eq!(*deletions, expected);

    let slots = action(&plan, "slots");
    let CursorRule::Sweep(sweep) = &slots.sweeps[0].cursor else {
        panic!("a sweep")
    };
    assert_eq!(sweep.deletions, Deletions::Ignored);
    assert!(
        matches!(&sweep.scope, SweepScope::ChangesSince { since, .. } if since.to_string() == "2025-06-01T00:00:00Z")
    );
    assert!(matches!(
        slots.changes.paging.rule,
        PagingRule::Offset {
            rows: Rows::Move,
            ..
        }
    ));
    // A change query without a cursor is a sweep itself.
    let CursorRule::Sweep(rooms) = &action(&plan, "rooms").changes.cursor else {
        panic!("a sweep")
    };
    let expected = Deletions::Told {
        hold_back_above_percent: 50,
        missed: Missed::EveryKnownRecord,
    };
    assert_eq!(rooms.deletions, expected);
}

#[test]
fn a_sweep_without_a_zone_goes_by_that_of_its_action() {
    let zones = |own: &str| {
        let plan = plan(&SMALL.replacen(
            "every: 1m\n",
            &format!(
                "every: 1m\n    zone: Asia/Tokyo\n    trailing: {{ at: \"0 3 * * *\", horizon: 1h{own} }}\n    reconcile: {{ at: \"0 4 * * *\"{own} }}\n"
            ),
            1,
        ));
        (action(&plan, "appointments").sweeps.iter())
            .map(|sweep| sweep.schedule.zone.iana_name().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(zones(""), ["Asia/Tokyo", "Asia/Tokyo"]);
    assert_eq!(
        zones(", zone: Europe/Berlin"),
        ["Europe/Berlin", "Europe/Berlin"]
    );
}

/// The first words that are said of a format in a zone; none if it is right.
fn said_of(format: &str, zone: &str) -> String {
    let text = SMALL.replacen(
        "%Y-%m-%dT%H:%M:%S\", zone: UTC",
        &format!("{format}\", zone: {zone}"),
        1,
    );
    assert!(text.contains(format) && text.contains(zone), "{text}");
    let outcome = load(&Sources::from_text("rounds.yaml", text));
    let first = outcome.diagnostics.first();
    first.map_or_else(String::new, |first| first.message.clone())
}

#[test]
fn formats_that_write_something_else_than_they_seem_to_are_refused() {
    let chicago = "America/Chicago";
    let table = [
        (
            "%Y-%m-%dT%h:%M:%S",
            "UTC",
            "`%m` and `%h` both write the month",
        ),
        (
            "%Y-%m-%dT%H:%m:%S",
            "UTC",
            "`%m` and `%m` both write the month",
        ),
        (
            "%Y-%M-%dT%H:%M:%S",
            "UTC",
            "`%M` and `%M` both write the minute",
        ),
        (
            "%Y-%m-%dT%H:%M:%s",
            "UTC",
            "`%s` writes the whole instant, and there is more beside it",
        ),
        ("%YYYY-%mm-%dd", "UTC", "`%YYYY` writes `YYY` behind it"),
        ("%Y-%m-%d %Q", "UTC", "`%Q` writes the name of a zone"),
        (
            "%Y-%m-%dT%H:%M:%S%Z",
            "UTC",
            "`%Z` writes the name of a zone",
        ),
        (
            "%Y-%m-%dT%H:%M:%SZ",
            chicago,
            "the format says that its times are in UTC, and `zone` is America/Chicago",
        ),
        (
            "%FT%T+00:00",
            "Europe/London",
            "the format says that its times are in UTC, and `zone` is Europe/London",
        ),
        (
            "%Y-%M-%dT%H:%m:%S",
            "UTC",
            "`%M` writes the minute, and no hour stands before it",
        ),
        (
            "%Y-%M-%d",
            "UTC",
            "`%M` writes the minute, and no hour stands before it",
        ),
        ("%H:%M %d.%m.%Y", "UTC", ""),
        ("%FT%TZ", "Etc/GMT", ""),
        ("%Y-%m-%dT%H:%M:%SZ", "UTC", ""),
        ("%Y-%m-%dT%H:%M:%S%:z", chicago, ""),
        ("%m/%d/%Y %I:%M %p", chicago, ""),
        ("%d-%h-%Y %Hh%Mm%Ss", chicago, ""),
        ("%A %d %B %Y %T", chicago, ""),
        ("%s", chicago, ""),
        ("%Y-%jT%R", "UTC", ""),
    ];
    for (format, zone, words) in table {
        assert_eq!(said_of(format, zone), words, "{format} in {zone}");
    }
}
