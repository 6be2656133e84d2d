//! Every way to prove who asks arrives in the plan.

use crate::rendered;
use rounds_config::{Sources, load, secret_references};
use rounds_domain::ConnectionName;
use rounds_domain::plan::{Authentication, Connection, LoginBody, TextSource, TokenUrl};
use std::sync::Arc;

const YAML: &str = include_str!("authentication.yaml");

/// The connections; that nobody uses them is all there is to say.
fn connection(name: &str) -> Arc<Connection> {
    let sources = Sources::from_text("rounds.yaml", YAML);
    let plan = load(&sources).plan;
    let plan = plan.unwrap_or_else(|| panic!("{}", rendered(&sources)));
    Arc::clone(&plan.connections[&ConnectionName::new(name)])
}

#[test]
fn every_way_arrives_in_the_plan() {
    let sources = Sources::from_text("rounds.yaml", YAML);
    let plan = load(&sources).plan.expect("a plan");
    insta::assert_debug_snapshot!("authentications", plan.connections);
    insta::assert_debug_snapshot!("authentication_secrets", secret_references(&plan));
}

/// Debug leaves these out.
#[test]
fn urls_and_bodies_arrive_whole() {
    let token_url = |name: &str| match &connection(name).authentication {
        Authentication::OAuth2(oauth2) => match &oauth2.token_url {
            TokenUrl::At(url) => url.to_string(),
            TokenUrl::Discovered => "discovered".to_owned(),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(
        token_url("athena"),
        "https://auth.example.org/oauth2/v1/token"
    );
    assert_eq!(
        token_url("nextech"),
        "https://nextech.example.org/api/connect/token"
    );
    assert_eq!(token_url("drchrono"), "discovered");
    let login = |name: &str| match &connection(name).authentication {
        Authentication::Login(login) => login.as_ref().clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        login("unity").url.as_str(),
        "https://unity.example.org/Unity/UnityService.svc/json/GetToken"
    );
    assert_eq!(login("xml").url.as_str(), "https://login.example.org/xml");
    let LoginBody::Text(pieces) = login("xml").body else {
        panic!("it is text");
    };
    assert!(
        matches!(pieces.as_slice(), [TextSource::Literal(_), TextSource::Secret(_), TextSource::Literal(end)] if end == "'/>")
    );
    let LoginBody::Form(pairs) = login("cookie").body else {
        panic!("it is a form");
    };
    assert!(
        matches!(&pairs[0], (name, TextSource::Literal(value)) if name == "j_username" && value == "rounds")
    );
}
