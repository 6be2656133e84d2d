//! What an EHR pushes by itself: where, and how it is read.

use crate::codes;
use crate::diagnostic::Findings;
use crate::face::{ActionKeys, InboundKeys};
use crate::reading::{Given, Here};
use rounds_domain::FeedName;
use rounds_domain::plan::{
    Connection, Feed, Inbound, InboundProof, Records, RequestRule, VersionRule,
};
use rounds_map::Filter;
use std::sync::Arc;

/// The name of the feed that pushes are, in `rounds status`.
pub(super) const NAME: &str = "receive";

/// Where and how an EHR pushes.
pub(super) fn connection(
    given: &Given<InboundKeys>,
    findings: &mut Findings<'_>,
) -> Option<Inbound> {
    let keys = given.value()?;
    let listen = keys.listen.here()?;
    if !listen.value.0.ip().is_loopback() {
        findings
            .warning(
                codes::PLAIN_HTTP,
                listen.place,
                "pushes come over the network without encryption",
            )
            .expected("expected a loopback address")
            .help("listen on 127.0.0.1 and let a proxy with TLS in front of it pass pushes on");
    }
    Some(Inbound {
        listen: listen.value.0,
        proof: proof(keys)?,
        body_limit_bytes: keys
            .body_limit
            .value()
            .map_or(Inbound::DEFAULT_BODY_LIMIT_BYTES, |given| given.0),
    })
}

fn proof(keys: &InboundKeys) -> Option<InboundProof> {
    if let Some(secrets) = keys.signing_secret.value() {
        let secrets = secrets.0.iter().map(|secret| secret.value.0.clone());
        return Some(InboundProof::Signature(secrets.collect()));
    }
    if let Some(basic) = keys.basic.value() {
        return Some(InboundProof::Basic {
            username: basic.username.value()?.0.text.clone(),
            password: basic.password.reference()?,
        });
    }
    if let Some(header) = keys.header.value() {
        return Some(InboundProof::Header {
            name: header.name.value()?.name.clone(),
            value: header.value.reference()?,
        });
    }
    if let Some(hmac) = keys.body_hmac.value() {
        return Some(InboundProof::BodyHmac {
            header: hmac.header.value()?.name.clone(),
            secret: hmac.secret.reference()?,
        });
    }
    keys.bearer.reference().map(InboundProof::Bearer)
}

/// How an action's pushes are read. The outer None says that something is wrong.
#[expect(
    clippy::option_option,
    reason = "the outer says that something is wrong, as everywhere here"
)]
pub(super) fn action(
    keys: &ActionKeys,
    main: &Feed,
    connection: Option<&Connection>,
    findings: &mut Findings<'_>,
) -> Option<Option<Arc<Feed>>> {
    let given = match &keys.receive {
        Given::Absent => return Some(None),
        Given::Wrong => return None,
        Given::Here(given) => given,
    };
    if connection.is_some_and(|connection| connection.receive.is_none()) {
        findings
            .error(
                codes::NOBODY_RECEIVES,
                given.key,
                "pushes that come from nowhere",
            )
            .expected("its connection has no `receive`, which says where they come and who sends them")
            .help("for example, under the connection: `receive: { listen: 127.0.0.1:8750, bearer: { env: EHR_PUSH_TOKEN } }`");
        return None;
    }
    read(given, main, findings).map(|feed| Some(Arc::new(feed)))
}

fn read(
    given: &Here<crate::face::ReceiveKeys>,
    main: &Feed,
    findings: &mut Findings<'_>,
) -> Option<Feed> {
    let keys = &given.value;
    let own = |given: &Given<crate::kinds::Expression>, main: &Filter| match given {
        Given::Wrong => None,
        Given::Absent => Some(main.clone()),
        Given::Here(own) => Some(own.value.filter.clone()),
    };
    let version = match keys.version.here() {
        Some(version) => VersionRule::Field(version.value.filter.clone()),
        None => main.version.clone(),
    };
    if matches!(version, VersionRule::Fingerprint { .. }) {
        findings
            .error(
                codes::VERSIONS_DISAGREE,
                given.key,
                "pushes of records that have no `version`",
            )
            .expected("a push and a poll show one record in two ways, and its fingerprints would take turns")
            .help("write a `version` in `changes` that both show, such as `.updated_at`");
        return None;
    }
    let whole = Filter::compile(".").ok()?;
    let records = own(&keys.records, &whole)?;
    Some(Feed {
        name: FeedName::new(NAME),
        request: RequestRule {
            format: keys.format.or(main.request.format),
            ..main.request.clone()
        },
        job: None,
        partitions: None,
        records: Records::of(records),
        skip: keys.skip.value().map(|skip| skip.filter.clone()),
        id: own(&keys.id, &main.id)?,
        version,
        gone: match keys.gone.here() {
            Some(gone) => Some(gone.value.filter.clone()),
            None => main.gone.clone(),
        },
        ..main.clone()
    })
}
